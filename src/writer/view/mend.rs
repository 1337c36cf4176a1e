//! What the view does behind a panic: it goes on where its batch began, behind the entries that every
//! outlet has.

use super::{At, View};
use crate::journal::{Checkpoint, Position};

/// What panics so many times in a row is gone over, and told.
const TIMES_MAX: u32 = 3;

impl View {
    /// Puts in order what a panic has left.
    pub(super) fn mend(&mut self) {
        self.outlets.mend();
        let at = std::mem::replace(&mut self.at, At::Else);
        let here = self.reader.position();
        let Some(mut checkpoint) = Checkpoint::decode(&self.checkpoint) else {
            return self.go_over_segment(here);
        };
        let again = self.fails_again();
        let gap = match at {
            At::Entry if again => {
                self.outlets.give_up();
                self.shown += 1;
                self.unreadable.unshowable()
            }
            At::Frame | At::Order if again => return self.go_over_segment(here),
            _ => None,
        };
        let shown = self.shown - self.shown_before;
        checkpoint.skip = checkpoint.skip.saturating_add(shown);
        self.resume(checkpoint);
        self.tell_gap(gap);
    }

    /// Whether the last polls have all panicked, and nothing was shown in between.
    fn fails_again(&mut self) -> bool {
        if std::mem::replace(&mut self.failed.shown, self.shown) != self.shown {
            self.failed.times = 0;
        }
        self.failed.times += 1;
        self.failed.times >= TIMES_MAX
    }

    fn resume(&mut self, checkpoint: Checkpoint) {
        self.reader.go_to(checkpoint.position);
        self.merge.go_to(checkpoint);
    }

    /// Gives up what waits and what is left of the segment.
    fn go_over_segment(&mut self, here: Option<Position>) {
        // What was rendered is written with the place where its batch began.
        self.write();
        let sequence = here.map_or(self.first, |here| here.sequence);
        self.resume(Checkpoint::at(Position::start_of(sequence.saturating_add(1))));
        let gap = self.unreadable.indigestible(sequence);
        self.tell_gap(gap);
        self.begin_batch();
    }
}
