//! Market time: in a backtest, what the clock of the simulated market shows.
//!
//! It belongs to the thread that runs the backtest, so that several can run beside each other on
//! one engine. Every entry that the thread logs meanwhile, through whatever face, carries it as the
//! field `market_time`, behind its own fields. The record's own stamp stays the wall clock's: by it
//! the logs are sorted, losses dated and `--since` answered, however often the market's clock is
//! set back.
//!
//! Calls of an engine with a running backtest take the cold path, which asks for the thread's
//! market time; without one nothing is paid.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use super::core::Core;
use crate::record::{Args, Encode, Sink, Stored, TypeCode, UnixNanos};

thread_local! {
    static MARKET: Cell<Option<UnixNanos>> = const { Cell::new(None) };
}

/// The market time of the calling thread; `None` outside a backtest.
pub(crate) fn market_time() -> Option<UnixNanos> {
    // Nothing is dropped with it, so it is there until the thread's very end.
    MARKET.get()
}

/// A backtest's clock, for one engine.
pub(crate) struct MarketClock {
    core: Arc<Core>,
}

impl fmt::Debug for MarketClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MarketClock").finish_non_exhaustive()
    }
}

impl MarketClock {
    /// Lets the engine's calls ask for the market time until this is dropped.
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        core.levels.begin_detour();
        Self { core: Arc::clone(core) }
    }

    /// Sets the calling thread's market time until the guard is dropped; then it is again what it
    /// was.
    pub(crate) fn show(&self, time: UnixNanos) -> Shown {
        Shown { before: MARKET.replace(Some(time)) }
    }
}

impl Drop for MarketClock {
    fn drop(&mut self) {
        self.core.levels.end_detour();
    }
}

/// A market time that is shown; made by [`MarketClock::show`].
#[derive(Debug)]
pub(crate) struct Shown {
    before: Option<UnixNanos>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        MARKET.set(self.before);
    }
}

/// Calls a function with each value and its type.
trait Each {
    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored));
}

impl<A: Args> Each for A {
    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        Args::each(self, tell);
    }
}

/// A call's arguments and the market time behind them. One type for all calls, so that backtests
/// cost no call site a second copy of the cold path.
#[derive(Clone, Copy)]
pub(crate) struct WithMarketTime<'a> {
    args: &'a dyn Each,
    time: UnixNanos,
}

impl<'a> WithMarketTime<'a> {
    pub(crate) fn new(args: &'a impl Args, time: UnixNanos) -> Self {
        Self { args, time }
    }
}

impl Args for WithMarketTime<'_> {
    const FIXED: usize = 0;

    fn extra(&self, cap: usize) -> usize {
        let mut bytes = 0;
        Args::each(self, &mut |_, value| bytes += value.bytes(cap));
        bytes
    }

    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        Args::each(self, &mut |_, value| value.put_stored(sink, cap));
    }

    /// The types are known to the call site alone, which gives them itself.
    fn types(_tell: &mut dyn FnMut(TypeCode)) {}

    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.args.each(tell);
        tell(UnixNanos::TYPE, &self.time);
    }
}
