//! Injects the faults of the fault table at the length that they deserve, and prints what came of it.
//!
//! Each fault has one implementation: the test that carries its row's number. `cargo test` runs it as
//! long as CI can wait; this program builds the same tests once and runs them as long as one wants.

mod figures;
mod programs;
mod report;
mod rows;
mod run;
mod sources;
mod strace;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use rows::ROWS;
use run::Wanted;
use sources::Test;

/// Injects the faults of the fault table (docs/reliability.md), as often or as long as wanted.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Only this row of the table; may be given several times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=ROWS.len() as i64))]
    row: Vec<u32>,
    /// Only tests whose names contain this
    #[arg(long, value_name = "PART")]
    test: Option<String>,
    /// How often each fault is injected, instead of the long size
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    times: Option<u64>,
    /// How long each fault is injected, instead of the long size: 90s, 30m, 1h
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Prints the table of faults and tests, and runs nothing
    #[arg(long)]
    list: bool,
    /// What this program runs under strace
    #[arg(long, hide = true, value_name = "DIRECTORY")]
    child: Option<std::path::PathBuf>,
}

/// `90s`, `30m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|unit: char| unit.is_alphabetic());
    let unit = match &text[number.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        other => return Err(format!("{other:?} is no unit: s, m or h is wanted, as in 30m")),
    };
    let number: u64 = number.parse().map_err(|error| format!("{number:?}: {error}"))?;
    Ok(Duration::from_secs(number * unit))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(directory) = &arguments.child {
        return strace::child(directory);
    }
    match work(&arguments) {
        Ok(succeeded) => ExitCode::from(u8::from(!succeeded)),
        Err(message) => {
            eprintln!("torture: {message}");
            ExitCode::from(2)
        }
    }
}

/// Does what is asked for; whether nothing failed.
fn work(arguments: &Arguments) -> Result<bool, String> {
    let chosen = |test: &&Test| {
        let row = arguments.row.is_empty() || arguments.row.contains(&test.row.number);
        row && arguments.test.as_ref().is_none_or(|part| test.name.contains(part))
    };
    let tests = sources::find()?;
    let tests: Vec<_> = tests.iter().filter(chosen).collect();
    if arguments.list {
        print!("{}", report::list(&tests));
        return Ok(true);
    }
    let wanted = match (arguments.times, arguments.duration) {
        (Some(times), _) => Wanted::Times(times),
        (None, Some(duration)) => Wanted::For(duration),
        (None, None) => Wanted::Long,
    };
    let results = run::run(&tests, wanted)?;
    print!("{}", report::table(&results));
    Ok(results.iter().all(|result| result.outcome != run::Outcome::Failed))
}
