//! The consumer's end: taking runs of records, giving blocks back, retiring lanes.

#![expect(unsafe_code, reason = "reads committed records in blocks of the arena")]

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::Ring;
use super::definitions::Retired;
use super::lane::LaneEntry;
use super::layout::{BLOCK_HEADER_BYTES, high, join, low};
use super::loss::GapInfo;
use crate::sync::{Bytes, Ordering};

/// The ring's single consumer.
///
/// A pass is [`begin_pass`](RingDrain::begin_pass), then [`peek`](RingDrain::peek) and
/// [`take`](RingDrain::take) for each lane, then, when what was taken is safe elsewhere,
/// [`commit`](RingDrain::commit); or [`rewind`](RingDrain::rewind), if it is not.
#[derive(Debug)]
pub(crate) struct RingDrain {
    ring: Arc<Ring>,
    lanes: Vec<Cursor>,
    /// Blocks that were taken whole in this pass.
    emptied: RefCell<Vec<u32>>,
    /// What generations that are retired committed.
    accepted_retired: u64,
    /// The free blocks when the last pass began, and those that were given back since.
    free_blocks: u32,
    sweep: Sweep,
}

/// Where the drain stands in one lane.
#[derive(Debug, Default)]
struct Cursor {
    /// As taken in this pass.
    now: Cell<Position>,
    /// As of the last commit.
    kept: Position,
    /// Losses when the last two passes began; equal and untold: the lane is silent.
    lost: [u64; 2],
    /// How far the lane has to be taken before the sweep is done, as serial and offset.
    sweep_end: (u64, u32),
}

/// A place in a lane's chain.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Position {
    /// The block + 1; 0: the lane's chain was not found yet.
    block: u32,
    /// Up to where the block is taken, from its start.
    offset: u32,
    /// The block's serial.
    serial: u64,
    /// Records that the lane has committed, as far as seen.
    accepted: u64,
}

/// Retired contexts that wait until every lane has been taken past the moment they were found.
#[derive(Debug, Default)]
struct Sweep {
    slots: Retired,
    waiting: bool,
}

/// The next committed records of a lane, whole ones, out of one block.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// The records, one behind the other.
    pub(crate) bytes: Bytes<'a>,
    /// The lane.
    pub(crate) lane: u32,
    /// The lane's generation.
    pub(crate) generation: u32,
    /// Which of the lane's blocks it is, from 1.
    pub(crate) serial: u64,
    /// Where in the block the run begins.
    pub(crate) offset: u32,
}

impl RingDrain {
    pub(super) fn new(ring: Arc<Ring>) -> RingDrain {
        let sweep = Sweep { slots: vec![0; ring.definitions.retired_words()], waiting: false };
        RingDrain {
            lanes: (0..ring.geometry.lanes).map(|_| Cursor::default()).collect(),
            emptied: RefCell::new(Vec::with_capacity(ring.geometry.blocks as usize)),
            accepted_retired: 0,
            free_blocks: ring.pool.free(),
            sweep,
            ring,
        }
    }

    /// The ring that is drained.
    pub(crate) fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// How many lanes, from the table's start, there are to look at.
    pub(crate) fn lanes(&self) -> u32 {
        self.ring.lanes_used()
    }

    fn entry(&self, lane: u32) -> &LaneEntry {
        &self.ring.lanes[lane as usize]
    }

    /// Writes the contexts in the ring anew for which `change` gives other bytes.
    pub(crate) fn change_contexts(&mut self, change: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) {
        // SAFETY: this is the drain, and who borrows a context borrows it, too.
        unsafe { self.ring.definitions.change_contexts(change) };
    }

    /// Begins a pass over all lanes.
    pub(crate) fn begin_pass(&mut self) {
        if self.ring.process().forked() {
            return;
        }
        self.free_blocks = self.ring.pool.free();
        for lane in 0..self.lanes() as usize {
            let total = self.ring.lanes[lane].losses.total();
            let lost = &mut self.lanes[lane].lost;
            *lost = [lost[1], total];
        }
        if !self.sweep.waiting && self.ring.definitions.retired(&mut self.sweep.slots) {
            self.sweep.waiting = true;
            for lane in 0..self.lanes() {
                self.lanes[lane as usize].sweep_end = self.end_of_chain(lane);
            }
        }
    }

    /// Whether a pass can wait: since the last one no block was claimed, so that little has come, no
    /// lane's thread has ended, no loss is untold, and no context waits to be freed.
    ///
    /// It looks at nothing that a push writes: the lines in which a producer works stay its own.
    pub(crate) fn can_wait(&self) -> bool {
        let settled = |lane: &LaneEntry| lane.closed().is_none() && !lane.losses.unreported();
        self.ring.pool.free() == self.free_blocks
            && self.ring.lanes[..self.lanes() as usize].iter().all(settled)
            && !self.sweep.waiting
            && !self.ring.definitions.any_retired()
    }

