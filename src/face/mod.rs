//! What the macros expand to: hidden from users, stable only within one version.

mod check;
mod limit;
mod pick;

pub use check::{check_names, check_text, compiled_in, may_be_trade};
pub use limit::{Every, EveryN};
pub use pick::{Pick, PickAsError, PickError, PickErrorRef, PickHeld, PickValue};

pub use crate::call::{Call, Stamp};
pub use crate::record::{Args, Encode, ErrorChain, Sink, Stored, Text, TypeCode};
pub use crate::site::Site;

use std::time::Duration;

use crate::level::Level;
use crate::record::LogValue;
use crate::ring::PushError;

/// The stored form of a value; its type carries the diagnostics for values that have none.
#[inline(always)]
pub fn stored<T: LogValue + ?Sized>(value: &T) -> T::Stored<'_> {
    value.stored()
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
