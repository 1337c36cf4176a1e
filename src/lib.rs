//! A lock-free logging engine for trading programs.

mod clock;
mod level;
mod record;

pub use clock::{Ticks, now};
pub use level::{Category, Level, ParseLevelError};
pub use record::{Bytes, Decimal, LogValue, UnixNanos};
mod definition;
mod entry;
mod journal;
