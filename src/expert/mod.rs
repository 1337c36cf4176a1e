//! The host of a trading strategy: it gives the strategy its logger and its events.
//!
//! ```
//! use tapelog::expert::{Event, HandlerResult, Mode, Strategy, Tick};
//! use tapelog::{MetaExpert, UnixNanos, info, trade};
//!
//! #[derive(Default)]
//! struct Buyer {
//!     ticks: u64,
//! }
//!
//! impl Strategy for Buyer {
//!     fn on_tick(&mut self, expert: &MetaExpert, tick: &Tick) -> HandlerResult {
//!         self.ticks += 1;
//!         info!(expert.logger(), "tick", bid = tick.bid, ask = tick.ask);
//!         if self.ticks == 2 {
//!             trade!(expert.logger(), "order sent", order_id = "O-1", size = 0.1);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # let (log, captured) = tapelog::testing::capture();
//! let mut expert = MetaExpert::builder("Buyer")
//!     .symbol("BTCUSDT")
//!     .strategy_id("buyer-1")
//!     .account_id("paper-001")
//!     .mode(Mode::Backtest)
//! #   .logger(&log)
//!     .build_or_console();
//! let feed = (1..=3).map(|second: i64| {
//!     let time = UnixNanos(second * 1_000_000_000);
//!     Ok::<_, std::io::Error>(Event::from(Tick::new(time, 70_000.0, 70_000.1)))
//! });
//! let summary = expert.run(&mut Buyer::default(), feed);
//! assert_eq!(summary.events, 3);
//! # let entries = captured.entries();
//! # assert_eq!(entries[0].fields["market_time"], "1970-01-01T00:00:01Z");
//! # assert_eq!(entries[2].context["strategy_id"], "buyer-1");
//! ```
//!
//! # Time
//!
//! In [`Mode::Paper`] the feed is live, or replayed as if it were: there is one clock, the wall's.
//!
//! In [`Mode::Backtest`] there are two. From a pass's first event on, every entry that is logged on
//! the thread that runs the strategy while a handler runs, through whatever logger of the engine,
//! carries the market's time as the field `market_time`, in nanoseconds; its own stamp (`timestamp`)
//! stays the wall clock's. In front of the first event, in `on_backtest_init` and `on_init`, there is
//! no such time yet; behind the last one it stays what it was. Who analyses a backtest sorts and
//! joins by `market_time`. The logs themselves stay in the order in which things happened, with
//! losses, rotations and `late` entries meaning what they always mean, even when several passes run
//! over the same days one after the other. A call that has a field `market_time` of its own keeps
//! that one. Records of a backtest take the cold path and 8 bytes more.

mod builder;
mod events;
mod market;
mod run;
mod session;
mod strategy;
mod timer;

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use builder::ExpertBuilder;
pub use events::{
    Account, Bar, Book, Order, OrderStatus, Position, Side, Tick, Timed, Transaction,
};
pub use market::{Event, Market, Standard};
pub use run::Summary;
pub use session::Session;
pub use strategy::{DeinitReason, Flow, HandlerError, HandlerResult, RunError, Strategy};

use crate::logger::{Guard, MetaLogger, Producer};
use crate::record::UnixNanos;
use builder::Identity;

/// How a strategy is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// On a market that goes on now, or one that is replayed as if it did. The timer follows the
    /// wall clock.
    Paper,
    /// On a market of the past, as fast as it goes. The timer follows the market's clock, and from
    /// the first event on the entries carry the market's time; see [the module](self#time).
    Backtest,
}

/// The host of a strategy: its logger, what is known of it, and the loop that runs it.
///
/// The logger is bound to `expert_name`, `symbol`, `strategy_id` and `account_id`. Dropping the
/// host ends the logging that it started, and writes everything out first.
pub struct MetaExpert {
    log: MetaLogger,
    identity: Identity,
    mode: Cell<Mode>,
    timer: Cell<Duration>,
    market_time: Cell<Option<UnixNanos>>,
    stopper: Stopper,
    /// `None` if the logging is not ours to end.
    guard: Option<Guard>,
}

