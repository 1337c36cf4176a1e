//! The load of a throughput case: producers that push as fast as they can.

use std::hint::black_box;
use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tapelog::{MetaLogger, Producer, UnixNanos, debug, error, info, trade};

use super::super::pin;
use super::super::plan::Plan;
use super::files::bytes_dirtied;
use super::{JOURNAL_SEGMENT_BYTES, JOURNAL_SEGMENTS, Target};
use crate::failure::Failure;

/// A producer looks at the clock after this many records.
const CHUNK: u64 = 8_192;
/// Of so many records one is a trade event and one an error.
const MIX: u64 = 10;
/// What a record takes in the journal.
const RECORD_BYTES: u64 = 48;
/// How long the writer may take to catch up.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often the journal is asked whether it has everything.
const LOOK: Duration = Duration::from_micros(100);
/// Numbers that one producer has for itself: a multiple of [`MIX`], so that all mix alike.
pub(super) const PRODUCER_NUMBERS: u64 = 1_000_000_000_000;

/// What was pushed.
#[derive(Debug)]
pub(super) struct Load {
    /// By each producer.
    pub(super) pushed: Vec<u64>,
    /// Records that the journal has taken, and that the ring has refused.
    pub(super) written: u64,
    pub(super) lost: u64,
    /// What the journal was given.
    pub(super) journal_bytes: u64,
    /// How many of all records were trade events.
    pub(super) trades: u64,
    /// How many were errors.
    pub(super) errors: u64,
    /// From the first call until the last record was in the page cache and counted.
    pub(super) time: Duration,
    /// What the kernel counted as dirtied by this process in that time.
    pub(super) bytes_dirtied: u64,
    /// Behind this time lie each producer's last records.
    pub(super) late: UnixNanos,
}

/// Fills every segment of the journal once, so that the load finds recycled ones, as an engine does
/// that has run for a while; in a `quick` run only if they are the limit, which they are not where views
/// render. Waits for each piece, so that nothing can be lost.
///
/// # Errors
/// If the writer does not catch up.
pub(super) fn warm_up(target: Target, quick: bool, log: &MetaLogger) -> Result<(), Failure> {
    let producer = log.producer();
    let segments = if quick && target.renders() { 1 } else { JOURNAL_SEGMENTS + 1 };
    let bytes = JOURNAL_SEGMENT_BYTES * u64::from(segments);
    let records = (bytes / RECORD_BYTES).next_multiple_of(CHUNK);
    for first in (0..records).step_by(CHUNK as usize) {
        for warm in first..first + CHUNK {
            debug!(producer, "warm-up", warm, next = warm + 1, price = 0.5);
        }
        wait_until_written(log, first + CHUNK)?;
    }
    Ok(log.flush(TIMEOUT)?)
}

/// Pushes for the plan's time and waits for the last record.
///
/// # Errors
/// If a thread cannot be pinned.
pub(super) fn run(
    target: Target,
    producers: u32,
    plan: &Plan,
    log: &MetaLogger,
) -> Result<Load, Failure> {
    let before = log.stats();
    let meet = Barrier::new(producers as usize + 1);
    let one = |number: u32| {
        let pinned = pin::to(plan.cpus.producer(number));
        let producer = log.producer();
        log.warm_up();
        meet.wait();
        let end = Instant::now() + plan.throughput_time;
        let first = u64::from(number) * PRODUCER_NUMBERS;
        pinned.map(|()| {
            if target == Target::AllThree {
                push(first, end, |number| mixed(&producer, number))
            } else {
                push(first, end, |number| plain(&producer, number))
            }
        })
    };
    let (finished, start, dirtied) = thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = (0..producers).map(|at| scope.spawn(move || one(at))).collect();
        let dirtied = bytes_dirtied();
        meet.wait();
        let start = Instant::now();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        (joined.collect::<Vec<_>>(), start, dirtied)
    });
    let mut load = Load {
        pushed: Vec::new(),
        written: 0,
        lost: 0,
        journal_bytes: 0,
        trades: 0,
        errors: 0,
        time: Duration::ZERO,
        bytes_dirtied: 0,
        late: UnixNanos(i64::MAX),
    };
    for thread in finished {
        let (pushed, late) = thread.map_err(|_| io::Error::other("a producer panicked"))??;
        load.pushed.push(pushed);
        load.late = load.late.min(late);
    }
    if target.renders() {
        log.flush(TIMEOUT)?;
    } else {
        wait_until_written(log, before.journaled + load.pushed.iter().sum::<u64>())?;
    }
    load.time = start.elapsed();
    load.bytes_dirtied = bytes_dirtied() - dirtied;
    let after = log.stats();
    load.written = after.journaled - before.journaled;
    load.lost = after.lost.total() - before.lost.total();
    load.journal_bytes = after.journal_bytes - before.journal_bytes;
    if target == Target::AllThree {
        load.trades = load.pushed.iter().map(|pushed| pushed.div_ceil(MIX)).sum();
        load.errors = load.pushed.iter().map(|pushed| (pushed + MIX / 2 - 1) / MIX).sum();
    }
    Ok(load)
}

/// Pushes until `end`; gives the count, and the time in front of the last pieces.
fn push(first: u64, end: Instant, call: impl Fn(u64)) -> (u64, UnixNanos) {
    let mut number = first;
    let mut late;
    loop {
        late = unix_now();
        for _ in 0..CHUNK {
            call(black_box(number));
            number += 1;
        }
        if Instant::now() >= end {
            return (number - first, late);
        }
    }
}

/// A record of 48 bytes.
#[inline(always)]
fn plain(producer: &Producer, number: u64) {
    info!(producer, "event", number, next = number + 1, price = 0.5);
}

#[inline(always)]
fn mixed(producer: &Producer, number: u64) {
    match number % MIX {
        0 => trade!(producer, "order filled", number, next = number + 1, price = 0.5),
        5 => error!(producer, "order rejected", number, next = number + 1, price = 0.5),
        _ => info!(producer, "event", number, next = number + 1, price = 0.5),
    }
}

/// Waits until so many records are in the journal, or lost.
fn wait_until_written(log: &MetaLogger, pushed: u64) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let stats = log.stats();
        if stats.journaled + stats.lost.total() >= pushed {
            return Ok(());
        }
        if begin.elapsed() > TIMEOUT {
            let (journaled, lost) = (stats.journaled, stats.lost.total());
            let text = format!("{pushed} records were pushed, {journaled} written, {lost} lost");
            return Err(text.into());
        }
        thread::sleep(LOOK);
    }
}

fn unix_now() -> UnixNanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixNanos(since.as_nanos() as i64)
}
