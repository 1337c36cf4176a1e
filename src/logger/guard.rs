//! The end of an engine.

use std::fmt;

use crate::engine::Engine;

/// Keeps an engine running; dropping it writes everything out.
///
/// The drop closes the gate (later calls are refused and counted), empties the ring into the
/// journal, renders for at most `shutdown_timeout`, and joins the threads. What is left then is
/// rendered by the next start in the same directory, and stderr says how much that is. In a forked
/// child the drop does nothing.
#[must_use = "dropping the guard ends the logging"]
pub struct Guard {
    engine: Option<Engine>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine: Some(engine) }
    }

    /// The guard of an engine that has no threads.
    pub(super) fn of_nothing() -> Self {
        Self { engine: None }
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
