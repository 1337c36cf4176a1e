//! The engine: wires ring, journal, writer and views together and takes them apart again.

mod control;
mod core;
mod directory;
mod forked;
mod levels;
mod start;
mod sync;

pub use control::Unfinished;
pub(crate) use control::{Control, Progress, ViewCounts};
pub(crate) use core::{Bindings, Bound, ContextRef, Core, Unusual};
pub(crate) use start::{Engine, Place, start};
pub use sync::SyncError;
