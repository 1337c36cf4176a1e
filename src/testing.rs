//! For the tests of programs that log: what did my code log?

use std::time::Duration;

pub use crate::crash::CrashPoint;
use crate::engine::{self, Place, Wishes};
pub use crate::files::FileCall;
use crate::files::{self, Which};
use crate::level::Level;
use crate::logger::{Builder, Guard, MetaLogger, Producer};
use crate::record::GAP_RECORD_BYTES;
use crate::ring::{BLOCK_HEADER_BYTES, Geometry};
use crate::writer::CaptureSink;
pub use crate::writer::CapturedEntry;
use crate::{Configuration, Origin, Settings};

/// A logger whose entries a test can look at, and the look at them.
///
/// Everything from DEBUG up is kept; no file is made and nothing is shown.
///
/// ```
/// use tapelog::info;
///
/// let (log, captured) = tapelog::testing::capture();
/// info!(log, "order sent", qty = 3);
/// let entries = captured.entries();
/// assert_eq!(entries[0].event, "order sent");
/// assert_eq!(entries[0].fields["qty"], "3");
/// ```
///
/// # Panics
/// When the system has no memory or no thread for an engine.
#[must_use]
pub fn capture() -> (MetaLogger, Capture) {
    let settings = Settings::default()
        .log_level(Level::Trace)
        .log_to_file(false)
        // What the engine says of itself is not what the code logged.
        .metrics_interval(Duration::ZERO)
        .latency_warning(Duration::ZERO);
    let layers = [(Origin::CodeDefault, Settings::default()), (Origin::Code, settings)];
    let sink = CaptureSink::default();
    let started =
        Configuration::resolve(layers).map_err(crate::StartError::from).and_then(|configuration| {
            engine::start(configuration, Place::Capture(sink.clone()), Wishes::default())
        });
    match started {
        Ok((core, engine)) => {
            let log = MetaLogger::new(core);
            let capture =
                Capture { log: log.clone(), sink, _guard: Guard::new(engine, log.clone()) };
            (log, capture)
        }
        Err(error) => panic!("no engine for a capturing logger: {error}"),
    }
}

/// Stops the logger's drain until the guard that this gives is dropped: what a program does when
/// its ring is full can then be tested.
///
/// When this returns, the drain stands still. One that is busy with a file that does not answer is waited
/// for no longer than a minute: [`DrainHold::is_still`] tells.
#[must_use = "the drain goes on when this is dropped"]
pub fn hold_drain(log: &MetaLogger) -> DrainHold {
    let still = log.core().control.hold_drain();
    DrainHold { log: log.clone(), still }
}

/// Keeps a drain from working; made by [`hold_drain`].
#[derive(Debug)]
pub struct DrainHold {
    log: MetaLogger,
    still: bool,
}

impl DrainHold {
    /// Whether the drain stood still by the time that it was asked to; not if it was busy for longer than
    /// a minute, or had ended.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.still
    }
}

impl Drop for DrainHold {
    fn drop(&mut self) {
        self.log.core().control.release_drain();
    }
}

/// The same builder, whose engine does not warn by an entry `logger.fast_rotation` that a log is
/// rotated more than once a second: for who counts entries, and has logs so small on purpose.
pub fn without_rotation_warning(builder: Builder) -> Builder {
    builder.rotations_untold()
}

/// Has this process die, by SIGKILL, when its writer passes `point` for the `times`th time from now on:
/// what the next start recovers can then be tested.
///
/// It takes no more than one such wish at a time; the newest counts. All engines of the process pass
/// the same points.
pub fn die_at(point: CrashPoint, times: u32) {
    crate::crash::die_at(point, times);
}

/// Has the engines' next `times` calls of a kind fail with `errno`: what a program does when its disk
/// fails can then be tested.
///
/// A call that `EINTR` interrupts is made again, as it would be. All engines of the process make
/// the same calls; no log call makes any.
pub fn fail(call: FileCall, errno: i32, times: u64) -> FileFault {
    FileFault { id: files::arm(call, errno, Which::Next(times)) }
}

