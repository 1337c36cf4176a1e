//! The mappings that the guard knows: a fixed table that a signal handler may read.
//!
//! A range is one word, so that no reader ever meets half of one: a slot that is given back and
//! taken again between two looks shows the old range or the new one, never a mixture.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many mappings are guarded at once; further segments are written by `write`.
const SLOTS: usize = 1024;

/// Ranges are counted in units of this size, which divides every page size.
const UNIT_BITS: u32 = 12;
/// Bits of a range's word that count its units: 4 GiB less one.
const LENGTH_BITS: u32 = 20;

/// A table of address ranges.
#[derive(Debug)]
pub(super) struct Table {
    slots: [Slot; SLOTS],
}

/// One guarded mapping.
#[derive(Debug)]
struct Slot {
    /// The first unit and the number of units; 0 when the slot is free.
    range: AtomicU64,
    /// How many of its pages were replaced.
    holes: AtomicU32,
}

impl Table {
    /// A table without ranges.
    pub(super) const fn new() -> Self {
        Self {
            slots: [const { Slot { range: AtomicU64::new(0), holes: AtomicU32::new(0) } }; SLOTS],
        }
    }

    /// Notes the range and gives the slot that has it; `None` where the table is full or the range
    /// is none of whole pages that a word can hold.
    pub(super) fn add(&self, start: usize, bytes: usize) -> Option<usize> {
        let word = word_of(start, bytes)?;
        self.slots.iter().position(|slot| {
            // ORDERING: AcqRel. Acquire: the count of holes was set to 0 before the slot was freed.
            //   Release: the mapping was made before a handler can find it here.
            // PAIRS WITH: the Release store in `remove`, the Acquire load in `find`.
            // IF WEAKENED: a new mapping might be taken for one with holes, and given up.
            slot.range.compare_exchange(0, word, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// Gives the slot back, before its range is unmapped: what is mapped there afterwards is not
    /// ours.
    pub(super) fn remove(&self, slot: usize) {
        let slot = &self.slots[slot];
        // ORDERING: Relaxed, ordered by the store below.
        // PAIRS WITH: the load in `holes` of the slot's next owner.
        // IF WEAKENED: it is the weakest already.
        slot.holes.store(0, Ordering::Relaxed);
        // ORDERING: Release, the count above is 0 before the slot is free. The `munmap` that
        //   follows comes after it on this thread, and another thread can have the addresses only
        //   from the kernel, after that.
        // PAIRS WITH: the exchange in `add`, the Acquire load in `find`.
        // IF WEAKENED: see `add`.
        slot.range.store(0, Ordering::Release);
    }

    /// The slot whose range holds `address`. For signal handlers.
    pub(super) fn find(&self, address: usize) -> Option<usize> {
        let unit = address as u64 >> UNIT_BITS;
        self.slots.iter().position(|slot| {
            // ORDERING: Acquire. The thread that faults holds the mapping, so its own range has
            //   been here since it got it, and does not change while it is in the handler.
            // PAIRS WITH: the exchange in `add`.
            // IF WEAKENED: a writer that took the mapping over from another thread has an order of
            //   its own with that thread, so nothing; Acquire says what is meant.
            let word = slot.range.load(Ordering::Acquire);
            let (start, units) = (word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1));
            unit.checked_sub(start).is_some_and(|distance| distance < units)
        })
    }

    /// Counts a page that was replaced. For signal handlers.
    pub(super) fn count_hole(&self, slot: usize) {
        // ORDERING: Relaxed, the handler runs on the thread that stores and later asks.
        // PAIRS WITH: the load in `holes`.
        // IF WEAKENED: it is the weakest already.
        self.slots[slot].holes.fetch_add(1, Ordering::Relaxed);
    }

    /// How many pages of the slot's range were replaced, by stores that the calling thread made.
    pub(super) fn holes(&self, slot: usize) -> u32 {
        // ORDERING: Relaxed behind a compiler fence: a handler's addition, on this thread, comes
        //   with the store that faulted, and that store must not be moved behind this load.
        // PAIRS WITH: the addition in `count_hole`.
        // IF WEAKENED: frames that lie in no file might be published.
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
        self.slots[slot].holes.load(Ordering::Relaxed)
    }
}

/// A range as one word.
fn word_of(start: usize, bytes: usize) -> Option<u64> {
    let (first, units) = (start as u64 >> UNIT_BITS, (bytes as u64).div_ceil(1 << UNIT_BITS));
    let fits = start.is_multiple_of(1 << UNIT_BITS)
        && start > 0
        && (1..1 << LENGTH_BITS).contains(&units)
        && first < 1 << (u64::BITS - LENGTH_BITS);
    fits.then_some(first << LENGTH_BITS | units)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const PAGE: usize = 4096;

    #[test]
    fn an_address_is_found_in_the_one_range_that_holds_it() {
        let table = Table::new();
        let first = table.add(16 * PAGE, 2 * PAGE).unwrap();
        let second = table.add(18 * PAGE, 100).unwrap();
        let at = |address| table.find(address);
        assert_eq!([at(0), at(16 * PAGE - 1), at(19 * PAGE)], [None; 3]);
        assert_eq!([at(16 * PAGE), at(18 * PAGE - 1)], [Some(first); 2]);
        assert_eq!([at(18 * PAGE), at(19 * PAGE - 1)], [Some(second); 2]);
        table.count_hole(first);
        assert_eq!((table.holes(first), table.holes(second)), (1, 0));
        table.remove(first);
        assert_eq!(at(16 * PAGE), None);
        assert_eq!(table.add(99 * PAGE, PAGE), Some(first), "the slot is free again");
        assert_eq!(table.holes(first), 0);
    }

    #[test]
    fn a_range_that_is_no_mapping_and_one_too_many_are_refused() {
        let table = Table::new();
        for (start, bytes) in [(0, PAGE), (100, PAGE), (PAGE, 0), (PAGE, 1 << 40)] {
            assert_eq!(table.add(start, bytes), None, "{start} {bytes}");
        }
        for at in 1..=SLOTS {
            assert!(table.add(at * PAGE, PAGE).is_some());
        }
        assert_eq!(table.add(9_999 * PAGE, PAGE), None);
    }

    /// Two threads take and free slots; a third never finds an address that lies between the
    /// ranges, as it would if it put a range together from two.
    #[test]
    fn no_reader_meets_a_mixture_of_two_ranges() {
        let table = Table::new();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let churn = |low: usize, high: usize| {
                for _ in 0..20_000 {
                    for start in [low, high] {
                        let slot = table.add(start * PAGE, PAGE).unwrap();
                        assert_eq!(table.holes(slot), 0);
                        table.count_hole(slot);
                        table.remove(slot);
                    }
                }
            };
            let writers =
                [scope.spawn(move || churn(10, 1000)), scope.spawn(move || churn(2000, 9000))];
            scope.spawn(|| {
                // ORDERING: Relaxed, an end that publishes nothing.
                while !done.load(Ordering::Relaxed) {
                    for between in [11, 500, 999, 1500, 5000] {
                        assert_eq!(table.find(between * PAGE), None);
                    }
                }
            });
            for writer in writers {
                writer.join().unwrap();
            }
            // ORDERING: Relaxed, see the load above.
            done.store(true, Ordering::Relaxed);
        });
    }
}
