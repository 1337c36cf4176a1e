//! The gate.

use std::time::Duration;

use loom::thread;

use crate::bench::{Shape, numbers, pass, push, ring_with_samples};
use crate::check::{check_gate, others_first};
use crate::ring::PushError;

/// After the gate is closed, one pass takes everything that was ever accepted, whichever path the
/// pushes were on when it closed; what comes later is refused.
///
/// Caught: either light fence, or the heavy one, left out; Relaxed in `Busy::drop`, and in the
/// loads of `busy` at the gate; a gate that does not wait, or does not look whether a limit was set
/// again; a sample point that sets a limit outside of `busy`, or where there is none.
pub fn shutdown_drains_everything() {
    // With two lanes the producer has its own, with one it shares it.
    for lanes in [2, 1] {
        check_gate(3, move || closes_the_gate(lanes, 3, u32::MAX));
    }
    // Every push behind the first one meets a sample point and sets the limit.
    check_gate(3, || closes_the_gate(2, 2, 8));
}

fn closes_the_gate(lanes: u32, pushes: u64, sample_bytes: u32) {
    let shape = Shape { blocks: 2, records: 3, lanes };
    let (ring, mut drain) = ring_with_samples(shape, sample_bytes);
    let handle = ring.register();
    let producer = thread::spawn(move || {
        let mut accepted = 0;
        for number in 0..pushes {
            match push(&handle, 4, number) {
                Ok(()) => accepted += 1,
                Err(error) => assert_eq!(error, PushError::Closed),
            }
        }
        accepted
    });
    others_first();
    assert_eq!(ring.close_gate(Duration::ZERO), 0);
    let found = pass(&mut drain);
    let accepted = producer.join().expect("the producer ends");
    assert_eq!(numbers(&found, 4), (0..accepted).collect::<Vec<_>>());
    assert_eq!(drain.accepted(), accepted);
    assert_eq!(accepted + ring.losses().total(), pushes);
}