/// Has every `n`th of the engines' calls of a kind fail with `errno`; see [`fail`].
pub fn fail_every(call: FileCall, errno: i32, n: u64) -> FileFault {
    FileFault { id: files::arm(call, errno, Which::Every(n)) }
}

/// Has file system calls fail until it is dropped; made by [`fail`] and [`fail_every`].
#[must_use = "the calls work again when this is dropped"]
#[derive(Debug)]
pub struct FileFault {
    id: u32,
}

impl FileFault {
    /// How many calls have failed by it so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        files::failed(self.id)
    }
}

impl Drop for FileFault {
    fn drop(&mut self) {
        files::disarm(self.id);
    }
}

/// Has a thread of the writer panic when it passes `point` for the `times`th time from now on, once:
/// that the logger goes on and loses nothing can then be tested.
///
/// As with [`die_at`], the newest wish counts, whichever of the two it was.
pub fn panic_at(point: CrashPoint, times: u32) {
    crate::crash::panic_at(point, times);
}

/// Sets UTC, as every engine of this process sees it, forward by so many nanoseconds of the machine's,
/// or back: what a clock that jumps does to the logs can then be tested. It takes effect with the
/// drain's next look at the clocks, after a second at most.
pub fn shift_clock(nanos: i64) {
    crate::clock::shift_clock(nanos);
}

/// Has the processor's counter taken for one that does not run evenly: from now on, ticks are
/// nanoseconds of `CLOCK_MONOTONIC`. To be called before anything else of this library.
pub fn distrust_tick_counter() {
    crate::clock::distrust_counter();
}

/// What a ring has room for: enough to foretell what a load loses in it.
///
/// A record lies in one block, whole. A thread fills its block to the end before it takes the next;
/// what does not fit stays empty. After a loss the thread's next record is preceded by a gap record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingShape {
    /// Blocks for records, the reserve included.
    pub blocks: u32,
    /// How many of them, the last ones, only WARNING and above and trade events may take.
    pub reserve_blocks: u32,
    /// One block.
    pub block_bytes: u32,
    /// What each block's own head takes of it.
    pub head_bytes: u32,
    /// A gap record.
    pub gap_bytes: u32,
    /// The longest record.
    pub record_bytes_max: u32,
}

/// The shape of a ring with these parameters; `None` if no ring can have them.
#[must_use]
pub fn ring_shape(ring_bytes: u64, block_bytes: u32, reserve_blocks: u32) -> Option<RingShape> {
    let ring_bytes = usize::try_from(ring_bytes).ok()?;
    let geometry = Geometry::plan(ring_bytes, block_bytes, reserve_blocks, None).ok()?;
    Some(RingShape {
        blocks: geometry.blocks,
        reserve_blocks: geometry.reserve,
        block_bytes: geometry.block_bytes,
        head_bytes: BLOCK_HEADER_BYTES,
        gap_bytes: GAP_RECORD_BYTES,
        record_bytes_max: geometry.record_bytes_max,
    })
}

/// How far the producer's current block is filled, in bytes from the block's beginning; 0 before
/// its first record. The difference between two calls is what the records in between take.
#[must_use]
pub fn block_fill(producer: &Producer) -> u32 {
    producer.block_fill()
}

/// What was logged through the logger that came with it.
#[derive(Debug)]
pub struct Capture {
    log: MetaLogger,
    sink: CaptureSink,
    _guard: Guard,
}

impl Capture {
    /// Every entry accepted before this call, in the order of the logs.
    ///
    /// # Panics
    /// When the writer needs more than 10 s.
    #[must_use]
    pub fn entries(&self) -> Vec<CapturedEntry> {
        if let Err(late) = self.log.flush(Duration::from_secs(10)) {
            panic!("the captured entries are not complete: {late}");
        }
        self.sink.entries()
    }

    /// Forgets the entries so far.
    ///
    /// # Panics
    /// As [`entries`](Capture::entries).
    pub fn clear(&self) {
        let _forgotten = self.entries();
        self.sink.clear();
    }
}
