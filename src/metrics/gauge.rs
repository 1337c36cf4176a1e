//! A level that goes up and down: its last value, its highest, and its highest of late.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is noted of a level. Every access is Relaxed: the numbers describe, and publish nothing.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    last: AtomicU64,
    highest: AtomicU64,
    /// The highest since it was last taken.
    recent: AtomicU64,
}

impl Gauge {
    /// Notes the level as it is now.
    pub(crate) fn note(&self, level: u64) {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the loads below.
        // IF WEAKENED: they are the weakest already.
        self.last.store(level, Ordering::Relaxed);
        self.highest.fetch_max(level, Ordering::Relaxed);
        self.recent.fetch_max(level, Ordering::Relaxed);
    }

    /// The level as noted last.
    pub(crate) fn last(&self) -> u64 {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `note`.
        // IF WEAKENED: it is the weakest already.
        self.last.load(Ordering::Relaxed)
    }

    /// The highest level ever.
    pub(crate) fn highest(&self) -> u64 {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the maximum in `note`.
        // IF WEAKENED: it is the weakest already.
        self.highest.load(Ordering::Relaxed)
    }

    /// Takes back that a level was taken.
    pub(crate) fn put_back(&self, level: u64) {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the exchange in `take_recent`.
        // IF WEAKENED: it is the weakest already.
        self.recent.fetch_max(level, Ordering::Relaxed);
    }

    /// The highest level since this was called last.
    pub(crate) fn take_recent(&self) -> u64 {
        // ORDERING: Relaxed, see the type. One word, so no level falls between two intervals.
        // PAIRS WITH: the maximum in `note`.
        // IF WEAKENED: it is the weakest already.
        self.recent.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_knows_the_last_the_highest_and_the_highest_of_late() {
        let gauge = Gauge::default();
        for level in [3, 9, 5] {
            gauge.note(level);
        }
        assert_eq!((gauge.last(), gauge.highest(), gauge.take_recent()), (5, 9, 9));
        gauge.note(4);
        assert_eq!((gauge.last(), gauge.highest(), gauge.take_recent()), (4, 9, 4));
        assert_eq!(gauge.take_recent(), 0, "nothing was noted since");
    }
}
