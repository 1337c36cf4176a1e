//! How far the writer has come.

use crate::journal::Position;

/// How far the writer has come, and what was counted on the way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// Where the journal ends.
    pub(crate) journal: Position,
    /// What is stamped earlier, in ticks, is in the journal or comes too late: for
    /// `Merge::advance`.
    pub(crate) boundary: u64,
    /// The newest flush whose barrier is in the journal, and where that barrier ends.
    pub(crate) barrier: u64,
    pub(crate) barrier_position: Position,
    /// How often the drain had a segment that it cannot write, and no other: the views then give
    /// out what waits for its order, so that they need no segment for that.
    pub(crate) stuck: u64,
    /// How far the views have read.
    pub(crate) viewed: Position,
    /// The newest flush whose entries are in the views.
    pub(crate) rendered: u64,
    /// Where the newest CRITICAL entry or trade event ends, if the policy asks for it.
    pub(crate) urgent: Position,
    /// Up to where somebody waits for the journal to be on the disk.
    pub(crate) sync_wanted: Position,
    /// Up to where it is on the disk, and how many records that are.
    pub(crate) durable: Position,
    pub(crate) durable_records: u64,
    /// How often it was brought there.
    pub(crate) journal_syncs: u64,
    /// The newest request to sync that was answered.
    pub(crate) synced: u64,
    /// Records that producers committed, as of the last pass.
    pub(crate) accepted: u64,
    /// Records in the journal.
    pub(crate) journaled: u64,
    pub(crate) journal_bytes: u64,
    /// Whether the journal is written to memory alone now, and how many of its records were.
    pub(crate) journal_in_memory: bool,
    pub(crate) in_memory_records: u64,
    /// Where the newest part of the journal ends that is in no file of it; and up to where that was told
    /// to somebody who waited for the disk.
    pub(crate) unfiled: Position,
    pub(crate) unfiled_told: Position,
    pub(crate) passes: u64,
    /// What the views have done.
    pub(crate) views: ViewCounts,
    /// Whether the drain has ended, and whether the views have.
    pub(crate) drain_ended: bool,
    /// Whether it left nothing in the ring.
    pub(crate) drained: bool,
    pub(crate) views_ended: bool,
    /// Records of dead processes that were brought into the journal; they are among `journaled`.
    pub(crate) recovered: u64,
    /// Whether nothing of dead processes is left to be brought there.
    pub(crate) recovery_done: bool,
}

impl Progress {
    /// Records that are to be in the logs.
    pub(super) fn due(&self) -> u64 {
        self.accepted + self.recovered
    }

    /// Whether nothing will change any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.drain_ended && self.views_ended
    }
}

/// What the views have done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ViewCounts {
    /// Records that are in every log they belong to.
    pub(crate) records: u64,
    /// Lines of all three logs, of `trades.log`, of `errors.log`.
    pub(crate) log_lines: u64,
    pub(crate) trade_lines: u64,
    pub(crate) error_lines: u64,
    /// Lines that a log missed because it could not be written.
    pub(crate) missed: u64,
    /// Lines that the console did not take.
    pub(crate) console_dropped: u64,
    /// Entries that came too late to be put into order.
    pub(crate) late: u64,
    /// Rotations of all logs.
    pub(crate) rotations: u64,
    /// Records that were in the journal and could not be read there any more.
    pub(crate) unreadable: u64,
    /// Entries that processors left out, and panics of processors.
    pub(crate) filtered: u64,
    pub(crate) processor_panics: u64,
}

impl ViewCounts {
    /// Records that nothing more will be done about.
    pub(crate) fn settled(&self) -> u64 {
        self.records + self.unreadable
    }
}

/// A wait that ended before the work did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("the logs lack at least {records} records so far: wait longer, or see `stats()`")]
pub struct Unfinished {
    /// How many accepted records are not in every log they belong to, as of the drain's last pass.
    pub records: u64,
}

impl Unfinished {
    pub(super) fn of(progress: &Progress) -> Self {
        Self { records: progress.due().saturating_sub(progress.views.settled()) }
    }
}
