//! The door of the fuzzer to recorded feeds, plain and compressed. `fuzz/` compiles this file, too.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;

use crate::demo::decimal::Decimal;
use crate::demo::feed::Feed;
use crate::demo::tick::{Message, Tick};

/// What a line gave: a tick, or what is wrong with it.
type Item = Result<Tick, String>;

/// Reads a feed of any bytes: whatever they are, it ends, and what it tells moves no cursor.
///
/// # Panics
/// When something does not hold that must hold of any bytes.
pub(crate) fn feed(input: &[u8]) {
    let items = read(input);
    assert!(!items.is_empty(), "an empty feed is told, too");
    for item in &items {
        match item {
            Ok(tick) => check(tick),
            Err(text) => assert!(!text.chars().any(char::is_control), "{text:?}"),
        }
    }
    // Dear: one input in eight is read a second time, out of gzip.
    if input.len().is_multiple_of(8) && !input.starts_with(&[0x1f, 0x8b]) {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(input).expect("packed");
        assert_eq!(read(&packed.finish().expect("packed")), items, "gzip changes what is read");
    }
}

/// Reads a feed to its end, from a file in memory.
fn read(bytes: &[u8]) -> Vec<Item> {
    let file = rustix::fs::memfd_create("feed", rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let mut file = File::from(file);
    file.write_all(bytes).expect("written");
    file.rewind().expect("rewound");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let feed = Feed::open(path.as_ref()).expect("opened");
    feed.map(|item| item.map_err(|error| error.to_string())).collect()
}

/// Prices and sizes print as numbers that are read again.
fn check(tick: &Tick) {
    let again = |number: Decimal| assert_eq!(Decimal::parse(&number.to_string()), Ok(number));
    match tick.message {
        Message::Trade(trade) => [trade.price, trade.qty].map(again).len(),
        Message::BookTicker(book) => {
            [book.bid, book.bid_qty, book.ask, book.ask_qty].map(again).len()
        }
        Message::Depth(depth) => {
            assert!(depth.first_update_id <= depth.last_update_id);
            0
        }
        Message::Snapshot(_) => 0,
    };
}