impl fmt::Debug for MetaExpert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetaExpert")
            .field("identity", &self.identity)
            .field("mode", &self.mode)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

impl MetaExpert {
    /// Starts the configuration of a host for the strategy of this name, bound to every entry as
    /// `expert_name`.
    pub fn builder(name: impl Into<String>) -> ExpertBuilder {
        ExpertBuilder::new(name.into())
    }

    /// The strategy's logger. Clone it to log from other threads.
    #[inline]
    #[must_use]
    pub fn logger(&self) -> &MetaLogger {
        &self.log
    }

    /// A face with the same context and a lane of its own, for the hottest loops: make it in
    /// [`Strategy::on_init`] and keep it.
    #[must_use]
    pub fn producer(&self) -> Producer {
        self.log.producer()
    }

    /// The strategy's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// What is traded.
    #[must_use]
    pub fn symbol(&self) -> Option<&str> {
        self.identity.symbol.as_deref()
    }

    /// The strategy's name for the desk.
    #[must_use]
    pub fn strategy_id(&self) -> Option<&str> {
        self.identity.strategy_id.as_deref()
    }

    /// The account.
    #[must_use]
    pub fn account_id(&self) -> Option<&str> {
        self.identity.account_id.as_deref()
    }

    /// The length of the strategy's bars.
    #[must_use]
    pub fn timeframe(&self) -> Option<&str> {
        self.identity.timeframe.as_deref()
    }

    /// The number by which the strategy knows its own orders.
    #[must_use]
    pub fn magic(&self) -> Option<u64> {
        self.identity.magic
    }

    /// The strategy's version.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.identity.version.as_deref()
    }

    /// How the strategy is run.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.get()
    }

    /// The market's time in a backtest: that of the newest event. `None` before the first one of a
    /// pass, and in paper trading.
    #[must_use]
    pub fn market_time(&self) -> Option<UnixNanos> {
        self.market_time.get()
    }

    /// The time that the strategy should go by: the market's in a backtest, else the wall clock's.
    #[must_use]
    pub fn now(&self) -> UnixNanos {
        self.market_time().unwrap_or_else(wall_time)
    }

    /// How often [`Strategy::on_timer`] is called; zero is never.
    #[must_use]
    pub fn timer(&self) -> Duration {
        self.timer.get()
    }

    /// Changes how often [`Strategy::on_timer`] is called, from now on; zero is never.
    ///
    /// The timer is looked at in front of each event. In a backtest it is called for each time that
    /// has passed by the market's clock, but for at most 10,000 of them between two events: a longer
    /// silence is passed over. In paper trading it is called once, however often it would have been
    /// due; a feed that would wait long gives an [`Event::Idle`] now and then.
    pub fn set_timer(&self, interval: Duration) {
        self.timer.set(interval);
    }

    /// Ends the run behind the handler that calls this.
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// What another thread, or a signal's, can end the run with.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Ends the logging that this host started and writes everything out; the same as dropping it.
    pub fn shutdown(self) {
        drop(self.guard);
    }
}

/// Ends a run from outside; made by [`MetaExpert::stopper`].
#[derive(Debug, Clone, Default)]
pub struct Stopper {
    asked: Arc<AtomicBool>,
}

impl Stopper {
    /// Asks the run to end behind the handler that is running, or in front of the next event.
    pub fn stop(&self) {
        // ORDERING: Relaxed, a request that publishes nothing.
        // PAIRS WITH: the load in `is_asked`.
        // IF WEAKENED: it is the weakest already.
        self.asked.store(true, Relaxed);
    }

    #[inline]
    fn is_asked(&self) -> bool {
        // ORDERING: Relaxed, see `stop`.
        // PAIRS WITH: the store there.
        // IF WEAKENED: it is the weakest already.
        self.asked.load(Relaxed)
    }

    /// Forgets what was asked before a run began.
    fn reset(&self) {
        // ORDERING: Relaxed, see `stop`.
        // PAIRS WITH: the load in `is_asked`.
        // IF WEAKENED: it is the weakest already.
        self.asked.store(false, Relaxed);
    }
}

fn wall_time() -> UnixNanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
