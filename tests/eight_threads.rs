//! Eight threads, two million records each, across at least twenty rotations of logs and segments,
//! while bound contexts come and go: each record is present exactly once, in order for its thread
//! and with the context it was logged with, in the logs and in the journal.
//!
//! `TEST_QUICK` in the environment makes it a tenth of that.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::thread;
use std::time::{Duration, Instant};

use support::{Desk, PATIENCE};
use tapelog::reading::{Format, Journal};
use tapelog::{MetaLogger, Overflow, context, try_info};

const THREADS: u64 = 8;
/// So many records share a context.
const BOUND_FOR: u64 = 100;

/// Where the event stands in a line.
const EVENT: usize = "[2026-01-02T03:04:05.123456Z] [INFO     ] ".len();

struct Size {
    records: u64,
    log_bytes: u64,
    segment_bytes: u64,
}

fn size() -> Size {
    let whole = Size { records: 2_000_000, log_bytes: 48 << 20, segment_bytes: 32 << 20 };
    match std::env::var_os("TEST_QUICK") {
        None => whole,
        Some(_) => Size {
            records: whole.records / 10,
            log_bytes: whole.log_bytes / 10,
            segment_bytes: whole.segment_bytes / 8,
        },
    }
}

fn log_all(log: &MetaLogger, thread: u64, records: u64) {
    let mut bound = log.clone();
    let mut generation = 0;
    for sequence in 0..records {
        if sequence % BOUND_FOR == thread {
            generation = sequence;
            bound = log.bind(context! { owner = thread, since = generation });
        }
        while try_info!(bound, "entry", thread, sequence, generation).is_err() {
            thread::yield_now();
        }
    }
}

/// A line, read from its end.
struct Entry {
    thread: u64,
    sequence: u64,
    generation: u64,
    context: Option<(u64, u64)>,
}

impl Entry {
    fn read(line: &[u8]) -> Option<Entry> {
        let mut fields = line.rsplit(|byte| *byte == b' ').peekable();
        let context = match fields.peek()?.starts_with(b"since=") {
            true => {
                let since = number(&mut fields, b"since=")?;
                Some((number(&mut fields, b"owner=")?, since))
            }
            false => None,
        };
        let generation = number(&mut fields, b"generation=")?;
        let sequence = number(&mut fields, b"sequence=")?;
        let thread = number(&mut fields, b"thread=")?;
        (fields.next()? == b"entry").then_some(Entry { thread, sequence, generation, context })
    }
}

fn number<'a>(fields: &mut impl Iterator<Item = &'a [u8]>, name: &[u8]) -> Option<u64> {
    let digits = fields.next()?.strip_prefix(name)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Takes lines, checks each, and counts what should be there.
#[derive(Default)]
struct Checker {
    next: [u64; THREADS as usize],
    gaps: u64,
    /// The beginning of a line whose end is still to come.
    partial: Vec<u8>,
}

impl Checker {
    fn line(&mut self, line: &[u8]) {
        let shown = || String::from_utf8_lossy(line).into_owned();
        if line.get(EVENT..).is_some_and(|event| event.starts_with(b"logger.gap")) {
            self.gaps += 1;
            return;
        }
        let entry = Entry::read(line).unwrap_or_else(|| panic!("no entry: {}", shown()));
        let next = &mut self.next[entry.thread as usize];
        assert_eq!(entry.sequence, *next, "out of order, missing or repeated: {}", shown());
        *next += 1;
        // The first records of a thread come before its first context.
        let expected = (entry.sequence >= entry.thread).then_some((entry.thread, entry.generation));
        assert_eq!(entry.context, expected, "not the context it was logged with: {}", shown());
    }

    fn assert_complete(&self, records: u64) {
        assert!(self.partial.is_empty(), "the last line has an end");
        assert_eq!(self.next, [records; THREADS as usize]);
    }
}

impl Write for Checker {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.partial.is_empty() {
                self.line(&rest[..end]);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(&rest[..end]);
                self.line(&whole);
            }
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_record_of_every_thread_is_there_once_in_order_with_its_context() {
    let Size { records, log_bytes, segment_bytes } = size();
    let desk = Desk::new();
    let (log, guard) = desk
        .builder()
        .log_max_file_size(log_bytes)
        .log_backup_count(100_u32)
        .journal_segment_bytes(segment_bytes)
        .journal_segments(100_u32)
        .overflow(Overflow::Block(Duration::from_millis(5)))
        .build()
        .unwrap();
    let started = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = log.clone();
            scope.spawn(move || log_all(&log, thread, records));
        }
    });
    let logged = started.elapsed();
    log.flush(PATIENCE).unwrap();
    let shown = started.elapsed();
    let stats = log.stats();
    drop(guard);
    assert_eq!(stats.accepted, THREADS * records);
    assert_eq!((stats.journaled, stats.shown), (stats.accepted, stats.accepted));

    let mut logs = Checker::default();
    for path in support::files(&desk.logs().join("expert.log")) {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path).unwrap());
        loop {
            let bytes = file.fill_buf().unwrap();
            if bytes.is_empty() {
                break;
            }
            let used = bytes.len();
            logs.write_all(bytes).unwrap();
            file.consume(used);
        }
        assert!(logs.partial.is_empty(), "a file ends with a whole line");
    }
    logs.assert_complete(records);
    let read_logs = started.elapsed();

    let mut journal = Checker::default();
    let summary = Journal::open(desk.logs()).unwrap().write_to(Format::Text, &mut journal).unwrap();
    assert!(summary.is_intact() && summary.notes.is_empty(), "{summary:?}");
    journal.assert_complete(records);
    assert_eq!(journal.gaps, logs.gaps);
    let segments = std::fs::read_dir(desk.logs().join("journal")).unwrap().count();
    println!(
        "{} records: logged after {logged:?}, in the logs after {shown:?}, logs read after \
         {read_logs:?}, journal after {:?}; {} rotations, {segments} segments, {} gap entries for \
         {} refusals, {} late",
        stats.accepted,
        started.elapsed(),
        stats.rotations,
        logs.gaps,
        stats.lost.total(),
        stats.late,
    );
    assert!(stats.rotations >= 20, "{} rotations of logs", stats.rotations);
    assert!(segments >= 20, "{segments} segments");
}
