//! `tapelog doctor`: what of this machine is in the way of what is promised.

mod finding;
mod machine;
mod places;
mod rings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use tapelog::MetaLogger;

use crate::failure::{self, Failure, escaped, outln};
use finding::{Finding, Verdict};
use rings::Ring;

/// The exit code when there is a problem.
const PROBLEM: u8 = 3;

/// Checks the machine, the log directory and the rings that programs left behind.
///
/// Looks at tmpfs, RemoveIPC, swap, the file system, limits, the time stamp counter, owners and modes,
/// free space and cores, and says of each: OK, NOTE (it works, with a drawback) or PROBLEM (a promise
/// cannot be kept like that), what it means and what to change. Run it as the program's user, with its
/// environment: the configuration is read as the program reads it.
///
/// --clean removes rings that nobody can use any more: set aside, of another boot or version, or never
/// finished.
/// A ring of a dead process may hold records: `tapelog recover DIR` or the program's next start brings
/// them home; only --clean --force removes it. A living process keeps its ring in any case.
///
/// Exit code: 0 if there is no problem, 3 if there is one, 1 if something could not be looked at or
/// removed, 2 for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The log directory of a program [default: what the configuration says].
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The configuration file, instead of tapelog.toml and the one that TAPELOG_CONFIG names.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the rings lie, instead of the configuration's ring_dir.
    #[arg(long, value_name = "DIR")]
    ring_dir: Option<PathBuf>,
    /// Remove rings that nobody can use any more.
    #[arg(long)]
    clean: bool,
    /// Remove rings of dead processes, too, with the records that are in them.
    #[arg(long, requires = "clean")]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// All that was found.
#[derive(Debug, Serialize)]
struct Report {
    problems: usize,
    notes: usize,
    findings: Vec<Finding>,
    rings: Vec<Ring>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut builder = MetaLogger::builder();
    if let Some(file) = &arguments.file {
        builder = builder.config_file_argument("--file", file);
    }
    if let Some(directory) = &arguments.directory {
        builder = builder.log_dir(directory);
    }
    if let Some(directory) = &arguments.ring_dir {
        builder = builder.ring_dir(std::path::absolute(directory)?);
    }
    let configuration = builder.configuration()?;
    let mut findings = Vec::new();
    machine::check(&configuration, &mut findings);
    places::check(&configuration, &mut findings);
    let clean = arguments.clean.then_some(arguments.force);
    let rings = rings::look(&configuration.ring_dir, clean, &mut findings)?;
    let count = |verdict| findings.iter().filter(|found| found.verdict == verdict).count();
    let (problems, notes) = (count(Verdict::Problem), count(Verdict::Note));
    let report = Report { problems, notes, findings, rings };
    if arguments.json {
        outln!("{}", failure::json(&report)?);
    } else {
        tell(&report);
    }
    Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(PROBLEM) })
}

fn tell(report: &Report) {
    for Finding { check, verdict, what, advice } in &report.findings {
        outln!("{:<8} {check}: {}", verdict.word(), escaped(what));
        if let Some(advice) = advice {
            outln!("         {}", escaped(advice));
        }
    }
    for ring in &report.rings {
        outln!("ring     {}", escaped(&ring.line()));
    }
    outln!("{} problems, {} notes", report.problems, report.notes);
}
