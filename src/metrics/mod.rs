//! What an engine measures of itself while it runs: how long calls take, how far the writer is
//! behind, how full the ring gets.
//!
//! *Which calls are timed.* A lane's limit stands at a *sample point* that lies about 1,024 records
//! ahead, so that the record which reaches it leaves the usual path; nothing is added to that path.
//! The call is then timed on its way through it, and every call that leaves it for a reason of its
//! own (a full block, no room, a refusal, a first use) is timed as well, whole.
//!
//! *How percentiles stay honest.* Sample points are places in the lane's stream of bytes, at random
//! distances, so a record's chance to be sampled is its length over the mean distance. A sampled
//! call therefore stands for distance / length calls, about 1,024, and an exceptional one for itself
//! alone, because each of them is timed. The quantiles are those of all calls, not of samples.
//!
//! *What the time of a call is.* A sampled one: the push itself, and one reading of the clock, which
//! a call that brings its own stamp would save. An exceptional one: from its own stamp, with what is
//! formatted on the caller, or else from where it left the usual path, to its end.

mod gauge;
mod histogram;
mod rotations;
mod slow;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub(crate) use gauge::Gauge;
pub(crate) use histogram::Snapshot;
pub(crate) use rotations::{APART_MIN, FastRotation, FastRotations};
pub(crate) use slow::{SlowCall, SlowCalls, Where};

use crate::sync::{Region, Table};
use histogram::Histogram;

/// The measurements of one engine.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// A histogram for each lane of the ring, in memory that is present from the start.
    lanes: Table<Histogram>,
    pages: Region,
    /// Calls that took longer than `latency_warning`.
    pub(crate) slow: SlowCalls,
    /// Logs that are rotated more than once a second.
    pub(crate) fast_rotations: FastRotations,
    /// From a record's stamp to its being in the journal, in ticks.
    pub(crate) drain_lag: Gauge,
    /// From the drain's pass to the logs having been written, in ticks.
    view_lag: Gauge,
    /// When the pass began that the views have rendered last, in ticks.
    viewed_ticks: AtomicU64,
    /// Blocks of the ring that are in use.
    pub(crate) used_blocks: Gauge,
    /// What flowed in the last whole interval.
    flow: Mutex<Option<Flow>>,
    started: Instant,
    /// Panics of the writer's threads.
    writer_panics: AtomicU64,
}

/// How much an engine moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) records_per_s: u64,
    /// Of the journal, its frames and definitions included.
    pub(crate) bytes_per_s: u64,
}

impl Flow {
    /// So many records and bytes in a while.
    pub(crate) fn of(records: u64, bytes: u64, period: Duration) -> Self {
        let per_s = |count: u64| (count as f64 / period.as_secs_f64().max(1e-3)).round() as u64;
        Self { records_per_s: per_s(records), bytes_per_s: per_s(bytes) }
    }
}

impl Metrics {
    /// For `lanes` lanes; calls of `warning_ticks` and more are told, none if that is 0.
    ///
    /// # Errors
    /// The kernel gives no memory.
    pub(crate) fn new(lanes: u32, warning_ticks: u64) -> io::Result<Self> {
        let lanes = lanes as usize;
        let pages = Region::anonymous(lanes * size_of::<Histogram>())?;
        Ok(Self {
            lanes: pages.table(0, lanes),
            pages,
            slow: SlowCalls::new(warning_ticks),
            fast_rotations: FastRotations::default(),
            drain_lag: Gauge::default(),
            view_lag: Gauge::default(),
            viewed_ticks: AtomicU64::new(u64::MAX),
            used_blocks: Gauge::default(),
            flow: Mutex::new(None),
            started: Instant::now(),
            writer_panics: AtomicU64::new(0),
        })
    }

    /// The memory of the histograms, for who locks it.
    pub(crate) fn pages(&self) -> &Region {
        &self.pages
    }

    /// Notes the time of a call that stands for `calls` calls of a lane.
    pub(crate) fn note_call(&self, lane: u32, ticks: u64, calls: u64) {
        if let Some(histogram) = self.lanes.get(lane as usize) {
            histogram.record(ticks, calls);
        }
    }

    /// The times of all calls since the start, of every thread.
    ///
    /// A lane's histogram goes on with the lane's next thread, so nothing is folded or forgotten
    /// when a thread ends.
    pub(crate) fn calls(&self) -> Snapshot {
        let mut all = Snapshot::default();
        for histogram in self.lanes.iter() {
            all.add(histogram);
        }
        all
    }

    /// Notes that what the drain took in the pass that began at `pass_ticks` is in the logs.
    pub(crate) fn note_viewed(&self, pass_ticks: u64, now_ticks: u64) {
        // ORDERING: Relaxed, a number of its own.
        // PAIRS WITH: the load in `view_lag`.
        // IF WEAKENED: it is the weakest already.
        self.viewed_ticks.store(pass_ticks, Ordering::Relaxed);
        self.view_lag.note(now_ticks.saturating_sub(pass_ticks));
    }

    /// How far the logs are behind the journal, in ticks: as of the last batch, or more if the
    /// views are `behind` and have not come to the next one since.
    pub(crate) fn view_lag(&self, behind: bool, now_ticks: u64) -> u64 {
        // ORDERING: Relaxed, see `note_viewed`.
        // PAIRS WITH: the store there.
        // IF WEAKENED: it is the weakest already.
        let viewed = self.viewed_ticks.load(Ordering::Relaxed);
        let since = if behind { now_ticks.saturating_sub(viewed) } else { 0 };
        self.view_lag.last().max(since)
    }

    /// What flowed in the last whole interval, once one has passed.
    pub(crate) fn flow(&self) -> Option<Flow> {
        *self.flow.lock()
    }

    /// Notes what flowed in the interval that has passed.
    pub(crate) fn set_flow(&self, flow: Flow) {
        *self.flow.lock() = Some(flow);
    }

    /// Counts a panic of one of the writer's threads.
    pub(crate) fn note_writer_panic(&self) {
        // ORDERING: Relaxed, a statistic.
        // PAIRS WITH: the load in `writer_panics`.
        // IF WEAKENED: it is the weakest already.
        self.writer_panics.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a thread of the writer has panicked.
    pub(crate) fn writer_panics(&self) -> u64 {
        // ORDERING: Relaxed, a statistic.
        // PAIRS WITH: the addition in `note_writer_panic`.
        // IF WEAKENED: it is the weakest already.
        self.writer_panics.load(Ordering::Relaxed)
    }

    /// When the engine started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }
}
