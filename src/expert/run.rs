//! The loop: a feed's events into a strategy's handlers.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::market::{Event, Market};
use super::session::Session;
use super::strategy::{DeinitReason, Flow, HandlerError, RunError, Strategy};
use super::{MetaExpert, Mode};
use crate::error;
use crate::record::UnixNanos;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The number of the backtest's pass, from 0.
    pub pass: u32,
    /// How many events the handlers were given, the timer's not counted.
    pub events: u64,
    /// How often the timer was called.
    pub timers: u64,
    /// How many times the timer was due and not called; see [`MetaExpert::set_timer`].
    pub timers_missed: u64,
    /// Errors of handlers and of the feed.
    pub errors: u64,
    /// The time of the first event, and of the newest, by the market's clock.
    pub first: Option<UnixNanos>,
    /// See `first`.
    pub last: Option<UnixNanos>,
    /// Why it ended.
    pub reason: DeinitReason,
    /// What [`Strategy::on_backtest`] said; `None` in paper trading and behind an `on_init` that
    /// failed.
    pub score: Option<f64>,
}

impl Summary {
    pub(super) fn new(pass: u32) -> Self {
        Self {
            pass,
            events: 0,
            timers: 0,
            timers_missed: 0,
            errors: 0,
            first: None,
            last: None,
            reason: DeinitReason::InitFailed,
            score: None,
        }
    }
}

impl MetaExpert {
    /// Runs a strategy on a feed, on the calling thread, until the feed ends or the run is stopped.
    ///
    /// The feed is any iterator over events; an error in it is logged, given to
    /// [`Strategy::on_error`], and passed over. In [`Mode::Backtest`] this is a backtest of one
    /// pass.
    ///
    /// # Panics
    /// When a handler or the feed panics: `on_deinit` is called, the logs are brought up to date,
    /// and the panic goes on.
    pub fn run<M, S, E>(
        &mut self,
        strategy: &mut S,
        feed: impl IntoIterator<Item = Result<Event<M>, E>>,
    ) -> Summary
    where
        M: Market,
        S: Strategy<M>,
        E: Into<HandlerError>,
    {
        match self.mode() {
            Mode::Paper => {
                let _reset = Reset { expert: self, mode: Mode::Paper };
                self.run_pass(strategy, feed, 0)
            }
            Mode::Backtest => {
                self.backtest(strategy, [feed]).pop().unwrap_or_else(|| Summary::new(0))
            }
        }
    }

    /// Runs a strategy on one feed after the other, in [`Mode::Backtest`] whatever the builder was
    /// told: the passes of a backtest. Between them the strategy may change itself, in
    /// [`Strategy::on_backtest_pass`].
    ///
    /// Gives what each pass came to. When the run is stopped, or `on_error` says so, no pass
    /// follows; when `on_backtest_init` fails, there is none at all.
    ///
    /// # Panics
    /// As [`run`](MetaExpert::run).
    pub fn backtest<M, S, E, F>(
        &mut self,
        strategy: &mut S,
        passes: impl IntoIterator<Item = F>,
    ) -> Vec<Summary>
    where
        M: Market,
        S: Strategy<M>,
        E: Into<HandlerError>,
        F: IntoIterator<Item = Result<Event<M>, E>>,
    {
        let _reset = Reset { expert: self, mode: self.mode.replace(Mode::Backtest) };
        let mut summaries = Vec::new();
        if let Err(source) = strategy.on_backtest_init(self) {
            // There is nothing to go on with.
            let _flow = report::<M, S>(
                self,
                strategy,
                &RunError::Handler { handler: "on_backtest_init", source },
            );
        } else {
            for (pass, feed) in (0..).zip(passes) {
                let summary = self.run_pass(strategy, feed, pass);
                let flow = match strategy.on_backtest_pass(self, &summary) {
                    Ok(()) => Flow::Continue,
                    Err(source) => report::<M, S>(
                        self,
                        strategy,
                        &RunError::Handler { handler: "on_backtest_pass", source },
                    ),
                };
                let stopped = summary.reason == DeinitReason::Error || self.stopper.is_asked();
                summaries.push(summary);
                if stopped || flow == Flow::Stop {
                    break;
                }
            }
        }
        if let Err(source) = strategy.on_backtest_deinit(self) {
            // The backtest is over anyway.
            let _flow = report::<M, S>(
                self,
                strategy,
                &RunError::Handler { handler: "on_backtest_deinit", source },
            );
        }
        summaries
    }

    /// Begins a run that is given its events one by one: `on_init`.
    pub fn start<'e, M: Market, S: Strategy<M>>(
        &'e mut self,
        strategy: &'e mut S,
    ) -> Session<'e, S, M> {
        self.stopper.reset();
        let mut session = Session::new(self, strategy, 0);
        session.init();
        session
    }

    fn run_pass<M, S, E>(
        &self,
        strategy: &mut S,
        feed: impl IntoIterator<Item = Result<Event<M>, E>>,
        pass: u32,
    ) -> Summary
    where
        M: Market,
        S: Strategy<M>,
        E: Into<HandlerError>,
    {
        let mut session = Session::new(self, strategy, pass);
        let run = || {
            session.init();
            session.pump(feed);
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(()) => session.end(),
            Err(payload) => {
                session.panicked(Some(&*payload));
                resume_unwind(payload)
            }
        }
    }
}

/// Makes the host ready for another run.
struct Reset<'e> {
    expert: &'e MetaExpert,
    mode: Mode,
}

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.expert.mode.set(self.mode);
        self.expert.stopper.reset();
    }
}

/// Logs an error with its causes, and asks the strategy what to do.
pub(super) fn report<M: Market, S: Strategy<M>>(
    expert: &MetaExpert,
    strategy: &mut S,
    error: &RunError,
) -> Flow {
    let log = expert.logger();
    match error {
        RunError::Handler { handler, source } => {
            error!(log, "handler failed", handler = *handler, error = source);
        }
        RunError::Feed { source } => error!(log, "feed failed", error = source),
    }
    strategy.on_error(expert, error)
}
