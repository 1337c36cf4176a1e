//! Segments on their way between janitor, drain and view.

use std::sync::Arc;

use shuttle::rand::Rng;
use shuttle::thread;

use super::check;
use crate::journal::{Index, Retired, SegmentStore};
use crate::shared::Core;
use crate::writer::janitor::Janitor;
use crate::writer::keeper::Keeper;
use crate::writer::supply::{Floor, Supply};

/// Entries of one segment.
const ENTRIES: u64 = 3;
/// Segments that there are at most.
const SEGMENTS: usize = 3;

/// The drain writes over many rotations while the view reads behind it: the view sees every entry
/// once, in order, because no segment is recycled that it has not passed.
///
/// Caught: `raise` with the number behind the segment that is read; `prepare` with `u64::MAX` in place
/// of the floor; a segment that finds the channel full and is removed instead of kept.
pub fn a_segment_is_recycled_only_behind_the_view() {
    check("rotation", 6_000, || rotates(10 * ENTRIES));
}

/// The same with few entries, so that the end comes while segments are prepared: none is left that
/// nobody has written, although the view goes on, and no later one is removed after an earlier one.
///
/// Caught: `close` that says nothing; a janitor that goes on preparing behind it, forgets what is ready,
/// does not take back what the drain has not taken, or removes the earlier one first. So it was
/// found that the drain gave back what was prepared while the janitor prepared more: out of order, or
/// not at all.
pub fn the_end_leaves_no_segment_unused() {
    check("the end", 9_000, || {
        let entries = shuttle::rand::thread_rng().gen_range(0..3 * ENTRIES);
        rotates(entries);
    });
}

fn rotates(entries: u64) {
    let index = Index::default();
    let store = SegmentStore::new(index.clone(), SEGMENTS);
    let (janitor, supply, floor) = Janitor::new(store, &Arc::new(Core::default()));
    let janitor = thread::spawn(move || janitor.run(Keeper));
    let drain = {
        let index = index.clone();
        thread::spawn(move || write(&index, supply, entries))
    };
    let view = {
        let index = index.clone();
        thread::spawn(move || read(&index, &floor, entries))
    };
    drain.join().expect("the drain ends");
    view.join().expect("the view ends");
    janitor.join().expect("the janitor ends");
    index.with(|found| {
        assert!(found.len() <= SEGMENTS, "{found:?}");
        assert!(found.values().all(|pages| pages.ended), "one was not written: {found:?}");
    });
}

/// Writes the entries 0, 1, … as the drain does: a new segment when one is full, and only then the
/// old one is given back.
fn write(index: &Index, supply: Supply, entries: u64) {
    let mut current = wait_for(&supply);
    for entry in 0..entries {
        if entry > 0 && entry % ENTRIES == 0 {
            let next = wait_for(&supply);
            end(index, current);
            supply.give_back(Retired(current));
            current = next;
        }
        index.with(|found| match found.get_mut(&current) {
            Some(pages) => pages.entries.push(entry),
            None => panic!("segment {current} is taken away from under the drain"),
        });
    }
    end(index, current);
    supply.close(Retired(current), None);
}

fn end(index: &Index, sequence: u64) {
    index.with(|found| found.entry(sequence).or_default().ended = true);
}

fn wait_for(supply: &Supply) -> u64 {
    loop {
        match supply.take() {
            Some(prepared) => return prepared.0,
            None => thread::yield_now(),
        }
    }
}

/// Reads all entries as a view does, and raises the floor when a segment is read.
fn read(index: &Index, floor: &Floor, entries: u64) {
    let (mut sequence, mut at, mut seen) = (1, 0, 0);
    floor.raise(sequence);
    while seen < entries {
        let (entry, ended) = index.with(|found| match found.get(&sequence) {
            Some(pages) => (pages.entries.get(at).copied(), pages.ended),
            // Not made so far: those that there are would be later ones otherwise.
            None if found.keys().all(|&other| other < sequence) => (None, false),
            None => panic!("segment {sequence} was recycled before it was read"),
        });
        match entry {
            Some(entry) => {
                assert_eq!(entry, seen, "in segment {sequence}");
                seen += 1;
                at += 1;
            }
            None if ended => {
                sequence += 1;
                at = 0;
                floor.raise(sequence);
            }
            None => thread::yield_now(),
        }
    }
    // It stays as long as there is one that nobody will write.
    while index.with(|found| found.values().any(|pages| !pages.ended)) {
        thread::yield_now();
    }
}
