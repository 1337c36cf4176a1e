//! A lock-free logging engine for trading programs.
//!
//! The README has the first five minutes; [`MetaLogger`] is where to start.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "tapelog runs on Linux, on x86-64 and aarch64, only: make it a dependency of these targets alone, \
     by `[target.'cfg(target_os = \"linux\")'.dependencies]` in Cargo.toml"
);

#[cfg(any(feature = "log", feature = "tracing"))]
pub mod bridge;
mod call;
mod clock;
mod config;
mod context;
mod crash;
mod definition;
mod engine;
mod entry;
pub mod expert;
mod face;
mod files;
mod filter;
mod formatters;
#[cfg(all(any(test, fuzzing), feature = "config-file"))]
#[doc(hidden)]
pub mod fuzzing;
mod handlers;
mod journal;
mod level;
mod logger;
mod macros;
mod metrics;
mod one_line;
#[doc(hidden)]
pub mod parts;
pub mod processors;
pub mod reading;
mod record;
pub mod recovery;
mod ring;
mod shared;
mod site;
mod stack;
mod sync;
pub mod testing;
mod writer;

pub use clock::{Ticks, now};
#[cfg(feature = "clap")]
pub use config::LogArgs;
pub use config::{
    Backtrace, BigInts, ConfigError, Configuration, Idle, LogFormat, Origin, Overflow, Parameter,
    Preset, Problem, Settings, Shape, SyncPolicy, Threading, TimePrecision, TimeZone, UseColors,
    parameters,
};
pub use context::{Context, DynamicValue, Identifier};
pub use engine::{ReloadError, StartError};
pub use expert::MetaExpert;
pub use level::{Category, Level, ParseLevelError};
pub use logger::{Builder, Contextual, Guard, InContext, MetaLogger, Producer, Scope, With};
pub use record::{Bytes, Decimal, LogValue, UnixNanos};
pub use ring::PushError;
pub use shared::{CallTimes, FileError, Lost, Stats, SyncError, Unfinished};

/// The name that the specification has for [`Configuration`].
pub type LogConfiguration = Configuration;

#[doc(hidden)]
pub mod __private {
    pub use crate::face::*;
}

/// The code blocks of the guides, compiled and run. Those of the README are programs of `examples/`,
/// which `tests/examples.rs` runs; `tests/docs.rs` compares the texts.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../docs/guides/quickstart.md")]
    struct Quickstart;
    #[doc = include_str!("../docs/guides/logging.md")]
    struct Logging;
    #[doc = include_str!("../docs/guides/configuration.md")]
    struct Configuration;
    #[doc = include_str!("../docs/guides/migration.md")]
    struct Migration;
}
