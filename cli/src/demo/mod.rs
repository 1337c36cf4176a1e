//! `tapelog demo`: a small strategy trades on a market feed and logs as a real expert does.
//!
//! ```text
//! feed (recording) ─┐                    ┌─▶ strategy ─▶ Timed<Journalist> ─▶ tapelog ─▶ logs
//!                   ├─▶ Market ─▶ Replay ┤
//! generator ────────┘                    └─▶ strategy ─▶ Timed<Silent>
//! ```
//!
//! The strategy is run by a [`tapelog::MetaExpert`] and tells a [`strategy::StrategyLog`] what happens. [`journalist::Journalist`] is the
//! one that logs; beside it the same strategy runs with [`strategy::Silent`], which shows what the
//! logging costs. Feed, generator and strategy know nothing of tapelog.

mod check;
mod crash;
pub(crate) mod decimal;
pub(crate) mod feed;
mod files;
pub(crate) mod generator;
pub(crate) mod journalist;
pub(crate) mod market;
mod progress;
mod recovered;
mod replay;
mod report;
pub(crate) mod speed;
mod stopwatch;
pub(crate) mod strategy;
pub(crate) mod tick;
pub(crate) mod units;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tapelog::{Level, Overflow, StartError};

use crate::failure::{self, Failure, escaped};
use check::Written;
use files::{LOG_BACKUPS, LogFiles};
use market::Market;
use report::Report;
use speed::Speed;

/// How long the logs may take to catch up at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
/// What the ring does when it is full; the report names it. As by default: the records of 94,000
/// messages take half of the ring, so that none is lost even if the drain gets no processor.
const OVERFLOW: Overflow = Overflow::Drop;

/// Runs a small trading strategy on a market feed and logs what it does.
///
/// MyEmaBot trades crossings of two moving averages. Bars and signals go to expert.log; orders,
/// fills and position changes to trades.log, too; rejected orders and gaps in the feed to
/// errors.log, too. At the end it prints what was measured and checks that the files hold every
/// entry.
///
/// Exit code: 0 if every record was accepted and is in the files, 1 if not, 2 for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the logs go; logs of earlier runs are kept and appended to.
    #[arg(long, value_name = "DIR", default_value = "logs")]
    dir: PathBuf,
    /// A recorded feed, plain or gzip, - for stdin [default: a generated market].
    ///
    /// A line is the receive time in nanoseconds since 1970, a space, and the message as Binance's
    /// streams send it: trade, bookTicker, depthUpdate, or an order book snapshot.
    #[arg(long, value_name = "FILE")]
    feed: Option<PathBuf>,
    /// How fast the feed is replayed: max, or N times real time.
    #[arg(long, value_name = "max|N", default_value = "max")]
    speed: Speed,
    /// How many messages the generated market has.
    #[arg(
        long, value_name = "N", hide = true, conflicts_with = "feed",
        default_value_t = generator::MESSAGES_DEFAULT
    )]
    messages: u64,
    /// Shows that a killed process loses nothing: a child logs at full speed, kills itself with
    /// SIGKILL in full flight, and what it was told to be accepted is looked for afterwards.
    ///
    /// Exit code 1 if a record is missing, stands twice, or is out of order.
    #[arg(long, conflicts_with_all = ["feed", "speed", "messages"])]
    crash: bool,
    /// The child of --crash: the number of the run.
    #[arg(long, value_name = "RUN", hide = true)]
    crash_run: Option<u64>,
}

/// The logger did not start.
#[derive(Debug, thiserror::Error)]
#[error("the demo cannot log to {} (--dir names another directory)", .directory.display())]
struct NoLogger {
    directory: PathBuf,
    source: StartError,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(run) = arguments.crash_run {
        return crash::live_and_die(&arguments.dir, run);
    }
    if arguments.crash {
        return crash::run(&arguments.dir);
    }
    let mut market = match &arguments.feed {
        Some(path) => Market::recorded(path)?,
        None => Market::generated(arguments.messages),
    };
    let mut expert = journalist::expert()
        .log_name("tapelog-demo")
        .log_dir(&arguments.dir)
        .log_level(Level::Info)
        .log_to_console(false)
        .log_backup_count(LOG_BACKUPS)
        .overflow(OVERFLOW)
        .build()
        .map_err(|source| NoLogger { directory: arguments.dir.clone(), source })?;
    let log = expert.logger().clone();
    // What an earlier run left is brought home and rendered first, and does not count.
    recovered::recovered(&log)?;
    let caught_up = log.flush(FLUSH_TIMEOUT);
    let before = log.stats();
    let files = LogFiles::mark(&arguments.dir)?;
    if let Err(unfinished) = caught_up {
        failure::tell(&unfinished);
    }

    let outcome = replay::run(&mut expert, &mut market, arguments.speed);

    let replayed = Instant::now();
    if let Err(unfinished) = log.flush(FLUSH_TIMEOUT) {
        failure::tell(&unfinished);
    }
    let catch_up = replayed.elapsed();
    drop(expert);
    let written = Written::between(&before, &log.stats());
    let found = files.count()?;
    let problems = check::problems(&outcome, &written, &found);
    let report = Report {
        market: &market,
        speed: arguments.speed,
        overflow: OVERFLOW,
        outcome: &outcome,
        catch_up,
        written: &written,
        files: &found,
        directory: &arguments.dir,
    };
    print(&report);
    if let Some(error) = &outcome.feed_error {
        let line = error.line();
        failure::tell(error);
        eprintln!("tapelog: the feed ended early, at line {line}: {}", market.how_far());
    }
    for problem in &problems {
        eprintln!("tapelog: {}", escaped(problem));
    }
    let whole = problems.is_empty() && outcome.feed_error.is_none();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the report. Who reads it may have gone, as `head` does; the files are written all the
/// same.
fn print(report: &Report<'_>) {
    if let Err(error) = write!(io::stdout().lock(), "{report}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("tapelog: the report cannot be written: {error}");
    }
}
