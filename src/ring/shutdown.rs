//! The gate: after it, no record enters the ring.

use std::time::Duration;

use super::Ring;
use crate::sync::{Deadline, Ordering, heavy_fence, pause};

impl Ring {
    /// Closes the gate and waits, at most `wait`, until no push is under way; the result is how
    /// many producers were still busy then. What these commit later is left to recovery.
    ///
    /// After 0, a drain pass over all lanes takes everything that was ever accepted.
    pub(crate) fn close_gate(&self, wait: Duration) -> u32 {
        if self.process().forked() {
            return 0;
        }
        let deadline = Deadline::after(wait);
        self.process().close_gate();
        loop {
            for private in &self.privates[..self.geometry.lanes as usize] {
                // ORDERING: Relaxed, made visible by the fence.
                // PAIRS WITH: the load in `LaneHandle::push_hot`.
                // IF WEAKENED: it is the weakest already.
                private.limit.store(0, Ordering::Relaxed);
            }
            // PAIRS WITH: the light fence in `Busy::enter`: a push that still saw the old limit, or
            //   the open gate, has its `busy` seen below.
            // IF WEAKENED: a push goes on behind the gate
            //   (loom-tests: `shutdown_drains_everything`).
            heavy_fence();
            let (busy, reopened) = self.wait_for_producers(deadline);
            if !reopened || deadline.passed() {
                return busy;
            }
        }
    }

    /// Waits for each lane in turn. Counts the busy ones, and tells whether a cold path that had
    /// begun before the gate was closed has set a limit again, so that pushes may follow it.
    fn wait_for_producers(&self, deadline: Deadline) -> (u32, bool) {
        let (mut busy, mut reopened) = (0, false);
        for private in &self.privates[..self.lanes_used() as usize] {
            loop {
                // ORDERING: Acquire, what the push committed happens before the last drain.
                // PAIRS WITH: the Release store in `Busy::drop`.
                // IF WEAKENED: the last drain misses a record
                //   (loom-tests: `shutdown_drains_everything`).
                if private.busy.load(Ordering::Acquire) == 0 {
                    break;
                }
                if deadline.passed() {
                    busy += 1;
                    break;
                }
                pause();
            }
            // ORDERING: Relaxed, ordered behind the load of `busy`.
            // PAIRS WITH: the store in `LaneHandle::set_limit`.
            // IF WEAKENED: it is the weakest already; without this look, pushes go on behind it
            //   (loom-tests: `shutdown_drains_everything`).
            reopened |= private.limit.load(Ordering::Relaxed) != 0;
        }
        (busy, reopened)
    }
}
