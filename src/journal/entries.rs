//! A whole journal as entries in their order: for `tapelog cat`, exports and tests.

use super::error::JournalError;
use super::frame::Fault;
use super::index::SegmentIndex;
use super::merge::{Checkpoint, Merge, Release};
use super::position::Position;
use super::reader::{JournalReader, Liveness, Step};
use crate::entry::Entry;

/// What [`EntryReader::next`] came upon.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// An entry.
    Entry(Entry<'a>, Release),
    /// Segments `first..=last` were recycled before they were read.
    Expired {
        /// The first lost segment, of which a part may have been read.
        first: u64,
        /// The last lost segment.
        last: u64,
    },
    /// Bytes `from..to` of a segment are damaged; reading goes on behind them.
    Damaged {
        /// The segment.
        sequence: u64,
        /// Where the damage begins.
        from: u64,
        /// Where reading goes on.
        to: u64,
        /// What is wrong.
        fault: Fault,
    },
}

/// Reads entries in the order that views have.
#[derive(Debug)]
pub(crate) struct EntryReader {
    reader: JournalReader,
    merge: Merge,
    liveness: Liveness,
    finished: bool,
}

impl EntryReader {
    /// Reads from `from`, or from the oldest segment.
    pub(crate) fn new(index: SegmentIndex, from: Option<Position>, liveness: Liveness) -> Self {
        let reader = JournalReader::new(index, from, liveness);
        Self { reader, merge: Merge::new(), liveness, finished: false }
    }

    /// Goes on where a checkpoint was taken.
    pub(crate) fn resume(index: SegmentIndex, checkpoint: Checkpoint, liveness: Liveness) -> Self {
        let reader = JournalReader::new(index, Some(checkpoint.position), liveness);
        Self { reader, merge: Merge::resume(checkpoint), liveness, finished: false }
    }

    /// The merge, for its counters and checkpoints.
    pub(crate) fn merge(&self) -> &Merge {
        &self.merge
    }

    /// The next entry, or what stands in its way; `None` at the end of data. While the journal is
    /// live, entries inside the order window wait and are given out by a later call.
    ///
    /// # Errors
    /// As [`JournalReader::next_frame`].
    pub(crate) fn next(&mut self) -> Result<Option<Event<'_>>, JournalError> {
        loop {
            if self.merge.prepare(1) {
                let entry = self.merge.prepared().and_then(|mut given| given.next());
                return Ok(entry.map(|(entry, release)| Event::Entry(entry, release)));
            }
            match self.reader.next_frame()? {
                Step::Frame(frame) => self.merge.push(&frame),
                Step::Expired { first, last } => return Ok(Some(Event::Expired { first, last })),
                Step::Damaged { sequence, from, to, fault } => {
                    return Ok(Some(Event::Damaged { sequence, from, to, fault }));
                }
                Step::EndOfData if self.liveness == Liveness::Ended && !self.finished => {
                    self.finished = true;
                    self.merge.finish();
                }
                Step::EndOfData => return Ok(None),
            }
        }
    }
}
