//! A strategy on its host: one logger bound to the strategy, each order's own context bound on top
//! of it, and the three logs.
//!
//! `cargo run --example expert` runs it; it leaves its logs in `logs/`. With the name of another
//! directory behind `--`, there.

use std::error::Error;
use std::num::ParseFloatError;
use std::path::Path;

use tapelog::expert::{Event, HandlerResult, Mode, Strategy, Summary, Tick};
use tapelog::{MetaExpert, UnixNanos, context, error, info, trade};

/// Buys when the price has fallen three times in a row, sells when it has risen three times.
#[derive(Debug, Default)]
struct ThreeInARow {
    last: f64,
    run: i32,
    position: f64,
    orders: u32,
}

impl ThreeInARow {
    fn trade(&mut self, expert: &MetaExpert, side: &str, price: f64) {
        self.orders += 1;
        // What is bound here stands on every entry about this order, beside the strategy's own.
        let log = expert.logger().bind(context! {
            order_id = format!("O-{}", self.orders).as_str(),
            trade_id = format!("T-{}", self.orders).as_str(),
        });
        trade!(log, "order submitted", side, price);
        match confirm(if self.orders == 3 { "margin call" } else { "0.1" }) {
            Ok(size) => {
                self.position += if side == "BUY" { size } else { -size };
                trade!(log, "order filled", side, size, price, position = self.position);
            }
            Err(refusal) => error!(log, "order rejected", side, error = &refusal),
        }
    }
}

impl Strategy for ThreeInARow {
    fn on_init(&mut self, expert: &MetaExpert) -> HandlerResult {
        info!(expert.logger(), "strategy started", version = expert.version());
        Ok(())
    }

    fn on_tick(&mut self, expert: &MetaExpert, tick: &Tick) -> HandlerResult {
        let step = (tick.bid - self.last) as i32;
        self.run = if self.run.signum() == step.signum() {
            self.run + step.signum()
        } else {
            step.signum()
        };
        self.last = tick.bid;
        info!(expert.logger(), "tick", bid = tick.bid, ask = tick.ask, run = self.run);
        match self.run {
            -3 => self.trade(expert, "BUY", tick.ask),
            3 => self.trade(expert, "SELL", tick.bid),
            _ => {}
        }
        Ok(())
    }
}

/// The exchange's answer: the size that was filled.
fn confirm(answer: &str) -> Result<f64, ParseFloatError> {
    answer.parse()
}

/// A price that swings: a feed can be any iterator.
fn feed() -> impl Iterator<Item = Result<Event, Box<dyn Error + Send + Sync>>> {
    (0..40_i64).map(|second| {
        let time = UnixNanos((1_767_225_600 + second) * 1_000_000_000);
        let swing = (second % 10 - 5).abs() as f64;
        Ok(Event::from(Tick::new(time, 70_000.0 + swing, 70_000.5 + swing)))
    })
}

/// Runs the strategy over the feed; the logs go to `directory`.
pub(crate) fn run(directory: &Path) -> Summary {
    let mut expert = MetaExpert::builder("ThreeInARow")
        .symbol("BTCUSDT")
        .strategy_id("three-in-a-row")
        .account_id("paper-4711")
        .version(env!("CARGO_PKG_VERSION"))
        .mode(Mode::Backtest)
        .log_dir(directory)
        .build_or_console();
    expert.run(&mut ThreeInARow::default(), feed())
} // Dropping the host writes everything out.

fn main() {
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| "logs".into());
    let summary = run(Path::new(&directory));
    println!("{} events, {} errors", summary.events, summary.errors);
}
