//! `tapelog bench`: the laboratory.
//!
//! ```text
//! cases ─▶ stopwatch ─▶ engine ─▶ journal ─▶ verify ─┐
//!              └─▶ samples ──────────────────────────┴─▶ model ─▶ print, report, compare
//! load ──▶ engine ─▶ files ─▶ check ─▶ control ────────────┘
//! ```
//!
//! A figure counts only if the record behind it is found in the files, as it was logged.

mod cases;
mod command;
mod compare;
#[cfg(test)]
mod fixture;
mod latency;
mod line;
mod machine;
mod mode;
mod model;
mod pin;
mod plan;
mod print;
mod problem;
mod report;
mod samples;
mod series;
mod stopwatch;
mod stores;
mod throughput;
mod verify;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::{Failure, escaped};
use machine::Counter;
use mode::Mode;
use model::{FORMAT, Percentiles, Run, RunError};
use plan::Plan;
use problem::Problem;
use series::CaseName;

/// Measures what a log call costs on this machine, and how much the engine can take.
///
/// Latency: each case is logged through both faces with both kinds of stamps, in turn over several
/// rounds; the time stamp counter is measured in the same rounds. Throughput: into the journal and
/// into the logs, each beside a control that only moves the same bytes. Afterwards every record is
/// looked for in the files and compared with what was logged.
///
/// Exit code: 0 if every record was found, or was counted as lost; 1 if records are missing that
/// nobody counted, if what was found differs from what was logged, or if nothing could be measured;
/// 2 for wrong arguments. Records that were counted as lost where none may be are told, miss the
/// budget and stand in the saved run. With --compare: 1 if something has become slower, 2 if nothing can be compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "Without --quick a run takes about eight minutes.")]
pub(crate) struct Arguments {
    /// A run of less than a minute: fewer calls, the same pauses.
    #[arg(long)]
    quick: bool,
    /// Only these modes, and no throughput.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MODE")]
    only: Vec<Mode>,
    /// Only these cases, and no throughput.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "CASE")]
    case: Vec<CaseName>,
    /// Only latency.
    #[arg(long, conflicts_with = "throughput_only")]
    latency_only: bool,
    /// Only throughput.
    #[arg(long, conflicts_with_all = ["only", "case"])]
    throughput_only: bool,
    /// How often each case has its turn [default: 5; 3 for throughput].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// Calls of a case in a round, in every mode but loop [default: by mode].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(20..=1_000_000))]
    calls: Option<u64>,
    /// How long the producers of a throughput case push [default: 1.2; 0.2 with --quick].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    seconds: Option<f64>,
    /// The processor that the producer is pinned to; with a comma, that of a second one.
    #[arg(long, value_delimiter = ',', value_name = "N")]
    producer_cpu: Vec<u32>,
    /// The processor that the drain is pinned to.
    #[arg(long, value_name = "N")]
    writer_cpu: Option<u32>,
    /// The processor that the view is pinned to.
    #[arg(long, value_name = "N")]
    view_cpu: Option<u32>,
    /// Where journals and logs are written; they are removed [default: the temporary directory].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Saves the run.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the run as one page that explains itself.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Compares two saved runs instead of measuring.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], exclusive = true)]
    compare: Option<Vec<PathBuf>>,
}

/// A time that a throughput case can take.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("give seconds, 0.01 to 60".to_owned()),
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some([old, new]) = arguments.compare.as_deref() {
        return Ok(compare::run(old, new));
    }
    let plan = Plan::of(arguments)?;
    pin::check(&plan.cpus)?;
    for path in arguments.json.iter().chain(&arguments.report) {
        can_be_written(path)?;
    }
    let counter = Counter::measure();
    let mut run = Run {
        format: FORMAT,
        command: command::typed(),
        commit: machine::commit(),
        started: jiff::Timestamp::now().to_string(),
        machine: machine::describe(plan.files.root(), counter),
        rdtsc_floor_ns: 0.0,
        timer_pair_ns: Percentiles { p50: 0.0, p90: 0.0, p99: 0.0, p999: 0.0, max: 0.0 },
        store_control_ns: None,
        cases: Vec::new(),
        throughput: Vec::new(),
        nap_control: None,
        problems: Vec::new(),
    };
    say(&print::Head { run: &run, counter });
    let problems = measure(&plan, counter, &mut run)?;
    run.problems = problems.iter().map(ToString::to_string).collect();
    say(&print::Budget(&run));
    if let Some(path) = &arguments.json {
        run.write(path)?;
    }
    if let Some(path) = &arguments.report {
        report::write(&run, path)?;
    }
    for problem in &run.problems {
        eprintln!("tapelog: {}", escaped(problem));
    }
    let unproven = problems.iter().any(|problem| matches!(problem, Problem::Unproven(_)));
    Ok(if unproven { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Makes sure that a run of minutes is not lost because of a path.
fn can_be_written(path: &Path) -> Result<(), RunError> {
    match File::options().append(true).create(true).open(path) {
        Ok(_file) => Ok(()),
        Err(source) => Err(RunError::Write { path: path.to_owned(), source }),
    }
}

/// Measures everything in the plan and prints each table as soon as it is there. Gives what is
/// wrong with the records.
fn measure(plan: &Plan, counter: Counter, run: &mut Run) -> Result<Vec<Problem>, Failure> {
    let mut problems = Vec::new();
    let (clock, timer_pair) = latency::floors(counter)?;
    (run.rdtsc_floor_ns, run.timer_pair_ns) = (clock.p50, timer_pair);
    for &mode in &plan.modes {
        if !mode.measures_any(&plan.cases) {
            continue;
        }
        progress(mode.name());
        let outcome = latency::run(mode, plan, counter, run.rdtsc_floor_ns)?;
        say(&print::ModeTable(&outcome));
        problems.extend(outcome.problems.into_iter().map(|problem| problem.of(mode.name())));
        match (mode, outcome.clock, outcome.timer_pair) {
            (Mode::Batch20, Some(clock), _) => {
                run.rdtsc_floor_ns = clock.p50;
                run.store_control_ns = outcome.stores;
            }
            (Mode::PerCall, _, Some(pair)) => run.timer_pair_ns = pair,
            _ => {}
        }
        run.cases.extend(outcome.cases);
    }
    if plan.throughput {
        let outcome = throughput::run(plan, progress)?;
        say(&print::ThroughputTable(&outcome.cases, Some(outcome.naps)));
        problems.extend(outcome.problems);
        run.throughput = outcome.cases;
        run.nap_control = Some(outcome.naps);
    }
    Ok(problems)
}

/// Prints a part of the report. Who reads it may have gone; the run goes on.
fn say(part: &impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    let printed = write!(out, "{part}").and_then(|()| out.flush());
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("tapelog: the report cannot be written: {error}");
    }
}

/// Tells whoever waits at a terminal what is being measured.
fn progress(what: &str) {
    if io::IsTerminal::is_terminal(&io::stderr()) {
        eprintln!("tapelog: measuring {what}");
    }
}
