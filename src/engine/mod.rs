//! The engine: wires ring, journal, writer and views together and takes them apart again.

mod directory;
mod ending;
mod error;
mod panics;
mod reload;
mod signals;
mod start;

pub use error::StartError;
pub use reload::ReloadError;
pub(crate) use reload::{reload, switch_console, tell_warnings};
pub(crate) use start::{Engine, Place, Wishes, start, start_closed};
