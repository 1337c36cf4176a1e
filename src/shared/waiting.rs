//! Calls that wait for room in the ring: `overflow = block`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::core::Core;
use crate::config::Overflow;
use crate::ring::{Class, LaneHandle, PushError};

/// How long a call that waits for room sleeps between two attempts; the kernel adds its timer slack.
const RETRY: Duration = Duration::from_micros(20);

/// A call is urgent when it has waited for this part of what it may.
const URGENT_PART: u32 = 5;

impl Core {
    /// Tries again while the ring is full, as long as `overflow` says.
    pub(super) fn push_waiting(
        &self,
        lane: &LaneHandle,
        bytes: u32,
        class: Class,
        push: impl Fn() -> Result<(), PushError>,
    ) -> Result<(), PushError> {
        let Overflow::Block(wait) = self.configuration.overflow else { return push() };
        let modest = || match self.leaves_room(lane, bytes, class) {
            true => Err(PushError::Full),
            false => push(),
        };
        let first = modest();
        if !first.is_err_and(may_pass_by_waiting) {
            return first;
        }
        let begun = Instant::now();
        self.control.wake_drain();
        let mut urgent = None;
        loop {
            // Asleep, not polling: the drain may need this very core (PERF.md, "waiting").
            std::thread::sleep(RETRY);
            // The deadline is looked at first: the last attempt is one after it has passed.
            let waited = begun.elapsed();
            if waited >= wait / URGENT_PART && urgent.is_none() {
                urgent = Some(Urgent::new(&self.urgent));
            }
            let again = if urgent.is_some() { push() } else { modest() };
            if waited >= wait || !again.is_err_and(may_pass_by_waiting) {
                return again;
            }
        }
    }

    /// Whether any call may take the last block.
    pub(super) fn nobody_waits_long(&self) -> bool {
        // ORDERING: Relaxed, a hint, as in `leaves_room`.
        // PAIRS WITH: the additions in `Urgent`.
        // IF WEAKENED: it is the weakest already.
        self.urgent.load(Ordering::Relaxed) == 0
    }

    /// Whether a call that needs a block leaves it to those that have waited longer: a thread that
    /// does not sleep would otherwise take every block before one that does wakes up.
    fn leaves_room(&self, lane: &LaneHandle, bytes: u32, class: Class) -> bool {
        // ORDERING: Relaxed, a hint: who comes too late for it takes the block.
        // PAIRS WITH: the additions in `Urgent`.
        // IF WEAKENED: it is the weakest already.
        let urgent = self.urgent.load(Ordering::Relaxed);
        if urgent == 0 || class.privileged || class.trade {
            return false;
        }
        let fill = lane.block_fill();
        let needs_block = fill == 0 || fill + bytes > self.configuration.block_bytes;
        let kept = self.configuration.reserve_blocks + urgent;
        needs_block && self.ring.occupancy().free_blocks <= kept
    }
}

/// A call that has waited for a good part of what it may: others leave a block to it.
struct Urgent<'a>(&'a AtomicU32);

impl<'a> Urgent<'a> {
    fn new(urgent: &'a AtomicU32) -> Self {
        // ORDERING: Relaxed, a hint.
        // PAIRS WITH: the load in `Core::leaves_room`.
        // IF WEAKENED: it is the weakest already.
        urgent.fetch_add(1, Ordering::Relaxed);
        Self(urgent)
    }
}

impl Drop for Urgent<'_> {
    fn drop(&mut self) {
        // ORDERING: Relaxed, a hint.
        // PAIRS WITH: the load in `Core::leaves_room`.
        // IF WEAKENED: it is the weakest already.
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn may_pass_by_waiting(error: PushError) -> bool {
    matches!(error, PushError::Full | PushError::Lane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Level, MetaLogger, testing, try_info};

    #[test]
    fn others_leave_a_block_to_a_call_that_has_waited_long() {
        let builder = MetaLogger::builder().log_to_file(false).console_level(Level::Critical);
        let builder = builder.ring_bytes(256_u64 << 10).block_bytes(4096_u32).reserve_blocks(2_u32);
        let builder = builder.journal_level(Level::Info).metrics_interval(Duration::ZERO);
        let (log, _guard) = builder.build().unwrap();
        let (core, producer) = (log.core(), log.producer());
        let _held = testing::hold_drain(&log);
        while log.stats().free_blocks > 3 {
            try_info!(producer, "a number", number = 1_u64).unwrap();
        }
        let fresh = core.ring.register();
        let leaves = |privileged| core.leaves_room(&fresh, 64, Class { privileged, trade: false });
        assert!(!leaves(false), "nobody waits");
        let waiting = Urgent::new(&core.urgent);
        assert!(leaves(false), "the last block but the reserve is another call's");
        assert!(!leaves(true), "the reserve is for such a call");
        drop(waiting);
        assert!(!leaves(false));
    }
}
