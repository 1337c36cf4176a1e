//! Counting what was lost, so that it can be told.

#![expect(unsafe_code, reason = "declares that counters are valid in zeroed, shared memory")]

use crate::sync::{ArenaItem, AtomicU64, Ordering, pause, spin};

/// Number of [`LossReason`]s.
pub(crate) const LOSS_REASONS: usize = 6;

/// Why an entry was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum LossReason {
    /// No block was free.
    Full = 0,
    /// No lane was free.
    Lane = 1,
    /// The push interrupted another one of its thread.
    Reentrant = 2,
    /// The gate was closed.
    Closed = 3,
    /// No block was free, because the views hold the journal back.
    ViewLag = 4,
    /// No block was free, because the disk takes nothing.
    Disk = 5,
}

impl LossReason {
    /// All reasons, in the order of their numbers.
    pub(crate) const ALL: [LossReason; LOSS_REASONS] = [
        LossReason::Full,
        LossReason::Lane,
        LossReason::Reentrant,
        LossReason::Closed,
        LossReason::ViewLag,
        LossReason::Disk,
    ];

    /// The reason's place in [`Losses::by_reason`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// What was lost since a lane's generation began, or since a ring was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Losses {
    /// How many, by [`LossReason::index`].
    pub(crate) by_reason: [u64; LOSS_REASONS],
    /// How many of all of them were trade events.
    pub(crate) trade: u64,
    /// When the first one was lost that no gap record has told yet, in ticks; 0 if none was.
    pub(crate) first_ticks: u64,
    /// When the last one was lost, in ticks; 0 if none was.
    pub(crate) last_ticks: u64,
}

impl Losses {
    /// How many in all.
    pub(crate) fn total(&self) -> u64 {
        self.by_reason.iter().sum()
    }

    /// Adds another lane's losses.
    pub(crate) fn add(&mut self, other: &Losses) {
        for (sum, count) in self.by_reason.iter_mut().zip(other.by_reason) {
            *sum += count;
        }
        self.trade += other.trade;
        self.last_ticks = self.last_ticks.max(other.last_ticks);
        if self.first_ticks == 0 || (other.first_ticks != 0 && other.first_ticks < self.first_ticks)
        {
            self.first_ticks = other.first_ticks;
        }
    }
}

/// What a gap record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GapInfo {
    /// The lane that lost.
    pub(crate) lane: u32,
    /// Its generation.
    pub(crate) generation: u32,
    /// The totals of that generation: telling them twice does no harm.
    pub(crate) losses: Losses,
    /// When the gap record was made, in ticks.
    pub(crate) now_ticks: u64,
}

/// How the ring writes a gap record; what it looks like is the record layer's affair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GapRecord {
    /// Its length: a multiple of 8, at most [`GAP_BYTES_MAX`].
    pub(crate) bytes: u32,
    /// Fills that many zeroed bytes.
    pub(crate) write: fn(&mut [u8], &GapInfo),
}

/// The longest gap record.
pub(crate) const GAP_BYTES_MAX: u32 = 256;

/// A lane's counters.
///
/// A lane's own thread is their only writer, save for the shared lane and for signal handlers that
/// interrupt the thread half-way through an addition; a plain read and write would then forget a
/// loss. Losing is the cold path, so one `fetch_add` on the lane's own line is a small price.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct LossCounters {
    by_reason: [AtomicU64; LOSS_REASONS],
    trade: AtomicU64,
    first_ticks: AtomicU64,
    last_ticks: AtomicU64,
    /// The sum of `by_reason`, so that the cold path has one word to look at.
    total: AtomicU64,
    /// How many of `total` a gap record has told.
    reported: AtomicU64,
}

// SAFETY: atomics only.
unsafe impl ArenaItem for LossCounters {}

