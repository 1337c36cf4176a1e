//! What happened so far, as numbers.

use std::time::Duration;

use super::core::{Core, ticks_now};
use super::file_error::FileError;
use crate::metrics::{Flow, Snapshot};
use crate::ring::LossReason;

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

/// How long log calls took, from those that were timed: about one in 1,024, and every one that had
/// to do more than usual (claim a block, wait for room, be refused, register a call site).
///
/// The quantiles are those of all calls: a sampled call stands for the 1,024 or so that were not
/// timed. They are at most 3.1 % too high. What is timed includes one reading of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallTimes {
    /// The time that half of the calls did not exceed.
    pub p50: Duration,
    /// The time that 99 % of the calls did not exceed.
    pub p99: Duration,
    /// The time that 99.9 % of the calls did not exceed.
    pub p999: Duration,
    /// The longest timed call.
    pub max: Duration,
    /// How many calls were timed.
    pub samples: u64,
}

impl CallTimes {
    pub(crate) fn of(times: &Snapshot, core: &Core) -> Self {
        let time = |ticks| core.duration_of(ticks);
        Self {
            p50: time(times.quantile(0.5)),
            p99: time(times.quantile(0.99)),
            p999: time(times.quantile(0.999)),
            max: time(times.longest()),
            samples: times.timed(),
        }
    }
}

/// The engine's counters since its start.
///
/// `accepted`, `journaled` and `shown` are as of the drain's last pass: call
/// [`flush`](crate::MetaLogger::flush) first where the exact numbers matter. Always
/// `accepted + lost.total() = calls`, counted once the calls have returned; the entries that the
/// engine makes itself, `logger.metrics` and `logger.slow_call`, are among the accepted ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Records that producers committed.
    pub accepted: u64,
    /// Records that were refused.
    pub lost: Lost,
    /// Records that are in the journal, recovered ones among them: `accepted + recovered`.
    pub journaled: u64,
    /// Records of dead processes that this engine has found in their rings and brought into the
    /// journal.
    pub recovered: u64,
    /// Whether it has not come to the end of that yet, or has not told it in the logs.
    pub recovering: bool,
    /// Bytes that were written to the journal.
    pub journal_bytes: u64,
    /// Records that the views have dealt with: written to every log they belong to.
    pub shown: u64,
    /// Records that were in the journal, but cut away or damaged there before the views had read
    /// them: an entry `logger.gap` says so in the logs.
    pub unreadable: u64,
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
    /// Messages that were sent to syslog: the kernel took them.
    pub syslog_sent: u64,
    /// Messages that found no room while the receiver was away or too slow, that could not be sent,
    /// or that were left at the end.
    pub syslog_dropped: u64,
    /// Messages that were shortened to fit into a datagram.
    pub syslog_cut: u64,
    /// Entries that came too late to be put into order.
    pub late: u64,
    /// Entries of synchronous calls that were not in the logs within 5 ms.
    pub late_synchronous: u64,
    /// Values that were masked because of their names; a bound one counts once, one that a processor has
    /// put in counts with each entry.
    pub masked: u64,
    /// Secrets that were masked inside texts.
    pub masked_in_texts: u64,
    /// How often a log was rotated.
    pub rotations: u64,
    /// Entries that processors left out of the logs; they are among the `shown` ones.
    pub filtered: u64,
    /// How often a processor has panicked.
    pub processor_panics: u64,
    /// How often a thread of the writer has panicked: it went on each time, and an entry
    /// `logger.writer_panic` tells where.
    pub writer_panics: u64,
    /// The drain's passes over the ring.
    pub passes: u64,
    /// How long log calls took.
    pub calls: CallTimes,
    /// Records that were accepted, by the second, over the last whole `metrics_interval`; before
    /// the first one has passed, since the start.
    pub records_per_s: u64,
    /// Bytes that were written to the journal, by the second, over the same time.
    pub bytes_per_s: u64,
    /// From the stamp of the oldest record of the drain's last pass to its being in the journal.
    /// For records that carry their caller's stamp, from the beginning of the pass before.
    pub drain_lag: Duration,
    /// The longest such time so far.
    pub drain_lag_max: Duration,
    /// From the drain's pass to its records' being in the logs, as of the last batch; longer when
    /// the views have been at the next one for longer.
    pub view_lag: Duration,
    /// The size of the ring, its tables included.
    pub ring_bytes: u64,
    /// The most bytes of the ring's blocks that were ever in use.
    pub ring_used_bytes_max: u64,
    /// Blocks of the ring that are free, and how many there are.
    pub free_blocks: u32,
    /// All blocks of the ring.
    pub blocks: u32,
    /// The most blocks that were ever in use.
    pub used_blocks_max: u32,
    /// Threads that hold a lane of the ring.
    pub lanes: u32,
    /// Whether accepted records survive the death of the process: the ring lies on tmpfs, where a later
    /// start finds it, and the journal is not in memory alone because the disk gives it no room.
    pub crash_safe: bool,
    /// Whether the journal is written through a memory mapping, not by `write`.
    pub journal_mapped: bool,
    /// Whether the journal is kept in memory alone now: because of `log_to_file = false`, or because
    /// the disk gives no file. It comes back by itself; `degraded` says why.
    pub journal_in_memory: bool,
    /// Records that were written to such a journal, or to a segment that somebody has removed,
    /// renamed or cut off: the views have them, no file of the journal does.
    pub in_memory_records: u64,
    /// Pages of the journal's files that were gone under a store (a truncated file, a disk that gave
    /// way): the SIGBUS was caught, and the records were written to another segment.
    pub sigbus_caught: u64,
    /// How often the journal was brought to the disk, by `sync()` or by the policy `sync`.
    pub syncs: u64,
    /// Records of this run that are on the disk, in the journal.
    pub synced_records: u64,
    /// How often the policy's thread could not sync a file.
    pub sync_errors: u64,
    /// Which file that was the last time, and why. It stays, also when later attempts succeed: what
    /// the kernel could not write then may be missing after a power cut.
    pub sync_error: Option<String>,
    /// How often a file could not be made, opened, read, written, renamed, removed or synced. A call
    /// that a signal interrupts is made again and not counted.
    pub file_errors: u64,
    /// The file that does not work now, the newest trouble if there are several; else the one whose
    /// trouble was over last (`until` then says since when) or stays (the ring's file). An entry `logger.file_failed` says the same in the
    /// logs.
    pub file_error: Option<FileError>,
    /// Why the engine runs with less than was asked for, if it does: what cannot be written now, as
    /// long as that lasts, or what was missing at the start.
    pub degraded: Option<String>,
}

