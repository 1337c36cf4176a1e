//! Moments at which a test can have the process die, or a thread of the writer panic: between two
//! steps whose order recovery relies on.
//!
//! None of them lies in a log call. To pass one costs a load of a word that nobody writes.

use std::sync::atomic::{AtomicU64, Ordering};

/// A moment at which a process can be made to die, or a thread of its writer to panic; see
/// [`die_at`](crate::testing::die_at) and [`panic_at`](crate::testing::panic_at).
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
    /// A rotation has renamed or removed a file, and not all of them.
    FileRenamed = 11,
    /// The views have rendered entries of a batch, and there may be more.
    EntriesRendered = 12,
    /// The janitor has taken a segment's name to make it a new one.
    SegmentUnnamed = 13,
    /// The new one's header is written, and it has no name yet.
    SegmentHeaded = 14,
    /// It has its name.
    SegmentNamed = 15,
    /// A ring is found to be of no use, and is about to be set aside.
    RingRefused = 16,
    /// It is set aside, and nobody was told.
    RingSetAside = 17,
    /// The journal is on the disk, and the logs are not.
    JournalSynced = 18,
    /// The syslog thread has messages to send.
    MessagesTaken = 19,
    /// The thread for the names in backtraces was asked for some.
    SymbolsAsked = 20,
    /// The views are about to show an entry; only with [`capture`](crate::testing::capture).
    EntryShown = 21,
    /// Plain writes have brought frames into the segment's file, and its cursor does not say so yet.
    FramesInTheFile = 22,
    /// The views have read a frame, and have shown nothing of it.
    FrameRead = 23,
}

impl CrashPoint {
    /// All of them.
    pub const ALL: [CrashPoint; 23] = [
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
        CrashPoint::EntriesRendered,
        CrashPoint::SegmentUnnamed,
        CrashPoint::SegmentHeaded,
        CrashPoint::SegmentNamed,
        CrashPoint::RingRefused,
        CrashPoint::RingSetAside,
        CrashPoint::JournalSynced,
        CrashPoint::MessagesTaken,
        CrashPoint::SymbolsAsked,
        CrashPoint::EntryShown,
        CrashPoint::FramesInTheFile,
        CrashPoint::FrameRead,
    ];
}

/// [`PANIC`] or 0 | the point << 32 | how often it is still to be passed; 0: none.
static ARMED: AtomicU64 = AtomicU64::new(0);

/// The thread that passes the point panics, and the process lives.
const PANIC: u64 = 1 << 63;

/// Has the process die when it passes `point` for the `times`th time from now on.
pub(crate) fn die_at(point: CrashPoint, times: u32) {
    arm(0, point, times);
}

/// Has the thread panic that passes `point` for the `times`th time from now on.
pub(crate) fn panic_at(point: CrashPoint, times: u32) {
    arm(PANIC, point, times);
}

fn arm(kind: u64, point: CrashPoint, times: u32) {
    let armed = kind | u64::from(point as u32) << 32 | u64::from(times.max(1));
    // ORDERING: Relaxed, a word of its own.
    // PAIRS WITH: the loads in `pass` and `count_down`.
    // IF WEAKENED: it is the weakest already.
    ARMED.store(armed, Ordering::Relaxed);
}

/// Says that the process is at this point now.
#[inline]
pub(crate) fn pass(point: CrashPoint) {
    // ORDERING: Relaxed, see `arm`.
    // PAIRS WITH: the store there.
    // IF WEAKENED: it is the weakest already.
    if ARMED.load(Ordering::Relaxed) != 0 {
        count_down(point);
    }
}

#[cold]
fn count_down(point: CrashPoint) {
    let count = |armed: u64| {
        let left = armed & u64::from(u32::MAX);
        let here = (armed & !PANIC) >> 32 == u64::from(point as u32) && left > 0;
        here.then_some(if left == 1 { 0 } else { armed - 1 })
    };
    // ORDERING: Relaxed for both, see `arm`.
    // PAIRS WITH: the store there.
    // IF WEAKENED: they are the weakest already.
    let counted = ARMED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    match counted {
        Ok(last) if last & u64::from(u32::MAX) != 1 => {}
        Ok(last) if last & PANIC != 0 => panic!("a test asked for it, at {point:?}"),
        Ok(_) => die(),
        Err(_) => {}
    }
}

fn die() -> ! {
    let _sent =
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // The signal needs a moment to reach this thread.
    loop {
        std::thread::park();
    }
}
