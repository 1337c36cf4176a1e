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

/// The longest nap while something may come any time.
const NAP_MAX: Duration = Duration::from_millis(1);

/// The longest nap after a second or so of silence: a thousand naps a second would cost 2 to 4 % of
/// a core on a virtual machine, waking up alone (PERF.md, "quiet").
const NAP_SILENT_MAX: Duration = Duration::from_millis(5);

/// After this many empty passes naps begin to grow.
const QUIET_PASSES: u32 = 200;

/// After this many, the ring is silent.
const SILENT_PASSES: u32 = 1200;

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

    /// The length of the next nap: it doubles once the ring has been empty for a while.
    fn nap(&mut self) -> Duration {
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet > QUIET_PASSES {
            let longest = if self.quiet > SILENT_PASSES { NAP_SILENT_MAX } else { NAP_MAX };
            self.next = (self.next * 2).min(longest);
        }
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
        for _ in QUIET_PASSES..SILENT_PASSES + 10 {
            napper.nap();
        }
        assert_eq!(napper.nap(), NAP_SILENT_MAX);
        napper.rest(1);
        assert_eq!(napper.nap(), shortest);
    }
}
