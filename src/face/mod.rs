//! What the macros expand to: hidden from users, stable only within one version.

mod check;
mod limit;
mod pick;

pub use check::{check_names, check_text, compiled_in, may_be_trade};
pub use limit::{Every, EveryN};
pub use pick::{Pick, PickError, PickErrorRef, PickHeld, PickValue};

pub use crate::record::{Args, Encode, ErrorChain, Sink, Stored, Text, TypeCode};
pub use crate::site::Site;

use std::time::Duration;

use crate::clock::{self, Ticks};
use crate::level::Level;
use crate::record::{LogValue, TimeKind, UnixNanos};
use crate::ring::PushError;

/// The stored form of a value; its type carries the diagnostics for values that have none.
#[inline(always)]
pub fn stored<T: LogValue + ?Sized>(value: &T) -> T::Stored<'_> {
    value.stored()
}

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

/// Anything that can stand first in a log macro.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no logger",
    label = "a log macro takes a `MetaLogger`, a `Producer` or `producer.with(&log)` first"
)]
pub trait Face {
    /// Whether an entry of this level, of a trade event or not, would be kept.
    fn enabled(&self, level: Level, trade: bool) -> bool;

    /// How many ticks pass in `duration`.
    fn ticks_in(&self, duration: Duration) -> u64;

    /// Hands the record to the ring.
    ///
    /// # Errors
    /// [`PushError`] when it is refused; the loss has been counted.
    fn submit<A: Args>(&self, call: Call, args: A) -> Result<(), PushError>;
}

impl<F: Face + ?Sized> Face for &F {
    #[inline(always)]
    fn enabled(&self, level: Level, trade: bool) -> bool {
        (**self).enabled(level, trade)
    }

    fn ticks_in(&self, duration: Duration) -> u64 {
        (**self).ticks_in(duration)
    }

    #[inline(always)]
    fn submit<A: Args>(&self, call: Call, args: A) -> Result<(), PushError> {
        (**self).submit(call, args)
    }
}