impl Stats {
    pub(crate) fn of(core: &Core) -> Self {
        let progress = core.control.progress();
        let occupancy = core.ring.occupancy();
        let losses = core.ring.losses();
        let lost = |reason: LossReason| losses.by_reason[reason.index()];
        let views = progress.views;
        let behind = views.settled() < progress.journaled;
        let block_bytes = u64::from(core.configuration.block_bytes);
        let [masked, masked_in_texts] = core.masking.counts();
        let (sync_errors, sync_error) = core.control.sync_errors();
        let (file_errors, file_error) = core.control.outage().summary();
        let flow = core.metrics.flow().unwrap_or_else(|| {
            let since = core.metrics.started().elapsed();
            Flow::of(progress.accepted, progress.journal_bytes, since)
        });
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
            recovered: progress.recovered,
            recovering: !progress.recovery_done || core.control.recovered().is_untold(),
            journal_bytes: progress.journal_bytes,
            shown: views.records,
            unreadable: views.unreadable,
            log_lines: views.log_lines,
            trade_lines: views.trade_lines,
            error_lines: views.error_lines,
            log_lines_missed: views.missed,
            console_dropped: views.console_dropped,
            syslog_sent: core.syslog.sent(),
            syslog_dropped: core.syslog.dropped(),
            syslog_cut: core.syslog.cut(),
            late: views.late,
            late_synchronous: core.control.late_synchronous(),
            masked,
            masked_in_texts,
            rotations: views.rotations,
            filtered: views.filtered,
            processor_panics: views.processor_panics,
            writer_panics: core.metrics.writer_panics(),
            passes: progress.passes,
            calls: CallTimes::of(&core.metrics.calls(), core),
            records_per_s: flow.records_per_s,
            bytes_per_s: flow.bytes_per_s,
            drain_lag: core.duration_of(core.metrics.drain_lag.last()),
            drain_lag_max: core.duration_of(core.metrics.drain_lag.highest()),
            view_lag: core.duration_of(core.metrics.view_lag(behind, ticks_now())),
            ring_bytes: core.configuration.ring_bytes,
            ring_used_bytes_max: u64::from(occupancy.used_blocks_max) * block_bytes,
            free_blocks: occupancy.free_blocks,
            blocks: occupancy.blocks,
            used_blocks_max: occupancy.used_blocks_max,
            lanes: occupancy.lanes_active,
            crash_safe: core.outlives_the_process() && !progress.journal_in_memory,
            journal_mapped: core.control.journal_mapped(),
            journal_in_memory: progress.journal_in_memory,
            in_memory_records: progress.in_memory_records,
            sigbus_caught: core.control.sigbus_caught(),
            syncs: progress.journal_syncs,
            synced_records: progress.durable_records,
            sync_errors,
            sync_error,
            file_errors,
            file_error,
            degraded: core.control.degraded(),
        }
    }
}
