//! The rules of admission: full, reserve, gap records, re-entrancy, the length of a record.

use super::*;

/// Pushes ordinary records until the ring refuses one; the result is how many were accepted.
fn fill_up(handle: &LaneHandle) -> u64 {
    let mut accepted = 0;
    while handle.try_push(32, ORDINARY, |slot| fill(slot, 0, accepted)).is_ok() {
        accepted += 1;
    }
    accepted
}

#[test]
fn what_is_pushed_is_drained_in_order() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    for number in 0..100 {
        push(&handle, number, ORDINARY).unwrap();
    }
    assert!(!drain.is_drained());
    let found = pass(&mut drain);
    assert_eq!(numbers(&found), (0..100).collect::<Vec<_>>());
    assert_eq!(drain.accepted(), 100);
    assert!(drain.is_drained());
    assert!(pass(&mut drain).is_empty());
}

#[test]
fn a_full_ring_refuses_and_counts() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    let accepted = fill_up(&handle);
    // Twelve data blocks, two of them in reserve; 126 records of 32 bytes fit into each.
    assert_eq!(accepted, 10 * 126);
    for number in 0..5 {
        assert_eq!(push(&handle, number, ORDINARY), Err(PushError::Full));
    }
    assert_eq!(ring.losses().total(), 5);
    let found = pass(&mut drain);
    assert_eq!(numbers(&found), (0..accepted).collect::<Vec<_>>());
    push(&handle, 7, ORDINARY).unwrap();
    let found = pass(&mut drain);
    let told = Entry::Gap { generation: 0, by_reason: [5, 0, 0, 0, 0, 0], trade: 0 };
    assert_eq!(found, [told, Entry::Record { len: 32, mark: 0, number: 7 }]);
    assert_eq!(drain.accepted(), accepted + 1, "a gap record is not an accepted one");
}

#[test]
fn a_lane_goes_round_the_ring_before_it_writes_a_block_again() {
    let (ring, _drain) = ring();
    let mut last = None;
    for turn in 0..30 {
        // Twelve data blocks, two of them in reserve; each is free again at once.
        let from = last.map_or(0, |block: u32| block + 1);
        let block = ring.pool.claim(from).unwrap();
        assert_eq!(block, turn % 10);
        ring.pool.give_back(block);
        last = Some(block);
    }
    let all: Vec<_> = (0..12).map_while(|_| ring.pool.claim_reserve(7)).collect();
    assert_eq!(all, [7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(ring.pool.claim_reserve(7), None);
}

#[test]
fn the_reserve_is_for_privileged_records_alone() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    let ordinary = fill_up(&handle);
    let mut privileged = 0;
    while push(&handle, privileged, PRIVILEGED).is_ok() {
        privileged += 1;
        // In between, an ordinary record is refused although the block has room.
        assert_eq!(handle.try_push(32, ORDINARY, |_| unreachable!()), Err(PushError::Full));
    }
    assert_eq!(privileged, 2 * 126);
    assert_eq!(ring.occupancy().free_blocks, 0);
    assert_eq!(ring.occupancy().used_blocks_max, 12);
    assert_eq!(numbers(&pass(&mut drain)).len() as u64, ordinary + privileged);
    // With ordinary blocks free again, even a privileged record leaves the reserve.
    push(&handle, 0, PRIVILEGED).unwrap();
    pass(&mut drain);
    assert_eq!(ring.occupancy().free_blocks, 11, "the idle lane keeps one block");
}

#[test]
fn an_idle_lane_keeps_one_block() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    assert_eq!(ring.occupancy().free_blocks, 12, "a lane without a record has no block");
    for number in 0..1000 {
        push(&handle, number, ORDINARY).unwrap();
    }
    pass(&mut drain);
    assert_eq!(ring.occupancy().free_blocks, 11);
}

#[test]
fn a_silent_lane_has_its_gap_told_by_the_drain() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    fill_up(&handle);
    assert_eq!(push(&handle, 0, Class { trade: true, ..ORDINARY }), Err(PushError::Full));
    let told = Entry::Gap { generation: 0, by_reason: [1, 0, 0, 0, 0, 0], trade: 1 };
    assert!(!pass(&mut drain).contains(&told), "the lane may speak for itself");
    assert!(!drain.is_drained());
    assert_eq!(pass(&mut drain), [told]);
    assert!(drain.is_drained());
    push(&handle, 1, ORDINARY).unwrap();
    assert_eq!(numbers(&pass(&mut drain)), [1], "it is not told again");
}

