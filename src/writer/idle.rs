//! What the drain does between two passes.

use std::thread;
use std::time::Duration;

use super::bite::bite_bytes;
use crate::clock;
use crate::config::{Configuration, Idle, SyncPolicy};

/// The longest nap while something may come any time.
const NAP_MAX: Duration = Duration::from_millis(1);

/// The longest nap of a silent engine, whatever a nap costs.
const NAP_SILENT_MAX: Duration = Duration::from_millis(20);

/// A silent engine naps so long that waking up takes at most a 160th of a core.
///
/// What waking up costs depends on the machine: 8 to 60 µs were measured on the same virtual one, so
/// that naps of 1 ms would take up to 6 % of a core (PERF.md, "quiet").
const SILENT_SHARE: u32 = 160;

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
    /// A poll that took at least this much is followed by the next one at once. Less means that the
    /// drain has caught up and would only pull the producer's current cache lines away from it,
    /// again and again (PERF.md, "bites").
    bite_bytes: u64,
    shortest: Duration,
    next: Duration,
    quiet: u32,
    spin_ticks: u64,
    silent_max: Duration,
    /// Processor time of the thread at the last nap, and what a nap has cost lately.
    spent: Duration,
    cost: Duration,
}

impl Napper {
    pub(crate) fn new(configuration: &Configuration, ticks_per_second: u64) -> Self {
        let Configuration { idle, nap: shortest, .. } = *configuration;
        let bite_bytes = bite_bytes(configuration);
        let spin_ticks = (SPIN.as_nanos() as u64).saturating_mul(ticks_per_second) / 1_000_000_000;
        // What is to be synced at once is not slept over.
        let at_once = configuration.sync == SyncPolicy::Critical;
        Self {
            idle,
            bite_bytes,
            shortest,
            next: shortest,
            quiet: 0,
            spin_ticks,
            silent_max: if at_once { NAP_MAX } else { NAP_SILENT_MAX },
            spent: Duration::ZERO,
            cost: Duration::ZERO,
        }
    }

    /// Rests after a pass that took `bytes`.
    pub(crate) fn rest(&mut self, bytes: u64) {
        if bytes > 0 {
            self.quiet = 0;
            self.next = self.shortest;
        }
        if bytes >= self.bite_bytes {
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

    /// The length of the next nap: it doubles once the ring has been empty for a while, and follows
    /// what naps cost when it stays so.
    fn nap(&mut self) -> Duration {
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet > QUIET_PASSES {
            let longest = if self.quiet > SILENT_PASSES { self.silent_nap() } else { NAP_MAX };
            self.next = (self.next * 2).min(longest);
        }
        self.next
    }

    fn silent_nap(&mut self) -> Duration {
        let spent = thread_cpu_time();
        let cost = spent.saturating_sub(std::mem::replace(&mut self.spent, spent));
        // The first difference is all that the thread has done before.
        if self.quiet > SILENT_PASSES + 1 {
            self.cost = if self.cost.is_zero() { cost } else { (self.cost * 7 + cost) / 8 };
        }
        (self.cost * SILENT_SHARE).clamp(NAP_MAX, self.silent_max)
    }
}

fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Settings};

    #[test]
    fn naps_grow_when_it_stays_quiet_and_shrink_at_once() {
        let layers =
            [Origin::CodeDefault, Origin::Code].map(|origin| (origin, Settings::default()));
        let configuration = Configuration::resolve(layers).unwrap();
        let shortest = configuration.nap;
        let mut napper = Napper::new(&configuration, 1_000_000_000);
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
        napper.cost = Duration::from_micros(25);
        assert!(napper.nap() >= Duration::from_millis(2), "{:?}", napper.next);
        napper.cost = Duration::from_secs(1);
        for _ in 0..10 {
            assert!(napper.nap() <= NAP_SILENT_MAX);
        }
        napper.rest(1);
        assert_eq!(napper.nap(), shortest);
    }
}
