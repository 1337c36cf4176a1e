//! "MyEmaBot": the demo's trading strategy.
//!
//! Trades become time bars; a fast and a slow exponential moving average follow the closes; where
//! they cross, the bot turns its position round with market orders of one fixed size: one closes
//! what it holds, one opens the other side. A simulated exchange fills at the best quote and
//! rejects every 17th order, so that errors are seen too.
//!
//! Everything is a function of the feed alone: the same feed gives the same events, whatever the
//! [`StrategyLog`] does with them and however fast the feed is replayed.

mod average;
mod bars;
pub(crate) mod events;
mod exchange;
mod log;
mod sequence;
#[cfg(test)]
mod tests;

use tapelog::MetaExpert;
use tapelog::expert::{self, HandlerResult, Market, Strategy};

use super::decimal::Decimal;
use super::tick::{Message, Tick};
use average::Crossover;
use bars::BarBuilder;
use events::{Action, Bar, Fill, Order, PositionChange, Side, Signal};
use exchange::Exchange;
use sequence::DepthSequence;

pub(crate) use log::{Counts, Silent, StrategyLog};

/// The strategy's name: `expert_name` in the logs' context.
pub(crate) const EXPERT_NAME: &str = "MyEmaBot";

/// What the strategy does; the default is what the demo runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// The length of a bar.
    pub(crate) bar_ns: u64,
    /// Periods of the two averages, in bars. There is no signal in the first `slow_bars` bars.
    pub(crate) fast_bars: u32,
    pub(crate) slow_bars: u32,
    pub(crate) order_size: Decimal,
    /// Every so many orders one is rejected; 0: none is.
    pub(crate) reject_every: u64,
    /// Every so many book tickers one is an event for people, the rest is detail; 0: all are.
    ///
    /// With 4, and every trade a line too, a feed of 94,000 messages makes some 39,000 entries at
    /// INFO, and the same number of lines in the log.
    pub(crate) quote_every: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            bar_ns: 250_000_000,
            fast_bars: 12,
            slow_bars: 26,
            order_size: Decimal::new(1, 1),
            reject_every: 17,
            quote_every: 4,
        }
    }
}

/// The types of the demo's market: exact prices, and the exchange's own messages.
#[derive(Debug)]
pub(crate) struct Binance;

impl Market for Binance {
    type Tick = Tick;
    type Bar = Bar;
    type Order = Order;
    type Position = PositionChange;
    type Transaction = Fill;
    type Book = expert::Book;
    type Account = expert::Account;
}

/// The strategy's whole state, and whom it tells what happens.
#[derive(Debug)]
pub(crate) struct MyEmaBot<L> {
    log: L,
    settings: Settings,
    bars: BarBuilder,
    crossover: Crossover,
    sequence: DepthSequence,
    exchange: Exchange,
    position: Position,
    book_tickers: u64,
    counts: Counts,
    now_ns: u64,
}

/// What the strategy holds: more than zero is long, less is short.
#[derive(Debug, Clone, Copy)]
struct Position {
    size: Decimal,
    entry_price: Decimal,
}

/// Ticks come from the feed. Bars are closed here, and orders, fills and positions come from the
/// simulated exchange: the bot calls those handlers itself.
impl<L: StrategyLog> Strategy<Binance> for MyEmaBot<L> {
    fn on_tick(&mut self, expert: &MetaExpert, tick: &Tick) -> HandlerResult {
        self.now_ns = tick.received_ns;
        self.tell_market(tick);
        match &tick.message {
            Message::BookTicker(quote) => self.exchange.set_quote(quote),
            Message::Depth(depth) => {
                if let Some(gap) = self.sequence.check(tick.received_ns, depth) {
                    self.counts.feed_gaps += 1;
                    self.log.feed_gap(&gap);
                }
            }
            Message::Trade(_) | Message::Snapshot(_) => {}
        }
        if let Some(bar) = self.bars.close_before(tick.received_ns) {
            self.on_bar(expert, &bar)?;
        }
        if let Message::Trade(trade) = &tick.message {
            self.bars.add(tick.received_ns, trade);
        }
        Ok(())
    }

