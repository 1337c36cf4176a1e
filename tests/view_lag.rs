//! A journal of few small segments and a view that is slower than the load: recycling waits for
//! the view, the ring fills, the loss is counted as `view_lag`; and as soon as the load pauses,
//! everything accepted reaches the logs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use support::{Desk, number};
use tapelog::{Threading, try_info};

/// Far more than the view needs for the little that waits.
const SOON: Duration = Duration::from_secs(30);

/// How long a load may take until the view falls behind.
const LOAD: Duration = Duration::from_secs(60);

fn a_load_that_outruns_the_views(threading: Threading, threads: u64) {
    let desk = Desk::new();
    let (log, guard) = desk
        .builder()
        .threading(threading)
        .journal_segments(3_u32)
        .journal_segment_bytes(512_u64 << 10)
        .log_backup_count(1000_u32)
        .build()
        .unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let log = &log;
            scope.spawn(move || {
                let mut number = thread << 40;
                while log.stats().lost.view_lag == 0 {
                    assert!(begun.elapsed() < LOAD, "the view keeps up: {:?}", log.stats());
                    for _ in 0..1000 {
                        let _counted = try_info!(log, "number", number);
                        number += 1;
                    }
                }
            });
        }
    });
    let flushed = log.flush(SOON);
    let stats = log.stats();
    assert_eq!(flushed, Ok(()), "{stats:?}");
    assert_eq!((stats.accepted, stats.accepted), (stats.journaled, stats.shown));
    // The engine goes on, and its end is no problem either.
    try_info!(log, "number", number = threads << 40).unwrap();
    let ending = Instant::now();
    drop(guard);
    assert!(ending.elapsed() < SOON);
    let mut numbers: Vec<u64> = desk
        .lines("expert.log")
        .iter()
        .filter(|line| line.contains("] number "))
        .map(|line| number(line, "number"))
        .collect();
    for thread in 0..threads {
        let own = || numbers.iter().filter(|number| **number >> 40 == thread);
        assert!(own().is_sorted(), "thread {thread} keeps its order");
    }
    let shown = numbers.len() as u64;
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((shown, numbers.len() as u64), (stats.accepted + 1, stats.accepted + 1));
}

#[test]
fn everything_accepted_reaches_the_logs() {
    a_load_that_outruns_the_views(Threading::Dedicated, 1);
}

#[test]
fn so_it_does_with_two_threads_whose_entries_wait_for_their_order() {
    a_load_that_outruns_the_views(Threading::Dedicated, 2);
}

#[test]
fn so_it_does_when_one_thread_drains_and_renders() {
    a_load_that_outruns_the_views(Threading::Shared, 2);
}
