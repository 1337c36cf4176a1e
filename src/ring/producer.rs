//! The producer's end of a lane: pushing records.

#![expect(unsafe_code, reason = "writes records into blocks of the arena")]

use std::ptr::NonNull;
use std::sync::Arc;

use super::Ring;
use super::error::PushError;
use super::lane::{LaneEntry, Private};
use super::layout::{BLOCK_HEADER_BYTES, BlockHeader, high, join, low};
use super::loss::{GAP_BYTES_MAX, GapInfo, LossReason, Losses};
use crate::sync::{Ordering, SPINS_MAX, Slot, light_fence, spin};

/// One record more, in a `committed` word.
const RECORD: u64 = 1 << 32;

/// What the ring must know of a record to decide whether to admit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Class {
    /// WARNING and above, and trade events: may claim blocks of the reserve.
    pub(crate) privileged: bool,
    /// A trade event: its loss is told in the trade log.
    pub(crate) trade: bool,
}

/// A thread's access to the ring: a lane of its own, or a share in the last one.
#[derive(Debug)]
pub(crate) struct LaneHandle {
    /// What a push looks at: the lane's own state, or, with the shared lane, a state that is
    /// always busy, so that every push takes the cold path.
    front: NonNull<Private>,
    /// The lane's own state.
    own: NonNull<Private>,
    lane: u32,
    generation: u32,
    shared: bool,
    ring: Arc<Ring>,
}

// SAFETY: the pointers lead into tables that `ring` keeps mapped. A lane's private state has one
// owner at a time, this handle, which moves with it; the handle is not `Sync`.
unsafe impl Send for LaneHandle {}

/// Where a record goes, as the cold path found out.
struct Ticket {
    /// The cursor before the record and behind the gap record, if there is one.
    cursor: u64,
    /// What the gap record in front of it tells.
    told: Option<Losses>,
}

/// What kept a record from the usual way, and does so no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// A sample point; the call stands for so many.
    Sample {
        /// How many.
        calls: u64,
    },
    /// The end of a block: the next one is claimed.
    Block,
}

/// Clears `busy` at the end of a push, also when the writing closure panics.
struct Busy<'a>(&'a Private);

impl<'a> Busy<'a> {
    /// Marks a lane whose owner is the calling thread, and which is not busy.
    #[inline(always)]
    fn enter(own: &'a Private) -> Self {
        // ORDERING: Relaxed, made visible by the fence.
        // PAIRS WITH: the heavy fence in `Ring::close_gate`: either this push sees the limit that
        //   the gate stored, or the gate sees `busy`.
        // IF WEAKENED: without the fence, a record is committed behind the last drain's back
        //   (loom-tests: `shutdown_drains_everything`).
        own.busy.store(1, Ordering::Relaxed);
        light_fence();
        Busy(own)
    }
}

impl Drop for Busy<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // ORDERING: Release, all of the push happens before.
        // PAIRS WITH: the Acquire load of `busy` in `Ring::close_gate`, and in the shared lane
        //   with the Acquire exchange in `LaneHandle::enter`.
        // IF WEAKENED: the last drain may miss the record (loom-tests:
        //   `shutdown_drains_everything`), or two threads of the shared lane race
        //   (loom-tests: `a_shared_lane_has_one_producer_at_a_time`).
        self.0.busy.store(0, Ordering::Release);
    }
}

impl LaneHandle {
    /// A handle on the lane `lane`, whose private state lies at `own`.
    pub(super) fn new(ring: &Arc<Ring>, lane: u32, generation: u32, shared: bool) -> LaneHandle {
        let own = NonNull::from(&ring.privates[lane as usize]);
        let always_busy = &ring.privates[ring.geometry.lanes as usize];
        let front = if shared { NonNull::from(always_busy) } else { own };
        LaneHandle { front, own, lane, generation, shared, ring: Arc::clone(ring) }
    }

