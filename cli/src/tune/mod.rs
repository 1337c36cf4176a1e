//! `tapelog tune`: the smallest ring that loses nothing of a load.
//!
//! ```text
//! feed ──▶ the demo's bot ─┐
//! --rate --burst ──────────┼─▶ Load ─▶ worst stretch ─▶ Advice ─▶ Proof, Rehearsal ─▶ Findings
//! logger.metrics ──────────┘   bytes of each record     Model     on real engines
//! ```
//!
//! The bytes are those that the ring has given to each record, the losses are computed by the ring's
//! own rules, and then both are tried: the advice is printed with its proof.

mod advice;
mod chart;
mod engine;
mod event;
mod findings;
mod load;
mod model;
mod proof;
mod recorded;
mod source;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::demo::generator;
use crate::demo::speed::Speed;
use crate::demo::units::{bytes, grouped};
use crate::failure::{self, Failure};
use advice::{Advice, Demand};
use chart::Style;
use findings::{Findings, LoadFigures};
use load::{Burst, Load};
use model::Model;
use proof::Proof;
use recorded::Recorded;

/// The drain's longest nap, after a second of silence, and what the scheduler may let it wait.
const STALL_DEFAULT: &str = "30ms";
/// A counter-proof gives a ring that is not to be made smaller so many times its size.
const OVERFILL: u64 = 4;

/// Finds the smallest ring that loses nothing of a load, and proves it.
///
/// The load is a recorded feed that the demo's bot trades on, a rate with bursts, or what a running
/// logger has recorded of itself; without any of them a generated market. The ring must take the
/// worst of it while the drain is away. The advice is tried on real engines: the advised ring must
/// lose nothing, and a quarter of it exactly what was computed.
///
/// Exit code: 0 if the advice is proven, 1 if not, 2 for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A recorded feed, plain or gzip, - for stdin: the demo's bot logs what it does on it.
    #[arg(long, value_name = "FILE", group = "source")]
    feed: Option<PathBuf>,
    /// How fast the feed comes: N times real time, or max: all of it at once.
    #[arg(long, value_name = "max|N", default_value = "1")]
    speed: Speed,
    /// Records per second, in bursts of --burst.
    #[arg(long, value_name = "R", group = "source", requires = "burst")]
    rate: Option<f64>,
    /// Records that come at once.
    #[arg(long, value_name = "B", requires = "rate")]
    burst: Option<u64>,
    /// What a record takes in the ring, with --rate.
    #[arg(long, value_name = "BYTES", default_value_t = 96)]
    record_bytes: u32,
    /// A log directory, or the journal in it, with logger.metrics entries.
    #[arg(long, value_name = "DIR", group = "source")]
    from_journal: Option<PathBuf>,
    /// How many times the worst of the load the ring must take: 1 to 1000.
    #[arg(long, value_name = "N", default_value = "2.0", value_parser = headroom)]
    headroom: f64,
    /// How long the drain may be away, such as 500us, 30ms, 2s.
    #[arg(long, value_name = "TIME", default_value = STALL_DEFAULT, value_parser = stall)]
    stall: Duration,
    /// Threads that log: each keeps a block of the ring.
    #[arg(
        long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=4096)
    )]
    threads: u32,
    /// The least severe level that is logged.
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info")]
    level: Least,
    /// Draws the chart with ASCII characters only.
    #[arg(long)]
    ascii: bool,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// How many messages the generated market has.
    #[arg(long, value_name = "N", hide = true, default_value_t = generator::MESSAGES_DEFAULT)]
    messages: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Least {
    Info,
    Debug,
}

/// Where the load comes from, and what is to be said of it.
#[derive(Debug)]
struct Source {
    load: Load,
    name: String,
    notes: Vec<String>,
    recorded: Option<Recorded>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut demand = Demand {
        stall: arguments.stall,
        headroom: arguments.headroom,
        threads: arguments.threads,
        views_behind: advice::VIEWS_BEHIND,
    };
    let source = source_of(arguments, &mut demand)?;
    let findings = tune(source, &demand)?;
    let text = if arguments.json {
        format!("{}\n", failure::json(&findings)?)
    } else {
        findings.show(Style::of_terminal(arguments.ascii)).to_string()
    };
    print(&text)?;
    if findings.is_proven() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tapelog: the advice is not proven: a ring did not do what was computed for it");
    Ok(ExitCode::FAILURE)
}

fn source_of(arguments: &Arguments, demand: &mut Demand) -> Result<Source, Failure> {
    if let Some(directory) = &arguments.from_journal {
        let recorded = recorded::read(directory)?;
        let view_lag = Duration::from_micros(recorded.view_lag_us);
        demand.views_behind = demand.views_behind.max(view_lag);
        return Ok(Source {
            load: recorded.load(demand.stall)?,
            name: format!("what the loggers of {} have recorded", directory.display()),
            notes: recorded_notes(&recorded),
            recorded: Some(recorded),
        });
    }
    if let (Some(rate), Some(burst)) = (arguments.rate, arguments.burst) {
        let name = format!("bursts of {} records, {rate} records/s", grouped(burst));
        let load = source::bursts(rate, burst, arguments.record_bytes)?;
        return Ok(Source { load, name, notes: Vec::new(), recorded: None });
    }
    let market = source::open(arguments.feed.as_deref(), arguments.messages)?;
    let name = format!("the demo's bot on {market}, at {}", arguments.speed);
    let measured = source::market(market, arguments.speed)?;
    let mut notes = Vec::new();
    if measured.malformed > 0 {
        notes.push(format!("{} lines of the feed gave no message", grouped(measured.malformed)));
    }
    if measured.is_cut {
        let messages = grouped(measured.messages);
        notes.push(format!("only the first {messages} messages were taken: more is not held"));
    }
    let load = match arguments.level {
        Least::Debug => measured.load,
        Least::Info => {
            let load = measured.load.without_details();
            notes.extend(debug_note(&measured.load, &load, demand));
            load
        }
    };
    Ok(Source { load, name, notes, recorded: None })
}

