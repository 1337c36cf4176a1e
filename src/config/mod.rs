//! The configuration model: every parameter with its meaning, default and range.

mod check;
mod error;
mod formats;
mod model;
mod pattern;

pub use error::{ConfigError, Origin, Problem};
pub(crate) use model::parameter_methods;
pub use model::{
    Backtrace, BigInts, Configuration, Idle, LogFormat, Overflow, Settings, SyncPolicy, Threading,
    TimePrecision, TimeZone, UseColors,
};
pub(crate) use pattern::{Column, Pattern, PatternPart, PatternPiece};
