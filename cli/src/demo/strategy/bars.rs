//! Time bars from trades.

use super::events::Bar;
use crate::demo::tick::Trade;

/// Collects trades into bars that begin at whole multiples of their length.
///
/// A stretch without a trade makes no bar. A trade with an earlier time than the open bar's counts
/// in the open bar: arrival order is the order of the feed.
#[derive(Debug)]
pub(super) struct BarBuilder {
    bar_ns: u64,
    open: Option<Bar>,
}

impl BarBuilder {
    /// A length of 0 counts as 1 ns.
    pub(super) fn new(bar_ns: u64) -> Self {
        BarBuilder { bar_ns: bar_ns.max(1), open: None }
    }

    /// The open bar, if it ended at or before `now_ns`. Every message of the feed is the clock, not
    /// only trades: a bar closes as soon as its end is known to have passed.
    pub(super) fn close_before(&mut self, now_ns: u64) -> Option<Bar> {
        self.open.take_if(|bar| bar.end_ns <= now_ns)
    }

    /// Adds a trade; the bar that it ends must have been taken before.
    pub(super) fn add(&mut self, now_ns: u64, trade: &Trade) {
        if let Some(bar) = &mut self.open {
            bar.high = bar.high.max(trade.price);
            bar.low = bar.low.min(trade.price);
            bar.close = trade.price;
            bar.volume = bar.volume.plus(trade.qty);
            bar.trades += 1;
            return;
        }
        let begin_ns = now_ns - now_ns % self.bar_ns;
        self.open = Some(Bar {
            begin_ns,
            end_ns: begin_ns.saturating_add(self.bar_ns),
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: trade.qty,
            trades: 1,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::decimal::Decimal;

    fn trade(price: i64) -> Trade {
        let price = Decimal::new(price, 1);
        Trade { trade_id: 1, price, qty: Decimal::new(5, 3), buyer_is_maker: false }
    }

    #[test]
    fn a_bar_has_the_first_highest_lowest_and_last_price_and_the_volume() {
        let mut bars = BarBuilder::new(100);
        for (now_ns, price) in [(210, 50), (250, 70), (260, 40), (205, 60)] {
            assert_eq!(bars.close_before(now_ns), None);
            bars.add(now_ns, &trade(price));
        }
        let bar = bars.close_before(300).unwrap();
        assert_eq!((bar.begin_ns, bar.end_ns, bar.trades), (200, 300, 4));
        let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| price.to_string());
        assert_eq!(prices, ["5.0", "7.0", "4.0", "6.0"]);
        assert_eq!(bar.volume.to_string(), "0.020");
    }

    #[test]
    fn a_bar_closes_at_its_end_and_a_stretch_without_trades_makes_none() {
        let mut bars = BarBuilder::new(100);
        bars.add(210, &trade(50));
        assert!(bars.close_before(299).is_none());
        assert!(bars.close_before(750).is_some());
        assert!(bars.close_before(900).is_none());
        bars.add(910, &trade(50));
        assert_eq!(bars.close_before(1_000).unwrap().begin_ns, 900);
    }
}
