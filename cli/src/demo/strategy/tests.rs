//! The whole strategy on feeds made by hand, generated and recorded.

use std::convert::Infallible;

use tapelog::expert::Event;

use super::events::{FeedGap, Rejection};
use super::*;
use crate::demo::feed::Feed;
use crate::demo::feed::tests::recording;
use crate::demo::generator::{Generator, MESSAGES_DEFAULT};
use crate::demo::journalist::guest_of;
use crate::demo::tick::{BookTicker, Depth, Trade};

/// Keeps what it is told, but for market messages.
#[derive(Debug, Default, PartialEq)]
struct Notes {
    lines: Vec<String>,
    market: u64,
    bars: u64,
}

impl StrategyLog for Notes {
    fn market_event(&mut self, _tick: &Tick) {
        self.market += 1;
    }
    fn market_detail(&mut self, _tick: &Tick) {}
    fn bar_closed(&mut self, _bar: &Bar) {
        self.bars += 1;
    }
    fn signal(&mut self, signal: &Signal) {
        self.lines.push(format!("signal {} at {}", signal.side.as_str(), signal.close));
    }
    fn order_submitted(&mut self, order: &Order) {
        let (side, action) = (order.side.as_str(), order.action.as_str());
        self.lines.push(format!("{} {side} {} to {action}", order.order_id, order.size));
    }
    fn order_filled(&mut self, fill: &Fill) {
        self.lines.push(format!("{} {} at {}", fill.order_id, fill.trade_id, fill.price));
    }
    fn position_changed(&mut self, change: &PositionChange) {
        let pnl = change.realized_pnl.map(|pnl| format!(", earned {pnl}")).unwrap_or_default();
        self.lines.push(format!("position {}{pnl}", change.position));
    }
    fn order_rejected(&mut self, rejection: &Rejection) {
        self.lines.push(format!("{rejection}: {}", rejection.reason));
    }
    fn feed_gap(&mut self, gap: &FeedGap) {
        self.lines.push(gap.to_string());
    }
}

/// Bars of 100 ns and averages of 1 and 3 bars: short enough to reckon by hand.
fn short_settings(reject_every: u64) -> Settings {
    Settings {
        bar_ns: 100,
        fast_bars: 1,
        slow_bars: 3,
        reject_every,
        quote_every: 2,
        ..Settings::default()
    }
}

/// One trade for each bar, and quotes half a dollar around it.
fn market(prices: &[i64]) -> Vec<Tick> {
    let ticks = prices.iter().enumerate().flat_map(|(bar, price)| {
        let at_ns = 100 * (bar as u64 + 1);
        let quote = BookTicker {
            update_id: at_ns,
            bid: Decimal::new(price * 10 - 5, 1),
            bid_qty: Decimal::new(1, 0),
            ask: Decimal::new(price * 10 + 5, 1),
            ask_qty: Decimal::new(1, 0),
        };
        let trade = Trade {
            trade_id: at_ns,
            price: Decimal::new(*price, 0),
            qty: Decimal::new(1, 0),
            buyer_is_maker: false,
        };
        [
            Tick { received_ns: at_ns + 10, message: Message::Trade(trade) },
            Tick { received_ns: at_ns + 20, message: Message::BookTicker(quote) },
        ]
    });
    ticks.collect()
}

fn run(settings: Settings, ticks: impl IntoIterator<Item = Tick>) -> (Notes, MyEmaBot<Notes>) {
    let mut bot = run_with(settings, ticks, Notes::default());
    (std::mem::take(bot.log_mut()), bot)
}

fn run_with<L: StrategyLog>(
    settings: Settings,
    ticks: impl IntoIterator<Item = Tick>,
    log: L,
) -> MyEmaBot<L> {
    let (logger, captured) = tapelog::testing::capture();
    let mut bot = MyEmaBot::new(settings, log);
    let feed = ticks.into_iter().map(|tick| Ok::<_, Infallible>(Event::Tick(tick)));
    let summary = guest_of(&logger).run(&mut bot, feed);
    assert_eq!((summary.events, summary.errors), (bot.counts().messages(), 0));
    assert!(captured.entries().is_empty(), "the host adds nothing of its own");
    bot
}

#[test]
fn each_crossover_turns_the_position_with_one_order_to_close_and_one_to_open() {
    // The slow average: 10, 10, 11, 12, 10, 8.5, 10.25; the last bar only closes the one before.
    let (notes, strategy) = run(short_settings(0), market(&[10, 10, 12, 13, 8, 7, 12, 12]));
    assert_eq!(
        notes.lines,
        [
            "signal SELL at 8",
            "O-1 SELL 0.1 to open",
            "O-1 T-1 at 7.5",
            "position -0.1",
            "signal BUY at 12",
            "O-2 BUY 0.1 to close",
            "O-2 T-2 at 12.5",
            "position 0.0, earned -0.5",
            "O-3 BUY 0.1 to open",
            "O-3 T-3 at 12.5",
            "position 0.1",
        ]
    );
    assert_eq!(strategy.position(), Decimal::new(1, 1));
}

