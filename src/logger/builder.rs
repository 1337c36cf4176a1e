//! Configuring and starting a logger.

use std::path::PathBuf;
use std::time::Duration;

use super::{Guard, MetaLogger};
use crate::config::{
    Backtrace, BigInts, ConfigError, Configuration, Idle, Layers, LogFormat, Origin, Overflow,
    Preset, Settings, SyncPolicy, Threading, TimePrecision, TimeZone, UseColors, parameter_methods,
};
use crate::engine::{self, Place, StartError, Wishes};
use crate::level::Level;
use crate::processors::{Chain, Installed, Processor};

/// The configuration of a logger that is not started yet; made by [`MetaLogger::builder`].
///
/// A method here is a *code parameter*: nothing but the command line overrides it. Values that the
/// operator may override go into [`defaults`](Builder::defaults).
///
/// From the lowest to the highest: built-in defaults (with a preset just above them), `defaults`,
/// the configuration file, the environment, the methods here, the command line. The file is
/// `tapelog.toml` in the working directory, or the one that `TAPELOG_CONFIG` names; it may be a
/// larger file with a table `[tapelog]`. The variables are `TAPELOG_LOG_LEVEL` and its siblings.
/// Neither is read after [`code_only`](Builder::code_only), and `argv` never is: a program parses
/// its command line itself and gives the result to [`arguments`](Builder::arguments).
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    code: Settings,
    layers: Layers,
    pub(super) processors: Vec<Installed>,
    rotations_untold: bool,
}

impl Builder {
    parameter_methods!(code);

    /// Sets defaults of the program's own, below everything that an operator sets.
    pub fn defaults(mut self, set: impl FnOnce(Settings) -> Settings) -> Self {
        self.layers.defaults = set(self.layers.defaults);
        self
    }

    /// Sets a code parameter by its name, with a value as an environment variable says it; for
    /// programs that get names from elsewhere. What is wrong with it, `build` tells.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.code = self.code.set(key, value);
        self
    }

    /// Sets what the parsed command line says, above everything else. With the feature `clap`, a
    /// [`LogArgs`](crate::LogArgs) can be given as it is.
    pub fn arguments(mut self, arguments: impl Into<Settings>) -> Self {
        self.layers.arguments = arguments.into();
        self
    }

    /// Reads neither the configuration file nor the environment.
    pub fn code_only(mut self) -> Self {
        self.layers.code_only = true;
        self
    }

    /// Changes what the environment variables begin with: `TAPELOG_` otherwise.
    pub fn env_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.layers.prefix = prefix.into();
        self
    }

    /// Names the configuration file, which then must exist, instead of `tapelog.toml` and
    /// `TAPELOG_CONFIG`.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.layers.file = Some((path.into(), Origin::Code));
        self
    }

    /// Names the configuration file as the program's own argument of this name says, `--config`: as
    /// [`config_file`](Builder::config_file) does, but an error tells of the argument, not of the
    /// program's code, and the operator is not warned that it is above his `TAPELOG_CONFIG`.
    pub fn config_file_argument(
        mut self,
        argument: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> Self {
        self.layers.file = Some((path.into(), Origin::Argument { name: argument.into() }));
        self
    }

    /// Adds a processor behind those added before: it may change each entry on its way from the
    /// journal to the logs, or leave it out; see [`processors`](crate::processors). Clones of the
    /// builder share it.
    pub fn processor(mut self, processor: impl Processor + 'static) -> Self {
        self.processors.push(Installed::new(processor));
        self
    }

    /// For [`testing::without_rotation_warning`](crate::testing::without_rotation_warning).
    pub(crate) fn rotations_untold(mut self) -> Self {
        self.rotations_untold = true;
        self
    }

    /// The effective configuration: what `build` would start with. Reads the file and the
    /// environment.
    ///
    /// # Errors
    /// [`ConfigError`] lists every value that is none or out of its range, and every unknown key.
    pub fn configuration(&self) -> Result<Configuration, ConfigError> {
        self.layers().resolve()
    }

    /// All layers.
    pub(super) fn layers(&self) -> Layers {
        Layers { code: self.code.clone(), ..self.layers.clone() }
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
        let wishes =
            Wishes { chain: Chain::of(self.processors), rotations_untold: self.rotations_untold };
        let (core, engine) = engine::start(configuration, place, wishes)?;
        engine::tell_warnings(&core);
        let log = MetaLogger::new(core);
        Ok((log.clone(), Guard::new(engine, log)))
    }
}
