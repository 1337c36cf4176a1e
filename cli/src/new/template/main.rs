//! {{name}}: a trading strategy that logs with tapelog.
//!
//! `Bot` holds what it knows and decides, `feed` is where its market comes from: replace both.

mod feed;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tapelog::expert::{
    DeinitReason, Flow, HandlerResult, Mode, RunError, Side, Strategy, Summary, Tick,
};
use tapelog::{LogArgs, MetaExpert, UnixNanos, context, error, info, trade, warning};

/// A strategy that buys above and sells below its moving average.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What is traded.
    #[arg(long, default_value = "BTCUSDT")]
    symbol: String,
    /// Runs on the market of the past: from the first event on, entries carry the market's time as
    /// `market_time`.
    #[arg(long)]
    backtest: bool,
    /// `--log-level debug`, `--log-dir …`: every parameter of tapelog.toml, above all others.
    #[command(flatten)]
    log: LogArgs,
}

/// What the exchange may answer.
#[derive(Debug)]
struct Refused {
    free_margin: f64,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the order is too large: a margin of {} is free", self.free_margin)
    }
}

impl std::error::Error for Refused {}

/// The strategy's state.
#[derive(Debug, Default)]
struct Bot {
    average: Option<f64>,
    position: f64,
    profit: f64,
    orders: u32,
}

impl Bot {
    /// Sends a market order. Everything that is logged about it carries its number.
    fn send(&mut self, expert: &MetaExpert, side: Side, price: f64) {
        self.orders += 1;
        let log = expert.logger().bind(context! {
            order_id = format!("O-{}", self.orders).as_str(),
        });
        let size = if side == Side::Buy { 0.1 } else { -0.1 };
        trade!(log, "order submitted", side, size = 0.1, price);
        match exchange(self.orders) {
            Ok(()) => {
                self.profit -= size * price;
                self.position += size;
                trade!(log, "order filled", side, size = 0.1, price, position = self.position);
            }
            Err(refusal) => error!(log, "order rejected", side, error = &refusal),
        }
    }
}

impl Strategy for Bot {
    fn on_init(&mut self, expert: &MetaExpert) -> HandlerResult {
        info!(expert.logger(), "started", version = expert.version());
        Ok(())
    }

    fn on_tick(&mut self, expert: &MetaExpert, tick: &Tick) -> HandlerResult {
        let price = (tick.bid + tick.ask) / 2.0;
        let average = self.average.map_or(price, |average| average + (price - average) / 20.0);
        self.average = Some(average);
        info!(expert.logger(), "tick", bid = tick.bid, ask = tick.ask, average);
        if price > average * 1.001 && self.position <= 0.0 {
            self.send(expert, Side::Buy, tick.ask);
        } else if price < average * 0.999 && self.position >= 0.0 {
            self.send(expert, Side::Sell, tick.bid);
        }
        Ok(())
    }

    fn on_timer(&mut self, expert: &MetaExpert, _due: UnixNanos) -> HandlerResult {
        info!(expert.logger(), "still here", position = self.position, orders = self.orders);
        Ok(())
    }

    /// The error stands in errors.log already.
    fn on_error(&mut self, expert: &MetaExpert, _error: &RunError) -> Flow {
        warning!(expert.logger(), "going on all the same");
        Flow::Continue
    }

    fn on_backtest(&mut self, _expert: &MetaExpert, _summary: &Summary) -> f64 {
        self.profit
    }

    fn on_deinit(&mut self, expert: &MetaExpert, reason: DeinitReason) -> HandlerResult {
        info!(expert.logger(), "stopped", reason = ?reason, orders = self.orders);
        Ok(())
    }
}

/// Takes every order but each seventh.
fn exchange(order: u32) -> Result<(), Refused> {
    if order.is_multiple_of(7) { Err(Refused { free_margin: 12.5 }) } else { Ok(()) }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mode = if arguments.backtest { Mode::Backtest } else { Mode::Paper };
    // `build_or_console` trades on where the logs cannot be had; `build` gives the error instead.
    let mut expert = MetaExpert::builder("{{name}}")
        .symbol(arguments.symbol)
        .strategy_id("average-20")
        .account_id("paper-0001")
        .version(env!("CARGO_PKG_VERSION"))
        .mode(mode)
        .timer(Duration::from_secs(60))
        .logging(|log| log.arguments(&arguments.log))
        .build_or_console();
    let summary = expert.run(&mut Bot::default(), feed::market());
    let Summary { events, errors, reason, .. } = summary;
    println!("{events} events, {errors} errors, ended by {reason:?}");
    if reason == DeinitReason::FeedEnded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
} // Dropping the host writes everything out.