#[test]
fn a_rejected_order_leaves_the_position_and_ends_the_turn() {
    let prices = [10, 10, 12, 13, 8, 7, 12, 13, 7, 6];
    // Order 2, which should close the short position.
    let (notes, strategy) = run(short_settings(2), market(&prices));
    assert_eq!(
        notes.lines[4..],
        [
            "signal BUY at 12",
            "O-2 BUY 0.1 to close",
            "order O-2 was rejected: exchange error -2019: insufficient margin",
            "signal SELL at 7",
        ]
    );
    assert_eq!(strategy.position(), Decimal::new(-1, 1));
    // Order 3, which should open the long one: flat, and the next signal opens at once.
    let (notes, strategy) = run(short_settings(3), market(&prices));
    assert_eq!(
        notes.lines[8..],
        [
            "O-3 BUY 0.1 to open",
            "order O-3 was rejected: exchange error -2019: insufficient margin",
            "signal SELL at 7",
            "O-4 SELL 0.1 to open",
            "O-4 T-3 at 6.5",
            "position -0.1",
        ]
    );
    assert_eq!(strategy.position(), Decimal::new(-1, 1));
}

#[test]
fn missing_depth_updates_are_told() {
    let depth = |first_update_id, last_update_id| Tick {
        received_ns: last_update_id,
        message: Message::Depth(Depth {
            first_update_id,
            last_update_id,
            previous_update_id: None,
            bid_levels: 1,
            ask_levels: 0,
        }),
    };
    let (notes, strategy) = run(Settings::default(), [depth(1, 4), depth(5, 6), depth(9, 9)]);
    assert_eq!(notes.lines, ["depth updates are missing: expected update id 7, found 9"]);
    assert_eq!(strategy.counts().feed_gaps, 1);
}

#[test]
fn every_trade_and_every_second_quote_is_a_market_event() {
    let (notes, strategy) = run(short_settings(0), market(&[10; 8]));
    let counts = strategy.counts();
    assert_eq!((notes.market, counts.market_events, counts.market_details), (12, 12, 4));
    assert_eq!((counts.messages(), counts.bars, notes.bars), (16, 7, 7));
}

#[test]
fn the_same_feed_gives_the_same_events_whoever_listens() {
    let (first, strategy) = run(Settings::default(), Generator::default());
    let (second, _) = run(Settings::default(), Generator::default());
    assert!(first == second, "two runs differ");
    let unheard = run_with(Settings::default(), Generator::default(), Silent);
    assert_eq!(unheard.counts(), strategy.counts());
}

#[test]
fn the_generated_feed_makes_every_kind_of_event() {
    let (notes, strategy) = run(Settings::default(), Generator::default());
    let counts = strategy.counts();
    println!("{counts:?}, {} entries", counts.entries());
    assert_eq!(counts.messages(), MESSAGES_DEFAULT);
    assert!((1_300..=1_380).contains(&counts.bars), "{counts:?}");
    assert!((25..=40).contains(&counts.signals), "{counts:?}");
    assert!(counts.rejections >= 3 && counts.feed_gaps >= 3, "{counts:?}");
    assert_eq!(counts.rejections, counts.orders / 17);
    assert_eq!(
        (counts.fills, counts.position_changes),
        (counts.orders - counts.rejections, counts.fills)
    );
    assert!((30_000..=60_000).contains(&counts.entries()), "{} entries", counts.entries());
    let told = notes.lines.len() as u64 + notes.market + notes.bars;
    assert_eq!(told, counts.entries());
}

#[test]
fn the_recordings_have_no_gaps_and_a_bar_for_each_stretch_with_trades() {
    for name in ["binance_usdm_btcusdt_20240808.gz", "binance_spot_btcusdt_20240809.gz"] {
        let Some(path) = recording(name) else {
            continue;
        };
        let ticks = Feed::open(&path).unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let stretch = |tick: &Tick| tick.received_ns / Settings::default().bar_ns;
        let mut stretches = ticks
            .iter()
            .filter(|tick| matches!(tick.message, Message::Trade(_)))
            .map(stretch)
            .collect::<Vec<_>>();
        stretches.dedup();
        // A bar that no later message closes stays open.
        let open = u64::from(stretches.last().copied() == ticks.last().map(stretch));

        let (_, strategy) = run(Settings::default(), ticks);
        let counts = strategy.counts();
        println!("{name}: {counts:?}, {} entries", counts.entries());
        assert_eq!((counts.bars, counts.feed_gaps), (stretches.len() as u64 - open, 0));
        assert!(counts.signals >= 5, "{counts:?}");
    }
}
