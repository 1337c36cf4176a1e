//! Whom the strategy tells what happens.

use super::events::{Bar, FeedGap, Fill, Order, PositionChange, Rejection, Signal};
use crate::demo::tick::Tick;

/// Takes the strategy's events: one call, one event.
///
/// With [`Silent`] the compiler removes the calls: that is the strategy without logging, to which
/// the demo compares itself. The levels are those that the demo logs with.
pub(crate) trait StrategyLog {
    /// A trade of others, a snapshot, or every n-th quote. INFO.
    fn market_event(&mut self, tick: &Tick);
    /// All other messages of the feed. DEBUG.
    fn market_detail(&mut self, tick: &Tick);
    /// INFO.
    fn bar_closed(&mut self, bar: &Bar);
    /// INFO.
    fn signal(&mut self, signal: &Signal);
    /// A trade event.
    fn order_submitted(&mut self, order: &Order);
    /// A trade event.
    fn order_filled(&mut self, fill: &Fill);
    /// A trade event.
    fn position_changed(&mut self, change: &PositionChange);
    /// ERROR, with the rejection's whole source chain.
    fn order_rejected(&mut self, rejection: &Rejection);
    /// ERROR.
    fn feed_gap(&mut self, gap: &FeedGap);
}

/// Logs nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silent;

impl StrategyLog for Silent {
    fn market_event(&mut self, _tick: &Tick) {}
    fn market_detail(&mut self, _tick: &Tick) {}
    fn bar_closed(&mut self, _bar: &Bar) {}
    fn signal(&mut self, _signal: &Signal) {}
    fn order_submitted(&mut self, _order: &Order) {}
    fn order_filled(&mut self, _fill: &Fill) {}
    fn position_changed(&mut self, _change: &PositionChange) {}
    fn order_rejected(&mut self, _rejection: &Rejection) {}
    fn feed_gap(&mut self, _gap: &FeedGap) {}
}

/// How often each method of [`StrategyLog`] was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) market_events: u64,
    pub(crate) market_details: u64,
    pub(crate) bars: u64,
    pub(crate) signals: u64,
    pub(crate) orders: u64,
    pub(crate) fills: u64,
    pub(crate) position_changes: u64,
    pub(crate) rejections: u64,
    pub(crate) feed_gaps: u64,
}

impl Counts {
    /// The messages that the strategy took.
    pub(crate) const fn messages(&self) -> u64 {
        self.market_events + self.market_details
    }

    /// The entries that trades.log must hold.
    pub(crate) const fn trade_entries(&self) -> u64 {
        self.orders + self.fills + self.position_changes
    }

    /// The entries that errors.log must hold.
    pub(crate) const fn error_entries(&self) -> u64 {
        self.rejections + self.feed_gaps
    }

    /// All entries at INFO and above, those of the other logs included.
    pub(crate) const fn entries(&self) -> u64 {
        let own = self.market_events + self.bars + self.signals;
        own + self.trade_entries() + self.error_entries()
    }
}
