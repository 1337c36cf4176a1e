//! Configuring a host.

use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{MetaExpert, Mode, Stopper};
use crate::config::{
    Backtrace, BigInts, Idle, LogFormat, Overflow, Preset, SyncPolicy, Threading, TimePrecision,
    TimeZone, UseColors, parameter_methods,
};
use crate::context;
use crate::engine::StartError;
use crate::level::Level;
use crate::logger::{Builder, Guard, MetaLogger};

/// What a strategy is called, and where it trades.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) symbol: Option<String>,
    pub(super) strategy_id: Option<String>,
    pub(super) account_id: Option<String>,
    pub(super) timeframe: Option<String>,
    pub(super) magic: Option<u64>,
    pub(super) version: Option<String>,
}

impl Identity {
    /// Binds what is known of the names that the contract wants on every entry.
    fn bind(&self, log: &MetaLogger) -> MetaLogger {
        let mut bound = log.bind(context! { expert_name = self.name.as_str() });
        if let Some(symbol) = self.symbol.as_deref() {
            bound = bound.bind(context! { symbol = symbol });
        }
        if let Some(strategy_id) = self.strategy_id.as_deref() {
            bound = bound.bind(context! { strategy_id = strategy_id });
        }
        if let Some(account_id) = self.account_id.as_deref() {
            bound = bound.bind(context! { account_id = account_id });
        }
        bound
    }
}

/// The configuration of a [`MetaExpert`] that is not made yet.
///
/// It takes every logging parameter, as [`MetaLogger::builder`] does, beside what is said of the
/// strategy. A value given here is a *code parameter*: nothing but the command line overrides it;
/// what the operator may override goes into [`logging`](ExpertBuilder::logging).
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ExpertBuilder {
    log: Builder,
    shared: Option<MetaLogger>,
    identity: Identity,
    mode: Mode,
    timer: Duration,
}

impl fmt::Debug for ExpertBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpertBuilder")
            .field("identity", &self.identity)
            .field("mode", &self.mode)
            .field("timer", &self.timer)
            .finish_non_exhaustive()
    }
}

impl ExpertBuilder {
    pub(super) fn new(name: String) -> Self {
        let identity = Identity { name, ..Identity::default() };
        let (log, timer) = (Builder::default(), Duration::ZERO);
        Self { log, shared: None, identity, mode: Mode::Paper, timer }
    }

    /// What is traded: bound to every entry as `symbol`.
    pub fn symbol(mut self, symbol: impl Into<String>) -> Self {
        self.identity.symbol = Some(symbol.into());
        self
    }

    /// The strategy's name for the desk: bound as `strategy_id`.
    pub fn strategy_id(mut self, strategy_id: impl Into<String>) -> Self {
        self.identity.strategy_id = Some(strategy_id.into());
        self
    }

    /// The account: bound as `account_id`, of which the logs show the last three characters.
    pub fn account_id(mut self, account_id: impl Into<String>) -> Self {
        self.identity.account_id = Some(account_id.into());
        self
    }

    /// The length of the bars that the strategy works with, such as `1m`; for the strategy to ask.
    pub fn timeframe(mut self, timeframe: impl Into<String>) -> Self {
        self.identity.timeframe = Some(timeframe.into());
        self
    }

    /// The number by which the strategy knows its own orders; for the strategy to ask.
    pub fn magic(mut self, magic: u64) -> Self {
        self.identity.magic = Some(magic);
        self
    }

    /// The strategy's version; for the strategy to ask.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.identity.version = Some(version.into());
        self
    }

    /// What [`MetaExpert::run`] does: paper trading unless set.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How often [`on_timer`](super::Strategy::on_timer) is called; zero, and so it is unless set,
    /// is never. See [`MetaExpert::set_timer`].
    pub fn timer(mut self, interval: Duration) -> Self {
        self.timer = interval;
        self
    }

    /// Everything else that a logger's builder takes, such as defaults that the operator may
    /// override: `.logging(|log| log.defaults(|d| d.log_level(Level::Debug)))`.
    pub fn logging(mut self, set: impl FnOnce(Builder) -> Builder) -> Self {
        self.log = set(self.log);
        self
    }

    /// Logs through a logger that runs already, and ends with its own guard: for several strategies
    /// in one program, and for tests. The logging parameters given here are then not looked at.
    pub fn logger(mut self, log: &MetaLogger) -> Self {
        self.shared = Some(log.clone());
        self
    }

    parameter_methods!(log);

    /// Starts the logging and makes the host.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn build(self) -> Result<MetaExpert, StartError> {
        self.make(|builder| builder.build())
    }

    /// The same, but never fails: where the logs cannot be had, it logs to the console. See
    /// [`Builder::build_or_console`].
    pub fn build_or_console(self) -> MetaExpert {
        let made: Result<_, std::convert::Infallible> =
            self.make(|builder| Ok(builder.build_or_console()));
        match made {
            Ok(expert) => expert,
        }
    }

    fn make<E>(
        self,
        start: impl FnOnce(Builder) -> Result<(MetaLogger, Guard), E>,
    ) -> Result<MetaExpert, E> {
        let (log, guard) = match self.shared {
            Some(log) => (log, None),
            None => {
                let (log, guard) = start(self.log)?;
                (log, Some(guard))
            }
        };
        Ok(MetaExpert {
            log: self.identity.bind(&log),
            identity: self.identity,
            mode: Cell::new(self.mode),
            timer: Cell::new(self.timer),
            market_time: Cell::new(None),
            stopper: Stopper::default(),
            guard,
        })
    }
}
