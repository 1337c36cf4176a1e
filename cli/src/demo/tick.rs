//! One market-data message, as the strategy sees it.

use tapelog::UnixNanos;
use tapelog::expert::Timed;

use super::decimal::Decimal;

/// One message of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tick {
    /// When the message arrived here, in nanoseconds since the Unix epoch.
    pub(crate) received_ns: u64,
    pub(crate) message: Message,
}

impl Timed for Tick {
    fn time(&self) -> UnixNanos {
        UnixNanos(self.received_ns as i64)
    }
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    Trade(Trade),
    BookTicker(BookTicker),
    Depth(Depth),
    Snapshot(Snapshot),
}

/// A trade between two others, printed on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) trade_id: u64,
    pub(crate) price: Decimal,
    pub(crate) qty: Decimal,
    /// The buyer's order was in the book; the seller came and took it.
    pub(crate) buyer_is_maker: bool,
}

/// The best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BookTicker {
    pub(crate) update_id: u64,
    pub(crate) bid: Decimal,
    pub(crate) bid_qty: Decimal,
    pub(crate) ask: Decimal,
    pub(crate) ask_qty: Decimal,
}

/// A change of the order book; the demo keeps no book, only the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) first_update_id: u64,
    pub(crate) last_update_id: u64,
    /// The last update id of the message before this one (`pu`): futures only.
    pub(crate) previous_update_id: Option<u64>,
    pub(crate) bid_levels: u32,
    pub(crate) ask_levels: u32,
}

/// The whole order book at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) last_update_id: u64,
    pub(crate) bid_levels: u32,
    pub(crate) ask_levels: u32,
}
