//! The store control: what it costs a program to store as much as a log call does, without a
//! logger.
//!
//! The bytes go to private memory, in sequence, as records go to the ring; no other thread ever
//! reads them. What this takes behind a pause is the machine's: no logger that keeps its records
//! in memory can be faster there.

use std::cell::Cell;
use std::hint::black_box;

use tapelog::UnixNanos;

use super::cases::{second, third};

/// The default size of a ring.
const BYTES: usize = 8 << 20;
/// A record of `int_int_double`: 48 bytes.
type Record = [u64; 6];

/// The memory of one thread that stores.
#[derive(Debug)]
pub(super) struct Stores {
    records: Vec<Cell<Record>>,
    next: Cell<usize>,
}

impl Stores {
    /// Memory whose pages are there already.
    pub(super) fn warmed() -> Self {
        let records = (1..=(BYTES / size_of::<Record>()) as u64).map(|word| Cell::new([word; 6]));
        // Known to somebody else, as far as the compiler can tell: no store can be left out.
        Self { records: black_box(records.collect()), next: Cell::new(0) }
    }

    /// Stores 48 bytes behind those of the call before.
    #[inline(always)]
    pub(super) fn store(&self, number: u64, at: UnixNanos) {
        let next = self.next.get();
        let numbers = [number, second(number), third(number).to_bits()];
        self.records[next].set([48, at.0 as u64, numbers[0], numbers[1], numbers[2], 0]);
        self.next.set(if next + 1 < self.records.len() { next + 1 } else { 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_follow_each_other_and_begin_again() {
        let stores = Stores::warmed();
        let count = stores.records.len() as u64;
        assert_eq!(count, 174_762);
        (0..=count).for_each(|number| stores.store(number, UnixNanos(number as i64)));
        assert_eq!(stores.records[0].get()[..3], [48, count, count]);
        assert_eq!(stores.records[1].get()[..3], [48, 1, 1]);
        assert_eq!(stores.next.get(), 1);
    }
}
