//! What a strategy is to its host: handlers.

use std::error::Error;

use super::MetaExpert;
use super::market::{Market, Standard};
use super::run::Summary;
use crate::record::UnixNanos;

/// What a handler may fail with: anything.
pub type HandlerError = Box<dyn Error + Send + Sync>;

/// What a handler gives back. An error goes to [`Strategy::on_error`].
pub type HandlerResult = Result<(), HandlerError>;

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a run that is to stop must not be given more events"]
pub enum Flow {
    /// With the next event.
    Continue,
    /// It ends.
    Stop,
}

/// Why [`Strategy::on_deinit`] is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeinitReason {
    /// The feed has no more events.
    FeedEnded,
    /// [`MetaExpert::stop`] or a [`Stopper`](super::Stopper) asked for it.
    Stopped,
    /// [`Strategy::on_init`] failed.
    InitFailed,
    /// [`Strategy::on_error`] said [`Flow::Stop`].
    Error,
    /// A handler panicked; the panic goes on afterwards.
    Panicked,
}

/// What went wrong in a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A handler failed.
    #[error("the handler {handler} failed")]
    Handler {
        /// Its name.
        handler: &'static str,
        /// Its error.
        source: HandlerError,
    },
    /// The feed gave an error instead of an event.
    #[error("the feed gave an error instead of an event")]
    Feed {
        /// Its error.
        source: HandlerError,
    },
}

/// A trading strategy: what it does when something happens.
///
/// Every handler has an empty body, so a strategy writes down only those that it needs. They are
/// called one after the other, on the thread that runs the strategy. What each is given first is
/// its host, with the logger: `info!(expert.logger(), "bar closed", close = bar.close)`.
///
/// A run calls `on_init`, then a handler for each event of the feed and for each time the timer is
/// due, and `on_deinit`, whatever happens. A backtest calls, around all that, `on_backtest_init`
/// once, for each pass `on_backtest` in front of `on_deinit` and `on_backtest_pass` behind it, and
/// `on_backtest_deinit` at the end.
///
/// The names are MetaTrader's: `on_backtest` is `OnTester`, `on_backtest_pass` is `OnTesterPass`.
pub trait Strategy<M: Market = Standard> {
    /// Before the first event. If it fails, the run ends with [`DeinitReason::InitFailed`].
    ///
    /// # Errors
    /// The strategy cannot run.
    fn on_init(&mut self, expert: &MetaExpert) -> HandlerResult {
        let _ = expert;
        Ok(())
    }

    /// At the end, also behind an `on_init` that failed and behind a panic.
    ///
    /// # Errors
    /// Whatever it is, it is logged.
    fn on_deinit(&mut self, expert: &MetaExpert, reason: DeinitReason) -> HandlerResult {
        let _ = (expert, reason);
        Ok(())
    }

    /// The best prices have changed, or others have traded.
    ///
    /// # Errors
    /// Given to [`on_error`](Strategy::on_error), which decides whether the run goes on.
    fn on_tick(&mut self, expert: &MetaExpert, tick: &M::Tick) -> HandlerResult {
        let _ = (expert, tick);
        Ok(())
    }

    /// A bar was closed.
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick).
    fn on_bar(&mut self, expert: &MetaExpert, bar: &M::Bar) -> HandlerResult {
        let _ = (expert, bar);
        Ok(())
    }

    /// The timer is due; `due` is the time at which it is, in a backtest by the market's clock. See
    /// [`ExpertBuilder::timer`](super::ExpertBuilder::timer).
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick).
    fn on_timer(&mut self, expert: &MetaExpert, due: UnixNanos) -> HandlerResult {
        let _ = (expert, due);
        Ok(())
    }

    /// An order of one's own has changed.
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick).
    fn on_order(&mut self, expert: &MetaExpert, order: &M::Order) -> HandlerResult {
        let _ = (expert, order);
        Ok(())
    }

    /// What is held has changed.
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick).
    fn on_position(&mut self, expert: &MetaExpert, position: &M::Position) -> HandlerResult {
        let _ = (expert, position);
        Ok(())
    }

    /// An order of one's own was executed, or a part of it.
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick).
    fn on_transaction(
        &mut self,
        expert: &MetaExpert,
        transaction: &M::Transaction,
    ) -> HandlerResult {
        let _ = (expert, transaction);
        Ok(())
    }

    /// The order book has changed.
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick).
    fn on_book(&mut self, expert: &MetaExpert, book: &M::Book) -> HandlerResult {
        let _ = (expert, book);
        Ok(())
    }

    /// The account has changed.
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick).
    fn on_account(&mut self, expert: &MetaExpert, account: &M::Account) -> HandlerResult {
        let _ = (expert, account);
        Ok(())
    }

    /// A handler or the feed has failed. It was logged at ERROR with its whole chain of causes
    /// before. Decides whether the run goes on; unless written down, it does.
    fn on_error(&mut self, expert: &MetaExpert, error: &RunError) -> Flow {
        let _ = (expert, error);
        Flow::Continue
    }

    /// Before the first pass of a backtest.
    ///
    /// # Errors
    /// The backtest ends before its first pass, but for `on_backtest_deinit`.
    fn on_backtest_init(&mut self, expert: &MetaExpert) -> HandlerResult {
        let _ = expert;
        Ok(())
    }

    /// A pass has had its last event: how good was it? The number stands in [`Summary::score`]; 0 unless written
    /// down.
    fn on_backtest(&mut self, expert: &MetaExpert, summary: &Summary) -> f64 {
        let _ = (expert, summary);
        0.0
    }

    /// A pass is over and has its score: the place to choose the parameters of the next one.
    ///
    /// # Errors
    /// As [`on_tick`](Strategy::on_tick); the passes end if `on_error` says so.
    fn on_backtest_pass(&mut self, expert: &MetaExpert, summary: &Summary) -> HandlerResult {
        let _ = (expert, summary);
        Ok(())
    }

    /// Behind the last pass of a backtest.
    ///
    /// # Errors
    /// Whatever it is, it is logged.
    fn on_backtest_deinit(&mut self, expert: &MetaExpert) -> HandlerResult {
        let _ = expert;
        Ok(())
    }
}