    /// The serial and offset up to which the lane has committed at this moment.
    fn end_of_chain(&self, lane: u32) -> (u64, u32) {
        let Some(mut block) = self.block_of(lane, self.lanes[lane as usize].now.get()) else {
            return (0, 0);
        };
        loop {
            let header = self.ring.blocks.header(block);
            // ORDERING: Acquire for both, as in `peek`.
            let next = header.next.load(Ordering::Acquire);
            let committed = header.committed.load(Ordering::Acquire);
            match next.checked_sub(1) {
                Some(next) => block = next,
                None => return (header.serial.get(), low(committed)),
            }
        }
    }

    /// The block at which a position stands, or the lane's first one.
    fn block_of(&self, lane: u32, position: Position) -> Option<u32> {
        if position.block != 0 {
            return Some(position.block - 1);
        }
        // ORDERING: Acquire, before the block's header is read.
        // PAIRS WITH: the Release store in `LaneHandle::link`.
        // IF WEAKENED: see there.
        self.entry(lane).first.load(Ordering::Acquire).checked_sub(1)
    }

    /// The next records of a lane that are committed and not yet taken.
    pub(crate) fn peek(&self, lane: u32) -> Option<Run<'_>> {
        let cursor = &self.lanes[lane as usize];
        let mut position = cursor.now.get();
        if position.block == 0 {
            let block = self.block_of(lane, position)?;
            position = self.start_of(block, position.accepted);
        }
        loop {
            let block = position.block - 1;
            let header = self.ring.blocks.header(block);
            // The link is read first: once it is there, the block's cursor is final.
            // ORDERING: Acquire, before `committed` and the next block's header are read.
            // PAIRS WITH: the Release store in `LaneHandle::link`.
            // IF WEAKENED: the last records of a block are left behind
            //   (loom-tests: `a_block_changes_hands_once`).
            let next = header.next.load(Ordering::Acquire);
            // ORDERING: Acquire, before the records are read.
            // PAIRS WITH: the Release store in `LaneHandle::push_hot` and `finish`.
            // IF WEAKENED: bytes are read that are not there yet
            //   (loom-tests: `commit_publishes_the_record`).
            let committed = header.committed.load(Ordering::Acquire);
            let seen = low(position.accepted);
            position.accepted += u64::from(high(committed).wrapping_sub(seen));
            cursor.now.set(position);
            let end = low(committed);
            if end > position.offset {
                // SAFETY: committed, as just seen; the block is given back by `commit` alone,
                // which needs `&mut self`.
                let bytes = unsafe { self.ring.blocks.bytes(block, position.offset, end) };
                return Some(Run {
                    bytes,
                    lane,
                    generation: header.generation.get(),
                    serial: position.serial,
                    offset: position.offset,
                });
            }
            let next = next.checked_sub(1)?;
            self.emptied.borrow_mut().push(block);
            position = self.start_of(next, position.accepted);
        }
    }

    /// The position at a block's first record.
    fn start_of(&self, block: u32, accepted: u64) -> Position {
        let serial = self.ring.blocks.header(block).serial.get();
        Position { block: block + 1, offset: BLOCK_HEADER_BYTES, serial, accepted }
    }

    /// Takes the first `bytes` of the run that [`peek`](RingDrain::peek) gave. Nothing is given
    /// back yet.
    pub(crate) fn take(&self, lane: u32, bytes: u32) {
        let cursor = &self.lanes[lane as usize].now;
        let mut position = cursor.get();
        position.offset += bytes;
        debug_assert!(position.offset <= self.ring.geometry.block_bytes, "inside the block");
        cursor.set(position);
    }

    /// Ends the pass: what was taken is safe elsewhere. Notes so in the arena, gives emptied
    /// blocks back, retires closed lanes that are drained, and frees retired contexts.
    pub(crate) fn commit(&mut self) {
        if self.ring.process().forked() {
            return;
        }
        for (cursor, entry) in self.lanes.iter_mut().zip(self.ring.lanes.iter()) {
            let now = cursor.now.get();
            if (now.block, now.offset) != (cursor.kept.block, cursor.kept.offset) {
                // ORDERING: Release, behind what was taken; the Release in `Pool::give_back` has it
                // stand before the blocks are free.
                // PAIRS WITH: nothing in this process; `DeadRing::lane` reads it after a kill.
                // IF WEAKENED: after a kill right here, what is nowhere else may count as taken.
                entry.drained.store(join(now.offset, now.block), Ordering::Release);
            }
            cursor.kept = now;
        }
        self.give_back();
        for lane in 0..self.lanes() {
            self.retire(lane);
        }
        self.end_sweep();
    }

    fn give_back(&mut self) {
        let emptied = self.emptied.get_mut();
        if !emptied.is_empty() {
            self.ring.pool.note_used();
        }
        for block in emptied.drain(..) {
            self.free_blocks += 1;
            self.ring.pool.give_back(block);
        }
    }

    /// Forgets what was taken since the last commit: it will be peeked again.
    pub(crate) fn rewind(&mut self) {
        for cursor in &mut self.lanes {
            cursor.now.set(cursor.kept);
        }
        self.emptied.get_mut().clear();
    }

    /// Frees a lane whose producer is gone, if all that it left has been taken and told.
    fn retire(&mut self, lane: u32) {
        // The state is read before the chain: a closed lane's chain is final.
        let Some(generation) = self.entry(lane).closed() else {
            return;
        };
        let losses = &self.entry(lane).losses;
        if losses.unreported() || !self.chain_taken(lane) {
            return;
        }
        let entry = self.entry(lane);
        // ORDERING: Relaxed, published by the Release operations below.
        // PAIRS WITH: the Acquire exchange in `LaneEntry::acquire`; after a kill, `DeadRing::lane`.
        // IF WEAKENED: it is the weakest already.
        entry.first.store(0, Ordering::Relaxed);
        // ORDERING: Release, behind `first`: without that one, the lane is empty to recovery.
        // PAIRS WITH: as above.
        // IF WEAKENED: after a kill in between, recovery might begin at blocks that are given back.
        entry.drained.store(0, Ordering::Release);
        self.ring.folded.fold(losses);
        let position = self.lanes[lane as usize].now.get();
        if let Some(block) = position.block.checked_sub(1) {
            self.ring.pool.note_used();
            self.free_blocks += 1;
            self.ring.pool.give_back(block);
        }
        self.entry(lane).release(generation);
        self.accepted_retired += position.accepted;
        self.lanes[lane as usize] = Cursor::default();
    }

    /// Whether everything that the lane has committed at this moment is taken.
    fn chain_taken(&self, lane: u32) -> bool {
        let position = self.lanes[lane as usize].now.get();
        let Some(block) = self.block_of(lane, position) else { return true };
        let header = self.ring.blocks.header(block);
        // ORDERING: Relaxed for both: nothing is read behind them. Who asks about a closed lane, or
        // about what was committed before a loss, has looked at the state or the loss with Acquire.
        // PAIRS WITH: the Release stores in `LaneHandle::link`, `push_hot` and `finish`.
        // IF WEAKENED: they are the weakest already.
        let next = header.next.load(Ordering::Relaxed);
        let committed = header.committed.load(Ordering::Relaxed);
        position.block != 0 && next == 0 && low(committed) == position.offset
    }

    /// Frees the contexts that wait, once every lane has been taken past the sweep's beginning.
    fn end_sweep(&mut self) {
        let passed = |cursor: &Cursor| (cursor.kept.serial, cursor.kept.offset) >= cursor.sweep_end;
        if self.sweep.waiting && self.lanes.iter().all(passed) {
            self.ring.definitions.free_slots(&self.sweep.slots);
            self.sweep.waiting = false;
            for cursor in &mut self.lanes {
                cursor.sweep_end = (0, 0);
            }
        }
    }

    /// The definition of a context that a record of this pass names.
    pub(crate) fn context(&self, id: u32) -> Option<Bytes<'_>> {
        // SAFETY: this is the drain; slots are freed by `commit` alone, which needs `&mut self`.
        unsafe { self.ring.definitions.context(id) }
    }

    /// What a lane lost that no gap record will tell soon: everything that it committed is taken,
    /// and its thread is gone, or the gate is closed, or it neither lost nor told anything for a
    /// whole pass.
    pub(crate) fn unreported_losses(&self, lane: u32) -> Option<GapInfo> {
        let entry = self.entry(lane);
        if self.ring.process().forked() || !entry.losses.unreported() {
            return None;
        }
        let closed = entry.closed().is_some() || self.ring.process().gate_closed();
        let losses = entry.losses.totals();
        let lost = self.lanes[lane as usize].lost;
        let silent = lost[0] == lost[1] && lost[1] == losses.total();
        // The gap stands behind what was committed before it.
        let tell = (closed || silent) && self.chain_taken(lane);
        tell.then(|| GapInfo {
            lane,
            generation: entry.generation(),
            losses,
            now_ticks: (self.ring.clock)(),
        })
    }

    /// Notes that the drain made a gap record of this.
    pub(crate) fn mark_reported(&self, lane: u32, info: &GapInfo) {
        if !self.ring.process().forked() {
            self.entry(lane).losses.mark_reported(&info.losses);
        }
    }

    /// How many records producers have committed, as far as the drain has seen; gap records are
    /// not among them. Exact after a pass in which nobody pushed.
    pub(crate) fn accepted(&self) -> u64 {
        let lanes = self.lanes.iter().map(|cursor| cursor.now.get().accepted);
        self.accepted_retired + lanes.sum::<u64>()
    }

    /// Whether everything that is committed at this moment is taken, the pass is ended, and no
    /// loss is untold.
    pub(crate) fn is_drained(&self) -> bool {
        let settled = |cursor: &Cursor| cursor.now.get() == cursor.kept;
        self.emptied.borrow().is_empty()
            && self.lanes.iter().all(settled)
            && (0..self.lanes())
                .all(|lane| self.chain_taken(lane) && !self.entry(lane).losses.unreported())
    }
}
