//! A lane: what its producer keeps to itself, and what it shares with the drain.

#![expect(unsafe_code, reason = "declares that lanes are valid in zeroed, shared memory")]

use super::layout::{BlockHeader, Geometry, LANE_BYTES, high, join, low};
use super::loss::LossCounters;
use super::sampling::Sampling;
use crate::sync::{ArenaItem, AtomicU32, AtomicU64, BlockCell, MAPPED, Ordering, Plain32, Plain64};

/// The state of a lane, the lower half of its state word.
const FREE: u32 = 0;
const ACTIVE: u32 = 1;
const CLOSED: u32 = 2;

/// A lane's entry in the arena: shared with the drain, and left to recovery.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct LaneEntry {
    /// Generation << 32 | state.
    state: AtomicU64,
    /// The first block of the chain + 1.
    pub(crate) first: AtomicU32,
    _unused: u32,
    /// How far the lane is safely in the journal: offset << 32 | block + 1. One word, so that a
    /// killed process cannot leave half of it; the serial stands in the block's own header, and
    /// the block is given back only after this word has moved on.
    pub(crate) drained: AtomicU64,
    _line_end: [u64; 13],
    /// What the lane lost.
    pub(crate) losses: LossCounters,
    _entry_end: [u64; 5],
}

// SAFETY: atomics and unused integers.
unsafe impl ArenaItem for LaneEntry {}

const _: () = {
    assert!(!MAPPED || size_of::<LaneEntry>() == LANE_BYTES);
    assert!(!MAPPED || std::mem::offset_of!(LaneEntry, state) == 0);
    assert!(!MAPPED || std::mem::offset_of!(LaneEntry, first) == 8);
    assert!(!MAPPED || std::mem::offset_of!(LaneEntry, drained) == 16);
    assert!(!MAPPED || std::mem::offset_of!(LaneEntry, losses) == 128);
};

impl LaneEntry {
    /// Takes a free lane; `Some` is its generation.
    pub(crate) fn acquire(&self) -> Option<u32> {
        // ORDERING: Relaxed, only a guess that the exchange below confirms.
        // PAIRS WITH: the Release store in `release`.
        // IF WEAKENED: it is the weakest already; a lane that is not seen free yet is passed by.
        let state = self.state.load(Ordering::Relaxed);
        if low(state) != FREE {
            return None;
        }
        let taken = join(high(state), ACTIVE);
        // ORDERING: Acquire, the new owner writes the producer's private state.
        // PAIRS WITH: the Release store in `release`, by which the drain handed the lane back.
        // IF WEAKENED: two owners of the private state race (loom-tests: `lanes_come_and_go`).
        self.state
            .compare_exchange(state, taken, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then_some(high(state))
    }

    /// Says that the lane's producer is gone; only its owner calls it, once.
    pub(crate) fn close(&self, generation: u32) {
        // ORDERING: Release, publishes the lane's last records, links and losses.
        // PAIRS WITH: the Acquire load in `closed`.
        // IF WEAKENED: the drain retires the lane with records still in it
        //   (loom-tests: `lanes_come_and_go`).
        self.state.store(join(generation, CLOSED), Ordering::Release);
    }

    /// The generation, if the lane's producer is gone.
    pub(crate) fn closed(&self) -> Option<u32> {
        // ORDERING: Acquire, before the drain looks at the chain and the counters.
        // PAIRS WITH: the Release store in `close`.
        // IF WEAKENED: see there.
        let state = self.state.load(Ordering::Acquire);
        (low(state) == CLOSED).then_some(high(state))
    }

    /// Whether a producer holds the lane.
    pub(crate) fn active(&self) -> bool {
        // ORDERING: Relaxed, for statistics only.
        // PAIRS WITH: the exchange in `acquire` and the store in `close`.
        // IF WEAKENED: it is the weakest already.
        low(self.state.load(Ordering::Relaxed)) == ACTIVE
    }

    /// The lane's generation, for the drain.
    pub(crate) fn generation(&self) -> u32 {
        // ORDERING: Relaxed, only the drain changes it.
        // PAIRS WITH: the store in `release`, by the drain itself.
        // IF WEAKENED: it is the weakest already.
        high(self.state.load(Ordering::Relaxed))
    }

    /// Makes a drained lane free for the next generation; only the drain calls it.
    pub(crate) fn release(&self, generation: u32) {
        // ORDERING: Release, publishes the emptied entry and that the last owner has let go.
        // PAIRS WITH: the Acquire exchange in `acquire`.
        // IF WEAKENED: see there.
        self.state.store(join(generation.wrapping_add(1), FREE), Ordering::Release);
    }
}

/// What a producer keeps to itself: the one line that a push reads and writes.
///
/// It lies in memory that a forked child finds zeroed: there `limit` is 0, so that the child's
/// push takes the cold path, and `lane` is 0, by which the cold path knows.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Private {
    /// 1 while a push runs. In the shared lane also the flag by which threads take turns.
    pub(crate) busy: AtomicU32,
    /// Up to which offset of the block a push may go without a further look; 0 sends it to the
    /// cold path. The gate stores 0 from another thread.
    pub(crate) limit: AtomicU32,
    /// Like [`BlockHeader::committed`]; 0 as long as the lane has no block.
    pub(crate) cursor: Plain64,
    /// The current block.
    pub(crate) block: BlockCell<BlockHeader>,
    /// The lane's number + 1; 0 in a forked child.
    pub(crate) lane: Plain32,
    /// The lane's generation.
    pub(crate) generation: Plain32,
    /// The number of the current block + 1; 0 as long as the lane has none.
    pub(crate) block_number: Plain32,
    /// 1 when the lane may have a loss that no gap record has told.
    pub(crate) untold: AtomicU32,
    /// The serial of the current block.
    pub(crate) serial: Plain64,
    /// The size of a block; and where the current one ends, 0 if it is one of the reserve.
    pub(crate) block_bytes: Plain32,
    pub(crate) block_end: Plain32,
    /// When the next call is to be timed; the cold path alone looks at it.
    pub(super) sampling: Sampling,
}

