//! What was lost is told.

use loom::thread;

use crate::bench::{Entry, Shape, TRADE, numbers, pass, push, push_around, ring};
use crate::check::{check, others_first};
use crate::ring::PushError;

/// A nested call and a trade event are lost, and then the thread goes on, so that its next record
/// is preceded by the gap, or ends, so that the drain has to tell it, or does something between the
/// two: before the lane is free again, the last gap record tells all that was lost, trade events
/// as such.
///
/// Caught: a gap record that is marked told but not written, or overwritten by the record behind
/// it; no second look at the losses in `finish`; a lane retired with untold losses.
pub fn a_gap_record_is_never_lost() {
    for goes_on in [false, true] {
        check(2, move || loses_one(goes_on));
    }
}

fn loses_one(goes_on: bool) {
    let (ring, mut drain) = ring(Shape { blocks: 3, records: 3, lanes: 2 });
    let handle = ring.register();
    let producer = thread::spawn(move || {
        // What is nested is refused, the first time on the cold path of the outer push.
        let nested = || {
            assert_eq!(push(&handle, 3, 9), Err(PushError::Reentrant));
            handle.count_loss(PushError::Full, TRADE);
        };
        assert_eq!(push_around(&handle, 3, 0, nested), Ok(()));
        if goes_on {
            // The ring is not full: only the untold losses send this push to the cold path.
            assert_eq!(push(&handle, 3, 1), Ok(()));
        }
    });
    others_first();
    let mut found = pass(&mut drain);
    producer.join().expect("the producer ends");
    found.extend(pass(&mut drain));
    assert_eq!(numbers(&found, 3).len(), 1 + usize::from(goes_on));
    assert_eq!(ring.occupancy().lanes_active, 0);
    assert_eq!((ring.losses().total(), ring.losses().trade), (2, 1));
    let gap = |entry: &&Entry| matches!(entry, Entry::Gap { .. });
    let told = found.iter().rev().find(gap);
    assert_eq!(told, Some(&Entry::Gap { lost: 2, trade: 1 }));
    let gap_at = found.iter().position(|entry| gap(&entry));
    let next_at = found.iter().position(|entry| matches!(entry, Entry::Record { number: 1, .. }));
    assert!(next_at.is_none() || gap_at < next_at, "the gap stands before the next record");
}

/// Who reads the statistics while a trade event is lost sees no loss of another kind.
///
/// Caught: Relaxed for the reason in `count` and in `totals`; the trade event counted behind it.
pub fn a_loss_is_counted_in_its_kind() {
    check(3, || {
        let (ring, _drain) = ring(Shape { blocks: 1, records: 3, lanes: 2 });
        let handle = ring.register();
        let producer = thread::spawn(move || {
            handle.count_loss(PushError::Full, TRADE);
            handle
        });
        others_first();
        let losses = ring.losses();
        assert!(losses.trade >= losses.total(), "lost, but no trade event");
        drop(producer.join().expect("the producer ends"));
    });
}
