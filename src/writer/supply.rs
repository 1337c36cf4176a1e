//! How the janitor's clients reach it: the supply is the drain's end, the floor the view's.

use std::fs::File;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::journal::{Prepared, Retired};
use crate::ring::LossReason;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// What the janitor and its clients know of each other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The oldest segment that a view still needs; 0 until the view has said so: all of them.
    oldest_needed: AtomicU64,
    /// Why no segment is ready: a [`LossReason`].
    why: AtomicU32,
    /// Segments before this one are to be left at once, full or not.
    leave_before: AtomicU64,
    /// The same of segments in memory, because there is a file again.
    leave_memory_before: AtomicU64,
}

impl Shared {
    /// The oldest segment that a view still needs.
    pub(super) fn oldest_needed(&self) -> u64 {
        // ORDERING: Acquire.
        // PAIRS WITH: the Release store in `Floor::raise`.
        // IF WEAKENED: see there.
        self.oldest_needed.load(Ordering::Acquire)
    }

    /// Notes what a full ring is put down to while no segment is ready.
    pub(super) fn say_why(&self, why: LossReason) {
        // ORDERING: Relaxed, a hint for a statistic.
        // PAIRS WITH: the load in `Supply::why_held`.
        // IF WEAKENED: it is the weakest already.
        self.why.store(why as u32, Ordering::Relaxed);
    }

    /// Has the drain leave segments before `sequence` as soon as it has others.
    pub(super) fn leave_before(&self, sequence: u64) {
        // ORDERING: Relaxed, it takes effect soon; the segments come through the channel.
        // PAIRS WITH: the load in `Supply::leave_before`.
        // IF WEAKENED: it is the weakest already.
        self.leave_before.fetch_max(sequence, Ordering::Relaxed);
    }

    /// The same of segments in memory.
    pub(super) fn leave_memory_before(&self, sequence: u64) {
        // ORDERING: Relaxed, see `leave_before`.
        // PAIRS WITH: the load in `Supply::leave_before`.
        // IF WEAKENED: it is the weakest already.
        self.leave_memory_before.fetch_max(sequence, Ordering::Relaxed);
    }
}

/// What the drain gives back, and the view leaves to the janitor.
#[derive(Debug)]
pub(super) enum Returned {
    /// A segment that may be recycled once the views have passed it.
    Written(Retired),
    /// Nothing more will be written: the last segment, and one that the drain has taken and not written.
    Ended { last: Retired, spare: Option<Prepared> },
    /// A removed file that is to be closed.
    Removed(File),
}

/// The drain's end: takes prepared segments, gives finished ones back.
#[derive(Debug)]
pub(crate) struct Supply {
    prepared: Receiver<Prepared>,
    returned: Sender<Returned>,
    shared: Arc<Shared>,
}

impl Supply {
    /// The next segment, if one is ready. Never waits.
    pub(crate) fn take(&self) -> Option<Prepared> {
        self.prepared.try_recv().ok()
    }

    /// Hands a finished segment over for recycling. Never waits.
    pub(crate) fn give_back(&self, retired: Retired) {
        // Only at the very end is nobody there: then the segment stays a file and is not recycled.
        let _unheard = self.returned.send(Returned::Written(retired));
    }

    /// Says that nothing more will be written, and gives back the last segment, and what was taken and not
    /// written.
    ///
    /// What is still prepared the janitor takes back itself: it alone knows what else it has made
    /// meanwhile.
    pub(crate) fn close(self, last: Retired, spare: Option<Prepared>) {
        // Nobody is there to hear it only when the janitor has died: then the next start removes
        // what nobody has written.
        let _unheard = self.returned.send(Returned::Ended { last, spare });
    }

    /// The first segment that need not be left before it is full, in memory or not.
    pub(crate) fn leave_before(&self, in_memory: bool) -> u64 {
        // ORDERING: Relaxed, see `Shared::leave_before`.
        // PAIRS WITH: the maximum there.
        // IF WEAKENED: it is the weakest already.
        let any = self.shared.leave_before.load(Ordering::Relaxed);
        // ORDERING: Relaxed, see `Shared::leave_memory_before`.
        // PAIRS WITH: the maximum there.
        // IF WEAKENED: it is the weakest already.
        let memory = self.shared.leave_memory_before.load(Ordering::Relaxed);
        if in_memory { any.max(memory) } else { any }
    }

    /// What a full ring is put down to while no segment is ready.
    pub(crate) fn why_held(&self) -> LossReason {
        // ORDERING: Relaxed, a hint for a statistic.
        // PAIRS WITH: the store in `Shared::say_why`.
        // IF WEAKENED: it is the weakest already.
        match self.shared.why.load(Ordering::Relaxed) {
            why if why == LossReason::Disk as u32 => LossReason::Disk,
            why if why == LossReason::ViewLag as u32 => LossReason::ViewLag,
            _ => LossReason::Full,
        }
    }
}

/// The view's end: says how far recycling may go, and leaves slow work to the janitor.
#[derive(Debug, Clone)]
pub(crate) struct Floor {
    shared: Arc<Shared>,
    returned: Sender<Returned>,
}

impl Floor {
    /// Segments before `sequence` are needed no longer.
    pub(crate) fn raise(&self, sequence: u64) {
        // ORDERING: Release, after the last read from older segments.
        // PAIRS WITH: the Acquire load in `Shared::oldest_needed`.
        // IF WEAKENED: a segment might be overwritten under the view, which would then report it
        //   expired: no wrong entry, but a lost one.
        self.shared.oldest_needed.store(sequence, Ordering::Release);
    }

    /// Has a file closed whose last name is gone: that frees its pages. Never waits.
    pub(crate) fn close(&self, removed: File) {
        // Where the janitor has died, the file is closed here.
        let _unheard = self.returned.send(Returned::Removed(removed));
    }
}

/// What the janitor holds of it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) prepared: Sender<Prepared>,
    pub(super) returned: Receiver<Returned>,
    pub(super) shared: Arc<Shared>,
    /// The drain's end of `prepared`, to take back what it has not taken.
    taken_back: Receiver<Prepared>,
}

impl Desk {
    /// Takes back the segment that was ready for the drain, if it has not taken it.
    pub(super) fn take_back(&self) -> Option<Prepared> {
        self.taken_back.try_recv().ok()
    }
}

/// The three ends.
pub(super) fn connect() -> (Desk, Supply, Floor) {
    let shared = Arc::new(Shared::default());
    let (prepared_in, prepared) = bounded(1);
    let (returned_in, returned) = unbounded();
    let floor = Floor { shared: Arc::clone(&shared), returned: returned_in.clone() };
    let taken_back = prepared.clone();
    let supply = Supply { prepared, returned: returned_in, shared: Arc::clone(&shared) };
    (Desk { prepared: prepared_in, returned, shared, taken_back }, supply, floor)
}
