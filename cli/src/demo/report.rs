//! What the demo prints at its end.

use std::env;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use tapelog::Overflow;

use super::check::Written;
use super::files::{Found, FoundLog};
use super::market::Market;
use super::replay::Outcome;
use super::speed::Speed;
use super::stopwatch::{PERCENTILES, Times};
use super::strategy::EXPERT_NAME;
use super::units::{bytes, duration_ns, grouped, rate};
use crate::failure::escaped;
use crate::shell;

/// What stands below the times.
const HOW_TIMED: &str = "\
Each log call that makes a record is timed with two readings of the clock, which are part of its
time; the empty pair is the same two with nothing between them. \"Without logging\" is a second
strategy that takes the same messages with a silent log, timed in the same way.";

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) market: &'a Market,
    pub(super) speed: Speed,
    pub(super) overflow: Overflow,
    pub(super) outcome: &'a Outcome,
    /// From the last message until all its entries were in the logs.
    pub(super) catch_up: Duration,
    pub(super) written: &'a Written,
    pub(super) files: &'a Found,
    pub(super) directory: &'a Path,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbol = self.market.symbol().unwrap_or("an unnamed symbol");
        let policy = match self.overflow {
            Overflow::Block(_) => "block: a call waits for room, at most 5 ms",
            _ => "drop: a call never waits",
        };
        let market = escaped(&self.market.to_string());
        writeln!(f, "{EXPERT_NAME} on {symbol}, {market}, at {}", self.speed)?;
        writeln!(f, "when the ring is full: {policy}\n")?;
        self.counts(f)?;
        self.times(f)?;
        self.files(f)?;
        self.next(f)
    }
}

impl Report<'_> {
    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { outcome, written, .. } = self;
        let (counts, lines) = (&outcome.counts, &written.lines);
        let seconds = outcome.elapsed.as_secs_f64();
        let market = duration_ns(outcome.market_time.as_nanos() as f64);
        let elapsed = duration_ns(outcome.elapsed.as_nanos() as f64);
        let catch_up = duration_ns(self.catch_up.as_nanos() as f64);
        let mut row = |label: &str, number: &str, meaning: &str| {
            writeln!(f, "{label:<16}{number:>12}   {meaning}")
        };
        let meaning = format!("{market} of market time in {elapsed}");
        row("messages", &grouped(counts.messages()), &meaning)?;
        if outcome.malformed > 0 {
            row("malformed", &grouped(outcome.malformed), "lines of the feed, told on stderr")?;
        }
        let meaning = format!("all of them in the logs {catch_up} after the last message");
        row("records", &grouped(outcome.calls_made()), &meaning)?;
        let (inside, meaning) = match self.speed {
            Speed::Max => (outcome.loop_seconds(), "while the logging loop ran"),
            Speed::Times(_) => (seconds, "at the speed of the feed"),
        };
        row("records/s", &rate(outcome.calls_made(), inside), meaning)?;
        row("lost", &grouped(written.lost.total()), "refused by the ring")?;
        row("accepted", &grouped(written.accepted), "by the ring")?;
        row("written", &grouped(written.journaled), "to the journal")?;
        row("shown", &grouped(written.shown), "in the logs")?;
        let orders = format!(
            "in trades.log: {} orders, {} fills, {} position changes; {} held at the end",
            grouped(counts.orders),
            grouped(counts.fills),
            grouped(counts.position_changes),
            outcome.position
        );
        row("trade events", &grouped(lines[1]), &orders)?;
        let errors = format!(
            "in errors.log: {} rejected orders, {} gaps in the feed",
            grouped(counts.rejections),
            grouped(counts.feed_gaps)
        );
        row("errors", &grouped(lines[2]), &errors)
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.outcome;
        let names = PERCENTILES.map(|percent| match percent {
            100.0 => "max".to_owned(),
            _ => format!("p{percent}"),
        });
        let cells = |times: &Times| {
            times.percentiles_ticks().map(|ticks| duration_ns(ticks as f64 * outcome.tick_nanos))
        };
        writeln!(f)?;
        let [p50, p99, p999, max] = names;
        writeln!(f, "{:<22}{:>10}{p50:>10}{p99:>10}{p999:>10}{max:>10}", "", "count")?;
        let rows = [
            ("log call", &outcome.calls),
            ("  empty timer pair", &outcome.timer_pairs),
            ("message to decision", &outcome.logged),
            ("  without logging", &outcome.unlogged),
        ];
        for (label, times) in rows {
            let [p50, p99, p999, max] = cells(times);
            let count = grouped(times.count());
            writeln!(f, "{label:<22}{count:>10}{p50:>10}{p99:>10}{p999:>10}{max:>10}")?;
        }
        writeln!(f, "{HOW_TIMED}")
    }

    fn files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nfiles")?;
        for log in &self.files.logs {
            let (path, size) = (shown(&log.path), bytes(log.bytes));
            writeln!(f, "  {path:<28}{size:>10}   {}", lines_of(log))?;
        }
        let journal = &self.files.journal;
        let (path, size) = (format!("{}/", shown(&journal.path)), bytes(journal.bytes));
        let plural = if journal.segments == 1 { "" } else { "s" };
        writeln!(f, "  {path:<28}{size:>10}   {} segment{plural}", journal.segments)
    }

    fn next(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = quoted(self.directory);
        let own = own_command();
        writeln!(f, "\nnext")?;
        writeln!(f, "  tail -F {}", quoted(&self.directory.join("trades.log")))?;
        writeln!(f, "  {own} cat {directory} -o json")?;
        let logs = ["trades.log", "errors.log"].map(|name| self.directory.join(name));
        let [trades_log, errors_log] = [quoted(&logs[0]), quoted(&logs[1])];
        match self.outcome.order {
            Some(order) => writeln!(f, "  grep -hw {order} {trades_log} {errors_log}"),
            None => writeln!(f, "  tail -n 5 {}", quoted(&self.directory.join("expert.log"))),
        }
    }
}

fn lines_of(log: &FoundLog) -> String {
    let lines = grouped(log.lines);
    let rotated = match log.rotated {
        0 => String::new(),
        1 => "; with 1 rotated file".to_owned(),
        count => format!("; with {count} rotated files"),
    };
    let cut = if log.is_cut { ", older ones were rotated away" } else { "" };
    format!("{lines} lines of this run{cut}{rotated}")
}

/// How the user calls this program: as he did.
fn own_command() -> String {
    if env::var_os("CARGO").is_none() {
        let own = env::args_os().next();
        return own.map_or_else(|| "tapelog".to_owned(), |own| quoted(Path::new(&own)));
    }
    let release = if cfg!(debug_assertions) { "" } else { " --release" };
    format!("cargo run{release} --")
}

fn shown(path: &Path) -> String {
    escaped(&path.display().to_string())
}

/// A path as a shell takes it, and no command for an option.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let dashed = if text.starts_with('-') { "./" } else { "" };
    shell::word(&format!("{dashed}{text}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_as_a_shell_takes_them() {
        let paths = ["logs", "my logs", "it's", "-o", "/a/b-c.d"];
        assert_eq!(
            paths.map(|path| quoted(Path::new(path))),
            ["logs", "'my logs'", r"'it'\''s'", "./-o", "/a/b-c.d"]
        );
    }
}