/// What the details would cost.
fn debug_note(all: &Load, load: &Load, demand: &Demand) -> Option<String> {
    let worst = all.worst(demand.stall);
    let advice = Advice::find(all, &worst, demand).ok()?;
    let more = all.records.len().checked_sub(load.records.len()).filter(|more| *more > 0)?;
    Some(format!(
        "at level DEBUG {} more records, {} within a stall at worst: a ring of {}",
        grouped(more as u64),
        bytes(worst.bytes),
        bytes(advice.ring_bytes)
    ))
}

fn recorded_notes(recorded: &Recorded) -> Vec<String> {
    let mut notes = vec![format!(
        "{} entries; at most {} records/s, {}/s, {} of the ring in use, the drain {} µs behind, the \
         views {} µs",
        grouped(recorded.entries),
        grouped(recorded.records_per_s),
        bytes(recorded.bytes_per_s),
        bytes(recorded.ring_used_bytes),
        grouped(recorded.drain_lag_us),
        grouped(recorded.view_lag_us)
    )];
    if recorded.lost_total > 0 {
        notes.push(format!(
            "{} records were lost: the ring was full, so twice what it held is taken for granted",
            grouped(recorded.lost_total)
        ));
    }
    if recorded.lost_view_lag > 0 {
        notes.push(format!(
            "{} of them because the views were behind: log less (log_level), render to fewer logs, \
             or keep more segments",
            grouped(recorded.lost_view_lag)
        ));
    }
    if recorded.lost_disk > 0 {
        notes.push(format!(
            "{} of them because the disk took nothing: no ring helps against that for long",
            grouped(recorded.lost_disk)
        ));
    }
    notes
}

fn tune(source: Source, demand: &Demand) -> Result<Findings, Failure> {
    let Source { load, name, notes, recorded } = source;
    let worst = load.worst(demand.stall);
    let advice = Advice::find(&load, &worst, demand)?;
    let burst = Burst::new(&load, worst, demand.bytes(&worst));
    let proof = proof::prove(&advice, &burst)?;
    let (counter_proof, overfilled) = counter_proof(&advice, &load, &burst)?;
    let rehearsal = proof::rehearse(&advice, &load, &worst, demand)?;
    Ok(Findings {
        source: name,
        notes,
        load: LoadFigures::of(&load, &worst),
        stall_ms: demand.stall.as_secs_f64() * 1e3,
        is_default_stall: stall(STALL_DEFAULT) == Ok(demand.stall),
        headroom: demand.headroom,
        threads: demand.threads,
        advice,
        proof,
        counter_proof,
        overfilled,
        rehearsal,
        recorded,
    })
}

/// The same load on a quarter of the ring; or, where that loses nothing or cannot be configured,
/// the whole ring with more than it takes.
fn counter_proof(
    advice: &Advice,
    load: &Load,
    burst: &Burst<'_>,
) -> Result<(Proof, bool), Failure> {
    let loses = |quarter: &Advice| {
        let shape = quarter.shape();
        shape.is_some_and(|shape| Model::new(shape, 0).losses(burst.records()) > 0)
    };
    let quarter = advice.shrunk_to(advice.ring_bytes / 4, load.longest()).filter(loses);
    Ok(match quarter {
        Some(quarter) => (proof::prove(&quarter, burst)?, false),
        None => {
            let more = burst.of_bytes(OVERFILL * advice.ring_bytes);
            (proof::prove(advice, &more)?, true)
        }
    })
}

/// A number of times, from 1.
fn headroom(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(times) if (1.0..=1_000.0).contains(&times) => Ok(times),
        _ => Err("a headroom is a number from 1 to 1000: 2 takes twice the worst".to_owned()),
    }
}

/// A time with its unit.
fn stall(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_s = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => 0.0,
    };
    let seconds = number.parse().map_or(0.0, |number: f64| number * unit_s);
    if (1e-6..=60.0).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err("a stall is a time from 1us to 60s, with its unit: 500us, 30ms, 2s".to_owned())
}

/// Who reads it may have gone, as `head` does.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_factors_are_refused_with_what_is_accepted() {
        assert_eq!(stall("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(stall("1.5ms"), Ok(Duration::from_micros(1_500)));
        assert_eq!(stall("2s"), Ok(Duration::from_secs(2)));
        for refused in ["", "30", "ms", "-1s", "0ms", "61s", "1h", "1.2.3s"] {
            assert!(stall(refused).unwrap_err().contains("30ms"), "{refused}");
        }
        assert_eq!(headroom("2"), Ok(2.0));
        for refused in ["", "0.5", "nan", "inf", "1001"] {
            assert!(headroom(refused).unwrap_err().contains("1 to 1000"), "{refused}");
        }
    }
}
