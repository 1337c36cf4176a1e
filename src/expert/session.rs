//! A run, event by event.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use super::market::{Event, Market, Standard};
use super::run::{Summary, report};
use super::strategy::{DeinitReason, Flow, HandlerError, HandlerResult, RunError, Strategy};
use super::timer::Timer;
use super::{MetaExpert, Mode, wall_time};
use crate::error;
use crate::record::UnixNanos;
use crate::shared::{MarketClock, Shown};

/// A run that is given its events one by one: for a program with a loop of its own. Made by
/// [`MetaExpert::start`]; [`MetaExpert::run`] is the same for a feed that is an iterator.
///
/// Dropped without [`end`](Session::end), it calls `on_deinit`, too; if a panic passes through,
/// with [`DeinitReason::Panicked`], and brings the logs up to date before the panic goes on.
pub struct Session<'e, S: Strategy<M>, M: Market = Standard> {
    expert: &'e MetaExpert,
    strategy: &'e mut S,
    /// In a backtest.
    clock: Option<MarketClock>,
    timer: Timer,
    begun: Instant,
    begun_at: UnixNanos,
    /// Why it takes no more events.
    over: Option<DeinitReason>,
    /// Whether `on_deinit` was called.
    deinited: bool,
    /// Whether nothing is left to be done.
    ended: bool,
    /// Whether what was asked of the stopper ends with it: no other pass follows.
    pub(super) is_alone: bool,
    summary: Summary,
    market: PhantomData<fn(&M)>,
}