impl LossCounters {
    /// Counts one loss.
    pub(crate) fn count(&self, reason: LossReason, trade: bool, now_ticks: u64) {
        // ORDERING: Relaxed for the times: they only describe, and `by_reason` publishes them.
        // PAIRS WITH: the loads in `totals`.
        // IF WEAKENED: they are the weakest already.
        if !self.unreported() {
            self.first_ticks.store(now_ticks, Ordering::Relaxed);
        }
        self.last_ticks.store(now_ticks, Ordering::Relaxed);
        if trade {
            // ORDERING: Relaxed, published by the Release addition below.
            // PAIRS WITH: the load in `totals`.
            // IF WEAKENED: it is the weakest already.
            self.trade.fetch_add(1, Ordering::Relaxed);
        }
        // ORDERING: Release, publishes the trade count and the times written above.
        // PAIRS WITH: the Acquire loads in `totals`.
        // IF WEAKENED: a gap record may tell of a lost entry but not that it was a trade event,
        //   and no later one would make it good (loom-tests: `a_loss_is_counted_in_its_kind`).
        self.by_reason[reason.index()].fetch_add(1, Ordering::Release);
        // ORDERING: Relaxed, see `unreported`.
        // PAIRS WITH: the load in `total`.
        // IF WEAKENED: it is the weakest already.
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// The totals at this moment.
    pub(crate) fn totals(&self) -> Losses {
        // ORDERING: Acquire, before the trade count and the times are read.
        // PAIRS WITH: the Release addition in `count`.
        // IF WEAKENED: see there.
        let by_reason = std::array::from_fn(|i| self.by_reason[i].load(Ordering::Acquire));
        Losses {
            by_reason,
            // ORDERING: Acquire, at least as new as what the loads above have seen. Relaxed for the
            // times: they only describe.
            // PAIRS WITH: the Release operations in `Folded::fold` and `reset`.
            // IF WEAKENED: see `Folded::read_with`.
            trade: self.trade.load(Ordering::Acquire),
            first_ticks: self.first_ticks.load(Ordering::Relaxed),
            last_ticks: self.last_ticks.load(Ordering::Relaxed),
        }
    }

    /// How many were lost, as far as this thread sees.
    pub(crate) fn total(&self) -> u64 {
        // ORDERING: Relaxed, a number of its own.
        // PAIRS WITH: the addition in `count`.
        // IF WEAKENED: it is the weakest already.
        self.total.load(Ordering::Relaxed)
    }

    /// Whether something was lost that no gap record has told yet.
    pub(crate) fn unreported(&self) -> bool {
        // ORDERING: Relaxed, a thread sees its own additions; for the drain, a loss that it does
        // not see yet is one that it will see in its next pass or after the gate is closed.
        // PAIRS WITH: the maximum in `mark_reported`.
        // IF WEAKENED: it is the weakest already.
        self.total() > self.reported.load(Ordering::Relaxed)
    }

    /// Notes that a gap record told these losses.
    pub(crate) fn mark_reported(&self, losses: &Losses) {
        // ORDERING: Release, behind the gap record that tells them. The largest wins, since totals
        // only grow.
        // PAIRS WITH: the load in `unreported`; after a kill, `DeadRing::lane`.
        // IF WEAKENED: after a kill in between, nobody might tell them.
        self.reported.fetch_max(losses.total(), Ordering::Release);
    }

    /// Begins a new generation; only the drain calls it, on a lane that nobody holds.
    pub(crate) fn reset(&self) {
        let words = self.by_reason.iter().chain([
            &self.trade,
            &self.first_ticks,
            &self.last_ticks,
            &self.total,
            &self.reported,
        ]);
        for word in words {
            // ORDERING: Release, stays behind the odd number in `Folded::fold`. For the next owner
            // of the lane, the Release store of its state publishes it.
            // PAIRS WITH: the Acquire loads in `totals`.
            // IF WEAKENED: see `Folded::fold`; and after a kill, losses might be told again.
            word.store(0, Ordering::Release);
        }
    }
}

/// What retired generations lost, under a sequence count: the drain folds a lane's counters into
/// it while statistics are read, and no loss may be seen twice or not at all.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// Odd while the drain folds.
    sequence: AtomicU64,
    counters: LossCounters,
}

/// How often a reader of [`Folded`] tries again at once: a fold takes well under a microsecond.
const FOLD_SPINS_MAX: u32 = 64;

/// How often it tries at all, with pauses: the drain may have been preempted inside a fold. Then it
/// takes what it has.
const FOLD_TRIES_MAX: u32 = FOLD_SPINS_MAX + 1_000;

impl Folded {
    /// Moves a lane's counters here; only the drain calls it, on a lane that nobody holds.
    pub(crate) fn fold(&self, lane: &LossCounters) {
        let losses = lane.totals();
        // ORDERING: AcqRel for the odd number: the additions below stay behind it. Release for the
        // even one: they stay before it.
        // PAIRS WITH: the Acquire loads in `read_with`.
        // IF WEAKENED: statistics count a retired lane twice, or not at all, for a moment.
        self.sequence.fetch_add(1, Ordering::AcqRel);
        let words = self.counters.by_reason.iter().zip(losses.by_reason);
        let others = [(&self.counters.trade, losses.trade)];
        for (word, count) in words.chain(others) {
            // ORDERING: Release, stays behind the odd number.
            // PAIRS WITH: the Acquire loads in `totals`.
            // IF WEAKENED: as above.
            word.fetch_add(count, Ordering::Release);
        }
        // ORDERING: Relaxed, a time only describes.
        // PAIRS WITH: the load in `totals`.
        // IF WEAKENED: it is the weakest already.
        self.counters.last_ticks.fetch_max(losses.last_ticks, Ordering::Relaxed);
        lane.reset();
        // ORDERING: Release for the even number, as above.
        self.sequence.fetch_add(1, Ordering::Release);
    }

    /// The sum of what was folded and of what `lanes` finds, of one moment if that can be had.
    pub(crate) fn read_with(&self, lanes: impl Fn() -> Losses) -> Losses {
        let mut sum = Losses::default();
        for attempt in 0..FOLD_TRIES_MAX {
            // ORDERING: Acquire for both: the counters are read behind the first look, and, by the
            // Acquire loads in `totals`, the second look stays behind them.
            // PAIRS WITH: the additions in `fold`.
            // IF WEAKENED: a retired lane counts twice, or not at all, for a moment.
            let before = self.sequence.load(Ordering::Acquire);
            sum = self.counters.totals();
            sum.add(&lanes());
            // ORDERING: Acquire, as above.
            let after = self.sequence.load(Ordering::Acquire);
            if before == after && before.is_multiple_of(2) {
                break;
            }
            if attempt < FOLD_SPINS_MAX {
                spin();
            } else {
                pause();
            }
        }
        sum
    }
}
