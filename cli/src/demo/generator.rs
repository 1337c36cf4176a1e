//! A market feed without a market: seeded, endless if asked, the same on every machine.
//!
//! The demo and the tests must not need a recording. This generator yields the ticks of an
//! imaginary BTCUSDT future whose *traffic* is that of a recorded one: half of the gaps between
//! messages are microseconds inside a burst, the rest milliseconds between bursts; busy seconds
//! carry ten times the messages of quiet ones; and once in a while an order sweeps the book and a
//! hundred messages come within a millisecond. Prices wander around 61,800 in legs long enough for
//! moving averages to cross, and a few depth updates are missing on purpose.
//!
//! Only integer arithmetic, `+ - * /` and `sqrt` on floats are used: they are exact or correctly
//! rounded everywhere, so a seed means the same feed on every machine.

mod price;
mod rng;
#[cfg(test)]
mod tests;
mod traffic;

use super::decimal::Decimal;
use super::tick::{BookTicker, Depth, Message, Snapshot, Tick, Trade};
use price::PriceWalk;
use rng::SplitMix64;
use traffic::Traffic;

/// The generated symbol.
pub(crate) const SYMBOL: &str = "BTCUSDT";
/// As many messages as the recording has, rounded: about 345 s of market time.
pub(crate) const MESSAGES_DEFAULT: u64 = 94_000;
/// Any number; a constant, so that two runs of the demo can be compared.
pub(crate) const SEED_DEFAULT: u64 = 0x7461_7065_6c6f_6721;

/// The shares of the kinds among 93,953 messages of the recording; the rest are book tickers.
const KINDS_OF: u64 = 93_953;
const DEPTH_SHARE: u64 = 6_551;
const TRADE_SHARE: u64 = 21_313;
/// The order book's snapshot arrives once, a little after the stream began.
const SNAPSHOT_AT: u64 = 64;
const SNAPSHOT_LEVELS: u32 = 1_000;
/// Every so many depth updates one is missing.
const DEPTH_GAP_EVERY: u64 = 1_500;
/// Prices have one digit after the point, quantities three.
const PRICE_SCALE: u32 = 1;
const QTY_SCALE: u32 = 3;

/// A generated feed: an iterator of ticks.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    rng: SplitMix64,
    traffic: Traffic,
    price: PriceWalk,
    messages: u64,
    made: u64,
    depths: u64,
    trade_id: u64,
    update_id: u64,
    last_depth_id: u64,
}

impl Generator {
    /// A feed of `messages` ticks that `seed` determines.
    pub(crate) fn new(seed: u64, messages: u64) -> Self {
        let mut rng = SplitMix64::new(seed);
        let traffic = Traffic::new(rng.fork());
        let price = PriceWalk::new(rng.fork());
        Generator {
            rng,
            traffic,
            price,
            messages,
            made: 0,
            depths: 0,
            trade_id: 5_266_583_934,
            update_id: 5_123_107_832_006,
            last_depth_id: 5_123_107_832_005,
        }
    }

    fn message(&mut self) -> Message {
        if self.made == SNAPSHOT_AT {
            return self.snapshot();
        }
        let kind = self.rng.below(KINDS_OF);
        if kind < DEPTH_SHARE {
            self.depth()
        } else if kind < DEPTH_SHARE + TRADE_SHARE {
            self.trade()
        } else {
            self.book_ticker()
        }
    }

    fn trade(&mut self) -> Message {
        self.trade_id += 1;
        let buyer_is_maker = self.rng.chance_permille(500);
        let (bid, ask) = self.price.bid_ask();
        Message::Trade(Trade {
            trade_id: self.trade_id,
            price: Decimal::new(if buyer_is_maker { bid } else { ask }, PRICE_SCALE),
            qty: self.qty(),
            buyer_is_maker,
        })
    }

    fn book_ticker(&mut self) -> Message {
        self.update_id += 1 + self.rng.below(144);
        let (bid, ask) = self.price.requote();
        Message::BookTicker(BookTicker {
            update_id: self.update_id,
            bid: Decimal::new(bid, PRICE_SCALE),
            bid_qty: self.qty(),
            ask: Decimal::new(ask, PRICE_SCALE),
            ask_qty: self.qty(),
        })
    }

    fn depth(&mut self) -> Message {
        self.depths += 1;
        if self.depths.is_multiple_of(DEPTH_GAP_EVERY) {
            // The update that the stream lost.
            self.update_id += 1 + self.rng.below(2_000);
            self.last_depth_id = self.update_id;
        }
        let previous = self.last_depth_id;
        self.update_id += 1 + self.rng.below(200);
        self.last_depth_id = self.update_id;
        Message::Depth(Depth {
            first_update_id: previous + 1,
            last_update_id: self.update_id,
            previous_update_id: Some(previous),
            bid_levels: self.depth_levels(),
            ask_levels: self.depth_levels(),
        })
    }

    fn snapshot(&mut self) -> Message {
        Message::Snapshot(Snapshot {
            last_update_id: self.update_id,
            bid_levels: SNAPSHOT_LEVELS,
            ask_levels: SNAPSHOT_LEVELS,
        })
    }

    /// 0.001 to 6 coins, small ones far more often.
    fn qty(&mut self) -> Decimal {
        let most = 1 + self.rng.below(6_000);
        Decimal::new(1 + self.rng.below(most) as i64, QTY_SCALE)
    }

    /// Most updates touch a few levels, some many.
    fn depth_levels(&mut self) -> u32 {
        let most = 1 + self.rng.below(66);
        1 + self.rng.below(most) as u32
    }
}

impl Default for Generator {
    fn default() -> Self {
        Self::new(SEED_DEFAULT, MESSAGES_DEFAULT)
    }
}

impl Iterator for Generator {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        if self.made == self.messages {
            return None;
        }
        let received_ns = self.traffic.next_arrival_ns();
        self.price.advance_to(received_ns);
        let message = self.message();
        self.made += 1;
        Some(Tick { received_ns, message })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.messages - self.made).ok();
        (left.unwrap_or(usize::MAX), left)
    }
}
