//! The janitor prepares segments ahead of the drain; the supply is the drain's end of it.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded, unbounded};

use super::reporter::Reporter;
use crate::handlers::notice;
use crate::journal::{JournalError, Prepared, Retired, SegmentStore};
use crate::ring::LossReason;
use crate::shared::{Control, Core};

/// How soon a segment that the views still read is asked for again.
const HELD_RETRY: Duration = Duration::from_millis(1);

/// How soon a disk that refused a segment is asked again.
const DISK_RETRY: Duration = Duration::from_millis(250);

/// What the janitor and its clients know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// The oldest segment that a view still needs; 0 until the view has said so: all of them.
    oldest_needed: AtomicU64,
    /// Why no segment is ready: a [`LossReason`].
    why: AtomicU32,
}

/// What the drain gives back, and the view leaves to the janitor.
#[derive(Debug)]
enum Returned {
    /// A segment that may be recycled once the views have passed it.
    Written(Retired),
    /// A segment that was not needed.
    Unused(Prepared),
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

    /// Gives back what is still prepared: nothing more will be written.
    pub(crate) fn close(self) {
        for unused in self.prepared.try_iter() {
            // Nobody is there to remove it only when the janitor has died: then the next start does.
            let _unheard = self.returned.send(Returned::Unused(unused));
        }
    }

    /// What a full ring is put down to while no segment is ready.
    pub(crate) fn why_held(&self) -> LossReason {
        // ORDERING: Relaxed, a hint for a statistic.
        // PAIRS WITH: the store in `Janitor::say_why`.
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
        // PAIRS WITH: the Acquire load in `Janitor::prepare`.
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

/// The thread that does what takes long: making, populating and recycling segments. In between it
/// reports how the logger is doing.
#[derive(Debug)]
pub(crate) struct Janitor {
    store: SegmentStore,
    prepared: Sender<Prepared>,
    returned: Receiver<Returned>,
    shared: Arc<Shared>,
    control: Arc<Control>,
    reporter: Reporter,
    failing: bool,
    /// Set when the drain needs no more segments.
    ending: bool,
}

impl Janitor {
    /// The janitor of a store, and its clients.
    pub(crate) fn new(store: SegmentStore, core: &Arc<Core>) -> (Janitor, Supply, Floor) {
        let shared = Arc::new(Shared::default());
        let (prepared, prepared_out) = bounded(1);
        let (returned_in, returned) = unbounded();
        let floor = Floor { shared: Arc::clone(&shared), returned: returned_in.clone() };
        let supply =
            Supply { prepared: prepared_out, returned: returned_in, shared: Arc::clone(&shared) };
        let janitor = Janitor {
            store,
            prepared,
            returned,
            shared,
            control: Arc::clone(&core.control),
            reporter: Reporter::new(Arc::clone(core)),
            failing: false,
            ending: false,
        };
        (janitor, supply, floor)
    }

    /// Keeps one segment ready until the drain is gone.
    pub(crate) fn run(mut self) {
        let mut ready = None;
        loop {
            let mut pause = Duration::MAX;
            if ready.is_none() && !self.ending {
                (ready, pause) = self.prepare();
            }
            if let Some(segment) = ready.take() {
                match self.prepared.try_send(segment) {
                    Ok(()) => continue,
                    Err(TrySendError::Full(segment)) => ready = Some(segment),
                    Err(TrySendError::Disconnected(segment)) => {
                        self.store.discard(segment);
                        return;
                    }
                }
            }
            // Until then, what is ready is made complete.
            while !self.ending && self.returned.is_empty() && self.store.populate_more() {}
            pause = pause.min(self.reporter.poll());
            // A drain that takes a segment gives one back: that is the signal to go on.
            match self.returned.recv_timeout(pause) {
                Ok(Returned::Written(segment)) => self.store.recycle(segment),
                Ok(Returned::Removed(file)) => drop(file),
                Ok(Returned::Unused(segment)) => {
                    // The later one first: a reader that finds a later segment takes the missing
                    // one for recycled.
                    for unused in ready.take().into_iter().chain([segment]) {
                        self.store.discard(unused);
                    }
                    self.ending = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(segment) = ready.take() {
                        self.store.discard(segment);
                    }
                    return;
                }
            }
        }
    }

    /// The next segment, or how long to wait before the next attempt.
    fn prepare(&mut self) -> (Option<Prepared>, Duration) {
        // ORDERING: Acquire.
        // PAIRS WITH: the Release store in `Floor::raise`.
        // IF WEAKENED: see there.
        let oldest_needed = self.shared.oldest_needed.load(Ordering::Acquire);
        match self.store.prepare(oldest_needed) {
            Ok(Some(segment)) => {
                if std::mem::take(&mut self.failing) {
                    notice("the journal has room again");
                }
                self.say_why(LossReason::Full);
                (Some(segment), Duration::ZERO)
            }
            Ok(None) => {
                self.say_why(LossReason::ViewLag);
                (None, HELD_RETRY)
            }
            Err(error) => {
                self.report(&error);
                self.say_why(LossReason::Disk);
                (None, DISK_RETRY)
            }
        }
    }

    fn report(&mut self, error: &JournalError) {
        if !std::mem::replace(&mut self.failing, true) {
            let text = format!("{error}; records that find the ring full are counted as lost");
            notice(&text);
            self.control.degrade(&text);
        }
    }

    fn say_why(&self, why: LossReason) {
        // ORDERING: Relaxed, a hint for a statistic.
        // PAIRS WITH: the load in `Supply::why_held`.
        // IF WEAKENED: it is the weakest already.
        self.shared.why.store(why as u32, Ordering::Relaxed);
    }
}