#[test]
fn a_full_ring_is_put_down_to_what_holds_it_up() {
    let (ring, _drain) = ring();
    let handle = ring.register();
    fill_up(&handle);
    ring.set_full_reason(LossReason::ViewLag);
    assert_eq!(push(&handle, 0, ORDINARY), Err(PushError::Full));
    ring.set_full_reason(LossReason::Disk);
    assert_eq!(push(&handle, 0, ORDINARY), Err(PushError::Full));
    assert_eq!(ring.losses().by_reason, [0, 0, 0, 0, 1, 1]);
}

#[test]
fn a_push_inside_a_push_is_refused_and_told() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    for outer in [0, 1] {
        // The first one takes the cold path, the second one the usual one.
        let pushed = handle.push(32, ORDINARY, |slot| {
            assert_eq!(push(&handle, 9, TRADE), Err(PushError::Reentrant));
            fill(slot, 0, outer);
        });
        assert_eq!(pushed, Ok(()));
    }
    push(&handle, 2, ORDINARY).unwrap();
    let found = pass(&mut drain);
    assert_eq!(numbers(&found), [0, 1, 2]);
    let told = |lost| Entry::Gap { generation: 0, by_reason: [0, 0, lost, 0, 0, 0], trade: lost };
    assert_eq!(found[1], told(1));
    assert_eq!(found[3], told(2));
}

#[test]
fn a_panic_inside_a_push_leaves_the_lane_usable() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    push(&handle, 0, ORDINARY).unwrap();
    for _ in 0..2 {
        let panicking = std::panic::AssertUnwindSafe(|| {
            let _ = handle.push(32, ORDINARY, |_| panic!("a faulty encoder"));
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
        // The second time round on the cold path, with a gap to be told.
        handle.count_loss(PushError::Full, ORDINARY);
    }
    push(&handle, 1, ORDINARY).unwrap();
    let told = Entry::Gap { generation: 0, by_reason: [2, 0, 0, 0, 0, 0], trade: 0 };
    let found = pass(&mut drain);
    assert_eq!(numbers(&found), [0, 1]);
    assert_eq!(found[1], told);
}

#[test]
fn a_record_is_at_most_a_quarter_of_a_block() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    assert_eq!(ring.max_record_bytes(), 1024);
    for _ in 0..2 {
        let long = handle.push(1032, PRIVILEGED, |_| unreachable!());
        assert_eq!(long, Err(PushError::TooLong));
        let longest = handle.push(u32::MAX - 7, PRIVILEGED, |_| unreachable!());
        assert_eq!(longest, Err(PushError::TooLong));
        handle.push(1024, ORDINARY, |slot| fill(slot, 0, 1)).unwrap();
    }
    // What is too long is counted, too, and told in front of the next record.
    assert_eq!(ring.losses().by_reason[LossReason::Full.index()], 4);
    assert_eq!(pass(&mut drain).len(), 4);
}

#[test]
fn a_try_does_not_count() {
    let (ring, _drain) = ring();
    let handle = ring.register();
    fill_up(&handle);
    for _ in 0..10 {
        assert_eq!(handle.try_push(32, ORDINARY, |_| unreachable!()), Err(PushError::Full));
    }
    assert_eq!(ring.losses().total(), 0);
    handle.count_loss(PushError::Full, TRADE);
    assert_eq!(ring.losses().by_reason, [1, 0, 0, 0, 0, 0]);
    assert_eq!(ring.losses().trade, 1);
}

#[test]
fn what_was_taken_but_not_committed_comes_again_after_a_rewind() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    for number in 0..500 {
        push(&handle, number, ORDINARY).unwrap();
    }
    let free = ring.occupancy().free_blocks;
    drain.begin_pass();
    let first = take_lane(&drain, 0);
    drain.rewind();
    assert_eq!(ring.occupancy().free_blocks, free);
    drain.begin_pass();
    assert_eq!(take_lane(&drain, 0), first);
    drain.commit();
    assert_eq!(drain.accepted(), 500);
    assert_eq!(ring.occupancy().free_blocks, 11);
}

#[test]
fn a_run_knows_its_place() {
    let (ring, drain) = ring();
    let handle = ring.register();
    for number in 0..200 {
        push(&handle, number, ORDINARY).unwrap();
    }
    let run = drain.peek(0).unwrap();
    assert_eq!((run.lane, run.generation, run.serial, run.offset), (0, 0, 1, 64));
    assert_eq!(run.bytes.len(), 126 * 32);
    drain.take(0, 64);
    assert_eq!(drain.peek(0).unwrap().offset, 128);
    drain.take(0, 124 * 32);
    let run = drain.peek(0).unwrap();
    assert_eq!((run.serial, run.offset, run.bytes.len()), (2, 64, 74 * 32));
}
