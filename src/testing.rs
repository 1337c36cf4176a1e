//! For the tests of programs that log: what did my code log?

use std::time::Duration;

use crate::engine::{self, Place};
use crate::level::Level;
use crate::logger::{Guard, MetaLogger};
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
    let started = Configuration::resolve(layers)
        .map_err(crate::StartError::from)
        .and_then(|configuration| engine::start(configuration, Place::Capture(sink.clone())));
    match started {
        Ok((core, engine)) => {
            let log = MetaLogger::new(core);
            let capture = Capture { log: log.clone(), sink, _guard: Guard::new(engine) };
            (log, capture)
        }
        Err(error) => panic!("no engine for a capturing logger: {error}"),
    }
}

/// Stops the logger's drain until the guard that this gives is dropped: what a program does when
/// its ring is full can then be tested.
///
/// Takes effect before the next pass, within a few milliseconds.
#[must_use = "the drain goes on when this is dropped"]
pub fn hold_drain(log: &MetaLogger) -> DrainHold {
    log.core().control.hold_drain(true);
    DrainHold { log: log.clone() }
}

/// Keeps a drain from working; made by [`hold_drain`].
#[derive(Debug)]
pub struct DrainHold {
    log: MetaLogger,
}

impl Drop for DrainHold {
    fn drop(&mut self) {
        self.log.core().control.hold_drain(false);
    }
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
