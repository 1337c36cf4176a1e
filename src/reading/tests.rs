//! The reading face against the logs of the same run.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::journal::hostile::{Made, SEALED};
use crate::{Guard, Level, MetaLogger, context, debug, error, info, trade};

const FLUSH: Duration = Duration::from_secs(20);

fn start(directory: &Path, structured: bool) -> (MetaLogger, Guard) {
    MetaLogger::builder()
        .log_dir(directory)
        .log_to_console(false)
        .log_level(Level::Debug)
        .latency_warning(Duration::ZERO)
        .structured_logging(structured)
        .build()
        .unwrap()
}

fn log_some(log: &MetaLogger, count: u64) {
    let bound = log.bind(context! { symbol = "BTCUSDT", strategy_id = "s 1" });
    for sequence in 0..count {
        info!(bound, "bar {sequence} closed", sequence, close = 70_000.5);
        debug!(log, "detail");
        trade!(bound, "order filled", order_id = sequence, side = "BUY");
    }
    let cause = "x".parse::<u8>().unwrap_err();
    error!(bound, "order rejected", error = &cause);
    log.flush(FLUSH).unwrap();
}

fn read(directory: &Path, format: Format) -> (String, Summary) {
    let mut out = Vec::new();
    let summary = Journal::open(directory).unwrap().write_to(format, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), summary)
}

#[test]
fn the_text_is_that_of_the_log_while_an_engine_writes_and_afterwards() {
    let root = tempfile::tempdir().unwrap();
    let (log, guard) = start(root.path(), false);
    log_some(&log, 1_000);
    let written = fs::read_to_string(root.path().join("expert.log")).unwrap();
    let (live, summary) = read(root.path(), Format::Text);
    assert_eq!(summary.entries, 3_001);
    assert!(summary.is_intact() && summary.notes.is_empty(), "{:?}", summary.notes);
    assert!(live == written, "the journal of a running engine differs from its log");
    drop(guard);
    let (ended, _) = read(&root.path().join("journal"), Format::Text);
    assert!(ended == written, "the journal differs from the log");
}

#[test]
fn the_json_is_that_of_the_logs_over_several_runs() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let (log, guard) = start(root.path(), true);
        log_some(&log, 100);
        drop(guard);
    }
    let (lines, summary) = read(root.path(), Format::Json);
    assert_eq!(summary.entries, 3 * 301);
    let written = fs::read_to_string(root.path().join("expert.log")).unwrap();
    assert!(lines == written, "the journal differs from the log");
    let trades = fs::read_to_string(root.path().join("trades.log")).unwrap();
    let mut rest = lines.lines();
    for line in trades.lines() {
        assert!(rest.any(|other| other == line), "not in the journal: {line}");
    }
}

#[test]
fn what_is_no_journal_is_refused_with_its_path_and_advice() {
    let root = tempfile::tempdir().unwrap();
    let missing = Journal::open(root.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("none: give the log directory"), "{missing}");
    let empty = Journal::open(root.path()).unwrap_err().to_string();
    assert!(empty.contains("holds no journal") && empty.contains("log_dir"), "{empty}");
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let file = Journal::open(file).unwrap_err();
    assert!(matches!(file, ReadError::NotADirectory { .. }), "{file}");
}

#[test]
fn damage_costs_what_it_hits_and_is_told() {
    let root = tempfile::tempdir().unwrap();
    let (log, guard) = start(root.path(), false);
    for _ in 0..20 {
        log_some(&log, 20);
    }
    drop(guard);
    let (whole, _) = read(root.path(), Format::Text);
    let segment = root.path().join("journal/00000000000000000001.tape");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = 4096 + (bytes.len() - 4096) / 2;
    for byte in &mut bytes[middle..middle + 64] {
        *byte ^= 0x55;
    }
    fs::write(&segment, bytes).unwrap();
    let (rest, summary) = read(root.path(), Format::Text);
    assert!(!summary.is_intact());
    let note = summary.notes[0].to_string();
    assert!(note.contains("00000000000000000001.tape is damaged from byte"), "{note}");
    assert!(summary.entries < 20 * 61 && summary.entries > 10 * 61, "{}", summary.entries);
    let mut lines = whole.lines();
    for line in rest.lines().filter(|line| !line.contains("logger.")) {
        assert!(lines.any(|other| other == line), "not in the log: {line}");
    }
}

#[test]
fn a_segment_of_a_later_format_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (log, guard) = start(root.path(), false);
        log_some(&log, 5);
        drop(guard);
    }
    let segment = root.path().join("journal/00000000000000000001.tape");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 9;
    let crc = crate::journal::crc32c(&bytes[..220]);
    bytes[220..224].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    let (_, summary) = read(root.path(), Format::Text);
    assert_eq!((summary.entries, summary.damaged), (16, 1), "{:?}", summary.notes);
    assert!(summary.notes[0].to_string().contains("format version 9"), "{}", summary.notes[0]);
}

/// An output that closes after some bytes.
struct Closing(usize);

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_closes_ends_the_reading() {
    let root = tempfile::tempdir().unwrap();
    let (log, _guard) = start(root.path(), false);
    log_some(&log, 10);
    let journal = Journal::open(root.path()).unwrap();
    let closed = journal.write_to(Format::Text, &mut Closing(10)).unwrap_err();
    assert!(closed.is_closed_output(), "{closed}");
}

#[test]
fn a_segment_that_readers_pass_over_is_told_as_damage() {
    let [mut first, second] = crate::journal::tests::seeds::segments();
    let whole = [&first[4096..], &second[4096..]].concat();
    let next = first.len() - 8;
    first[next..].copy_from_slice(&7_u64.to_le_bytes());
    let forged = [&first[4096..], &second[4096..]].concat();
    let verify = |frames: &[u8]| {
        let made = Made::of(SEALED, frames);
        Journal::of_index(made.index()).verify(&mut |_| {}).unwrap()
    };
    assert!(verify(&whole).is_intact());
    let verification = verify(&forged);
    let states = verification.segments.iter().map(|segment| segment.state);
    assert_eq!(states.collect::<Vec<_>>(), [SegmentState::Intact, SegmentState::Damaged]);
    let reason = &verification.segments[1].findings[0].reason;
    assert!(reason.contains("says that segment 7 follows"), "{reason}");
}
