//! The ring, and what happens when it is full.

use std::fs;
use std::time::{Duration, Instant};

use tapelog::testing::{DrainHold, hold_drain};
use tapelog::{MetaLogger, Overflow, PushError, try_info, try_warning};

use crate::common::{assert_refused, default_of};
use crate::support::{Desk, PATIENCE};

/// Holds the drain and logs until nothing more is taken; how many were.
fn fill(log: &MetaLogger) -> (DrainHold, u64) {
    let held = hold_drain(log);
    let mut accepted = 0;
    while try_info!(log, "fills", accepted).is_ok() {
        accepted += 1;
    }
    (held, accepted)
}

/// How many records a ring takes.
fn room(ring_bytes: u64, block_bytes: u32) -> u64 {
    let desk = Desk::new();
    let builder = desk.builder().ring_bytes(ring_bytes).block_bytes(block_bytes);
    let (log, _guard) = builder.build().unwrap();
    assert_eq!(log.stats().ring_bytes, ring_bytes);
    fill(&log).1
}

#[test]
fn parameter_ring_bytes_is_how_much_waits_for_the_drain() {
    assert_eq!(default_of("ring_bytes"), "\"8MiB\"");
    let accepted = "a multiple of block_bytes from 256 KiB to 1 GiB, at least 16 blocks";
    assert_refused("ring_bytes", &["1000000", "64KiB", "2GiB"], accepted);
    let (small, large) = (room(1 << 20, 4_096), room(4 << 20, 4_096));
    assert!(large > 3 * small, "{small} and {large} records");
}

#[test]
fn parameter_block_bytes_bounds_a_record_to_a_quarter_of_one() {
    assert_eq!(default_of("block_bytes"), "\"64KiB\"");
    assert_refused("block_bytes", &["5000", "2MiB", "2048"], "a power of two from 4 KiB to 1 MiB");
    let longest = |block_bytes: u32| {
        let desk = Desk::new();
        let builder = desk.builder().block_bytes(block_bytes);
        let (log, guard) = builder.structured_logging(true).build().unwrap();
        assert!(log.stats().blocks <= (8 << 20) / block_bytes);
        try_info!(log, "long", text = "x".repeat(20_000)).unwrap();
        drop(guard);
        let entry = desk.json("expert.log").remove(0);
        entry["text"].as_str().unwrap().matches('x').count()
    };
    let (small, large) = (longest(4_096), longest(128 << 10));
    assert!((500..=1_024).contains(&small) && large == 20_000, "{small} and {large}");
}

#[test]
fn parameter_reserve_blocks_are_kept_for_what_matters() {
    assert_eq!(default_of("reserve_blocks"), "2");
    assert_refused("reserve_blocks", &["1000", "-1"], "at most a quarter of the ring's blocks");
    for reserve in [0_u32, 4] {
        let desk = Desk::new();
        let (log, _guard) = desk.builder().reserve_blocks(reserve).build().unwrap();
        let (_held, _accepted) = fill(&log);
        assert_eq!(log.stats().free_blocks, reserve);
        assert_eq!(try_warning!(log, "matters").is_ok(), reserve > 0);
    }
}

#[test]
fn parameter_ring_dir_is_where_the_ring_lies() {
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(default_of("ring_dir"), format!("\"/dev/shm/tapelog-{uid}\""));
    assert_refused("ring_dir", &["dev/shm", ""], "an absolute path on tmpfs");
    let desk = Desk::new();
    let place = desk.ring_dir().with_file_name("elsewhere");
    let (log, guard) = desk.builder().ring_dir(&*place).ring_bytes(1_u64 << 20).build().unwrap();
    let rings: Vec<_> = fs::read_dir(&place).unwrap().map(|ring| ring.unwrap()).collect();
    assert_eq!(rings.len(), 1);
    assert!(rings[0].metadata().unwrap().len() >= 1 << 20);
    log.flush(PATIENCE).unwrap();
    drop(guard);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "a clean end removes it");
}

#[test]
fn parameter_overflow_drops_at_once_or_waits_for_its_deadline() {
    assert_eq!(default_of("overflow"), "\"drop\"");
    let accepted = "drop, block or block(DURATION) with at most 5 ms";
    assert_refused("overflow", &["blok", "block(6ms)", "block(2)"], accepted);
    let quickest = |overflow| {
        let desk = Desk::new();
        let (log, guard) = desk.builder().overflow(overflow).build().unwrap();
        let (held, _accepted) = fill(&log);
        let times = (0..50).map(|_| {
            let begun = Instant::now();
            assert_eq!(try_info!(log, "refused"), Err(PushError::Full));
            begun.elapsed()
        });
        let quickest = times.min().unwrap();
        drop(held);
        drop(guard);
        quickest
    };
    let waits = Duration::from_millis(3);
    assert!(quickest(Overflow::Drop) < Duration::from_micros(100));
    assert!(quickest(Overflow::Block(waits)) >= waits);
}
