//! What is logged: the demo's events, caught once and played back as often as needed.

use tapelog::{MetaLogger, info, testing};

use super::load::Record;
use crate::demo::journalist::{Journalist, guest_of};
use crate::demo::strategy::StrategyLog;
use crate::demo::strategy::events::{Bar, FeedGap, Fill, Order, PositionChange, Rejection, Signal};
use crate::demo::tick::Tick;

/// One log call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Market(Tick),
    Detail(Tick),
    Bar(Bar),
    Signal(Signal),
    Order(Order),
    Fill(Fill),
    Position(PositionChange),
    Rejection(Rejection),
    Gap(FeedGap),
    /// A record of the length that was asked for, where there is no feed.
    Filler,
}

impl Event {
    /// WARNING and above, and trade events: what may use the reserve.
    pub(super) fn is_privileged(&self) -> bool {
        match self {
            Event::Order(_) | Event::Fill(_) | Event::Position(_) => true,
            Event::Rejection(_) | Event::Gap(_) => true,
            Event::Market(_) | Event::Detail(_) | Event::Bar(_) | Event::Signal(_) => false,
            Event::Filler => false,
        }
    }
}

/// Makes the log calls.
#[derive(Debug)]
pub(super) struct Player {
    journalist: Journalist,
    /// What a filler holds besides its numbers.
    text: String,
    played: u64,
}

impl Player {
    /// A player whose fillers carry so many bytes of text.
    pub(super) fn new(log: &MetaLogger, symbol: Option<&str>, text_bytes: usize) -> Player {
        let mut journalist = Journalist::new(&guest_of(log));
        journalist.set_symbol(symbol);
        Player { journalist, text: "x".repeat(text_bytes), played: 0 }
    }

    /// Binds the symbol once the feed has named it.
    pub(super) fn set_symbol(&mut self, symbol: Option<&str>) {
        self.journalist.set_symbol(symbol);
    }

    /// Logs one event.
    pub(super) fn play(&mut self, event: &Event) {
        let log = &mut self.journalist;
        match event {
            Event::Market(tick) => log.market_event(tick),
            Event::Detail(tick) => log.market_detail(tick),
            Event::Bar(bar) => log.bar_closed(bar),
            Event::Signal(signal) => log.signal(signal),
            Event::Order(order) => log.order_submitted(order),
            Event::Fill(fill) => log.order_filled(fill),
            Event::Position(change) => log.position_changed(change),
            Event::Rejection(rejection) => log.order_rejected(rejection),
            Event::Gap(gap) => log.feed_gap(gap),
            Event::Filler => {
                let price = 60_000.0 + (self.played % 1_000) as f64;
                info!(
                    self.journalist.log(),
                    "load",
                    number = self.played,
                    price = price,
                    text = self.text.as_str(),
                );
            }
        }
        self.played += 1;
    }

    /// Logs one event, and gives what its record took of the ring: 0 if it made none. Blocks of
    /// that ring have a head of `head_bytes`.
    pub(super) fn measure(&mut self, event: &Event, head_bytes: u32) -> u32 {
        let before = testing::block_fill(self.journalist.producer());
        self.play(event);
        let after = testing::block_fill(self.journalist.producer());
        // A record that found no room opened a block, and stands behind the block's head.
        let from = if before == 0 || after < before { head_bytes } else { before };
        after.saturating_sub(from)
    }
}

/// Catches a strategy's events instead of logging them.
#[derive(Debug, Default)]
pub(super) struct Catcher {
    pub(super) caught: Vec<Event>,
}

impl StrategyLog for Catcher {
    fn market_event(&mut self, tick: &Tick) {
        self.caught.push(Event::Market(*tick));
    }
    fn market_detail(&mut self, tick: &Tick) {
        self.caught.push(Event::Detail(*tick));
    }
    fn bar_closed(&mut self, bar: &Bar) {
        self.caught.push(Event::Bar(*bar));
    }
    fn signal(&mut self, signal: &Signal) {
        self.caught.push(Event::Signal(*signal));
    }
    fn order_submitted(&mut self, order: &Order) {
        self.caught.push(Event::Order(*order));
    }
    fn order_filled(&mut self, fill: &Fill) {
        self.caught.push(Event::Fill(*fill));
    }
    fn position_changed(&mut self, change: &PositionChange) {
        self.caught.push(Event::Position(*change));
    }
    fn order_rejected(&mut self, rejection: &Rejection) {
        self.caught.push(Event::Rejection(*rejection));
    }
    fn feed_gap(&mut self, gap: &FeedGap) {
        self.caught.push(Event::Gap(*gap));
    }
}

/// What an event's record is to the ring.
pub(super) fn record(event: &Event, at_ns: u64, bytes: u32) -> Record {
    let detail = matches!(event, Event::Detail(_));
    Record { at_ns, bytes, privileged: event.is_privileged(), detail }
}
