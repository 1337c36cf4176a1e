//! Goal: a replay of the whole futures recording at full speed loses nothing, and the logs hold
//! what an independent reading of the feed says they must.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use support::{cat, demo, log, number, recording, slow_calls, trade_lines};

const BAR_NS: u64 = 250_000_000;
const REJECT_EVERY: u64 = 17;
const QUOTE_EVERY: u64 = 4;

/// What the logs must hold, counted here without the demo's code.
#[derive(Debug, Default)]
struct Expected {
    messages: u64,
    market: u64,
    bars: u64,
    signals: u64,
    orders: u64,
    rejected: u64,
    gaps: u64,
}

impl Expected {
    /// Each order is submitted; each one that is not rejected fills and changes the position.
    fn trade_entries(&self) -> u64 {
        self.orders + 2 * (self.orders - self.rejected)
    }

    fn error_entries(&self) -> u64 {
        self.rejected + self.gaps
    }

    fn entries(&self) -> u64 {
        let own = self.market + self.bars + self.signals;
        own + self.trade_entries() + self.error_entries()
    }

    /// One order; whether it fills.
    fn order(&mut self) -> bool {
        self.orders += 1;
        let rejected = self.orders.is_multiple_of(REJECT_EVERY);
        self.rejected += u64::from(rejected);
        !rejected
    }
}

/// An exponential moving average that begins with its first value.
fn average(value: &mut Option<f64>, period: f64, next: f64) -> f64 {
    let before = value.unwrap_or(next);
    let now = before + 2.0 / (period + 1.0) * (next - before);
    *value = Some(now);
    now
}

fn count(path: &Path) -> Expected {
    let mut expected = Expected::default();
    let (mut fast, mut slow, mut above) = (None, None, 0);
    // The open bar's end and last price; the position's sign; the last depth update's id.
    let (mut bar, mut position, mut depth) = (None::<(u64, f64)>, 0, None);
    let mut quotes = 0_u64;
    for line in BufReader::new(MultiGzDecoder::new(File::open(path).unwrap())).lines() {
        let line = line.unwrap();
        let (received, json) = line.split_once(' ').unwrap();
        let received: u64 = received.parse().unwrap();
        let message: Value = serde_json::from_str(json).unwrap();
        let data = &message["data"];
        expected.messages += 1;
        match data["e"].as_str() {
            Some("bookTicker") => {
                quotes += 1;
                expected.market += u64::from(quotes.is_multiple_of(QUOTE_EVERY));
            }
            Some("depthUpdate") => {
                let previous = data["pu"].as_u64();
                expected.gaps += u64::from(depth.is_some() && depth != previous);
                depth = data["u"].as_u64();
            }
            _ => expected.market += 1,
        }
        if let Some((_, close)) = bar.take_if(|(end, _)| *end <= received) {
            expected.bars += 1;
            let now = average(&mut fast, 12.0, close) - average(&mut slow, 26.0, close);
            let side = if now == 0.0 { 0.0 } else { now.signum() } as i32;
            if expected.bars >= 26 && side != 0 {
                if above == -side {
                    expected.signals += 1;
                    if position == -side && expected.order() {
                        position = 0;
                    }
                    if position == 0 && expected.order() {
                        position = side;
                    }
                }
                above = side;
            }
        }
        if data["e"] == "trade" {
            let price = data["p"].as_str().unwrap().parse().unwrap();
            let end = bar.map_or(received - received % BAR_NS + BAR_NS, |(end, _)| end);
            bar = Some((end, price));
        }
    }
    expected
}

#[test]
fn the_logs_hold_what_the_recording_says() {
    let Some(path) = recording("binance_usdm_btcusdt_20240808.gz") else { return };
    let expected = count(&path);
    println!("{expected:?}");
    assert_eq!(expected.messages, 93_954);
    assert!(expected.trade_entries() > 100 && expected.error_entries() > 0, "{expected:?}");

    let root = tempfile::tempdir().unwrap();
    let report = demo(root.path(), &["--feed", path.to_str().unwrap()]);
    println!("{report}");
    assert_eq!(number(&report, "lost"), 0);
    assert_eq!(number(&report, "messages"), expected.messages);
    let entries = expected.entries() + slow_calls(root.path());
    assert_eq!(number(&report, "accepted"), entries);

    let [expert, trades, errors] =
        ["expert.log", "trades.log", "errors.log"].map(|name| log(root.path(), name));
    assert_eq!(expert.lines().count() as u64, entries);
    assert_eq!(trades.lines().count() as u64, expected.trade_entries());
    assert_eq!(errors.lines().count() as u64, expected.error_entries());
    check_trades(&trades, &expected);
    check_errors(&errors, &expert);
    assert!(cat(root.path(), "text") == expert, "the journal differs from expert.log");
    let json = cat(root.path(), "json");
    assert!(trade_lines(&json) == trades, "the journal differs from trades.log");
}

/// Every line is JSON and carries the context that applies.
fn check_trades(trades: &str, expected: &Expected) {
    let mut by_event = HashMap::new();
    for line in trades.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let event = entry["event"].as_str().unwrap().to_owned();
        let has_trade = event != "order submitted";
        let context = [
            ("expert_name", "MyEmaBot"),
            ("symbol", "BTCUSDT"),
            ("strategy_id", "ema-12-26"),
            ("account_id", "***o-1"),
            ("level", "info"),
            ("msgid", "trade"),
        ];
        for (name, value) in context {
            assert_eq!(entry[name], value, "{line}");
        }
        assert!(entry["order_id"].as_str().unwrap().starts_with("O-"), "{line}");
        assert_eq!(entry["trade_id"].is_string(), has_trade, "{line}");
        *by_event.entry(event).or_insert(0) += 1;
    }
    let of = |event: &str| by_event.get(event).copied().unwrap_or(0);
    let filled = expected.orders - expected.rejected;
    assert_eq!((of("order submitted"), of("order filled")), (expected.orders, filled));
    assert_eq!(of("position opened") + of("position closed"), filled);
}

/// Every error is in expert.log, too.
fn check_errors(errors: &str, expert: &str) {
    assert!(!errors.is_empty());
    let mut rest = expert.lines();
    for line in errors.lines() {
        assert!(line.contains("[ERROR    ]"), "{line}");
        assert!(line.contains("insufficient margin") || line.contains("feed gap"), "{line}");
        assert!(rest.any(|other| other == line), "not in expert.log: {line}");
    }
}
