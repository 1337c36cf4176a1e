//! Tests that want a drain that stands still, any number of them at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for a drain that is to stand still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who holds the drain, and whether it has noticed.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    /// How often it was held, and how often it was let go again.
    holds: AtomicU64,
    releases: AtomicU64,
    /// How many of these holds the drain has seen.
    seen: AtomicU64,
}

impl Hold {
    /// Begins a hold; gives its number.
    pub(super) fn begin(&self) -> u64 {
        // ORDERING: Relaxed, it takes effect soon and publishes nothing.
        // PAIRS WITH: the load in `is_on`.
        // IF WEAKENED: it is the weakest already.
        self.holds.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Ends a hold.
    pub(super) fn end(&self) {
        // ORDERING: Release, behind the hold that this ends.
        // PAIRS WITH: the Acquire load in `is_on`.
        // IF WEAKENED: the drain might see an end without its beginning, and take another's hold for over.
        self.releases.fetch_add(1, Ordering::Release);
    }

    /// Waits until the drain has seen a hold, or is `over`; whether it has.
    pub(super) fn wait(&self, number: u64, over: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        while !self.is_seen(number) {
            if over() || begun.elapsed() >= PATIENCE {
                return false;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        true
    }

    /// Whether the drain stands still because of this hold, or a later one.
    fn is_seen(&self, number: u64) -> bool {
        // ORDERING: Acquire, in front of what the holder does.
        // PAIRS WITH: the Release store in `is_on`.
        // IF WEAKENED: the holder may not see what the drain's last poll has done.
        self.seen.load(Ordering::Acquire) >= number
    }

    /// Whether anybody holds the drain, which asks this between two polls and then stands still.
    pub(super) fn is_on(&self) -> bool {
        // ORDERING: Acquire, in front of the load of the holds, which are at least as many.
        // PAIRS WITH: the Release addition in `end`.
        // IF WEAKENED: see there.
        let releases = self.releases.load(Ordering::Acquire);
        // ORDERING: Relaxed, see `begin`.
        // PAIRS WITH: the addition there.
        // IF WEAKENED: it is the weakest already.
        let holds = self.holds.load(Ordering::Relaxed);
        if holds == releases {
            return false;
        }
        // ORDERING: Release, behind the last poll.
        // PAIRS WITH: the Acquire load in `is_seen`.
        // IF WEAKENED: see there.
        self.seen.store(holds, Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lasts_until_the_last_holder_lets_go() {
        let hold = Hold::default();
        assert!(!hold.is_on());
        let (first, second) = (hold.begin(), hold.begin());
        assert!(!hold.is_seen(first));
        assert!(hold.is_on() && hold.is_seen(first) && hold.is_seen(second));
        hold.end();
        assert!(hold.is_on());
        hold.end();
        assert!(!hold.is_on());
        let third = hold.begin();
        assert!(!hold.is_seen(third) && hold.is_on() && hold.is_seen(third));
    }
}
