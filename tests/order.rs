//! The logs are sorted by time within `order_window`, whichever thread logged and whoever brought
//! the stamp; what is stamped further back is written on arrival and counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::thread;

use support::{Desk, PATIENCE, number};
use tapelog::{Ticks, UnixNanos, info, now};

/// A generator of numbers that are the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn ticks_per_millisecond() -> u64 {
    let (ticks, time) = (now().0, std::time::Instant::now());
    thread::sleep(std::time::Duration::from_millis(50));
    (now().0 - ticks) * 1_000 / time.elapsed().as_micros() as u64
}

/// The stamp of a line, in microseconds.
fn micros(line: &str) -> i64 {
    let stamp = line[1..].split(']').next().unwrap();
    stamp.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// How many lines are stamped earlier than a line before them.
fn misplaced(lines: &[String]) -> u64 {
    let mut latest = 0;
    let mut count = 0;
    for line in lines {
        let stamp = micros(line);
        if stamp < latest {
            count += 1;
        } else {
            latest = stamp;
        }
    }
    count
}

#[test]
fn entries_stamped_up_to_five_milliseconds_ago_are_sorted() {
    const ENTRIES: u64 = 20_000;
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let millisecond = ticks_per_millisecond();
    thread::scope(|scope| {
        for thread in 0..2_u64 {
            let log = log.clone();
            scope.spawn(move || {
                let mut random = Random(thread);
                let mut last = 0;
                for sequence in 0..ENTRIES {
                    // A thread's own stamps do not run back; the other's are up to 5 ms away.
                    let stamp = (now().0 - random.below(5 * millisecond)).max(last);
                    last = stamp;
                    info!(log, at: Ticks(stamp), "entry", thread, sequence);
                    if sequence % 64 == 0 {
                        thread::sleep(std::time::Duration::from_micros(200));
                    }
                }
            });
        }
    });
    log.flush(PATIENCE).unwrap();
    let late = log.stats().late;
    drop(guard);
    let lines = desk.lines("expert.log");
    assert_eq!(lines.len() as u64, 2 * ENTRIES);
    let misplaced = misplaced(&lines);
    println!("{misplaced} of {} entries misplaced, {late} counted as late", lines.len());
    assert!(misplaced <= late, "what is out of order is counted");
    assert!(late <= ENTRIES / 50, "a thread that stamps and pushes at once is rarely late");
    for thread in 0..2 {
        let of_thread = lines.iter().filter(|line| number(line, "thread") == thread);
        assert!(of_thread.map(|line| number(line, "sequence")).eq(0..ENTRIES));
    }
}

#[test]
fn own_stamps_of_many_threads_are_sorted_without_exception() {
    const ENTRIES: u64 = 30_000;
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let log = log.clone();
            scope.spawn(move || {
                for sequence in 0..ENTRIES {
                    while tapelog::try_info!(log, "entry", thread, sequence).is_err() {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    log.flush(PATIENCE).unwrap();
    let late = log.stats().late;
    drop(guard);
    let lines = desk.lines("expert.log");
    let entries: Vec<_> = lines.into_iter().filter(|line| line.contains("] entry ")).collect();
    assert_eq!(entries.len() as u64, 4 * ENTRIES);
    let misplaced = misplaced(&entries);
    println!("{misplaced} of {} entries misplaced, {late} counted as late", entries.len());
    assert!(misplaced <= late);
}

#[test]
fn a_stamp_from_the_distant_past_is_written_on_arrival_and_counted() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "first");
    log.flush(PATIENCE).unwrap();
    assert_eq!(log.stats().late, 0);
    info!(log, at: UnixNanos(1_000_000_000), "a second after 1970");
    info!(log, "third");
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    let lines = desk.lines("expert.log");
    assert_eq!(lines[1], "[1970-01-01T00:00:01.000000Z] [INFO     ] a second after 1970");
    assert!(lines[0].ends_with("first") && lines[2].ends_with("third"), "{lines:?}");
    assert_eq!(stats.late, 1);
}

#[test]
fn a_stamp_from_the_future_waits_for_nobody() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, at: UnixNanos(4_000_000_000_000_000_000), "in the year 2096");
    info!(log, "today");
    log.flush(PATIENCE).unwrap();
    let lines = desk.lines("expert.log");
    assert_eq!(lines.len(), 2, "nothing waits for the year 2096");
    assert!(lines[0].starts_with("[2096-10-02T"), "{lines:?}");
    drop(guard);
}
