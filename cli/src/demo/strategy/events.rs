//! What happens in the strategy, as it tells its log.

use std::fmt;

use tapelog::UnixNanos;
use tapelog::expert::Timed;

use crate::demo::decimal::Decimal;

/// Which way an order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Buy,
    Sell,
}

impl Side {
    /// `BUY` or `SELL`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }

    pub(super) const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// What an order of `size` adds to a position.
    pub(super) const fn signed(self, size: Decimal) -> Decimal {
        match self {
            Side::Buy => size,
            Side::Sell => size.negated(),
        }
    }
}

/// What an order does to the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Open,
    Close,
}

impl Action {
    /// `open` or `close`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Action::Open => "open",
            Action::Close => "close",
        }
    }
}

/// An order's number, from 1; prints as `O-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderId(pub(crate) u64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "O-{}", self.0)
    }
}

/// A fill's number, from 1; prints as `T-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TradeId(pub(crate) u64);

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T-{}", self.0)
    }
}

/// The trades of one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) begin_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) open: Decimal,
    pub(crate) high: Decimal,
    pub(crate) low: Decimal,
    pub(crate) close: Decimal,
    pub(crate) volume: Decimal,
    pub(crate) trades: u64,
}

/// The averages crossed: `side` is where the fast one went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Signal {
    pub(crate) at_ns: u64,
    pub(crate) side: Side,
    pub(crate) fast: f64,
    pub(crate) slow: f64,
    pub(crate) close: Decimal,
}

/// A market order on its way to the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) at_ns: u64,
    pub(crate) order_id: OrderId,
    pub(crate) side: Side,
    pub(crate) size: Decimal,
    pub(crate) action: Action,
}

/// The exchange executed an order, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) at_ns: u64,
    pub(crate) order_id: OrderId,
    pub(crate) trade_id: TradeId,
    pub(crate) side: Side,
    pub(crate) size: Decimal,
    pub(crate) price: Decimal,
}

/// What a fill made of the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PositionChange {
    pub(crate) fill: Fill,
    pub(crate) action: Action,
    /// The position now: more than zero is long, less is short.
    pub(crate) position: Decimal,
    /// What closing earned, in the quote currency.
    pub(crate) realized_pnl: Option<Decimal>,
}

/// The exchange refused an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("order {} was rejected", .order.order_id)]
pub(crate) struct Rejection {
    pub(crate) order: Order,
    #[source]
    pub(crate) reason: ExchangeError,
}

/// Why the exchange refused an order, in its own words and codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ExchangeError {
    #[error("exchange error -2019: insufficient margin")]
    InsufficientMargin(#[source] MarginError),
    #[error("exchange error -1013: no market price yet")]
    NoQuote,
}

/// What the account lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the order needs {needed} USDT, {free} USDT are free")]
pub(crate) struct MarginError {
    pub(crate) needed: Decimal,
    pub(crate) free: Decimal,
}

/// A depth update that does not follow the one before: the book is wrong until the next snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("depth updates are missing: expected update id {expected}, found {found}")]
pub(crate) struct FeedGap {
    pub(crate) at_ns: u64,
    /// What should have come: futures, the last id of the message before; spot, the next id.
    pub(crate) expected: u64,
    pub(crate) found: u64,
}

impl FeedGap {
    /// How many update ids were skipped; 0 if the stream jumped back.
    pub(crate) const fn skipped(&self) -> u64 {
        self.found.saturating_sub(self.expected)
    }
}

impl Timed for Bar {
    fn time(&self) -> UnixNanos {
        UnixNanos(self.end_ns as i64)
    }
}

impl Timed for Order {
    fn time(&self) -> UnixNanos {
        UnixNanos(self.at_ns as i64)
    }
}

impl Timed for Fill {
    fn time(&self) -> UnixNanos {
        UnixNanos(self.at_ns as i64)
    }
}

impl Timed for PositionChange {
    fn time(&self) -> UnixNanos {
        self.fill.time()
    }
}
