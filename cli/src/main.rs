//! The command line of tapelog.

mod demo;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use demo::feed::Feed;
use demo::generator::{self, Generator};
use demo::strategy::events::{Bar, FeedGap, Fill, Order, PositionChange, Rejection, Signal};
use demo::strategy::{EXPERT_NAME, Settings, Silent, Strategy, StrategyLog};
use demo::tick::Tick;

/// Records what a trading program does, and shows it.
#[derive(Debug, Parser)]
#[command(name = "tapelog", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a small strategy on a market feed.
    Demo {
        /// A recorded feed, plain or gzip, - for stdin; without it, a generated one.
        #[arg(long)]
        feed: Option<PathBuf>,
        /// Prints the summary only.
        #[arg(long)]
        quiet: bool,
    },
}

fn main() -> ExitCode {
    let Command::Demo { feed, quiet } = Arguments::parse().command;
    let result = if quiet {
        run_demo(feed, &mut Silent)
    } else {
        run_demo(feed, &mut Printer)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tapelog: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn run_demo<L: StrategyLog>(path: Option<PathBuf>, log: &mut L) -> Result<(), Box<dyn Error>> {
    let mut strategy = Strategy::new(Settings::default());
    let Some(path) = path else {
        let ticks = Generator::new(generator::SEED_DEFAULT, generator::MESSAGES_DEFAULT);
        replay(&mut strategy, ticks, log);
        report(&strategy, generator::SYMBOL);
        return Ok(());
    };
    let mut feed = Feed::open(&path)?;
    let mut fatal = None;
    let ticks = feed.by_ref().filter_map(|item| {
        let error = match item {
            Ok(tick) => return Some(tick),
            Err(error) => error,
        };
        if error.is_fatal() {
            fatal = Some(error);
        } else {
            eprintln!("{}", with_causes(&error));
        }
        None
    });
    replay(&mut strategy, ticks, log);
    report(&strategy, feed.symbol().unwrap_or("an unnamed symbol"));
    if let Some(error) = fatal {
        let bytes_read = feed.bytes_read();
        let of = feed
            .bytes_total()
            .map(|bytes| format!(" of {bytes}"))
            .unwrap_or_default();
        eprintln!(
            "the feed ended early, at line {}: {bytes_read}{of} bytes",
            error.line()
        );
        return Err(error.into());
    }
    Ok(())
}

fn replay<L: StrategyLog>(strategy: &mut Strategy, ticks: impl Iterator<Item = Tick>, log: &mut L) {
    for tick in ticks {
        strategy.on_tick(&tick, log);
    }
}

fn report(strategy: &Strategy, symbol: &str) {
    let counts = strategy.counts();
    let (messages, entries) = (counts.messages(), counts.entries());
    println!("{EXPERT_NAME} on {symbol}: {messages} messages, {entries} entries");
    println!("{counts:#?}");
    println!("position at the end: {}", strategy.position());
}

/// Prints what concerns the bot's own orders.
struct Printer;

impl StrategyLog for Printer {
    fn market_event(&mut self, _tick: &Tick) {}
    fn market_detail(&mut self, _tick: &Tick) {}
    fn bar_closed(&mut self, _bar: &Bar) {}
    fn signal(&mut self, signal: &Signal) {
        println!("signal {} at {}", signal.side.as_str(), signal.close);
    }
    fn order_submitted(&mut self, order: &Order) {
        let (side, action) = (order.side.as_str(), order.action.as_str());
        println!("{} {side} {} to {action}", order.order_id, order.size);
    }
    fn order_filled(&mut self, fill: &Fill) {
        println!("{} {} at {}", fill.order_id, fill.trade_id, fill.price);
    }
    fn position_changed(&mut self, change: &PositionChange) {
        println!("position {}", change.position);
    }
    fn order_rejected(&mut self, rejection: &Rejection) {
        eprintln!("{}", with_causes(rejection));
    }
    fn feed_gap(&mut self, gap: &FeedGap) {
        eprintln!("{gap}, {} ids skipped", gap.skipped());
    }
}
