//! What cannot be written now, told once: a disk that fails fails everything that lies on it.

use std::fmt::Display;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::handlers::notice;
use crate::record::UnixNanos;

/// An outage is over, and the next failure is another one, when nothing has failed for so long.
const CALM: Duration = Duration::from_secs(1);

/// Something that is written to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The log directory: owned by this engine, and there.
    Directory,
    /// The journal's segments: the disk gives none.
    Journal,
    /// The segment that is being written.
    Segment,
    /// The place where the views note how far they are.
    Cursor,
    /// The room that is to stay free: `disk_reserve`.
    Room,
    /// One of the three logs, by its number: 0 to 2.
    Log(u8),
}

impl Part {
    fn bit(self) -> u8 {
        match self {
            Part::Directory => 1,
            Part::Journal => 2,
            Part::Cursor => 4,
            Part::Room => 8,
            Part::Segment => 128,
            Part::Log(number) => 16 << number.min(2),
        }
    }
}

/// The present outage: the first failure tells it, and the last recovery.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failing: u8,
    /// What failed first; none: no outage was told that is not over.
    reason: Option<String>,
    calm_since: Option<Instant>,
}

impl Outage {
    /// Notes that `part` cannot be written, for a reason that names the file, the system's answer,
    /// and what becomes of the entries.
    pub(crate) fn failed(&self, part: Part, reason: &dyn Display) {
        let mut state = self.state.lock();
        state.failing |= part.bit();
        state.calm_since = None;
        if state.reason.is_none() {
            let reason = reason.to_string();
            notice(&reason);
            state.reason = Some(reason);
        }
    }

    /// Notes that `part` can be written again.
    pub(crate) fn works(&self, part: Part) {
        let mut state = self.state.lock();
        state.failing &= !part.bit();
        if state.failing == 0 && state.reason.is_some() {
            state.calm_since.get_or_insert_with(Instant::now);
        }
    }

    /// Tells that an outage is over, if it has been for a while, or if this is the `end` of all.
    pub(crate) fn settle(&self, end: bool) {
        let mut state = self.state.lock();
        if state.calm_since.is_some_and(|since| end || since.elapsed() >= CALM) {
            notice("journal and logs can be written again");
            (state.reason, state.calm_since) = (None, None);
        }
    }

    /// What failed first, while something does.
    pub(crate) fn reason(&self) -> Option<String> {
        let state = self.state.lock();
        state.reason.clone().filter(|_| state.failing != 0)
    }
}

/// A time in which the journal was in memory alone.
#[derive(Debug, Clone)]
pub(crate) struct JournalGap {
    /// Why the disk gave no file.
    pub(crate) reason: String,
    /// When that was noticed, and when the journal was in files again.
    pub(crate) from: UnixNanos,
    pub(crate) until: UnixNanos,
    /// [`Progress::in_memory_records`](super::Progress) when it began.
    pub(crate) records_before: u64,
    /// How many records are in no file.
    pub(crate) records: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_has_one_reason_from_its_first_failure_to_its_last_recovery() {
        let outage = Outage::default();
        assert_eq!(outage.reason(), None);
        outage.failed(Part::Journal, &"the disk is full");
        for number in 0..3 {
            outage.failed(Part::Log(number), &"the same");
        }
        outage.works(Part::Journal);
        outage.works(Part::Log(0));
        outage.works(Part::Log(2));
        outage.settle(true);
        assert_eq!(outage.reason().as_deref(), Some("the disk is full"));
        outage.works(Part::Log(1));
        assert_eq!(outage.reason(), None, "it is over");
        outage.failed(Part::Cursor, &"again");
        assert_eq!(
            outage.reason().as_deref(),
            Some("the disk is full"),
            "too soon for another one"
        );
        outage.works(Part::Cursor);
        outage.settle(true);
        outage.failed(Part::Cursor, &"another one");
        assert_eq!(outage.reason().as_deref(), Some("another one"));
    }
}