// SAFETY: atomics, words that have one owner, and a block cell.
unsafe impl ArenaItem for Private {}

const _: () = {
    // All that a push touches lies in one cache line, and so does what it needs beyond a limit.
    assert!(!MAPPED || size_of::<Private>() == 128);
    assert!(!MAPPED || std::mem::offset_of!(Private, block_end) + 4 <= 64);
};

impl Private {
    /// Gives the state to a new owner of the lane.
    pub(crate) fn begin(&self, lane: u32, generation: u32, geometry: &Geometry) {
        self.cursor.set(0);
        self.lane.set(lane + 1);
        self.generation.set(generation);
        self.block_number.set(0);
        self.serial.set(0);
        self.block_bytes.set(geometry.block_bytes);
        self.block_end.set(0);
        self.sampling.begin(geometry.sample_bytes);
        // ORDERING: Relaxed for all: the caller owns the lane, and the gate, which alone looks in
        // from outside, does so behind a heavy fence.
        // PAIRS WITH: the loads in `LaneHandle::push_hot` and `set_limit`, by the owner itself.
        // IF WEAKENED: they are the weakest already.
        self.untold.store(0, Ordering::Relaxed);
        self.busy.store(0, Ordering::Relaxed);
        self.limit.store(0, Ordering::Relaxed);
    }
}

/// What belongs to this process alone, in the same memory as [`Private`].
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Process {
    /// 1; a forked child finds 0.
    alive: AtomicU32,
    /// 1 once the gate is closed.
    gate: AtomicU32,
}

// SAFETY: atomics.
unsafe impl ArenaItem for Process {}

impl Process {
    /// Marks the process that made the ring.
    pub(crate) fn begin(&self) {
        // ORDERING: Relaxed, nobody else sees the ring yet.
        // PAIRS WITH: the load in `forked`, of who was handed the ring.
        // IF WEAKENED: it is the weakest already.
        self.alive.store(1, Ordering::Relaxed);
    }

    /// Whether this is a forked child, which must not touch shared memory.
    #[inline]
    pub(crate) fn forked(&self) -> bool {
        // ORDERING: Relaxed, in one process the word never changes.
        // PAIRS WITH: the store in `begin`; in a forked child, nothing: its page is zeroed.
        // IF WEAKENED: it is the weakest already.
        self.alive.load(Ordering::Relaxed) == 0
    }

    /// Whether the gate is closed.
    pub(crate) fn gate_closed(&self) -> bool {
        // ORDERING: Relaxed. A push has stored `busy` before and has a light fence between; to the
        // drain it is a hint: what it misses, it tells a pass later.
        // PAIRS WITH: the store in `close_gate` and the heavy fence of the thread that closes.
        // IF WEAKENED: it is the weakest already.
        self.gate.load(Ordering::Relaxed) != 0
    }

    /// Closes the gate; the caller lets a heavy fence follow.
    pub(crate) fn close_gate(&self) {
        // ORDERING: Relaxed, ordered by the heavy fence that follows.
        // PAIRS WITH: the load in `gate_closed`.
        // IF WEAKENED: it is the weakest already; without the fence, see `Ring::close_gate`.
        self.gate.store(1, Ordering::Relaxed);
    }
}
