//! The trading loop: 100,000 records a second, each call timed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tapelog::{MetaLogger, PushError, context, now, try_error, try_info, try_trade, try_warning};

use crate::calls::{self, Calls};

/// So many calls are made each millisecond.
const CALLS_PER_TICK: u64 = calls::BATCH;
const TICK: Duration = Duration::from_millis(1);

const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

/// What calls came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pushed {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// The lines that all logs are to have of what was accepted.
    pub(crate) lines: u64,
}

impl Pushed {
    /// Counts a call of an entry that stands in so many logs.
    pub(crate) fn count(&mut self, pushed: Result<(), PushError>, logs: u64) {
        match pushed {
            Ok(()) => (self.accepted, self.lines) = (self.accepted + 1, self.lines + logs),
            Err(_) => self.refused += 1,
        }
    }

    pub(crate) fn add(&mut self, other: Pushed) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.lines += other.lines;
    }
}

/// What the trading loop is told.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    pub(crate) stop: AtomicBool,
    pub(crate) pause: AtomicBool,
}

/// Logs until it is told to stop. What is behind its time is made up for, save for pauses.
pub(crate) fn trade(log: &MetaLogger, signs: &Signs, calls: &mut Calls) -> Pushed {
    let bound = SYMBOLS
        .map(|symbol| log.bind(context! { strategy_id = "grid", symbol = symbol, end = "whole" }));
    let producer = log.producer();
    let mut pushed = Pushed::default();
    let mut number = 0_u64;
    let mut due = Instant::now();
    while !signs.stop.load(Ordering::Relaxed) {
        if signs.pause.load(Ordering::Relaxed) {
            thread::sleep(TICK);
            due = Instant::now();
            continue;
        }
        for _ in 0..CALLS_PER_TICK {
            let log = producer.with(&bound[number as usize % SYMBOLS.len()]);
            let price = 70_000.0 + number as f64 / 64.0;
            let (result, _) = calls.time(|| match number % 1_000 {
                0 => try_error!(log, "order rejected", number, order_id = number, code = -2011),
                1..=2 => try_warning!(log, "the feed is late", number, lag_us = number % 977),
                3..=12 => {
                    try_trade!(log, at: now(), "filled", number, price, qty = 0.25, side = "buy")
                }
                13..=62 => {
                    try_info!(log, "quote of {venue}", venue = "the exchange", number, raw = ?price)
                }
                _ => try_info!(log, at: now(), "tick", number, bid = price, ask = price + 0.5),
            });
            // Errors and trade events have a log of their own besides expert.log.
            pushed.count(result, if matches!(number % 1_000, 0 | 3..=12) { 2 } else { 1 });
            number += 1;
        }
        due += TICK;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    pushed
}

/// Fills the ring, and goes on for a while when it is full.
pub(crate) fn burst(log: &MetaLogger, lasts: Duration) -> Pushed {
    let (log, began) = (log.bind(context! { end = "whole" }), Instant::now());
    let mut pushed = Pushed::default();
    while began.elapsed() < lasts {
        (0..100_u64).for_each(|number| pushed.count(try_info!(log, "burst", number), 1));
    }
    pushed
}