    fn on_bar(&mut self, expert: &MetaExpert, bar: &Bar) -> HandlerResult {
        self.counts.bars += 1;
        self.log.bar_closed(bar);
        let Some(cross) = self.crossover.update(bar.close.to_f64()) else { return Ok(()) };
        let signal = Signal {
            at_ns: self.now_ns,
            side: cross.side,
            fast: cross.fast,
            slow: cross.slow,
            close: bar.close,
        };
        self.counts.signals += 1;
        self.log.signal(&signal);
        self.turn(expert, signal.side)
    }

    fn on_order(&mut self, _expert: &MetaExpert, order: &Order) -> HandlerResult {
        self.counts.orders += 1;
        self.log.order_submitted(order);
        Ok(())
    }

    fn on_transaction(&mut self, _expert: &MetaExpert, fill: &Fill) -> HandlerResult {
        self.counts.fills += 1;
        self.log.order_filled(fill);
        Ok(())
    }

    fn on_position(&mut self, _expert: &MetaExpert, change: &PositionChange) -> HandlerResult {
        self.counts.position_changes += 1;
        self.log.position_changed(change);
        Ok(())
    }
}

impl<L: StrategyLog> MyEmaBot<L> {
    pub(crate) fn new(settings: Settings, log: L) -> Self {
        MyEmaBot {
            log,
            settings,
            bars: BarBuilder::new(settings.bar_ns),
            crossover: Crossover::new(settings.fast_bars, settings.slow_bars),
            sequence: DepthSequence::default(),
            exchange: Exchange::new(settings.reject_every),
            position: Position { size: Decimal::ZERO, entry_price: Decimal::ZERO },
            book_tickers: 0,
            counts: Counts::default(),
            now_ns: 0,
        }
    }

    /// Whom it tells what happens.
    pub(crate) fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    /// The same, and the strategy is over.
    pub(crate) fn into_log(self) -> L {
        self.log
    }

    /// How many events of each kind the log was told.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// What it holds: more than zero is long, less is short.
    pub(crate) fn position(&self) -> Decimal {
        self.position.size
    }

    fn tell_market(&mut self, tick: &Tick) {
        let is_event = match tick.message {
            Message::Trade(_) | Message::Snapshot(_) => true,
            Message::Depth(_) => false,
            Message::BookTicker(_) => {
                self.book_tickers += 1;
                let every = self.settings.quote_every;
                every > 0 && self.book_tickers.is_multiple_of(every)
            }
        };
        if is_event {
            self.counts.market_events += 1;
            self.log.market_event(tick);
        } else {
            self.counts.market_details += 1;
            self.log.market_detail(tick);
        }
    }

    /// Trades until the position is on `side`; a rejected order leaves it where it is.
    fn turn(&mut self, expert: &MetaExpert, side: Side) -> HandlerResult {
        if self.position.is_on(side.opposite()) {
            self.trade(expert, side, Action::Close)?;
        }
        // Rejected: as it was until the next signal. The log was told.
        if self.position.size.is_zero() { self.trade(expert, side, Action::Open) } else { Ok(()) }
    }

    /// One market order, from its submission to what it did to the position.
    fn trade(&mut self, expert: &MetaExpert, side: Side, action: Action) -> HandlerResult {
        let order = self.exchange.new_order(self.now_ns, side, self.settings.order_size, action);
        self.on_order(expert, &order)?;
        match self.exchange.execute(&order) {
            Ok(fill) => {
                self.on_transaction(expert, &fill)?;
                let change = self.position.apply(&fill, action);
                self.on_position(expert, &change)
            }
            Err(rejection) => {
                self.counts.rejections += 1;
                self.log.order_rejected(&rejection);
                Ok(())
            }
        }
    }
}

impl Position {
    fn is_on(&self, side: Side) -> bool {
        match side {
            Side::Buy => self.size > Decimal::ZERO,
            Side::Sell => self.size < Decimal::ZERO,
        }
    }

    fn apply(&mut self, fill: &Fill, action: Action) -> PositionChange {
        let realized_pnl = match action {
            Action::Open => None,
            // Size has the sign of the side that is closed: a fall earns a short money.
            Action::Close => Some(fill.price.minus(self.entry_price).times(self.size)),
        };
        self.size = self.size.plus(fill.side.signed(fill.size));
        if action == Action::Open {
            self.entry_price = fill.price;
        }
        PositionChange { fill: *fill, action, position: self.size, realized_pnl }
    }
}
