//! What a log call brings besides its values.

use crate::clock::{self, Ticks};
use crate::record::{TimeKind, UnixNanos};
use crate::site::Site;

/// When an event happened, and by whose clock.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    pub(crate) time: u64,
    pub(crate) kind: TimeKind,
}

impl Stamp {
    /// Reads the tick counter.
    #[inline(always)]
    #[must_use]
    pub fn own() -> Self {
        Self { time: clock::now().0, kind: TimeKind::OwnTicks }
    }
}

impl From<Ticks> for Stamp {
    #[inline(always)]
    fn from(ticks: Ticks) -> Self {
        Self { time: ticks.0, kind: TimeKind::CallerTicks }
    }
}

impl From<UnixNanos> for Stamp {
    #[inline(always)]
    fn from(time: UnixNanos) -> Self {
        Self { time: time.0 as u64, kind: TimeKind::CallerUnixNanos }
    }
}

/// What a macro knows of its call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Where the call stands.
    pub site: &'static Site,
    /// When it happened.
    pub stamp: Stamp,
}
