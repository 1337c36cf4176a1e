//! What a feed tells: ticks, bars, orders, positions and the like.

use crate::record::{LogValue, UnixNanos};

/// Something that happened at a time of the market.
pub trait Timed {
    /// When it happened, by the market's clock. In a backtest this is what the clock is set to.
    fn time(&self) -> UnixNanos;
}

/// Which way an order or a deal goes. As a field it is `BUY` or `SELL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buying.
    Buy,
    /// Selling.
    Sell,
}

impl Side {
    /// `BUY` or `SELL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }

    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

impl LogValue for Side {
    type Stored<'a> = &'a str;
    fn stored(&self) -> &str {
        self.as_str()
    }
}

/// What became of an order. As a field it is `new`, `filled` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OrderStatus {
    /// In the market.
    New,
    /// A part of it was executed.
    PartiallyFilled,
    /// All of it was executed.
    Filled,
    /// Taken back.
    Canceled,
    /// Refused.
    Rejected,
    /// Its time was over.
    Expired,
}

impl OrderStatus {
    /// The status as one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OrderStatus::New => "new",
            OrderStatus::PartiallyFilled => "partially_filled",
            OrderStatus::Filled => "filled",
            OrderStatus::Canceled => "canceled",
            OrderStatus::Rejected => "rejected",
            OrderStatus::Expired => "expired",
        }
    }
}

impl LogValue for OrderStatus {
    type Stored<'a> = &'a str;
    fn stored(&self) -> &str {
        self.as_str()
    }
}

/// A change of the best prices, or a trade of others.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Tick {
    /// When it happened.
    pub time: UnixNanos,
    /// The best price to sell at.
    pub bid: f64,
    /// The best price to buy at.
    pub ask: f64,
    /// The price of the last trade; 0 if none is known.
    pub last: f64,
    /// The size of that trade.
    pub volume: f64,
}

impl Tick {
    /// A tick without a trade.
    #[must_use]
    pub const fn new(time: UnixNanos, bid: f64, ask: f64) -> Self {
        Self { time, bid, ask, last: 0.0, volume: 0.0 }
    }

    /// The same with the last trade.
    #[must_use]
    pub const fn with_last(self, last: f64, volume: f64) -> Self {
        Self { last, volume, ..self }
    }
}

/// The trades of one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Bar {
    /// When the bar was closed: only then it is known.
    pub time: UnixNanos,
    /// The first price.
    pub open: f64,
    /// The highest price.
    pub high: f64,
    /// The lowest price.
    pub low: f64,
    /// The last price.
    pub close: f64,
    /// The sum of the trades' sizes.
    pub volume: f64,
}

impl Bar {
    /// A bar that was closed at `time`.
    #[must_use]
    pub const fn new(
        time: UnixNanos,
        open: f64,
        high: f64,
        low: f64,
        close: f64,
        volume: f64,
    ) -> Self {
        Self { time, open, high, low, close, volume }
    }
}

/// An order of one's own whose state has changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Order {
    /// When it changed.
    pub time: UnixNanos,
    /// The exchange's number, or one's own.
    pub order_id: String,
    /// Buying or selling.
    pub side: Side,
    /// How much.
    pub size: f64,
    /// The limit; `None` for a market order.
    pub price: Option<f64>,
    /// What became of it.
    pub status: OrderStatus,
}

impl Order {
    /// A market order.
    #[must_use]
    pub fn new(
        time: UnixNanos,
        order_id: impl Into<String>,
        side: Side,
        size: f64,
        status: OrderStatus,
    ) -> Self {
        Self { time, order_id: order_id.into(), side, size, price: None, status }
    }

    /// The same with a limit.
    #[must_use]
    pub fn with_price(self, price: f64) -> Self {
        Self { price: Some(price), ..self }
    }
}

/// What is held now.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Position {
    /// When it changed.
    pub time: UnixNanos,
    /// More than zero is long, less is short.
    pub size: f64,
    /// The average price at which it was opened.
    pub entry_price: f64,
    /// What it has earned so far, in the account's currency.
    pub profit: f64,
}

impl Position {
    /// A position.
    #[must_use]
    pub const fn new(time: UnixNanos, size: f64, entry_price: f64, profit: f64) -> Self {
        Self { time, size, entry_price, profit }
    }
}

/// An execution of an order of one's own: a deal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Transaction {
    /// When it happened.
    pub time: UnixNanos,
    /// The deal's number.
    pub trade_id: String,
    /// The order's number.
    pub order_id: String,
    /// Buying or selling.
    pub side: Side,
    /// How much.
    pub size: f64,
    /// At which price.
    pub price: f64,
    /// What the exchange took for it.
    pub fee: f64,
}

impl Transaction {
    /// A deal without a fee.
    #[must_use]
    pub fn new(
        time: UnixNanos,
        trade_id: impl Into<String>,
        order_id: impl Into<String>,
        side: Side,
        size: f64,
        price: f64,
    ) -> Self {
        let (trade_id, order_id) = (trade_id.into(), order_id.into());
        Self { time, trade_id, order_id, side, size, price, fee: 0.0 }
    }

    /// The same with a fee.
    #[must_use]
    pub fn with_fee(self, fee: f64) -> Self {
        Self { fee, ..self }
    }
}

/// The order book: prices with what is wanted or offered there, the best first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Book {
    /// When it looked like this.
    pub time: UnixNanos,
    /// Price and size of who wants to buy.
    pub bids: Vec<(f64, f64)>,
    /// Price and size of who wants to sell.
    pub asks: Vec<(f64, f64)>,
}

impl Book {
    /// A book.
    #[must_use]
    pub fn new(time: UnixNanos, bids: Vec<(f64, f64)>, asks: Vec<(f64, f64)>) -> Self {
        Self { time, bids, asks }
    }
}

/// What the account holds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// When it changed.
    pub time: UnixNanos,
    /// Money without open positions.
    pub balance: f64,
    /// Money with them.
    pub equity: f64,
    /// What may still be used as margin.
    pub free_margin: f64,
}

impl Account {
    /// An account without a position.
    #[must_use]
    pub const fn new(time: UnixNanos, balance: f64) -> Self {
        Self { time, balance, equity: balance, free_margin: balance }
    }

    /// The same with open positions.
    #[must_use]
    pub const fn with_positions(self, equity: f64, free_margin: f64) -> Self {
        Self { equity, free_margin, ..self }
    }
}

macro_rules! timed {
    ($($event:ident),*) => {$(
        impl Timed for $event {
            fn time(&self) -> UnixNanos {
                self.time
            }
        }
    )*};
}

timed!(Tick, Bar, Order, Position, Transaction, Book, Account);
