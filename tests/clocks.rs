//! Clocks that do what they should not: UTC that jumps by a year or an hour, a counter that does not run
//! evenly. The order stays, and both times of a jump are told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::{Desk, PATIENCE, child, field, number, role, run, until};
use tapelog::reading::Journal;
use tapelog::testing::{distrust_tick_counter, shift_clock};
use tapelog::{MetaLogger, Threading, info, now};

const HOUR_NANOS: i64 = 3_600 * 1_000_000_000;
const YEAR_NANOS: i64 = 365 * 24 * HOUR_NANOS;

/// Logs some entries, each with its number.
fn log_some(log: &MetaLogger, next: &mut u64) {
    for _ in 0..500 {
        info!(log, "entry", number = *next);
        *next += 1;
    }
    log.flush(PATIENCE).unwrap();
}

/// The time that a line begins with.
fn stamp(line: &str) -> &str {
    line.split(['[', ']']).nth(1).unwrap()
}

fn numbers(lines: &[String]) -> Vec<u64> {
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    entries.map(|line| number(line, "number")).collect()
}

fn year_of(time: &str) -> i32 {
    time[..4].parse().unwrap()
}

#[test]
fn row_12_entries_keep_their_order_across_steps_of_the_clock_and_both_times_are_told() {
    let test = "row_12_entries_keep_their_order_across_steps_of_the_clock_and_both_times_are_told";
    if role().is_none() {
        // The clock is the process's.
        print!("{}", String::from_utf8_lossy(&run(child(test, "clock")).stdout));
        return;
    }
    for threading in [Threading::Dedicated, Threading::Shared] {
        let desk = Desk::new();
        let builder = desk.builder().threading(threading);
        let (log, guard) = builder.build().unwrap();
        let mut next = 0;
        log_some(&log, &mut next);
        let shifts = [YEAR_NANOS, 0, -HOUR_NANOS, 0];
        for (done, shift) in shifts.into_iter().enumerate() {
            shift_clock(shift);
            until("an entry that tells the step", || {
                log_some(&log, &mut next);
                let lines = desk.lines("expert.log");
                lines.iter().filter(|line| line.contains("] logger.clock_step ")).count() > done
            });
            log_some(&log, &mut next);
        }
        let stats = log.stats();
        drop(guard);
        assert_eq!((stats.lost.total(), stats.accepted), (0, next + shifts.len() as u64));
        let lines = desk.lines("expert.log");
        assert!(numbers(&lines).into_iter().eq(0..next), "every entry once, in order");
        let steps: Vec<_> =
            lines.iter().filter(|line| line.contains("] logger.clock_step ")).collect();
        assert_eq!(steps.len(), shifts.len(), "{steps:?}");
        let years = steps.iter().map(|line| {
            let [before, after] = ["before", "after"].map(|name| field(line, name).unwrap());
            assert!(line.contains("[WARNING  ]"), "{line}");
            // What is logged behind a step has the new time.
            assert_eq!(year_of(stamp(line)), year_of(after), "{line}");
            year_of(after) - year_of(before)
        });
        assert_eq!(years.take(2).collect::<Vec<_>>(), [1, -1], "{steps:?}");
        let [before, after] = ["before", "after"].map(|name| field(steps[2], name).unwrap());
        assert!(after < before, "an hour back: {}", steps[2]);
        let verified = Journal::open(desk.logs()).unwrap().verify(&mut |_| {}).unwrap();
        assert!(verified.is_intact(), "{verified:?}");
        assert_eq!(verified.records(), stats.accepted);
        println!(
            "row 12: {} steps of the clock, {next} entries in order ({threading:?})",
            steps.len()
        );
    }
}

#[test]
fn row_12_a_counter_that_does_not_run_evenly_is_not_used() {
    let test = "row_12_a_counter_that_does_not_run_evenly_is_not_used";
    if role().is_none() {
        print!("{}", String::from_utf8_lossy(&run(child(test, "clock")).stdout));
        return;
    }
    distrust_tick_counter();
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let begun = now().0;
    std::thread::sleep(Duration::from_millis(20));
    let nanos = now().0 - begun;
    assert!((20_000_000..10_000_000_000).contains(&nanos), "ticks are nanoseconds: {nanos}");
    const THREADS: u64 = 3;
    const ENTRIES: u64 = 20_000;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for number in 0..ENTRIES {
                    while tapelog::try_info!(log, "of thread", thread, number).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    let today = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output().unwrap();
    let today = String::from_utf8(today.stdout).unwrap();
    let at = now();
    info!(log, at: at, "stamped by the caller");
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    assert_eq!(stats.accepted, THREADS * ENTRIES + 1);
    let lines = desk.lines("expert.log");
    let stamps: Vec<_> = lines.iter().map(|line| stamp(line)).collect();
    let late = usize::try_from(stats.late).unwrap();
    let back = stamps.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(back <= late + stats.lost.total() as usize, "{back} steps back, {late} late");
    let mut next = [0; THREADS as usize];
    for line in lines.iter().filter(|line| line.contains("] of thread ")) {
        let next = &mut next[number(line, "thread") as usize];
        assert_eq!(number(line, "number"), *next, "{line}");
        *next += 1;
    }
    assert_eq!(next, [ENTRIES; THREADS as usize]);
    assert!(stamps.last().unwrap() >= &today.trim(), "the time of day is right: {today}");
    let verified = Journal::open(desk.logs()).unwrap().verify(&mut |_| {}).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    println!("row 12: {} entries by CLOCK_MONOTONIC, in order", lines.len());
}
