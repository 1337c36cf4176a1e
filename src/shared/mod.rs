//! What the loggers and the writer of one engine share: the ring and the levels that calls look at,
//! flush requests, and the writer's progress.

mod control;
mod core;
mod levels;
mod sync;

pub use control::Unfinished;
pub(crate) use control::{Control, Progress, ViewCounts};
pub(crate) use core::{Bindings, Bound, ContextRef, Core, Lanes, Unusual, ticks_now};
pub(crate) use levels::Levels;
pub use sync::SyncError;
