//! What the drain does between two passes.

use std::thread;
use std::time::Duration;

use crate::clock;
use crate::config::Idle;

/// A pass that took at least this much is followed by the next one at once.
///
/// Smaller bites mean that the drain has caught up and would only pull the producer's current cache
/// line away from it, again and again (PERF.md, "bites").
const BITE_BYTES: u64 = 64 << 10;

/// The longest nap between bursts.
const NAP_MAX: Duration = Duration::from_millis(1);

/// After this many empty passes naps begin to grow.
const QUIET_PASSES: u32 = 200;

/// The longest nap of an engine that has nothing to do.
///
/// A nap of 1 ms costs about 20 µs of processor time in a virtual machine, whatever is done in
/// between: 2 % of a core, where 1 % is promised.
const DEEP_NAP_MAX: Duration = Duration::from_millis(4);

/// After this many empty passes, about a second, naps grow to the longest.
const DEEP_QUIET_PASSES: u32 = QUIET_PASSES + 1_000;

/// Even a spinning drain leaves the ring alone for this long.
const SPIN: Duration = Duration::from_micros(5);

/// Sleeps between passes, longer when the ring stays empty.
#[derive(Debug)]
pub(crate) struct Napper {
    idle: Idle,
    shortest: Duration,
    next: Duration,
    quiet: u32,
    spin_ticks: u64,
}

impl Napper {
    pub(crate) fn new(idle: Idle, shortest: Duration, ticks_per_second: u64) -> Self {
        let spin_ticks = (SPIN.as_nanos() as u64).saturating_mul(ticks_per_second) / 1_000_000_000;
        Self { idle, shortest, next: shortest, quiet: 0, spin_ticks }
    }

    /// Rests after a pass that took `bytes`.
    pub(crate) fn rest(&mut self, bytes: u64) {
        if bytes > 0 {
            self.quiet = 0;
            self.next = self.shortest;
        }
        if bytes >= BITE_BYTES {
            return;
        }
        match self.idle {
            Idle::Spin => self.spin(),
            Idle::Yield => {
                thread::yield_now();
                self.spin();
            }
            Idle::Park => thread::park_timeout(self.nap()),
        }
    }

    fn spin(&self) {
        let until = clock::now().0.saturating_add(self.spin_ticks);
        while clock::now().0 < until {
            std::hint::spin_loop();
        }
    }

    /// The length of the next nap: it doubles once the ring has been empty for a while, and again
    /// when it stays so.
    fn nap(&mut self) -> Duration {
        self.quiet = self.quiet.saturating_add(1);
        let longest = match self.quiet {
            quiet if quiet > DEEP_QUIET_PASSES => DEEP_NAP_MAX,
            quiet if quiet > QUIET_PASSES => NAP_MAX,
            _ => return self.next,
        };
        self.next = (self.next * 2).min(longest);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_grow_when_it_stays_quiet_and_shrink_at_once() {
        let shortest = Duration::from_micros(50);
        let mut napper = Napper::new(Idle::Park, shortest, 1_000_000_000);
        for _ in 0..QUIET_PASSES {
            assert_eq!(napper.nap(), shortest);
        }
        for _ in 0..10 {
            napper.nap();
        }
        assert_eq!(napper.nap(), NAP_MAX);
        for _ in 0..DEEP_QUIET_PASSES {
            napper.nap();
        }
        assert_eq!(napper.nap(), DEEP_NAP_MAX);
        napper.rest(1);
        assert_eq!(napper.nap(), shortest);
    }
}
