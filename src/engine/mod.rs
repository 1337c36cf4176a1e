//! The engine: wires ring, journal, writer and views together and takes them apart again.

mod control;
mod core;
mod levels;

pub use control::Unfinished;
pub(crate) use control::{Control, Progress};
pub(crate) use core::{ContextRef, Core, Unusual, ticks_now};
