//! The engine: wires ring, journal, writer and views together and takes them apart again.

mod directory;
mod error;
mod forked;
mod panics;
mod signals;
mod start;

pub use error::StartError;
pub(crate) use start::{Engine, Place, start, start_closed};
