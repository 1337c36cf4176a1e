//! Moments at which a test can have the process die: between two steps whose order recovery relies on.
//!
//! None of them lies in a log call. To pass one costs a load of a word that nobody writes.

use std::sync::atomic::{AtomicU64, Ordering};

/// A moment at which a process can be made to die; see [`die_at`](crate::testing::die_at).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum CrashPoint {
    /// The drain has written frames, and the segment's cursor does not say so yet.
    FramesWritten = 1,
    /// The segment's cursor says so, and the ring does not.
    CursorWritten = 2,
    /// The ring says so, too, and the blocks are free.
    PassDone = 3,
    /// The drain has begun a new segment.
    SegmentBegun = 4,
    /// Recovery has found out what the journal holds.
    RecoveryBegun = 5,
    /// Recovery has published frames, and the dead ring does not know.
    RecoveryPublished = 6,
    /// The dead ring knows.
    RecoveryNoted = 7,
    /// All of a dead ring is in the journal, and its file is still there.
    RecoveryEnded = 8,
    /// The views have noted where a batch begins, and have not written it.
    BatchNoted = 9,
    /// The views have written a batch.
    BatchWritten = 10,
    /// A rotation has renamed a file, and not all of them.
    FileRenamed = 11,
}

impl CrashPoint {
    /// All of them.
    pub const ALL: [CrashPoint; 11] = [
        CrashPoint::FramesWritten,
        CrashPoint::CursorWritten,
        CrashPoint::PassDone,
        CrashPoint::SegmentBegun,
        CrashPoint::RecoveryBegun,
        CrashPoint::RecoveryPublished,
        CrashPoint::RecoveryNoted,
        CrashPoint::RecoveryEnded,
        CrashPoint::BatchNoted,
        CrashPoint::BatchWritten,
        CrashPoint::FileRenamed,
    ];
}

/// The point << 32 | how often it is still to be passed; 0: none.
static ARMED: AtomicU64 = AtomicU64::new(0);

/// Has the process die when it passes `point` for the `times`th time from now on.
pub(crate) fn die_at(point: CrashPoint, times: u32) {
    // ORDERING: Relaxed, a word of its own.
    // PAIRS WITH: the loads in `pass` and `count_down`.
    // IF WEAKENED: it is the weakest already.
    ARMED.store(u64::from(point as u32) << 32 | u64::from(times.max(1)), Ordering::Relaxed);
}

/// Says that the process is at this point now.
#[inline]
pub(crate) fn pass(point: CrashPoint) {
    // ORDERING: Relaxed, see `die_at`.
    // PAIRS WITH: the store there.
    // IF WEAKENED: it is the weakest already.
    if ARMED.load(Ordering::Relaxed) != 0 {
        count_down(point);
    }
}

#[cold]
fn count_down(point: CrashPoint) {
    // ORDERING: Relaxed for both, see `die_at`.
    // PAIRS WITH: the store there.
    // IF WEAKENED: they are the weakest already.
    if ARMED.load(Ordering::Relaxed) >> 32 != u64::from(point as u32) {
        return;
    }
    let before = ARMED.fetch_sub(1, Ordering::Relaxed);
    if before & u64::from(u32::MAX) <= 1 {
        let _sent =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal needs a moment to reach this thread.
        loop {
            std::thread::park();
        }
    }
}
