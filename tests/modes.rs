//! Whatever thread does the writing, however it waits and whichever way segments are written: the
//! same entries are in the logs and in the journal.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::thread;

use support::{Desk, PATIENCE, number};
use tapelog::reading::{Format, Journal};
use tapelog::{Builder, Idle, Threading, context, error, trade, try_info};

const THREADS: u64 = 2;
const RECORDS: u64 = 20_000;

fn entries_arrive(what: &str, configure: impl Fn(Builder) -> Builder) {
    let desk = Desk::new();
    let builder = desk
        .builder()
        .journal_segment_bytes(512_u64 << 10)
        .journal_segments(200_u32)
        .log_max_file_size(256_u64 << 10)
        .log_backup_count(500_u32);
    let (log, guard) = configure(builder).build().unwrap_or_else(|error| panic!("{what}: {error}"));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = log.bind(context! { thread });
            scope.spawn(move || {
                for record in 0..RECORDS {
                    while try_info!(log, "entry", record, text = "some words").is_err() {
                        thread::yield_now();
                    }
                }
                trade!(log, "sold", record = RECORDS);
                error!(log, "rejected", record = RECORDS + 1);
            });
        }
    });
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    assert_eq!(stats.accepted, THREADS * (RECORDS + 2), "{what}: {stats:?}");
    assert_eq!(stats.degraded, None, "{what}");
    let lines = desk.lines("expert.log");
    let own = |line: &&String| !line.contains("logger.gap");
    for thread in 0..THREADS {
        let of_thread = lines.iter().filter(own).filter(|line| number(line, "thread") == thread);
        assert!(of_thread.map(|line| number(line, "record")).eq(0..RECORDS + 2), "{what}");
    }
    assert_eq!(desk.lines("trades.log").len() as u64, THREADS, "{what}");
    assert_eq!(desk.lines("errors.log").len() as u64, THREADS, "{what}");
    let mut journal = Vec::new();
    let summary = Journal::open(desk.logs()).unwrap().write_to(Format::Text, &mut journal).unwrap();
    assert!(summary.is_intact(), "{what}: {summary:?}");
    let journal = String::from_utf8(journal).unwrap();
    assert!(journal.lines().eq(lines.iter().map(String::as_str)), "{what}: journal and log differ");
    assert!(stats.rotations >= 5, "{what}: {} rotations", stats.rotations);
}

#[test]
fn one_thread_writes_as_well_as_two() {
    entries_arrive("dedicated", |builder| builder.threading(Threading::Dedicated));
    entries_arrive("shared", |builder| builder.threading(Threading::Shared));
}

#[test]
fn plain_writes_give_the_same_journal_as_mapped_ones() {
    entries_arrive("plain", |builder| builder.journal_mapped(false));
    entries_arrive("plain and shared", |builder| {
        builder.journal_mapped(false).threading(Threading::Shared)
    });
}

#[test]
fn every_way_to_wait_works_pinned_or_not() {
    for idle in [Idle::Park, Idle::Yield, Idle::Spin] {
        entries_arrive("idle", |builder| builder.idle(idle));
        entries_arrive("pinned", |builder| builder.idle(idle).writer_cpu(0_u32).view_cpu(0_u32));
    }
}

#[test]
fn the_smallest_ring_and_blocks_work() {
    entries_arrive("small blocks", |builder| builder.block_bytes(4_096_u32));
    entries_arrive("small ring", |builder| {
        builder.ring_bytes(256_u64 << 10).block_bytes(4_096_u32).reserve_blocks(0_u32)
    });
    entries_arrive("no window", |builder| builder.order_window(std::time::Duration::ZERO));
}
