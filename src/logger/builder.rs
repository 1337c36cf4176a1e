//! Configuring and starting a logger.

use std::path::PathBuf;
use std::time::Duration;

use super::{Guard, MetaLogger};
use crate::config::{
    Backtrace, BigInts, ConfigError, Configuration, Idle, LogFormat, Origin, Overflow, Settings,
    SyncPolicy, Threading, TimePrecision, TimeZone, UseColors, parameter_methods,
};
use crate::engine::{self, Place, StartError};
use crate::level::Level;

/// The configuration of a logger that is not started yet; made by [`MetaLogger::builder`].
///
/// A method here is a *code parameter*: nothing but the command line overrides it. Values that the
/// operator may override go into [`defaults`](Builder::defaults).
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    defaults: Settings,
    code: Settings,
}

impl Builder {
    parameter_methods!(code);

    /// Sets defaults of the program's own, below everything that an operator sets.
    pub fn defaults(mut self, set: impl FnOnce(Settings) -> Settings) -> Self {
        self.defaults = set(self.defaults);
        self
    }

    /// The effective configuration.
    ///
    /// # Errors
    /// [`ConfigError`] lists every value out of its range.
    pub fn configuration(&self) -> Result<Configuration, ConfigError> {
        let layers =
            [(Origin::CodeDefault, self.defaults.clone()), (Origin::Code, self.code.clone())];
        Configuration::resolve(layers)
    }

    /// Starts the engine: makes the directory, the logs, the journal and the ring, and starts the
    /// writer's threads. Takes a few milliseconds.
    ///
    /// A full, read-only or unwritable disk is no error: the engine then logs to the console,
    /// says so once on stderr, and [`Stats::degraded`](crate::Stats) tells why.
    ///
    /// # Errors
    /// [`StartError`]: a wrong configuration, a refused path, a directory that another engine
    /// logs to, or no memory or threads.
    pub fn build(self) -> Result<(MetaLogger, Guard), StartError> {
        let configuration = self.configuration()?;
        let place = if configuration.log_to_file { Place::Directory } else { Place::Memory };
        let (core, engine) = engine::start(configuration, place)?;
        Ok((MetaLogger::new(core), Guard::new(engine)))
    }
}
