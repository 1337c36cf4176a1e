//! Sample points: how often, with which weight, and that nothing else changes.

use super::*;

/// Pushes a record the way calls do; the weight, if it was a sample.
fn call(handle: &LaneHandle, len: u32, number: u64) -> Option<u64> {
    let write = |slot: crate::sync::Slot<'_>| fill(slot, handle.lane(), number);
    if handle.push_hot(len, write) {
        return None;
    }
    let passed = handle.pass_limit(len, true);
    if passed.is_some() && handle.push_hot(len, write) {
        return match passed {
            Some(Passed::Sample { calls }) => Some(calls),
            _ => None,
        };
    }
    handle.try_push(len, ORDINARY, write).unwrap();
    None
}

/// Calls with the lengths in turn, until there are so many; the drain keeps up. The weights.
fn weights(lengths: &[u32], calls: usize) -> Vec<Vec<u64>> {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    let mut weights = vec![Vec::new(); lengths.len()];
    for number in 0..calls {
        let which = number % lengths.len();
        weights[which].extend(call(&handle, lengths[which], number as u64));
        if number % 10 == 0 {
            pass(&mut drain);
        }
    }
    pass(&mut drain);
    assert_eq!(drain.accepted(), calls as u64);
    weights
}

#[test]
fn about_one_call_in_1024_is_a_sample_whatever_the_length() {
    for len in [16, 48, 200, 1000] {
        let calls = 200_000;
        let found = weights(&[len], calls);
        let rate = calls as f64 / found[0].len() as f64;
        // Calls that claim a block are no samples: of 1,000 bytes, every fourth.
        assert!((800.0..1_500.0).contains(&rate), "one in {rate:.0} with {len} bytes");
    }
}

#[test]
fn the_weights_say_how_many_calls_there_were_of_each_length() {
    let calls = 600_000;
    let lengths = [16, 240, 32];
    let found = weights(&lengths, calls);
    for (len, weights) in lengths.iter().zip(found) {
        let told: u64 = weights.iter().sum();
        let share = told as f64 / (calls as f64 / 3.0);
        // The short ones are met 30 times, with a high weight each.
        assert!((0.6..1.4).contains(&share), "{share:.2} of the calls with {len} bytes");
    }
}

#[test]
fn samples_lie_at_irregular_distances() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    let mut at = Vec::new();
    for number in 0..100_000 {
        if call(&handle, 32, number).is_some() {
            at.push(number);
        }
        if number % 100 == 0 {
            pass(&mut drain);
        }
    }
    let mut distances: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    distances.dedup();
    assert!(distances.len() > at.len() / 2, "{distances:?}");
}

#[test]
fn a_full_block_is_passed_like_a_sample_point_but_not_a_loss_and_not_the_gate() {
    let (ring, _drain) = ring();
    let handle = ring.register();
    assert_eq!(handle.pass_limit(32, true), None, "no block yet");
    let mut number = 0;
    while handle.push_hot(32, |slot| fill(slot, 0, number)) || number == 0 {
        if number == 0 {
            handle.try_push(32, ORDINARY, |slot| fill(slot, 0, 0)).unwrap();
        }
        number += 1;
    }
    assert_eq!(number, 126, "the block is full, long before the first sample point");
    assert_eq!(handle.pass_limit(32, false), None, "another call is to have the block");
    assert_eq!(handle.pass_limit(1025, true), None, "too long for any block");
    assert_eq!(handle.pass_limit(32, true), Some(Passed::Block));
    assert!(handle.push_hot(32, |slot| fill(slot, 0, number)));
    assert_eq!(handle.pass_limit(32, true), None, "the usual way is open");
    handle.count_loss(PushError::Full, ORDINARY);
    assert_eq!(handle.pass_limit(32, true), None, "a loss is to be told");
    assert!(!handle.push_hot(32, |_| unreachable!()));
    push(&handle, 0, ORDINARY).unwrap();
    assert_eq!(ring.close_gate(std::time::Duration::ZERO), 0);
    assert_eq!(handle.pass_limit(32, true), None, "the gate is closed");
    assert!(!handle.push_hot(32, |_| unreachable!()));
}

#[test]
fn a_lane_that_is_shared_has_no_samples() {
    let (ring, _drain) = ring();
    let handles: Vec<_> = (0..4).map(|_| ring.register()).collect();
    let shared = handles.iter().find(|handle| handle.is_shared()).unwrap();
    push(shared, 0, ORDINARY).unwrap();
    assert_eq!(shared.pass_limit(1000, true), None);
}
