//! The drain's beginning and end, as its thread sees them.

use super::Drain;
use crate::journal::{JournalError, Position};
use crate::shared::Control;

impl Drain {
    /// Makes the calling thread the one that is woken when there is something to do.
    pub(crate) fn settle_in(&self) {
        self.control.i_am_the_drain();
    }

    /// Whether the engine is coming to its end.
    pub(crate) fn stopping(&self) -> bool {
        self.control.stopping()
    }

    /// Whether the time to end is over: what cannot be written then stays in the ring.
    pub(crate) fn is_given_up(&self) -> bool {
        self.stopping() && self.control.views_abandoned()
    }

    /// Whether the engine has come to its end and the ring holds nothing that the journal has not.
    pub(crate) fn is_finished(&self) -> bool {
        // Without a file, what dead processes left is left to the next start.
        let all_recovered = self.recovery.is_none() || self.appender.is_in_memory();
        let all_begun = self.pass.is_none() && all_recovered && !self.torn;
        self.stopping() && all_begun && self.ring.is_drained()
    }

    /// Ends the journal: a barrier, and the last segment is cut to its length.
    ///
    /// # Errors
    /// The journal's medium failed.
    pub(crate) fn finish(self) -> Result<(), JournalError> {
        let drained = self.is_finished();
        let (ended, last) = self.appender.finish();
        self.supply.close(last, self.spare);
        let end = ended.as_ref().ok().map(|done| done.position);
        Self::note_end(&self.control, end, drained);
        ended.map(|_| ())
    }

    /// Tells that there is no drain any more, where the journal ends, and whether the ring is empty.
    pub(crate) fn note_end(control: &Control, end: Option<Position>, drained: bool) {
        let without_views = control.without_views();
        control.update(true, |progress| {
            progress.journal = end.unwrap_or(progress.journal);
            progress.drain_ended = true;
            progress.drained = drained;
            progress.views_ended |= without_views;
        });
    }
}
