//! The strategy's log as a real expert keeps it: with tapelog's macros.

use tapelog::expert::ExpertBuilder;
use tapelog::{
    Decimal as Exact, MetaExpert, MetaLogger, Producer, UnixNanos, With, context, debug, error,
    info, trade, warning,
};

use super::decimal::Decimal;
use super::feed::LineError;
use super::strategy::events::{
    Action, Bar, FeedGap, Fill, Order, OrderId, PositionChange, Rejection, Signal,
};
use super::strategy::{EXPERT_NAME, StrategyLog};
use super::tick::{Message, Tick};

/// The strategy's name for the desk.
const STRATEGY_ID: &str = "ema-12-26";
/// The simulated account.
const ACCOUNT_ID: &str = "demo-1";

/// The strategy's host: what is said of it here is bound to every entry.
pub(crate) fn expert() -> ExpertBuilder {
    MetaExpert::builder(EXPERT_NAME).strategy_id(STRATEGY_ID).account_id(ACCOUNT_ID)
}

/// A host that logs through a logger that runs already.
pub(crate) fn guest_of(log: &MetaLogger) -> MetaExpert {
    expert().logger(log).build_or_console()
}

/// Logs what the strategy tells.
#[derive(Debug)]
pub(crate) struct Journalist {
    /// The loop's own lane: the fastest way to log.
    producer: Producer,
    /// What is bound stands on every entry.
    bound: MetaLogger,
    symbol: Option<String>,
    last_order: Option<OrderId>,
    last_rejected: Option<OrderId>,
}

impl Journalist {
    pub(crate) fn new(expert: &MetaExpert) -> Self {
        Journalist {
            producer: expert.producer(),
            bound: expert.logger().clone(),
            symbol: None,
            last_order: None,
            last_rejected: None,
        }
    }

    /// Binds the symbol as soon as the feed has named it; costs nothing afterwards.
    pub(crate) fn set_symbol(&mut self, symbol: Option<&str>) {
        if let Some(symbol) = symbol.filter(|symbol| self.symbol.as_deref() != Some(symbol)) {
            self.bound = self.bound.bind(context! { symbol = symbol });
            self.symbol = Some(symbol.to_owned());
        }
    }

    /// A line of the feed that gave no message.
    pub(crate) fn malformed_line(&self, error: &LineError) {
        warning!(self.log(), "malformed feed line", line = error.line(), error = error);
    }

    /// An order to look up in the logs: one that was rejected, or else the last one.
    pub(crate) fn order_of_interest(&self) -> Option<OrderId> {
        self.last_rejected.or(self.last_order)
    }

    /// Its lane of the ring.
    pub(crate) fn producer(&self) -> &Producer {
        &self.producer
    }

    /// The producer's lane with the bound context.
    #[inline]
    pub(crate) fn log(&self) -> With<'_> {
        self.producer.with(&self.bound)
    }
}

impl StrategyLog for Journalist {
    fn market_event(&mut self, tick: &Tick) {
        match &tick.message {
            Message::Trade(print) => info!(
                self.log(),
                "market trade",
                print_id = print.trade_id,
                price = exact(print.price),
                qty = exact(print.qty),
                side = if print.buyer_is_maker { "SELL" } else { "BUY" },
            ),
            Message::BookTicker(quote) => info!(
                self.log(),
                "quote",
                bid = exact(quote.bid),
                bid_qty = exact(quote.bid_qty),
                ask = exact(quote.ask),
                ask_qty = exact(quote.ask_qty),
            ),
            Message::Snapshot(book) => info!(
                self.log(),
                "book snapshot",
                update_id = book.last_update_id,
                bid_levels = book.bid_levels,
                ask_levels = book.ask_levels,
            ),
            Message::Depth(depth) => {
                info!(self.log(), "book update", update_id = depth.last_update_id);
            }
        }
    }

    fn market_detail(&mut self, tick: &Tick) {
        match &tick.message {
            Message::BookTicker(quote) => debug!(
                self.log(),
                "quote",
                bid = exact(quote.bid),
                bid_qty = exact(quote.bid_qty),
                ask = exact(quote.ask),
                ask_qty = exact(quote.ask_qty),
            ),
            Message::Depth(depth) => debug!(
                self.log(),
                "book update",
                update_id = depth.last_update_id,
                bid_levels = depth.bid_levels,
                ask_levels = depth.ask_levels,
            ),
            Message::Trade(_) | Message::Snapshot(_) => {
                debug!(self.log(), "message", received = UnixNanos(tick.received_ns as i64));
            }
        }
    }

    fn bar_closed(&mut self, bar: &Bar) {
        info!(
            self.log(),
            "bar closed",
            begin = UnixNanos(bar.begin_ns as i64),
            open = exact(bar.open),
            high = exact(bar.high),
            low = exact(bar.low),
            close = exact(bar.close),
            volume = exact(bar.volume),
            trades = bar.trades,
        );
    }

    fn signal(&mut self, signal: &Signal) {
        info!(
            self.log(),
            "signal {side}",
            side = signal.side.as_str(),
            fast = signal.fast,
            slow = signal.slow,
            close = exact(signal.close),
        );
    }

    fn order_submitted(&mut self, order: &Order) {
        self.last_order = Some(order.order_id);
        trade!(
            self.log(), "order submitted", order_id = %order.order_id, side = order.side.as_str(),
            size = exact(order.size), action = order.action.as_str(),
        );
    }

    fn order_filled(&mut self, fill: &Fill) {
        trade!(
            self.log(), "order filled", order_id = %fill.order_id, trade_id = %fill.trade_id,
            side = fill.side.as_str(), size = exact(fill.size), price = exact(fill.price),
        );
    }

    fn position_changed(&mut self, change: &PositionChange) {
        let fill = &change.fill;
        match change.action {
            Action::Open => trade!(
                self.log(), "position opened", order_id = %fill.order_id,
                trade_id = %fill.trade_id, side = fill.side.as_str(),
                position = exact(change.position), price = exact(fill.price),
            ),
            Action::Close => trade!(
                self.log(), "position closed", order_id = %fill.order_id,
                trade_id = %fill.trade_id, side = fill.side.as_str(),
                position = exact(change.position), price = exact(fill.price),
                realized_pnl = change.realized_pnl.map(exact),
            ),
        }
    }

    fn order_rejected(&mut self, rejection: &Rejection) {
        let order = &rejection.order;
        self.last_rejected = Some(order.order_id);
        error!(
            self.log(), "order rejected", order_id = %order.order_id, side = order.side.as_str(),
            size = exact(order.size), action = order.action.as_str(), error = rejection,
        );
    }

    fn feed_gap(&mut self, gap: &FeedGap) {
        error!(
            self.log(),
            "feed gap",
            expected = gap.expected,
            found = gap.found,
            skipped = gap.skipped(),
            error = gap,
        );
    }
}

/// The number as tapelog stores it, digit for digit.
#[inline]
fn exact(number: Decimal) -> Exact {
    Exact { mantissa: i128::from(number.mantissa()), scale: number.scale() as u8 }
}
