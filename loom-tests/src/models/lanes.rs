//! Threads that begin and end.

use loom::thread;

use crate::bench::{Shape, numbers, pass, push, ring};
use crate::check::{check, others_first};
use crate::ring::PushError;

/// A lane is closed, drained and taken by another thread under a new generation, while the first
/// thread may still be at its last record: nothing is lost, and the lane never has two owners.
///
/// Caught: Relaxed in `acquire`, `release`, `close` and `closed`; a lane retired without a look at
/// its chain, or with the look at its state behind that at its chain.
pub fn lanes_come_and_go() {
    check(2, || {
        let (ring, mut drain) = ring(Shape { blocks: 2, records: 2, lanes: 2 });
        let producers = [0_u64, 1].map(|mark| {
            let ring = ring.clone();
            thread::spawn(move || {
                let handle = ring.register();
                // One record on the cold path, and from one of the two another on the usual one.
                (0..2 - mark).try_for_each(|number| push(&handle, mark, number))
            })
        });
        others_first();
        let mut found = pass(&mut drain);
        let pushed = producers.map(|producer| producer.join().expect("the producer ends"));
        found.extend(pass(&mut drain));
        for (mark, pushed) in (0..).zip(pushed) {
            assert_eq!(pushed, Ok(()));
            assert_eq!(numbers(&found, mark), (0..2 - mark).collect::<Vec<_>>());
        }
        assert_eq!(drain.accepted(), 3);
        assert_eq!(ring.occupancy().lanes_active, 0);
    });
}

/// Two threads on the shared lane: one at a time, the other one is refused and counted.
///
/// Caught: Relaxed in the exchange of `enter`.
pub fn a_shared_lane_has_one_producer_at_a_time() {
    check(3, || {
        let (ring, mut drain) = ring(Shape { blocks: 2, records: 3, lanes: 1 });
        let producers = [0_u64, 1].map(|mark| {
            let handle = ring.register();
            assert!(handle.is_shared());
            thread::spawn(move || push(&handle, mark, 5))
        });
        others_first();
        let mut found = pass(&mut drain);
        let pushed = producers.map(|producer| producer.join().expect("the producer ends"));
        found.extend(pass(&mut drain));
        let mut refused = 0;
        for (mark, pushed) in (0..).zip(pushed) {
            let accepted = usize::from(pushed.is_ok());
            assert_eq!(numbers(&found, mark).len(), accepted);
            if let Err(error) = pushed {
                assert_eq!(error, PushError::Lane);
                refused += 1;
            }
        }
        assert!(refused <= 1);
        assert_eq!(ring.losses().total(), refused);
    });
}
