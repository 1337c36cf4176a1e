//! What happened so far, as numbers.

use std::sync::atomic::Ordering;

use crate::ring::LossReason;
use crate::shared::Core;

/// Records that were refused, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lost {
    /// The ring was full, or the record longer than a quarter of its blocks.
    pub full: u64,
    /// All lanes were taken and the shared one was in use.
    pub lane: u64,
    /// The call interrupted another one of its thread.
    pub reentrant: u64,
    /// The logger had been shut down.
    pub closed: u64,
    /// The ring was full because the views were too slow to let the journal go on.
    pub view_lag: u64,
    /// The ring was full because the disk took nothing.
    pub disk: u64,
    /// How many of all these were trade events.
    pub trade: u64,
}

impl Lost {
    /// All reasons together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.full + self.lane + self.reentrant + self.closed + self.view_lag + self.disk
    }
}

/// The engine's counters since its start.
///
/// `accepted`, `journaled` and `shown` are as of the drain's last pass: call
/// [`flush`](crate::MetaLogger::flush) first where the exact numbers matter. Always
/// `accepted + lost.total() = calls`, counted once the calls have returned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Records that producers committed.
    pub accepted: u64,
    /// Records that were refused.
    pub lost: Lost,
    /// Records that are in the journal.
    pub journaled: u64,
    /// Bytes that were written to the journal.
    pub journal_bytes: u64,
    /// Records that the views have dealt with: written to every log they belong to.
    pub shown: u64,
    /// Lines in `expert.log`, `trades.log` and `errors.log`.
    pub log_lines: u64,
    /// Lines of `trades.log` alone.
    pub trade_lines: u64,
    /// Lines of `errors.log` alone.
    pub error_lines: u64,
    /// Lines that a log missed while it could not be written.
    pub log_lines_missed: u64,
    /// Lines that the console did not take in time.
    pub console_dropped: u64,
    /// Entries that came too late to be put into order.
    pub late: u64,
    /// Entries of synchronous calls that were not in the logs within 5 ms.
    pub late_synchronous: u64,
    /// Values that were masked because of their names; a bound one counts once.
    pub masked: u64,
    /// How often a log was rotated.
    pub rotations: u64,
    /// The drain's passes over the ring.
    pub passes: u64,
    /// Blocks of the ring that are free, and how many there are.
    pub free_blocks: u32,
    /// All blocks of the ring.
    pub blocks: u32,
    /// The most blocks that were ever in use.
    pub used_blocks_max: u32,
    /// Threads that hold a lane of the ring.
    pub lanes: u32,
    /// Whether accepted records survive the death of the process: the ring lies on tmpfs.
    pub crash_safe: bool,
    /// Whether the journal is written through a memory mapping, not by `write`.
    pub journal_mapped: bool,
    /// Why the engine runs with less than was asked for, if it does.
    pub degraded: Option<String>,
}

impl Stats {
    pub(crate) fn of(core: &Core) -> Self {
        let progress = core.control.progress();
        let occupancy = core.ring.occupancy();
        let losses = core.ring.losses();
        let lost = |reason: LossReason| losses.by_reason[reason.index()];
        let views = progress.views;
        Self {
            accepted: progress.accepted,
            lost: Lost {
                full: lost(LossReason::Full),
                lane: lost(LossReason::Lane),
                reentrant: lost(LossReason::Reentrant),
                closed: lost(LossReason::Closed),
                view_lag: lost(LossReason::ViewLag),
                disk: lost(LossReason::Disk),
                trade: losses.trade,
            },
            journaled: progress.journaled,
            journal_bytes: progress.journal_bytes,
            shown: views.records,
            log_lines: views.log_lines,
            trade_lines: views.trade_lines,
            error_lines: views.error_lines,
            log_lines_missed: views.missed,
            console_dropped: views.console_dropped,
            late: views.late,
            late_synchronous: core.control.late_synchronous(),
            // ORDERING: Relaxed, a statistic.
            // PAIRS WITH: the addition in `Core::count_masked`.
            // IF WEAKENED: it is the weakest already.
            masked: core.masked.load(Ordering::Relaxed),
            rotations: views.rotations,
            passes: progress.passes,
            free_blocks: occupancy.free_blocks,
            blocks: occupancy.blocks,
            used_blocks_max: occupancy.used_blocks_max,
            lanes: occupancy.lanes_active,
            crash_safe: core.ring.crash_safe(),
            journal_mapped: core.control.journal_mapped(),
            degraded: core.control.degraded(),
        }
    }
}
