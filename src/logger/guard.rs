//! The end of an engine.

use std::fmt;
use std::time::Duration;

use super::MetaLogger;
use crate::engine::Engine;
use crate::level::Level;
use crate::shared::{Stats, SyncError, Unfinished};

/// Keeps an engine running; dropping it writes everything out.
///
/// The drop closes the gate (later calls are refused and counted), empties the ring into the
/// journal, renders for at most `shutdown_timeout`, and joins the threads. What is left then is
/// rendered by the next start in the same directory, and stderr says how much that is. In a forked
/// child the drop does nothing.
///
/// Who keeps the guard has no need of a logger to steer the engine: the methods here are those of
/// [`MetaLogger`].
#[must_use = "dropping the guard ends the logging"]
pub struct Guard {
    /// None for a logger that has no threads.
    engine: Option<Engine>,
    log: MetaLogger,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    pub(crate) fn new(engine: Engine, log: MetaLogger) -> Self {
        Self { engine: Some(engine), log }
    }

    /// The guard of a logger that has no threads.
    pub(super) fn of_nothing(log: MetaLogger) -> Self {
        Self { engine: None, log }
    }

    /// Waits until every entry accepted so far is in the logs: [`MetaLogger::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self, timeout: Duration) -> Result<(), Unfinished> {
        self.log.flush(timeout)
    }

    /// Brings every entry accepted so far to the disk: [`MetaLogger::sync`].
    ///
    /// # Errors
    /// As there.
    pub fn sync(&self) -> Result<(), SyncError> {
        self.log.sync()
    }

    /// Changes `log_level`: [`MetaLogger::set_level`].
    pub fn set_level(&self, level: Level) {
        self.log.set_level(level);
    }

    /// Rotates the logs now: [`MetaLogger::rotate`].
    pub fn rotate(&self) {
        self.log.rotate();
    }

    /// What was accepted, lost, written and shown so far: [`MetaLogger::stats`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.log.stats()
    }

    /// Ends the engine now; the same as dropping the guard.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.shutdown();
        }
    }
}
