//! The configuration: every parameter with its meaning, default and range, and the layers that
//! values come from.

#[cfg(feature = "clap")]
mod arguments;
mod check;
mod describe;
mod environment;
mod error;
#[cfg(feature = "config-file")]
mod file;
mod form;
mod formats;
#[cfg(all(any(test, fuzzing), feature = "config-file"))]
pub(crate) mod hostile;
mod kinds;
mod layers;
mod levels;
mod masking;
mod model;
mod parameters;
mod pattern;
mod presets;
mod raw;
mod show;
mod special;
mod suggest;
mod syslog;
mod units;

#[cfg(feature = "clap")]
pub use arguments::LogArgs;
pub(crate) use check::check_mask_keys;
pub use describe::{Parameter, parameters};
pub use error::{ConfigError, Origin, Problem};
pub use form::Shape;
pub use kinds::{
    Backtrace, BigInts, Idle, LogFormat, Overflow, Preset, SyncPolicy, Threading, TimePrecision,
    TimeZone, UseColors,
};
pub(crate) use layers::Layers;
pub(crate) use masking::{MaskKey, compile_pattern};
pub(crate) use parameters::parameter_methods;
pub use parameters::{Configuration, Settings};
pub(crate) use pattern::{Column, Pattern, PatternPart, PatternPiece};
pub(crate) use syslog::SyslogTarget;
