//! How fast the drain goes: it lingers where little comes, and keeps step with the views.

use super::{Drain, Stop};
use crate::clock::now;
use crate::writer::bite::STEP_BYTES;

impl Drain {
    /// Whether so little has come since the last pass that it may become more.
    pub(super) fn can_wait(&self) -> bool {
        let waited = now().0.wrapping_sub(self.begun_ticks[0]);
        waited < self.linger_ticks
            && self.pass.is_none()
            && !self.control.ring_missing()
            && !self.stopping()
            && self.control.flushes() == self.barrier
            && self.ring.can_wait()
    }

    /// Whether the journal is so far ahead of the views that it would soon run out of segments, and
    /// the views have something to do. If not, the poll may take as much as is left until then.
    ///
    /// It then goes on as the views do, in small steps. If it went on to the end instead, it would
    /// stand still until the views have passed a whole segment: longer than a call may wait for room
    /// (PERF.md, "small steps"). A step every now and then is taken although the views stand still,
    /// out of what is kept for that.
    pub(super) fn is_too_far_ahead(&mut self) -> bool {
        self.bite_bytes = self.bite_bytes_max;
        if self.stopping() || self.control.without_views() {
            return false;
        }
        if self.ahead_bytes() + self.bite_bytes_max > self.ahead_bytes_max {
            let progress = self.control.progress();
            (self.viewed, self.rendered) = (progress.viewed, progress.views.settled());
            let left = self.ahead_bytes_max.saturating_sub(self.ahead_bytes());
            // A small ring's bites are smaller than a step.
            self.bite_bytes = left.max(STEP_BYTES).min(self.bite_bytes_max);
            let waited = now().0.wrapping_sub(self.went_on_ticks);
            return left == 0 && progress.viewed < self.position && waited < self.trickle_ticks;
        }
        false
    }

    /// How far the journal was ahead of the views when they were last asked: the mean of what they
    /// had to read and, by the number of records, to render. They read a pass, which may be a whole
    /// ring, before they render it, and go on in either.
    fn ahead_bytes(&self) -> u64 {
        let segments = self.position.sequence.saturating_sub(self.viewed.sequence);
        let end = segments * self.segment_bytes + self.position.offset;
        let unread = end.saturating_sub(self.viewed.offset);
        let record_bytes = self.journal_bytes / self.journaled.max(1);
        let unrendered = self.journaled.saturating_sub(self.rendered) * record_bytes;
        (unread + unrendered) / 2
    }

    /// Lets go of the entries that wait in the views for their order, once the views have read all
    /// there is: if they need segments only for those, no segment would ever come free, because the
    /// pass that makes the entries due waits for one.
    pub(super) fn release_views(&mut self) -> Result<(), Stop> {
        let nothing_new = self.appender.bytes() == self.bytes_seen;
        if nothing_new && self.control.progress().viewed >= self.position {
            self.appender.append_early_barrier().map_err(|_| Stop::Failed)?;
        }
        Ok(())
    }

    /// The same where the segment cannot take a barrier. The order of `tapelog cat` can differ from
    /// that of the logs there, by an order window.
    pub(super) fn release_views_without_barrier(&mut self) {
        if !std::mem::replace(&mut self.stuck, true) {
            self.control.update(true, |progress| progress.stuck += 1);
        }
    }

    /// Goes on in the next segment before this one is full, where the janitor says so: because there is
    /// a file again, or one that is found by its name.
    pub(super) fn leave_early(&mut self) {
        let first = self.supply.leave_before(self.appender.is_in_memory());
        let behind = self.appender.sequence() < first;
        if !behind || self.pass.is_some() {
            return;
        }
        match self.roll() {
            Stop::Failed => self.broken = true,
            // The end of the segment is published, and nothing was taken since: what is taken next
            // must not be held to be published with it.
            Stop::Rolled => self.keep_published(),
            _ => {}
        }
    }
}
