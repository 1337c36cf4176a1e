//! The reader against well-formed, malformed and cut recordings.

use std::error::Error;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::demo::decimal::Decimal;
use crate::demo::tick::{BookTicker, Depth, Message, Snapshot, Trade};

const TRADE: &str = r#"7 {"stream":"btcusdt@trade","data":{"e":"trade","E":6,"T":6,"s":"BTCUSDT","t":9,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#;

fn feed(bytes: impl AsRef<[u8]>) -> Feed {
    Feed::sniff(Box::new(io::Cursor::new(bytes.as_ref().to_vec())), None).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn only_message(line: &str) -> Message {
    let mut feed = feed(line);
    let tick = feed.next().unwrap().unwrap();
    assert!(feed.next().is_none());
    tick.message
}

/// The report for a line that must be malformed, and that the reader goes on behind it.
fn report(line: impl AsRef<[u8]>) -> String {
    let mut bytes = line.as_ref().to_vec();
    bytes.push(b'\n');
    bytes.extend_from_slice(TRADE.as_bytes());
    let mut feed = feed(bytes);
    let error = feed.next().unwrap().unwrap_err();
    assert!(!error.is_fatal() && error.line() == 1);
    assert!(feed.next().unwrap().is_ok(), "no tick behind {error}");
    assert!(feed.next().is_none());
    error.to_string()
}

fn levels(count: u32) -> String {
    let level = r#"["61800.10","1.000"]"#;
    format!("[{}]", vec![level; count as usize].join(","))
}

/// A tick as a line of a recording.
pub(crate) fn recording_line(tick: &Tick) -> String {
    let json = match tick.message {
        Message::Trade(Trade { trade_id, price, qty, buyer_is_maker }) => format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","s":"BTCUSDT","t":{trade_id},"p":"{price}","q":"{qty}","m":{buyer_is_maker}}}}}"#
        ),
        Message::BookTicker(BookTicker { update_id, bid, bid_qty, ask, ask_qty }) => format!(
            r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{update_id},"s":"BTCUSDT","b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}"}}}}"#
        ),
        Message::Depth(depth) => {
            let previous =
                depth.previous_update_id.map(|id| format!(r#""pu":{id},"#)).unwrap_or_default();
            format!(
                r#"{{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","s":"BTCUSDT","U":{},"u":{},{previous}"b":{},"a":{}}}}}"#,
                depth.first_update_id,
                depth.last_update_id,
                levels(depth.bid_levels),
                levels(depth.ask_levels),
            )
        }
        Message::Snapshot(Snapshot { last_update_id, bid_levels, ask_levels }) => format!(
            r#"{{"lastUpdateId":{last_update_id},"bids":{},"asks":{}}}"#,
            levels(bid_levels),
            levels(ask_levels),
        ),
    };
    format!("{} {json}", tick.received_ns)
}

#[test]
fn every_kind_of_futures_message_is_read() {
    let price = Decimal::new(6_180_030, 2);
    let qty = Decimal::new(6, 3);
    let trade = Trade { trade_id: 9, price, qty, buyer_is_maker: false };
    assert_eq!(only_message(TRADE), Message::Trade(trade));
    let ticks = [
        Message::Trade(trade),
        Message::BookTicker(BookTicker {
            update_id: 4,
            bid: price,
            bid_qty: Decimal::ZERO,
            ask: price,
            ask_qty: qty,
        }),
        Message::Depth(Depth {
            first_update_id: 5,
            last_update_id: 8,
            previous_update_id: Some(3),
            bid_levels: 2,
            ask_levels: 0,
        }),
        Message::Snapshot(Snapshot { last_update_id: 8, bid_levels: 1, ask_levels: 3 }),
    ];
    for message in ticks {
        let tick = Tick { received_ns: 1_723_161_255_030_314_667, message };
        assert_eq!(feed(recording_line(&tick)).next().unwrap().unwrap(), tick);
    }
}

#[test]
fn spot_messages_without_event_name_and_previous_id_are_read() {
    let book = r#"1 {"stream":"btcusdt@bookTicker","data":{"u":3,"s":"BTCUSDT","b":"61685.99000000","B":"1.2","a":"61686.00","A":"2.4"}}"#;
    let Message::BookTicker(book) = only_message(book) else { panic!("not a book ticker") };
    assert_eq!(book.bid.to_string(), "61685.99000000");
    let depth = r#"1 {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":5,"u":6,"b":[],"a":[["1.0","0.0"]]}}"#;
    let Message::Depth(depth) = only_message(depth) else { panic!("not a depth update") };
    assert_eq!((depth.previous_update_id, depth.ask_levels), (None, 1));
}

