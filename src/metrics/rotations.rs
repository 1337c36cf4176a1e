//! Logs that are rotated too often, on their way from the view that sees it to the log.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Two rotations of a log by its size are to lie so far apart, or further.
pub(crate) const APART_MIN: Duration = Duration::from_secs(1);

/// How soon it is told again.
const TOLD_FOR: Duration = Duration::from_secs(3600);

/// A log that was rotated twice within [`APART_MIN`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FastRotation {
    pub(crate) log: PathBuf,
    /// How far the two rotations lay apart.
    pub(crate) apart: Duration,
}

/// Hands over that a log is rotated too often: what was seen first waits to be told, and for an hour
/// nothing else is.
#[derive(Debug, Default)]
pub(crate) struct FastRotations(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Set where nothing is to be told.
    muted: bool,
    waiting: Option<FastRotation>,
    /// When something was taken to be told.
    told: Option<Instant>,
}

impl FastRotations {
    /// From now on nothing is told.
    pub(crate) fn mute(&self) {
        self.0.lock().muted = true;
    }

    /// Notes that a log was rotated too often.
    pub(crate) fn note(&self, seen: FastRotation) {
        let mut state = self.0.lock();
        if !state.muted && state.told.is_none_or(|told| told.elapsed() >= TOLD_FOR) {
            state.waiting.get_or_insert(seen);
        }
    }

    /// What is to be told now.
    pub(crate) fn take(&self) -> Option<FastRotation> {
        let mut state = self.0.lock();
        let seen = state.waiting.take()?;
        state.told = Some(Instant::now());
        Some(seen)
    }

    /// Takes back that it was told: it waits again.
    pub(crate) fn put_back(&self, seen: FastRotation) {
        let mut state = self.0.lock();
        (state.told, state.waiting) = (None, Some(seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(log: &str) -> FastRotation {
        FastRotation { log: log.into(), apart: Duration::from_millis(7) }
    }

    #[test]
    fn the_first_one_is_told_and_no_other_for_an_hour() {
        let rotations = FastRotations::default();
        assert_eq!(rotations.take(), None);
        rotations.note(seen("a.log"));
        rotations.note(seen("b.log"));
        assert_eq!(rotations.take(), Some(seen("a.log")));
        rotations.note(seen("b.log"));
        assert_eq!(rotations.take(), None);
        let an_hour_ago = Instant::now().checked_sub(TOLD_FOR);
        rotations.0.lock().told = an_hour_ago;
        rotations.note(seen("b.log"));
        assert_eq!(rotations.take(), an_hour_ago.map(|_| seen("b.log")));
    }

    #[test]
    fn one_that_found_no_room_waits_again_and_a_muted_one_never_does() {
        let rotations = FastRotations::default();
        rotations.put_back(seen("a.log"));
        assert_eq!(rotations.take(), Some(seen("a.log")));
        let rotations = FastRotations::default();
        rotations.mute();
        rotations.note(seen("a.log"));
        assert_eq!(rotations.take(), None);
    }
}
