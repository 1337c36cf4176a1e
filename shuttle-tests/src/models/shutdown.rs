//! The gate, the producers that are busy, and the last pass.

use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use super::check;
use crate::bench::{Entry, Shape, numbers, pass, push, ring_with_samples};
use crate::ring::{PushError, Ring};

/// Four producers and a drain that works all the while: after the gate, one pass takes everything
/// that was accepted, in order; what comes later is refused; accepted + lost = pushed.
///
/// Caught: a gate that does not wait for `busy`, does not look whether a limit was set again, sets no
/// limit, or is not noted; a lane retired without a look at its chain, or with the look at its state
/// behind that at its chain.
pub fn shutdown_drains_what_many_producers_were_told_is_accepted() {
    check("shutdown, four producers", 5_000, || closes_the_gate(4, 1, 12));
}

/// The same with threads that end and begin anew, more of them than lanes.
///
/// Caught: the same.
pub fn shutdown_while_threads_come_and_go_loses_nothing() {
    check("shutdown, threads that come and go", 5_000, || closes_the_gate(3, 3, 4));
}

/// `threads` threads push `pushes` records, drop their handle and begin anew, `lives` times.
fn closes_the_gate(threads: u64, lives: u64, pushes: u64) {
    let shape = Shape { blocks: 6, records: 3, lanes: 4 };
    let (ring, mut drain) = ring_with_samples(shape, 24);
    let producers: Vec<_> = (0..threads)
        .map(|thread| {
            let ring = ring.clone();
            thread::spawn(move || -> Vec<Vec<u64>> {
                (0..lives).map(|life| live(&ring, thread * lives + life, pushes)).collect()
            })
        })
        .collect();
    let drainer = thread::spawn(move || {
        let mut found: Vec<Entry> = Vec::new();
        for _ in 0..4 {
            found.extend(pass(&mut drain));
        }
        (drain, found)
    });
    thread::yield_now();
    assert_eq!(ring.close_gate(Duration::ZERO), 0);
    let (mut drain, mut found) = drainer.join().expect("the drain ends");
    found.extend(pass(&mut drain));
    let mut sum = 0;
    let lives_lived: Vec<Vec<u64>> =
        producers.into_iter().flat_map(|thread| thread.join().expect("a producer ends")).collect();
    for (mark, accepted) in (0..).zip(lives_lived) {
        assert_eq!(numbers(&found, mark), accepted, "of producer {mark}");
        sum += accepted.len() as u64;
    }
    assert_eq!(drain.accepted(), sum);
    assert_eq!(sum + ring.losses().total(), threads * lives * pushes);
}

/// Pushes so many records through a lane of its own, and tells which were accepted.
fn live(ring: &Arc<Ring>, mark: u64, pushes: u64) -> Vec<u64> {
    let handle = ring.register();
    let accepted = |number: &u64| match push(&handle, mark, *number) {
        Ok(()) => true,
        Err(PushError::Full | PushError::Lane | PushError::Closed) => false,
        Err(other) => panic!("{other:?}"),
    };
    (0..pushes).filter(accepted).collect()
}
