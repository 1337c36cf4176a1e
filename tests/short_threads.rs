//! Threads that come and go lose nothing, and their lanes are used again; a destructor of
//! thread-local storage may log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "malloc_trim, mallinfo2")]

mod support;

#[path = "support/flat.rs"]
mod flat;

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use flat::Taken;
use support::{Desk, PATIENCE, child, number, role, run};
use tapelog::{MetaLogger, PushError, try_info};

/// Pushes until it is accepted; refusals are counted by the caller.
fn push(log: &MetaLogger, thread: u64, record: u64, refused: &AtomicU64) {
    while try_info!(log, "entry", thread, record).is_err() {
        refused.fetch_add(1, Ordering::Relaxed);
        thread::yield_now();
    }
}

#[test]
fn row_11_ten_thousand_short_threads_lose_nothing_and_share_few_lanes() {
    let test = "row_11_ten_thousand_short_threads_lose_nothing_and_share_few_lanes";
    if role().is_none() {
        // In a process of its own, whose memory is compared.
        print!("{}", String::from_utf8_lossy(&run(child(test, "threads")).stdout));
        return;
    }
    let threads = support::times("TEST_THREADS", 10_000);
    let desk = Desk::new();
    // Little that is mapped, so that all of it is there after a tenth of the run.
    let builder = desk.builder().journal_segment_bytes(512_u64 << 10).journal_segments(4_u32);
    // None of the lines goes with an old log.
    let builder = builder.log_max_file_size(1_u64 << 30);
    let (log, guard) = builder.build().unwrap();
    let refused = AtomicU64::new(0);
    // Until every segment was written once.
    const WARM_UP: u64 = 100_000;
    (0..WARM_UP).for_each(|record| push(&log, u64::MAX, record, &refused));
    let backlog = Cell::new(0);
    let at_rest = || {
        Taken::at_rest(&log, || match try_info!(log, "backlog", thread = u64::MAX) {
            Ok(()) => backlog.set(backlog.get() + 1),
            Err(_) => _ = refused.fetch_add(1, Ordering::Relaxed),
        })
    };
    let mut tenth = None;
    for first in (0..threads).step_by(8) {
        if tenth.is_none() && first >= threads / 10 {
            tenth = Some(at_rest());
        }
        thread::scope(|scope| {
            for thread in first..first + 8 {
                let (log, refused) = (&log, &refused);
                scope.spawn(move || (0..5).for_each(|record| push(log, thread, record, refused)));
            }
        });
    }
    at_rest().check(tenth.unwrap());
    let stats = log.stats();
    assert_eq!(stats.accepted, WARM_UP + threads * 5 + backlog.get());
    assert_eq!(stats.lost.total(), refused.into_inner());
    println!(
        "row 11: {threads} threads, {} lanes held, {} refusals",
        stats.lanes,
        stats.lost.total()
    );
    support::until("lanes to be given back", || log.stats().lanes <= 2);
    support::until("blocks to be given back", || {
        let stats = log.stats();
        stats.blocks - stats.free_blocks <= 3
    });
    drop(guard);
    let lines = desk.lines("expert.log");
    let warm = format!(" thread={} ", u64::MAX);
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    let entries: Vec<_> = entries.filter(|line| !line.contains(&warm)).collect();
    assert_eq!(entries.len() as u64, threads * 5);
    let mut next = vec![0; threads as usize];
    for line in entries {
        let next = &mut next[number(line, "thread") as usize];
        assert_eq!(number(line, "record"), *next, "{line}");
        *next += 1;
    }
}

#[test]
fn more_threads_than_lanes_share_the_last_one() {
    const THREADS: u64 = 100;
    const RECORDS: u64 = 200;
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let (refused, other) = (AtomicU64::new(0), AtomicU64::new(0));
    let all_there = std::sync::Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, refused, other, all_there) = (&log, &refused, &other, &all_there);
            scope.spawn(move || {
                push(log, thread, 0, refused);
                all_there.wait();
                for record in 1..RECORDS {
                    while let Err(error) = try_info!(log, "entry", thread, record) {
                        if !matches!(error, PushError::Lane | PushError::Full) {
                            other.fetch_add(1, Ordering::Relaxed);
                        }
                        refused.fetch_add(1, Ordering::Relaxed);
                        thread::yield_now();
                    }
                }
            });
        }
    });
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    println!(
        "{THREADS} threads: {} refusals, {} of them of a lane",
        stats.lost.total(),
        stats.lost.lane
    );
    assert_eq!((stats.accepted, stats.lost.total()), (THREADS * RECORDS, refused.into_inner()));
    assert_eq!(other.into_inner(), 0);
    let lines = desk.lines("expert.log");
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    let mut next = [0; THREADS as usize];
    for line in entries {
        let next = &mut next[number(line, "thread") as usize];
        assert_eq!(number(line, "record"), *next, "{line}");
        *next += 1;
    }
    assert_eq!(next, [RECORDS; THREADS as usize]);
}

/// Logs when its thread ends.
struct Farewell {
    log: MetaLogger,
    thread: u64,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        while try_info!(self.log, "farewell", thread = self.thread) == Err(PushError::Full) {
            thread::yield_now();
        }
    }
}

thread_local! {
    static EARLY: RefCell<Option<Farewell>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

#[test]
fn row_11_destructors_of_thread_local_storage_log_before_and_after_the_lanes_are_gone() {
    const THREADS: u64 = 200;
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    for thread in 0..THREADS {
        let log = log.clone();
        let ended = thread::spawn(move || {
            let farewell = || Some(Farewell { log: log.clone(), thread });
            // One is dropped before the logger's own storage, and one behind it.
            EARLY.with(|kept| *kept.borrow_mut() = farewell());
            push(&log, thread, 0, &AtomicU64::new(0));
            LATE.with(|kept| *kept.borrow_mut() = farewell());
        });
        // Unlike the end of a scope, this waits for the destructors, too.
        ended.join().unwrap();
    }
    log.flush(PATIENCE).unwrap();
    support::until("lanes to be given back", || log.stats().lanes <= 1);
    let stats = log.stats();
    drop(guard);
    let lines = desk.lines("expert.log");
    for thread in 0..THREADS {
        let of_thread = lines.iter().filter(|line| number(line, "thread") == thread);
        let farewells = of_thread.clone().filter(|line| line.contains("] farewell ")).count();
        assert_eq!((of_thread.count(), farewells), (3, 2), "thread {thread}");
    }
    assert_eq!(stats.accepted, 3 * THREADS);
}
