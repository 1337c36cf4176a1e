//! Records and the blocks that they travel in.

use loom::thread;

use crate::bench::{Shape, numbers, pass, push, ring};
use crate::check::{check, others_first};
use crate::ring::PushError;

/// What the drain peeks was written before: two pushes, the first one on the cold path and the
/// second one on the usual one, against a drain that looks at any moment.
///
/// Caught: Relaxed instead of Release for `committed` in `push_hot` (by this model alone) and in
/// `finish`; Relaxed instead of Acquire for it in `peek`.
pub fn commit_publishes_the_record() {
    check(3, || {
        let (ring, mut drain) = ring(Shape { blocks: 2, records: 2, lanes: 2 });
        let handle = ring.register();
        let producer = thread::spawn(move || {
            for number in 0..2 {
                assert_eq!(push(&handle, 7, number), Ok(()));
            }
            handle
        });
        others_first();
        let mut found = pass(&mut drain);
        let handle = producer.join().expect("the producer ends");
        found.extend(pass(&mut drain));
        assert_eq!(numbers(&found, 7), [0, 1]);
        assert_eq!(drain.accepted(), 2);
        drop(handle);
    });
}

/// Two lanes, fewer blocks than records: a push is accepted or refused as full; what is accepted
/// is drained, in order, and accepted + lost = pushed.
///
/// Caught: Relaxed for the link, in `link` or in `peek`; `committed` read before `next`; a claim
/// that loads and stores instead of exchanging.
pub fn a_full_ring_refuses_and_loses_nothing_else() {
    check(2, || {
        let (ring, mut drain) = ring(Shape { blocks: 3, records: 1, lanes: 3 });
        let producers = [0_u64, 1].map(|mark| {
            let handle = ring.register();
            thread::spawn(move || {
                let mut accepted = Vec::new();
                for number in 0..2 {
                    match push(&handle, mark, number) {
                        Ok(()) => accepted.push(number),
                        Err(error) => assert_eq!(error, PushError::Full),
                    }
                }
                (accepted, handle)
            })
        });
        others_first();
        let mut found = pass(&mut drain);
        let accepted = producers.map(|producer| producer.join().expect("the producer ends"));
        found.extend(pass(&mut drain));
        for (mark, (accepted, _)) in (0..).zip(&accepted) {
            assert_eq!(&numbers(&found, mark), accepted);
        }
        let accepted_count = accepted.iter().map(|(numbers, _)| numbers.len() as u64).sum::<u64>();
        assert_eq!(drain.accepted(), accepted_count);
        assert_eq!(accepted_count + ring.losses().total(), 4);
    });
}

/// A block goes from the pool to a producer, to the drain, to the pool and to another producer,
/// and never has two of them: each push takes a new block, and the drain gives them back.
///
/// Caught: Relaxed in `give_back`, in the exchange of `claim_below`, for `first` and for the links;
/// a claim that loads and stores instead of exchanging.
pub fn a_block_changes_hands_once() {
    check(2, || {
        let (ring, mut drain) = ring(Shape { blocks: 3, records: 1, lanes: 3 });
        let handle = ring.register();
        let rival = ring.register();
        let producer = thread::spawn(move || {
            let accepted = (0..3).filter(|&number| push(&handle, 0, number).is_ok()).count();
            (accepted, handle)
        });
        let other = thread::spawn(move || (push(&rival, 1, 9).is_ok(), rival));
        others_first();
        let mut found = pass(&mut drain);
        let (accepted, handle) = producer.join().expect("the producer ends");
        let (rival_accepted, rival) = other.join().expect("the rival ends");
        found.extend(pass(&mut drain));
        assert!(accepted >= 2);
        let seen = numbers(&found, 0);
        assert_eq!(seen.len(), accepted);
        assert!(seen.is_sorted());
        assert_eq!(numbers(&found, 1).len(), usize::from(rival_accepted));
        let accepted_count = accepted as u64 + u64::from(rival_accepted);
        assert_eq!(drain.accepted(), accepted_count);
        assert_eq!(accepted_count + ring.losses().total(), 4);
        // Each lane that ever had a block keeps one.
        assert_eq!(ring.occupancy().free_blocks, 2 - u32::from(rival_accepted));
        drop((handle, rival));
    });
}
