//! The committed corpus holds, and so does what small changes make of it.
//!
//! `TEST_WRITE_CORPUS=1` writes the seeds of `segment`, `ring` and `record` anew, of a journal and a
//! ring as they are now; those of `config` and `feed` are texts, written by hand. The feed's parser is
//! the command line's: `cli/tests/feed_corpus.rs` reads its corpus.

mod corpus;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::clock::Ticks;
use crate::definition::{SiteSpec, encode_context};
use crate::journal::hostile::SEALED;
use crate::journal::tests::{damages, seeds};
use crate::level::Level;
use crate::record::{
    Args, Bytes, Decimal, Flags, Gap, LogValue, RECORD_HEADER_BYTES, RecordHeader, TimeKind,
    UnixNanos,
};
use crate::shared::encode;
use crate::writer::hostile::bytes_of_a_ring;

/// A door, its name, and how many changed inputs it gets in the tests.
type Door = (&'static str, fn(&[u8]), u64);

const DOORS: [Door; 4] = [
    ("segment", segment, 20_000),
    ("ring", ring, 10_000),
    ("record", record, 50_000),
    ("config", config, 20_000),
];

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

#[test]
fn row_15_the_corpus_and_a_hundred_thousand_changes_of_it_are_read_to_some_end() {
    let mut cases = 0;
    for (name, door, changed) in DOORS {
        // CI's number of changes is the sum over all doors; more of them are shared out as it is.
        let changed = changed * u64::from(damages(100_000)) / 100_000;
        cases += corpus::check(&corpus(name), changed, door);
    }
    println!("row 15: {cases} inputs of segments, rings, records and configurations");
    assert!(cases >= u64::from(damages(100_000)));
}

fn write(name: &str, seeds: impl IntoIterator<Item = (&'static str, Vec<u8>)>) {
    fs::create_dir_all(corpus(name)).unwrap();
    for (seed, bytes) in seeds {
        fs::write(corpus(name).join(seed), bytes).unwrap();
    }
}

#[test]
fn the_corpus_is_written_when_it_is_asked_for() {
    if std::env::var_os("TEST_WRITE_CORPUS").is_none() {
        println!("skipped: TEST_WRITE_CORPUS is not set");
        return;
    }
    let form = |form: u8, bytes: &[u8]| [&[form], bytes].concat();
    let [first, second] = seeds::segments();
    let frames = [&first[4096..], &second[4096..]].concat();
    write(
        "segment",
        [
            ("frames", form(SEALED, &frames)),
            ("frames-live-json", form(SEALED | 0b01_0010, &frames)),
            ("frames-unpublished-logfmt", form(SEALED | 0b10_0100, &frames)),
            ("frames-unopened-rfc5424", form(SEALED | 0b11_1000, &frames)),
            ("file", form(0, &first)),
            ("file-cut", form(0b01_0000, &second[..second.len() - 50])),
        ],
    );
    write("ring", rings());
    write("record", records());
}

/// Changes of a ring: none, and one in each part of it.
fn rings() -> Vec<(&'static str, Vec<u8>)> {
    let whole = bytes_of_a_ring();
    let data = u64::from_le_bytes(*whole[64..].first_chunk().unwrap()) as usize;
    let change = |at: usize, count: usize| {
        let mut input = (at as u16).to_le_bytes().to_vec();
        input.push(count as u8);
        input.extend(&whole[at..at + count]);
        input
    };
    vec![
        ("whole", Vec::new()),
        ("lane", change(4096, 216)),
        ("site", change(8192, 96)),
        ("block", change(data, 64)),
        ("records", change(data + 64, 96)),
        ("two-blocks", [change(data + 4096, 32), change(data + 2 * 4096, 32)].concat()),
    ]
}

/// A site, a context and a record of each kind.
fn records() -> Vec<(&'static str, Vec<u8>)> {
    let numbers = (((((), true), 'é'), 3_u8), -4_i16);
    let wide = ((numbers, u128::MAX), i128::MIN);
    let times = (((wide, 0.5_f32), f64::NAN), UnixNanos(1_767_323_045_123_456_789));
    let all = ((times, Ticks(5)), Decimal { mantissa: -123, scale: 2 });
    let texts = ((((), "api_key=AKIA0123456789abcdef"), Bytes(b"\x00\xff")), Some("two\nwords"));
    let lists = (((), [1.5, 2.5].stored()), ["a", "b"].stored());
    let gap = Gap { lane: 1, generation: 2, by_reason: [1, 2, 3, 4, 5, 6], ..Gap::default() };
    let mut told = [0; 104];
    gap.write(&mut told);
    let context = encode_context(
        &["symbol", "token", "started"],
        &((((), "BTCUSDT"), Some("secret")), Ticks(7)),
    );
    vec![
        (
            "numbers",
            seed(&["a", "b", "c", "d", "e", "f", "g", "h", "at", "t", "px"], &all, &context),
        ),
        ("texts", seed(&["text", "raw", "category"], &texts, &context)),
        ("lists", seed(&["prices", "names"], &lists, &[0, 0])),
        ("gap", input(&[], &[], &told)),
    ]
}

/// Two records of these arguments, with their site and a context.
fn seed<A: Args>(fields: &[&str], args: &A, context: &[u8]) -> Vec<u8> {
    let spec = SiteSpec {
        level: Level::Warning,
        trade: false,
        line: 7,
        text: "sent {a} {{x}} {text}",
        target: "bot::orders",
        file: "src/orders.rs",
        fields,
    };
    let length = (RECORD_HEADER_BYTES + A::FIXED + args.extra(usize::MAX)).next_multiple_of(8);
    let flags = Flags::of_time(TimeKind::CallerUnixNanos);
    let header = RecordHeader { length: length as u32, site: 1, context: 1, flags, time: 9 };
    let mut record = vec![0; length];
    encode(&mut record, header, &[], args, usize::MAX);
    input(&spec.encode(A::types), context, &record.repeat(2))
}

fn input(site: &[u8], context: &[u8], records: &[u8]) -> Vec<u8> {
    let lengths = [site.len(), context.len()].map(|length| (length as u16).to_le_bytes());
    [lengths.as_flattened(), site, context, records].concat()
}