impl<S: Strategy<M>, M: Market> fmt::Debug for Session<'_, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("expert", &self.expert)
            .field("summary", &self.summary)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl<'e, S: Strategy<M>, M: Market> Session<'e, S, M> {
    pub(super) fn new(expert: &'e MetaExpert, strategy: &'e mut S, pass: u32) -> Self {
        let backtest = expert.mode() == Mode::Backtest;
        expert.market_time.set(None);
        Self {
            expert,
            strategy,
            clock: backtest.then(|| MarketClock::new(expert.log.core())),
            timer: Timer::new(backtest),
            begun: Instant::now(),
            begun_at: wall_time(),
            over: None,
            deinited: false,
            ended: false,
            is_alone: false,
            summary: Summary::new(pass),
            market: PhantomData,
        }
    }

    pub(super) fn init(&mut self) {
        if let Err(source) = self.strategy.on_init(self.expert) {
            // Whatever `on_error` says, there is nothing to go on with.
            let _flow = self.fail(RunError::Handler { handler: "on_init", source });
            self.over = Some(DeinitReason::InitFailed);
        }
    }

    /// Gives the strategy everything that the feed has.
    pub(super) fn pump<E: Into<HandlerError>>(
        &mut self,
        feed: impl IntoIterator<Item = Result<Event<M>, E>>,
    ) {
        if self.over.is_some() {
            return;
        }
        for item in feed {
            let flow = match item {
                Ok(event) => self.dispatch(&event),
                Err(error) => self.feed_error(error),
            };
            if flow == Flow::Stop {
                break;
            }
        }
    }

    /// The timer if it is due, then the event's handler.
    ///
    /// [`Flow::Stop`] when the run is over; events that are given afterwards are not looked at.
    #[inline]
    pub fn dispatch(&mut self, event: &Event<M>) -> Flow {
        let time = event.time();
        if self.is_over() || self.call_timer(time) == Flow::Stop {
            return Flow::Stop;
        }
        let _shown = time.and_then(|time| self.set_time(time));
        match event {
            Event::Tick(tick) => self.call("on_tick", |s, expert| s.on_tick(expert, tick)),
            Event::Bar(bar) => self.call("on_bar", |s, expert| s.on_bar(expert, bar)),
            Event::Order(order) => self.call("on_order", |s, expert| s.on_order(expert, order)),
            Event::Position(position) => {
                self.call("on_position", |s, expert| s.on_position(expert, position))
            }
            Event::Transaction(transaction) => {
                self.call("on_transaction", |s, expert| s.on_transaction(expert, transaction))
            }
            Event::Book(book) => self.call("on_book", |s, expert| s.on_book(expert, book)),
            Event::Account(account) => {
                self.call("on_account", |s, expert| s.on_account(expert, account))
            }
            Event::Idle => Flow::Continue,
        }
    }

    /// The feed gave an error instead of an event: it is logged, and `on_error` decides.
    pub fn feed_error(&mut self, error: impl Into<HandlerError>) -> Flow {
        if self.is_over() {
            return Flow::Stop;
        }
        let _shown = self.summary.last.and_then(|time| self.set_time(time));
        self.fail(RunError::Feed { source: error.into() })
    }

    /// The strategy.
    #[inline]
    pub fn strategy(&mut self) -> &mut S {
        self.strategy
    }

    /// Ends the run, unless it is over already: `on_deinit`.
    pub fn end(mut self) -> Summary {
        self.guard(|session| session.finish(DeinitReason::FeedEnded));
        self.summary.clone()
    }

    #[inline]
    fn is_over(&mut self) -> bool {
        if self.expert.stopper.is_asked() {
            self.over.get_or_insert(DeinitReason::Stopped);
        }
        self.over.is_some()
    }

    #[inline]
    fn set_time(&mut self, time: UnixNanos) -> Option<Shown> {
        self.summary.first.get_or_insert(time);
        self.summary.last = Some(time);
        let clock = self.clock.as_ref()?;
        self.expert.market_time.set(Some(time));
        Some(clock.show(time))
    }

    #[inline]
    fn call(
        &mut self,
        handler: &'static str,
        work: impl FnOnce(&mut S, &MetaExpert) -> HandlerResult,
    ) -> Flow {
        self.summary.events += 1;
        let result = work(self.strategy, self.expert);
        self.settle(handler, result)
    }

    #[inline]
    fn settle(&mut self, handler: &'static str, result: HandlerResult) -> Flow {
        if let Err(source) = result {
            // Whether the run is over is asked below.
            let _flow = self.fail(RunError::Handler { handler, source });
        }
        if self.is_over() { Flow::Stop } else { Flow::Continue }
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, error: RunError) -> Flow {
        self.summary.errors += 1;
        let flow = report(self.expert, self.strategy, &error);
        if flow == Flow::Stop {
            self.over.get_or_insert(DeinitReason::Error);
        }
        flow
    }

    #[inline]
    fn call_timer(&mut self, time: Option<UnixNanos>) -> Flow {
        if self.expert.timer().is_zero() { Flow::Continue } else { self.call_due(time) }
    }

    /// Calls `on_timer` for each time that is due.
    #[inline(never)]
    fn call_due(&mut self, time: Option<UnixNanos>) -> Flow {
        let (backtest, begun_at) = (self.clock.is_some(), self.begun_at.0);
        let now = match time {
            Some(time) if backtest => time.0,
            None if backtest => return Flow::Continue,
            _ => begun_at.saturating_add(self.begun.elapsed().as_nanos() as i64),
        };
        while let Some(due) = self.timer.due(self.expert.timer(), now) {
            let due = UnixNanos(due);
            let _shown = if backtest { self.set_time(due) } else { None };
            self.summary.timers += 1;
            let result = self.strategy.on_timer(self.expert, due);
            if self.settle("on_timer", result) == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    /// The end of a run that did not panic.
    fn finish(&mut self, reason: DeinitReason) {
        let reason = *self.over.get_or_insert(reason);
        self.summary.reason = reason;
        self.summary.timers_missed = self.timer.missed;
        let _shown = self.summary.last.and_then(|time| self.set_time(time));
        if self.clock.is_some() && reason != DeinitReason::InitFailed {
            let score = self.strategy.on_backtest(self.expert, &self.summary);
            self.summary.score = Some(score);
        }
        self.deinited = true;
        if let Err(source) = self.strategy.on_deinit(self.expert, reason) {
            // The run is over anyway.
            let _flow = self.fail(RunError::Handler { handler: "on_deinit", source });
        }
        self.ended = true;
    }

    /// Does a part of the run. Behind a panic in it the run ends, and the panic goes on.
    pub(super) fn guard(&mut self, work: impl FnOnce(&mut Self)) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| work(self))) {
            self.panicked(Some(&*payload));
            resume_unwind(payload);
        }
    }

    /// The end of a run that did: `on_deinit`, unless it was called, and everything into the logs.
    #[cold]
    fn panicked(&mut self, payload: Option<&(dyn Any + Send)>) {
        self.ended = true;
        let (expert, log) = (self.expert, &self.expert.log);
        let _shown = match (&self.clock, self.summary.last) {
            (Some(clock), Some(time)) => Some(clock.show(time)),
            _ => None,
        };
        expert.panicked(payload, || {
            if std::mem::replace(&mut self.deinited, true) {
                return;
            }
            let deinit = || self.strategy.on_deinit(expert, DeinitReason::Panicked);
            match catch_unwind(AssertUnwindSafe(deinit)) {
                Ok(Ok(())) => {}
                Ok(Err(source)) => {
                    error!(log, "handler failed", handler = "on_deinit", error = &source);
                }
                Err(_) => error!(log, "handler panicked", handler = "on_deinit"),
            }
        });
    }
}

impl<S: Strategy<M>, M: Market> Drop for Session<'_, S, M> {
    fn drop(&mut self) {
        if !self.ended && std::thread::panicking() {
            self.panicked(None);
        } else if !self.ended {
            self.guard(|session| session.finish(DeinitReason::Stopped));
        }
        if self.is_alone {
            self.expert.stopper.reset();
        }
    }
}
