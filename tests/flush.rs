//! `flush` waits for what was accepted before it, says how much is missing when its time is over,
//! and `sync` brings it onto the disk.

mod support;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Desk, PATIENCE, number};
use tapelog::testing::hold_drain;
use tapelog::{SyncError, error, info, trade, try_info};

#[test]
fn what_was_accepted_before_a_flush_is_in_the_logs_after_it() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let expert = desk.logs().join("expert.log");
    let mut slowest = Duration::ZERO;
    for round in 0..200 {
        info!(log, "entry", round);
        let begun = Instant::now();
        log.flush(PATIENCE).unwrap();
        slowest = slowest.max(begun.elapsed());
        let text = fs::read_to_string(&expert).unwrap();
        assert!(text.ends_with(&format!("round={round}\n")), "round {round} is missing");
    }
    println!("slowest flush of one entry: {slowest:?}");
    drop(guard);
}

#[test]
fn flushes_of_many_threads_each_wait_for_their_own() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let expert = desk.logs().join("expert.log");
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (log, expert) = (log.clone(), &expert);
            scope.spawn(move || {
                for round in 0..30_u64 {
                    info!(log, "entry", thread, round);
                    log.flush(PATIENCE).unwrap();
                    let text = fs::read_to_string(expert).unwrap();
                    assert!(text.contains(&format!("thread={thread} round={round}\n")));
                }
            });
        }
    });
    drop(guard);
}

#[test]
fn a_flush_under_load_comes_to_an_end() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                if try_info!(log, "load", number).is_ok() {
                    number += 1;
                } else {
                    thread::yield_now();
                }
            }
        });
        for round in 0..5 {
            error!(log, "marked", round);
            log.flush(PATIENCE).unwrap();
            let lines = desk.lines("errors.log");
            assert_eq!(number(lines.last().unwrap(), "round"), round);
        }
        stop.store(true, Ordering::Relaxed);
    });
    drop(guard);
}

#[test]
fn a_flush_that_runs_out_of_time_says_how_much_is_missing() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "the first");
    log.flush(PATIENCE).unwrap();
    let held = hold_drain(&log);
    for number in 0..7 {
        info!(log, "waiting", number);
    }
    let begun = Instant::now();
    let unfinished = log.flush(Duration::from_millis(30)).expect_err("the drain is held");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(30) && took < Duration::from_secs(30), "{took:?}");
    assert!(unfinished.to_string().contains("wait longer"), "{unfinished}");
    drop(held);
    log.flush(PATIENCE).unwrap();
    assert_eq!(log.stats().shown, 8);
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 8);
}

#[test]
fn a_sync_brings_everything_onto_the_disk() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    for round in 0..3 {
        trade!(log, "sold", round);
        log.sync().unwrap();
        assert_eq!(desk.lines("trades.log").len(), round + 1);
    }
    drop(guard);
    let begun = Instant::now();
    assert!(matches!(log.sync(), Err(SyncError::Closed)));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_flush_after_the_end_does_not_hang() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "entry");
    drop(guard);
    let begun = Instant::now();
    log.flush(PATIENCE).expect("everything is written");
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(log.stats().shown, 1);
}

#[test]
fn a_stamp_of_a_clock_that_is_ahead_is_flushed_like_any_other() {
    let desk = Desk::new();
    let (log, _guard) = desk.builder().build().unwrap();
    for number in 0..200_u64 {
        // Ahead by nothing to 2 ms: the pass of the flush begins before some of these moments.
        let ahead = tapelog::Ticks(tapelog::now().0 + number * 26_000);
        info!(log, at: ahead, "ahead", number);
        log.flush(PATIENCE).unwrap();
        assert_eq!(desk.lines("expert.log").len() as u64, number + 1);
    }
}