    /// Copies one record of `len` bytes, a multiple of 8, into the ring, if that is the usual case:
    /// the current block has room, no loss is untold, the gate is open, and the call is not nested.
    /// The caller keeps to the ring's longest record.
    ///
    /// `write` fills the slot; its first four bytes are `len`. False means that nothing was done:
    /// [`try_push`](LaneHandle::try_push) then finds out what is to be done. Wait-free. Never
    /// allocates, locks or enters the kernel. This is all of a log call that is always executed, so
    /// nothing here may escape into a cold function: the arguments stay in registers.
    #[inline(always)]
    pub(crate) fn push_hot(&self, len: u32, write: impl FnOnce(Slot<'_>)) -> bool {
        debug_assert!(len >= 8 && len.is_multiple_of(8), "a record's length is a multiple of 8");
        // SAFETY: `front` leads into a table that `ring` keeps mapped.
        let front = unsafe { self.front.as_ref() };
        // ORDERING: Relaxed, the thread reads what it wrote itself, or its signal handler.
        // PAIRS WITH: the store in `Busy::enter`, or for a shared handle that in `always_busy`.
        // IF WEAKENED: it is the weakest already.
        if front.busy.load(Ordering::Relaxed) != 0 {
            return false;
        }
        let busy = Busy::enter(front);
        let cursor = front.cursor.get();
        let end = cursor.wrapping_add(RECORD + u64::from(len));
        // ORDERING: Relaxed, a limit takes effect through the fences; see `Busy::enter`.
        // PAIRS WITH: the stores in `set_limit`, `count_loss` and `Ring::close_gate`.
        // IF WEAKENED: it is the weakest already.
        let limit = front.limit.load(Ordering::Relaxed);
        // In 64 bits no length can carry into the upper half.
        if u64::from(low(cursor)) + u64::from(len) > u64::from(limit) {
            return false;
        }
        // SAFETY: a limit above 0 means that the lane has a block, which is this producer's; the
        // record ends below the limit and begins where the last one ended.
        let (slot, header) = unsafe { front.block.open(low(cursor), len) };
        write(slot);
        // ORDERING: Release, publishes the record's bytes written above.
        // PAIRS WITH: the Acquire load of `committed` in `RingDrain::peek`.
        // IF WEAKENED: the drain copies bytes that are not there yet
        //   (loom-tests: `commit_publishes_the_record`).
        header.committed.store(end, Ordering::Release);
        front.cursor.set(end);
        drop(busy);
        true
    }

    /// Copies one record into the ring as [`push_hot`](LaneHandle::push_hot) does, whatever the
    /// case is: claims a block, tells losses first, takes its turn in the shared lane.
    ///
    /// # Errors
    /// Nothing was written; see [`PushError`]. The loss is not counted: the caller tries again, or
    /// gives up with [`count_loss`](LaneHandle::count_loss).
    pub(crate) fn try_push(
        &self,
        len: u32,
        class: Class,
        write: impl FnOnce(Slot<'_>),
    ) -> Result<(), PushError> {
        let busy = self.enter()?;
        let ticket = self.prepare(busy.0, len, class)?;
        // SAFETY: `prepare` found a block with room for the record at this place.
        let (slot, header) = unsafe { busy.0.block.open(low(ticket.cursor), len) };
        write(slot);
        self.finish(busy.0, header, &ticket, len);
        Ok(())
    }

    /// Opens the usual way again when nothing closes it to the next record, of `len` bytes, but a
    /// sample point or, if `may_claim`, the end of an ordinary block: then the call is to be timed,
    /// and [`push_hot`](LaneHandle::push_hot) takes the record.
    ///
    /// `None` leaves everything as it was. The shared lane knows no usual way. What this touches
    /// lies in the lane's own line and, for a block, where it must be: the caller's caches may be
    /// cold (PERF.md, "beyond the limit").
    #[cold]
    pub(crate) fn pass_limit(&self, len: u32, may_claim: bool) -> Option<Passed> {
        let own = self.own();
        // ORDERING: Relaxed, as in `push_hot`.
        if self.shared || own.lane.get() == 0 || own.busy.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let _busy = Busy::enter(own);
        let cursor = own.cursor.get();
        let end = low(cursor).saturating_add(len);
        // ORDERING: Relaxed, as in `push_hot`. 0 after the gate was closed or a loss is to be told.
        let limit = own.limit.load(Ordering::Relaxed);
        if limit == 0 || end <= limit {
            return None;
        }
        let passed = if end <= own.block_end.get() {
            let calls = own.sampling.weight(len);
            own.sampling.draw(place(own, end), high(cursor).wrapping_add(1));
            self.set_limit(own, ordinary_limit(own, join(high(cursor), end)));
            Passed::Sample { calls }
        } else {
            let in_ordinary = own.block_end.get() != 0;
            if !may_claim || !in_ordinary || len > own.block_bytes.get() / 4 {
                return None;
            }
            let block = self.ring.pool.claim(own.block_number.get())?;
            self.link(own, own.block_number.get().checked_sub(1), block);
            self.set_limit(own, ordinary_limit(own, own.cursor.get()));
            Passed::Block
        };
        Some(passed)
    }

    /// Copies one record into the ring, by the usual way or the other one.
    ///
    /// # Errors
    /// Nothing was written, and the loss is counted; see [`PushError`].
    #[cfg_attr(not(test), allow(dead_code, reason = "tests and models push through it"))]
    pub(crate) fn push(
        &self,
        len: u32,
        class: Class,
        mut write: impl FnMut(Slot<'_>),
    ) -> Result<(), PushError> {
        if len <= self.ring.geometry.record_bytes_max && self.push_hot(len, &mut write) {
            return Ok(());
        }
        if self.pass_limit(len, true).is_some() && self.push_hot(len, &mut write) {
            return Ok(());
        }
        self.try_push(len, class, write).inspect_err(|error| self.count_loss(*error, class))
    }

    /// Whether this handle shares the last lane with other threads.
    #[cfg_attr(not(test), allow(dead_code, reason = "for tests and models"))]
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// How far the current block is filled, in bytes; 0 if there was none yet.
    pub(crate) fn block_fill(&self) -> u32 {
        let own = self.own();
        if own.block_number.get() == 0 { 0 } else { low(own.cursor.get()) }
    }

    /// The ring that the handle belongs to.
    pub(crate) fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// The lane's number.
    pub(crate) fn lane(&self) -> u32 {
        self.lane
    }

    /// The lane's generation.
    #[cfg_attr(not(test), allow(dead_code, reason = "for tests and models"))]
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Counts an entry that was refused with `error` as lost.
    #[cold]
    #[inline(never)]
    pub(crate) fn count_loss(&self, error: PushError, class: Class) {
        let Some(reason) = error.reason() else { return };
        if self.ring.process().forked() {
            return;
        }
        let now_ticks = (self.ring.clock)();
        if reason == LossReason::Closed {
            self.ring.closed_losses.count(reason, class.trade, now_ticks);
            return;
        }
        let reason = if reason == LossReason::Full { self.ring.full_reason() } else { reason };
        self.entry().losses.count(reason, class.trade, now_ticks);
        // The next push takes the cold path and tells the loss. When this one is nested in another
        // push that is just setting a limit: that one looks for losses after it has done so.
        light_fence();
        // ORDERING: Relaxed for both, read by the same thread; the shared lane takes no heed.
        // PAIRS WITH: the looks behind the fences in `finish` and `set_limit`, and in `push_hot`.
        // IF WEAKENED: they are the weakest already; without the fences, the loss is told late.
        self.own().untold.store(1, Ordering::Relaxed);
        self.own().limit.store(0, Ordering::Relaxed);
    }

    fn own(&self) -> &Private {
        // SAFETY: `own` leads into a table that `ring` keeps mapped.
        unsafe { self.own.as_ref() }
    }

    fn entry(&self) -> &LaneEntry {
        &self.ring.lanes[self.lane as usize]
    }

    /// Makes the lane this push's own, or finds that it is nested in another one.
    fn enter(&self) -> Result<Busy<'_>, PushError> {
        let own = self.own();
        if !self.shared {
            // ORDERING: Relaxed, as in `push_hot`.
            let nested = own.busy.load(Ordering::Relaxed) != 0;
            return if nested { Err(PushError::Reentrant) } else { Ok(Busy::enter(own)) };
        }
        if self.ring.process().forked() {
            return Err(PushError::Forked);
        }
        for _ in 0..SPINS_MAX {
            // ORDERING: Acquire, the private state now belongs to this thread.
            // PAIRS WITH: the Release store in `Busy::drop`.
            // IF WEAKENED: two threads write one block
            //   (loom-tests: `a_shared_lane_has_one_producer_at_a_time`).
            let taken = own.busy.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                // As in `Busy::enter`, for the gate.
                light_fence();
                return Ok(Busy(own));
            }
            spin();
        }
        Err(PushError::Lane)
    }

    /// Decides admission and finds room for the record, and for a gap record before it if losses
    /// are untold.
    fn prepare(&self, own: &Private, len: u32, class: Class) -> Result<Ticket, PushError> {
        if own.lane.get() == 0 {
            return Err(PushError::Forked);
        }
        let ring = &*self.ring;
        if len > ring.geometry.record_bytes_max {
            return Err(PushError::TooLong);
        }
        if ring.process().gate_closed() {
            return Err(PushError::Closed);
        }
        let losses = &self.entry().losses;
        let told = losses.unreported().then(|| losses.totals());
        let gap_bytes = if told.is_some() { ring.gap.bytes } else { 0 };
        self.find_room(own, gap_bytes + len, class)?;
        let mut cursor = own.cursor.get();
        if let Some(losses) = told {
            self.write_gap(own, low(cursor), losses);
            cursor += u64::from(gap_bytes);
        }
        Ok(Ticket { cursor, told })
    }

    /// Sees to it that the current block has room for `bytes` and may be used by this class.
    fn find_room(&self, own: &Private, bytes: u32, class: Class) -> Result<(), PushError> {
        let pool = &self.ring.pool;
        let current = own.block_number.get().checked_sub(1);
        let fits = low(own.cursor.get()) + bytes <= self.ring.geometry.block_bytes;
        let (stays, in_reserve) = match current {
            Some(block) => (fits, pool.is_reserve(block)),
            None => (false, false),
        };
        if stays && !in_reserve {
            return Ok(());
        }
        // An ordinary block is taken wherever there is one, also by who could stay in the reserve:
        // that gives the reserve back as early as can be.
        if let Some(block) = pool.claim(own.block_number.get()) {
            self.link(own, current, block);
            return Ok(());
        }
        if !class.privileged {
            return Err(PushError::Full);
        }
        if stays {
            return Ok(());
        }
        let block = pool.claim_reserve(own.block_number.get()).ok_or(PushError::Full)?;
        self.link(own, current, block);
        Ok(())
    }

    /// Appends a claimed block to the lane's chain and goes on there.
    fn link(&self, own: &Private, current: Option<u32>, block: u32) {
        let header = self.ring.blocks.header(block);
        // The upper half, the number of records so far, goes on from block to block.
        let cursor = (own.cursor.get() & !u64::from(u32::MAX)) | u64::from(BLOCK_HEADER_BYTES);
        let serial = own.serial.get() + 1;
        header.lane.set(self.lane);
        header.generation.set(own.generation.get());
        header.serial.set(serial);
        // ORDERING: Relaxed for both, published by the link below.
        // PAIRS WITH: the loads in `RingDrain::peek`, which follow the link.
        // IF WEAKENED: they are the weakest already.
        header.next.store(0, Ordering::Relaxed);
        header.committed.store(cursor, Ordering::Relaxed);
        let link = match current {
            Some(last) => &self.ring.blocks.header(last).next,
            None => &self.entry().first,
        };
        // ORDERING: Release, publishes the block's header, and that nothing more will be committed
        // in the last block.
        // PAIRS WITH: the Acquire loads of `next` and `first` in `RingDrain::peek`.
        // IF WEAKENED: the drain leaves the last block too early, or reads a stale header
        //   (loom-tests: `a_block_changes_hands_once`).
        link.store(block + 1, Ordering::Release);
        own.block.set(&self.ring.blocks, block);
        own.block_number.set(block + 1);
        let ordinary = !self.ring.pool.is_reserve(block);
        own.block_end.set(if ordinary { own.block_bytes.get() } else { 0 });
        own.serial.set(serial);
        own.cursor.set(cursor);
    }

    /// Writes a gap record at `offset`; it is committed together with the record that follows.
    fn write_gap(&self, own: &Private, offset: u32, losses: Losses) {
        let gap = &self.ring.gap;
        let info = GapInfo {
            lane: self.lane,
            generation: own.generation.get(),
            losses,
            now_ticks: (self.ring.clock)(),
        };
        let mut buffer = [0_u8; GAP_BYTES_MAX as usize];
        let bytes = &mut buffer[..gap.bytes as usize];
        (gap.write)(bytes, &info);
        // SAFETY: `find_room` found room for the gap record and the record behind it.
        let (mut slot, _) = unsafe { own.block.open(offset, gap.bytes) };
        slot.copy_from(0, bytes);
    }

    /// Commits the record, with the gap record before it, and sets the next limit.
    fn finish(&self, own: &Private, header: &BlockHeader, ticket: &Ticket, len: u32) {
        let end = ticket.cursor.wrapping_add(RECORD + u64::from(len));
        // ORDERING: Release, as in `push_hot`. It publishes the gap record as well: both or
        // nothing.
        header.committed.store(end, Ordering::Release);
        own.cursor.set(end);
        let losses = &self.entry().losses;
        if let Some(told) = &ticket.told {
            losses.mark_reported(told);
        }
        // ORDERING: Relaxed for both, between this thread and its signal handler: a nested push that
        // is refused behind the fence sets the mark again, one before it is seen in the counters.
        // PAIRS WITH: the store in `count_loss`, which stands behind a fence as well.
        // IF WEAKENED: they are the weakest already; without the fence, a nested loss is told late.
        own.untold.store(0, Ordering::Relaxed);
        light_fence();
        if losses.unreported() {
            // ORDERING: Relaxed, as above.
            own.untold.store(1, Ordering::Relaxed);
        }
        // Nobody goes further in the reserve without being asked.
        let in_ordinary = own.block_end.get() != 0;
        self.set_limit(own, if in_ordinary { ordinary_limit(own, end) } else { low(end) });
    }

    /// Sets the limit of pushes to come; the lane is busy with this one.
    fn set_limit(&self, own: &Private, limit: u32) {
        // ORDERING: Relaxed. If the gate was closed meanwhile, it looks at the limit again once
        // it has seen `busy` cleared.
        // PAIRS WITH: the second look at it in `Ring::wait_for_producers`.
        // IF WEAKENED: it is the weakest already.
        own.limit.store(limit, Ordering::Relaxed);
        light_fence();
        // ORDERING: Relaxed for both, as in `finish`.
        if own.untold.load(Ordering::Relaxed) != 0 {
            // A nested push was refused before the limit was set.
            own.limit.store(0, Ordering::Relaxed);
        }
    }
}

impl Drop for LaneHandle {
    fn drop(&mut self) {
        if !self.shared && !self.ring.process().forked() {
            self.entry().close(self.generation);
        }
    }
}

/// Where `offset` of the current block lies in the lane's stream of blocks.
fn place(own: &Private, offset: u32) -> u64 {
    own.serial.get() * u64::from(own.block_bytes.get()) + u64::from(offset)
}

/// How far pushes may go in an ordinary block behind `cursor`: to the next sample point, or to the
/// block's end.
fn ordinary_limit(own: &Private, cursor: u64) -> u32 {
    let point = own.sampling.next_point(place(own, low(cursor)), high(cursor));
    let offset = point.saturating_sub(place(own, 0));
    let block_bytes = own.block_bytes.get();
    u32::try_from(offset).unwrap_or(block_bytes).min(block_bytes)
}

/// The state that no push gets past: the front of every shared handle.
pub(super) fn always_busy(front: &Private) {
    // ORDERING: Relaxed, nobody else sees the ring yet.
    // PAIRS WITH: the load in `LaneHandle::push_hot`, of who was handed the ring.
    // IF WEAKENED: it is the weakest already.
    front.busy.store(1, Ordering::Relaxed);
}

const _: () = assert!(join(1, 0) == RECORD);
