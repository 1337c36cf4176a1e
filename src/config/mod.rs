//! The configuration model: every parameter with its meaning, default and range.

mod check;
mod error;
mod masking;
mod model;

pub(crate) use check::check_mask_keys;
pub use error::{ConfigError, Origin, Problem};
pub(crate) use masking::{MaskKey, compile_pattern};
pub(crate) use model::parameter_methods;
pub use model::{
    Backtrace, BigInts, Configuration, Idle, LogFormat, Overflow, Settings, SyncPolicy, Threading,
    TimePrecision, TimeZone, UseColors,
};
