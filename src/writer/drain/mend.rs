//! What the drain does behind a failure or a panic: what the journal has for good is given back, the
//! rest is taken again.

use std::io;
use std::sync::Arc;

use super::Drain;
use crate::processors::TextScreen;
use crate::writer::keeper::lent;
use crate::writer::recovery::Recovery;

/// What dead processes left is given up after so many panics in a row over it.
const RECOVERY_PANICS_MAX: u32 = 3;

impl Drain {
    /// What is published is safe: the ring need not keep it.
    pub(super) fn keep_published(&mut self) {
        for (lane, info) in self.told.drain(..) {
            self.ring.mark_reported(lane, &info);
        }
        self.measure();
        self.note_in_memory();
        self.ring.commit();
        let (records, bytes) = self.appender.published();
        self.journaled += records - self.records_seen;
        self.journal_bytes += bytes - self.bytes_seen;
        (self.records_seen, self.bytes_seen) = (records, bytes);
    }

    /// Counts what is published in memory alone, in the ring's file in front of giving its blocks back.
    fn note_in_memory(&mut self) {
        let published = self.appender.in_memory_records();
        let added = published - std::mem::replace(&mut self.in_memory_seen, published);
        if added > 0 {
            self.ring.ring().note_in_memory(published);
            self.control.update(false, |progress| progress.in_memory_records += added);
            self.control.note_unfiled(self.appender.progress().position);
        }
    }

    /// What was taken since the last publication is taken again, and told again.
    pub(super) fn take_again(&mut self) {
        if self.appender.published().1 > self.bytes_seen {
            // Nothing is taken between a publication and what is done about it.
            self.keep_published();
        }
        self.ring.rewind();
        self.told.clear();
    }

    /// Puts in order what a panic has left.
    pub(super) fn mend(&mut self) {
        self.take_again();
        // What was not published may be torn, so the segment is left.
        self.broken |= self.appender.bytes() > self.appender.published().1;
        // It may have been lost on the way; without it, secrets would come into the journal.
        self.appender.screen_with(Box::new(TextScreen::new(Arc::clone(&self.masking))));
        self.mask_changes = 0;
        self.pass = None;
        let recovered = lent(
            self,
            |drain| &mut drain.recovery,
            |drain, recovery| match recovery {
                Some(recovery) => drain.mend_recovery(recovery),
                None => false,
            },
        );
        if recovered {
            self.end_recovery();
        }
    }

    /// The same for what dead processes left; whether nothing of it is left.
    fn mend_recovery(&mut self, recovery: &mut Recovery) -> bool {
        self.take_dead_again(recovery);
        self.recovery_panics += 1;
        if self.recovery_panics >= RECOVERY_PANICS_MAX {
            self.recovery_panics = 0;
            self.part(recovery, &io::Error::other("the writer panics over it"));
        }
        recovery.current().is_none() && recovery.is_empty()
    }
}
