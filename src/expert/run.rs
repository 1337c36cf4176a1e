//! The loop: a feed's events into a strategy's handlers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::market::{Event, Market};
use super::session::Session;
use super::strategy::{DeinitReason, Flow, HandlerError, HandlerResult, RunError, Strategy};
use super::{MetaExpert, Mode};
use crate::record::UnixNanos;
use crate::shared::MarketClock;
use crate::{critical, error};

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
    /// When a handler or the feed panics: that is logged, `on_deinit` is called unless it was
    /// already, the logs are brought up to date, and the panic goes on.
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
        self.market_time.set(None);
        let mut summaries = Vec::new();
        let init = |strategy: &mut S| strategy.on_backtest_init(self);
        // Behind a failure there is nothing to go on with, whatever `on_error` says.
        if self.around(strategy, "on_backtest_init", init).is_ok() {
            let mut passes = self.watched(|| (0..).zip(passes));
            while let Some((pass, feed)) = self.watched(|| passes.next()) {
                let summary = self.run_pass(strategy, feed, pass);
                let flow = self.around(strategy, "on_backtest_pass", |strategy| {
                    strategy.on_backtest_pass(self, &summary)
                });
                let stopped = summary.reason == DeinitReason::Error || self.stopper.is_asked();
                summaries.push(summary);
                if stopped || flow == Err(Flow::Stop) {
                    break;
                }
            }
        }
        // The backtest is over, whatever `on_error` says.
        let _flow = self
            .around(strategy, "on_backtest_deinit", |strategy| strategy.on_backtest_deinit(self));
        summaries
    }

    /// Begins a run that is given its events one by one: `on_init`.
    pub fn start<'e, M: Market, S: Strategy<M>>(
        &'e mut self,
        strategy: &'e mut S,
    ) -> Session<'e, S, M> {
        let mut session = Session::new(self, strategy, 0);
        session.is_alone = true;
        session.guard(Session::init);
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
        session.guard(|session| {
            session.init();
            session.pump(feed);
        });
        session.end()
    }

    /// Calls a handler around the passes of a backtest; the market's time is what it was last. `Err`
    /// is what `on_error` said to its failure.
    fn around<M: Market, S: Strategy<M>>(
        &self,
        strategy: &mut S,
        handler: &'static str,
        call: impl FnOnce(&mut S) -> HandlerResult,
    ) -> Result<(), Flow> {
        let clock = MarketClock::new(self.log.core());
        let _shown = self.market_time.get().map(|time| clock.show(time));
        self.watched(|| {
            call(strategy).map_err(|source| {
                report::<M, S>(self, strategy, &RunError::Handler { handler, source })
            })
        })
    }

    /// Does a part of a run outside its sessions, whose panics are logged like theirs.
    fn watched<T>(&self, work: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
            self.panicked(Some(&*payload), || ());
            resume_unwind(payload)
        })
    }

    /// Logs that a handler or the feed panicked, does what is to be done then, and brings the logs
    /// up to date.
    #[cold]
    pub(super) fn panicked(&self, payload: Option<&(dyn Any + Send)>, then: impl FnOnce()) {
        let log = &self.log;
        let configuration = &log.core().configuration;
        // With `panic_hook` it stands in the log already, with its place.
        if !configuration.panic_hook {
            critical!(log, "the strategy panicked", panic = payload.and_then(message));
        }
        then();
        if let Err(unfinished) = log.flush(configuration.shutdown_timeout) {
            error!(log, "logs behind", records = unfinished.records);
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

/// What a panic said.
fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
