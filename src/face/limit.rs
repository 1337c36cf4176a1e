//! `every:` and `every_n:`: limits of a call site, shared by all threads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock;

/// Lets one call through in every so many ticks.
#[derive(Debug)]
pub struct Every {
    /// When the next call may pass, in ticks; 0 before the first.
    next: AtomicU64,
}

impl Every {
    /// A limit that lets the first call through.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "made in a static")]
    pub const fn new() -> Self {
        Self { next: AtomicU64::new(0) }
    }

    /// Whether this call may pass.
    pub fn passes(&self, period_ticks: u64) -> bool {
        let now = clock::now().0;
        // ORDERING: Relaxed, the word publishes nothing but itself.
        // PAIRS WITH: the exchange below, of any thread.
        // IF WEAKENED: it is the weakest already.
        let next = self.next.load(Relaxed);
        if now < next {
            return false;
        }
        let due = now.saturating_add(period_ticks).max(1);
        // ORDERING: Relaxed, as above; the exchange picks one winner among threads.
        // PAIRS WITH: the same exchange of the losers.
        // IF WEAKENED: it is the weakest already.
        self.next.compare_exchange(next, due, Relaxed, Relaxed).is_ok()
    }
}

/// Lets the first of every `n` calls through.
#[derive(Debug)]
pub struct EveryN {
    calls: AtomicU64,
}

impl EveryN {
    /// A limit that lets the first call through.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "made in a static")]
    pub const fn new() -> Self {
        Self { calls: AtomicU64::new(0) }
    }

    /// Whether this call may pass; with `n` of 0 or 1 every call does.
    pub fn passes(&self, n: u64) -> bool {
        // ORDERING: Relaxed, a count that publishes nothing.
        // PAIRS WITH: itself in other threads.
        // IF WEAKENED: it is the weakest already.
        self.calls.fetch_add(1, Relaxed).is_multiple_of(n.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_passes_in_each_period() {
        let every = Every::new();
        assert!(every.passes(u64::MAX));
        assert!(!every.passes(u64::MAX));
        let always = Every::new();
        assert!(always.passes(0) && always.passes(0));
    }

    #[test]
    fn the_first_of_every_n_passes() {
        let every = EveryN::new();
        let passed: Vec<_> = (0..7).map(|_| every.passes(3)).collect();
        assert_eq!(passed, [true, false, false, true, false, false, true]);
        let zero = EveryN::new();
        assert!(zero.passes(0) && zero.passes(0));
    }
}