#[test]
fn plain_gzip_and_several_gzip_members_give_the_same_ticks() {
    let text = format!("{TRADE}\n{TRADE}\r\n{TRADE}");
    let (first, second) = text.as_bytes().split_at(100);
    let members = [gzip(first), gzip(second)].concat();
    for bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), members] {
        let mut feed = feed(&bytes);
        assert_eq!(feed.symbol(), None);
        assert_eq!(feed.by_ref().filter(Result::is_ok).count(), 3);
        assert_eq!(feed.symbol(), Some("BTCUSDT"));
        assert_eq!(feed.bytes_read(), bytes.len() as u64);
    }
}

#[test]
fn a_malformed_line_is_reported_with_its_fault_and_the_feed_goes_on() {
    let trade = |from: &str, to: &str| report(TRADE.replacen(from, to, 1));
    let cases = [
        (report(""), "line 1: the line is blank"),
        (report("hello"), "line 1: a line is `<receive time, ns> <JSON>`; this one has no space"),
        (report("-5 {}"), "line 1: the receive time is not a count"),
        (report("99999999999999999999 {}"), "line 1: the receive time is not a count"),
        (report("5 {}"), "line 1: neither a stream message nor a snapshot"),
        (report(r#"5 {"stream":"x"}"#), "line 1: the message lacks `data`"),
        (report(r#"5 {"bids":[]}"#), "line 1: the snapshot lacks `lastUpdateId`"),
        (report(r#"5 {"data":{"s":"BTCUSDT"}}"#), "line 1: the message lacks `e`"),
        (report("5 [1"), "line 1: column "),
        (trade(r#""e":"trade""#, r#""e":"aggTrade""#), "line 1: messages of kind `aggTrade`"),
        (trade(r#""s":"BTCUSDT","#, ""), "line 1: the message lacks `s`"),
        (trade(r#""t":9,"#, ""), "line 1: the trade lacks `t`"),
        (trade("61800.30", "-1.0"), "line 1: `p` is negative: -1.0"),
        (trade("61800.30", "NaN"), "line 1: `p` is not a plain decimal number: NaN"),
        (trade("0.006", "0.000"), "line 1: `q` is zero: 0.000"),
        (trade(r#""61800.30""#, "61800.30"), "line 1: column 92: invalid type: floating point"),
        (trade(r#""t":9"#, r#""t":-9"#), "line 1: column "),
        (report(&TRADE[..60]), "line 1: column 60: EOF while parsing"),
        (
            report(r#"5 {"data":{"e":"depthUpdate","s":"B","U":9,"u":8,"b":[],"a":[]}}"#),
            "line 1: update ids run backwards: U is 9, u is 8",
        ),
        (
            report(r#"5 {"data":{"e":"depthUpdate","s":"B","U":1,"u":8,"b":"1","a":[]}}"#),
            "line 1: `b` is a list where a number should stand",
        ),
        (
            report(r#"5 {"data":{"e":"depthUpdate","s":"B","U":1,"u":8,"b":[["x","1"]],"a":[]}}"#),
            "line 1: column 64: a depth level's price is not a plain decimal number",
        ),
    ];
    for (found, expected) in cases {
        assert!(found.starts_with(expected), "{found:?} does not start with {expected:?}");
    }
}

#[test]
fn reports_of_hostile_lines_are_short_and_printable() {
    let lines: [&[u8]; 4] = [
        b"5 {\"data\":{\"e\":\"\x1b[2J\xe2\x80\xae\",\"s\":\"B\"}}",
        b"5 \xff\xfe{}",
        b"5 {\"stream\":\"\\u001b[31m\",\"data\":{\"e\":\"\\u001b]0;x\\u0007\",\"s\":\"B\"}}",
        &[b"5 {\"lastUpdateId\":\"".as_slice(), &[b'x'; 100_000], b"\"}"].concat(),
    ];
    for line in lines {
        let report = report(line);
        assert!(report.len() < 400, "{} bytes", report.len());
        assert!(!report.chars().any(|c| c.is_control() || c == '\u{202e}'), "{report:?}");
    }
    assert!(report(b"5 \xff\xfe{}").starts_with("line 1: byte 3 is not UTF-8"));
}

#[test]
fn no_spoilt_byte_and_no_cut_makes_the_reader_panic_or_lose_the_next_line() {
    for at in 0..TRADE.len() {
        let next_is_read = |line: Vec<u8>| {
            let mut feed = feed([line.as_slice(), b"\n", TRADE.as_bytes()].concat());
            let first = feed.next().unwrap();
            assert!(first.map_or_else(|error| error.to_string().len() < 400, |_| true));
            // A spoilt symbol makes the next line's one differ: reported, not lost.
            assert!(feed.next().is_some() && feed.next().is_none(), "byte {at}");
        };
        next_is_read(TRADE.as_bytes()[..at].to_vec());
        for spoilt in [0, b'"', b'{', b'-', 0x1b, 0xff, TRADE.as_bytes()[at] ^ 1] {
            let mut line = TRADE.as_bytes().to_vec();
            line[at] = spoilt;
            next_is_read(line);
        }
    }
}

#[test]
fn a_line_over_the_limit_is_skipped_and_not_held_in_memory() {
    let at_limit = format!("{TRADE}{}\n", " ".repeat(LINE_BYTES_MAX - TRADE.len()));
    assert!(feed(&at_limit).next().unwrap().is_ok());

    let long_bytes = 64 * LINE_BYTES_MAX as u64;
    let rest = format!("\n{TRADE}\n");
    let input = io::repeat(b'x').take(long_bytes).chain(io::Cursor::new(rest));
    let mut feed = Feed::sniff(Box::new(input), None).unwrap();
    let error = feed.next().unwrap().unwrap_err();
    assert!(error.to_string().starts_with("line 1: the line is longer than 1048576 bytes"));
    assert!(feed.line.capacity() <= 2 * LINE_BYTES_MAX);
    assert!(feed.next().unwrap().is_ok());
    assert!(feed.next().is_none());
}

#[test]
fn an_empty_feed_is_an_error_and_not_a_feed_of_nothing() {
    for bytes in [Vec::new(), gzip(b"")] {
        let mut feed = feed(bytes);
        let error = feed.next().unwrap().unwrap_err();
        assert!(error.is_fatal());
        assert_eq!(error.to_string(), "line 1: the feed is empty");
        assert!(feed.next().is_none());
    }
}

#[test]
fn a_gzip_feed_that_was_cut_or_spoilt_ends_with_an_error() {
    let text = format!("{TRADE}\n").repeat(200);
    let whole = gzip(text.as_bytes());
    for kept in [2, whole.len() / 2, whole.len() - 1] {
        let mut feed = feed(&whole[..kept]);
        let error = feed.find_map(Result::err).unwrap();
        assert!(error.is_fatal());
        assert!(error.to_string().contains("cut short"), "{error}");
        assert!(feed.next().is_none());
    }
    let mut spoilt = whole.clone();
    let checksum = spoilt.len() - 8;
    spoilt[checksum] ^= 1;
    let errors = feed(&spoilt).filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(errors.as_slice(), [error] if error.is_fatal()), "{errors:?}");
    assert!(errors[0].source().is_some());
}

#[test]
fn another_symbol_in_the_same_feed_is_reported() {
    let text = format!("{TRADE}\n{}\n", TRADE.replace("BTCUSDT", "ETHUSDT"));
    let error = feed(text).find_map(Result::err).unwrap().to_string();
    assert!(error.starts_with("line 2: the symbol is ETHUSDT, but the feed began with BTCUSDT"));
}

#[test]
fn a_feed_that_cannot_be_opened_is_named_in_the_error() {
    let missing = Feed::open(Path::new("no/such.gz")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open the feed no/such.gz: give a recording"));
    assert_eq!(missing.source.kind(), io::ErrorKind::NotFound);
    let directory = Feed::open(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
    assert_eq!(directory.source.kind(), io::ErrorKind::IsADirectory);
}

#[test]
fn a_file_knows_its_size_for_the_progress_bar() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("feed.gz");
    let bytes = gzip(TRADE.as_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let mut feed = Feed::open(&path).unwrap();
    assert_eq!(feed.bytes_total(), Some(bytes.len() as u64));
    assert_eq!(feed.by_ref().count(), 1);
    assert_eq!(feed.bytes_read(), bytes.len() as u64);
}

/// A recording beside the checkout; none, and a printed reason, when it is not there.
pub(crate) fn recording(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/marketdata").join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

#[test]
fn the_recordings_are_read_whole() {
    // Trades, book tickers, depth updates, snapshots: counted when the files were published.
    let recordings = [
        ("binance_usdm_btcusdt_20240808.gz", [21_313, 66_089, 6_551, 1]),
        ("binance_spot_btcusdt_20240809.gz", [10_147, 45_134, 3_044, 0]),
    ];
    for (name, expected) in recordings {
        let Some(path) = recording(name) else {
            continue;
        };
        let mut counts = [0; 4];
        let start = Instant::now();
        for tick in Feed::open(&path).unwrap() {
            let kind = match tick.unwrap().message {
                Message::Trade(_) => 0,
                Message::BookTicker(_) => 1,
                Message::Depth(_) => 2,
                Message::Snapshot(_) => 3,
            };
            counts[kind] += 1;
        }
        println!("{name}: {counts:?} in {:?}", start.elapsed());
        assert_eq!(counts, expected, "{name}");
    }
}
