//! Lanes that come and go, the gate, forks.

use std::time::Duration;

use super::*;

#[test]
fn a_lane_is_reused_under_a_new_generation() {
    let (ring, mut drain) = ring();
    for generation in 0..10 {
        let handle = ring.register();
        assert_eq!(handle.lane(), 0);
        assert!(!handle.is_shared());
        push(&handle, u64::from(generation), ORDINARY).unwrap();
        drop(handle);
        drain.begin_pass();
        assert_eq!(drain.peek(0).unwrap().generation, generation);
        assert_eq!(drain.peek(0).unwrap().serial, 1);
        assert_eq!(numbers(&take_lane(&drain, 0)), [u64::from(generation)]);
        drain.commit();
        assert_eq!(ring.occupancy().free_blocks, 12);
    }
    assert_eq!(drain.accepted(), 10);
    assert_eq!(drain.lanes(), 1);
}

#[test]
fn a_closed_lane_is_not_reused_before_it_is_drained() {
    let (ring, mut drain) = ring();
    let first = ring.register();
    push(&first, 1, ORDINARY).unwrap();
    drop(first);
    let second = ring.register();
    assert_eq!(second.lane(), 1);
    pass(&mut drain);
    assert_eq!(ring.register().lane(), 0);
}

#[test]
fn a_closed_lane_is_not_reused_before_its_losses_are_told() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    handle.count_loss(PushError::Full, TRADE);
    drop(handle);
    drain.begin_pass();
    assert!(drain.peek(0).is_none());
    drain.commit();
    assert_eq!(ring.register().lane(), 1, "its losses are not told");
    let told = Entry::Gap { generation: 0, by_reason: [1, 0, 0, 0, 0, 0], trade: 1 };
    assert_eq!(pass(&mut drain), [told]);
    let again = ring.register();
    assert_eq!(again.lane(), 0);
    assert_eq!(ring.losses().total(), 1, "what a retired lane lost stays in the sum");
    assert_eq!(ring.losses().trade, 1);
    push(&again, 5, ORDINARY).unwrap();
    assert_eq!(pass(&mut drain), [Entry::Record { len: 32, mark: 0, number: 5 }]);
}

#[test]
fn threads_beyond_the_table_share_the_last_lane() {
    let (ring, mut drain) = ring();
    let handles: Vec<_> = (0..6).map(|_| ring.register()).collect();
    let shared: Vec<_> = handles.iter().map(LaneHandle::is_shared).collect();
    assert_eq!(shared, [false, false, false, true, true, true]);
    assert_eq!(ring.occupancy().lanes_active, 3);
    for (number, handle) in (0..).zip(&handles[3..]) {
        push(handle, number, ORDINARY).unwrap();
        // While one thread is inside, another one is refused.
        let pushed = handles[3].push(32, ORDINARY, |slot| {
            assert_eq!(push(&handles[4], 0, TRADE), Err(PushError::Lane));
            fill(slot, 3, 10 + number);
        });
        assert_eq!(pushed, Ok(()));
    }
    let found = pass(&mut drain);
    assert_eq!(numbers(&found), [0, 10, 1, 11, 2, 12]);
    assert_eq!(ring.losses().by_reason, [0, 3, 0, 0, 0, 0]);
    drop(handles);
    pass(&mut drain);
    assert_eq!(ring.occupancy().lanes_active, 0);
}

#[test]
fn behind_the_gate_everything_is_refused_and_counted() {
    let (ring, mut drain) = ring();
    let before = ring.register();
    push(&before, 0, ORDINARY).unwrap();
    assert_eq!(ring.close_gate(Duration::from_millis(10)), 0);
    assert_eq!(push(&before, 1, ORDINARY), Err(PushError::Closed));
    assert_eq!(push(&ring.register(), 2, TRADE), Err(PushError::Closed));
    assert_eq!(numbers(&pass(&mut drain)), [0]);
    assert_eq!(ring.losses().by_reason, [0, 0, 0, 2, 0, 0]);
    assert_eq!(ring.losses().trade, 1);
    assert!(drain.is_drained());
}

#[test]
fn a_producer_that_stays_busy_is_counted_at_the_gate() {
    let (ring, _drain) = ring();
    let handle = ring.register();
    let pushed = handle.push(32, ORDINARY, |slot| {
        assert_eq!(ring.close_gate(Duration::from_millis(1)), 1);
        fill(slot, 0, 0);
    });
    assert_eq!(pushed, Ok(()));
    assert_eq!(ring.close_gate(Duration::from_millis(1)), 0);
}

#[test]
fn a_forked_child_is_refused_and_touches_nothing() {
    let directory = memory_directory();
    let dir = Some(directory.path().join("ring"));
    let (ring, mut drain) = Ring::create(RingConfig { dir, ..config() }).unwrap();
    let mut handles: Vec<_> = (0..5).map(|_| ring.register()).collect();
    for (number, handle) in (0..).zip(&handles) {
        push(handle, number, ORDINARY).unwrap();
    }
    let context = ring.definitions().define_context(b"parent").unwrap();
    let losses = ring.losses();
    let code = in_child(|| {
        let forked = Err(PushError::Forked);
        for handle in &handles {
            for _ in 0..3 {
                if push(handle, 99, TRADE) != forked {
                    return 1;
                }
            }
        }
        ring.definitions().retire_context(context);
        if ring.definitions().define_context(b"child").is_some() {
            return 2;
        }
        if ring.definitions().define_site(1, b"child") {
            return 3;
        }
        let late = ring.register();
        if push(&late, 99, TRADE) != forked || ring.close_gate(Duration::ZERO) != 0 {
            return 4;
        }
        drop(late);
        handles.clear();
        ring.remove_file();
        drain.begin_pass();
        drain.commit();
        0
    });
    assert_eq!(code, 0);
    assert!(ring.path().unwrap().exists());
    assert_eq!(ring.losses(), losses);
    assert_eq!(ring.occupancy().lanes_active, 3, "the child closed no lane");
    push(&handles[0], 5, ORDINARY).unwrap();
    pass(&mut drain);
    assert_eq!(drain.context(context).unwrap(), b"parent");
    assert_eq!(drain.accepted(), 6);
}
