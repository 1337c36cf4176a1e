//! Runs tests at the wanted size, one after the other, and listens to what they tell.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::figures::Figures;
use crate::programs;
use crate::rows::Size;
use crate::sources::Test;
use crate::strace;

/// How much is wanted of each test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What the table says.
    Long,
    /// So many times.
    Times(u64),
    /// As often as there is time for.
    For(Duration),
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// What came of one test.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) row: u32,
    pub(crate) fault: &'static str,
    pub(crate) test: String,
    /// Whether so much can be asked for, and how much was, in words.
    pub(crate) sized: bool,
    pub(crate) asked: String,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
    pub(crate) figures: Figures,
}

/// How many lines of a failed test are shown.
const TAIL_LINES: usize = 60;

/// Builds the tests and runs them.
///
/// # Errors
/// They do not build.
pub(crate) fn run(tests: &[&Test], wanted: Wanted) -> std::result::Result<Vec<Result>, String> {
    if tests.is_empty() {
        return Err("no test of the table fits: see --list".to_owned());
    }
    let programs = programs::build(tests)?;
    let mut results = Vec::new();
    for test in tests {
        println!("row {:02}: {}: {}", test.row.number, test.row.fault, test.name);
        results.push(run_one(test, &programs[&test.program()], wanted));
    }
    if tests.iter().any(|test| test.row.number == strace::ROW) {
        println!("row {:02}: {}", strace::ROW, strace::FAULT);
        results.push(strace::run(wanted));
    }
    Ok(results)
}

/// Runs one test until enough is done, or it fails.
fn run_one(test: &Test, program: &Path, wanted: Wanted) -> Result {
    let began = Instant::now();
    let mut result = Result {
        row: test.row.number,
        fault: test.row.fault,
        test: test.name.clone(),
        sized: test.size() != Size::Once,
        asked: asked(test.size(), wanted),
        outcome: Outcome::Passed,
        took: Duration::ZERO,
        figures: Figures::default(),
    };
    let bar = bar(test.size(), wanted);
    let mut done = 0;
    while let Some(size) = next(test.size(), wanted, done, began.elapsed()) {
        let mut command = Command::new(program);
        command.args([&*test.name, "--nocapture", "--test-threads=1"]);
        command.current_dir(test.program().directory());
        if let Some(long) = test.long {
            command.env(long.variable, size.to_string());
        }
        let passed = listen(command, test, &mut result.figures, &bar);
        if !passed {
            result.outcome = Outcome::Failed;
            break;
        }
        if result.figures.done().is_none() && !result.figures.skipped.is_empty() {
            result.outcome = Outcome::Skipped;
            break;
        }
        done += size;
        bar.set_position(done);
    }
    bar.finish_and_clear();
    result.took = began.elapsed();
    result
}

/// How much the next run is asked for; none when enough is done.
fn next(size: Size, wanted: Wanted, done: u64, elapsed: Duration) -> Option<u64> {
    let left = match (size, wanted) {
        (Size::Once, Wanted::For(time)) => u64::from(elapsed < time),
        (Size::Once, _) => 1_u64.saturating_sub(done),
        (Size::Times { step, .. }, Wanted::For(time)) => u64::from(elapsed < time) * step,
        (Size::Times { step, .. }, Wanted::Times(times)) => times.saturating_sub(done).min(step),
        (Size::Times { long, step }, Wanted::Long) => long.saturating_sub(done).min(step),
        (Size::Seconds { .. }, Wanted::For(time)) => time.as_secs().saturating_sub(done),
        (Size::Seconds { long }, _) => long.saturating_sub(done),
    };
    (left > 0).then_some(left)
}

/// The same in words.
fn asked(size: Size, wanted: Wanted) -> String {
    match (size, wanted) {
        (_, Wanted::For(time)) => format!("{} s", time.as_secs()),
        (Size::Once, _) => "once".to_owned(),
        (Size::Times { .. }, Wanted::Times(times)) => times.to_string(),
        (Size::Times { long, .. }, Wanted::Long) => long.to_string(),
        (Size::Seconds { long }, _) => format!("{long} s"),
    }
}

fn bar(size: Size, wanted: Wanted) -> ProgressBar {
    let length = match (size, wanted) {
        (Size::Times { .. }, Wanted::Times(times)) => Some(times),
        (Size::Times { long, .. }, Wanted::Long) => Some(long),
        _ => None,
    };
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{elapsed_precise} {wide_bar} {pos}/{len}, {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{elapsed_precise} {spinner} {pos} done"),
    };
    // The template is right: see the test.
    let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
    bar.enable_steady_tick(Duration::from_millis(500));
    bar.with_style(style)
}

/// Runs a test to its end; shows what it tells, and everything if it fails. Whether it passed.
fn listen(mut command: Command, test: &Test, figures: &mut Figures, bar: &ProgressBar) -> bool {
    let mut tail = std::collections::VecDeque::new();
    let mut ran_one = false;
    let status = std::io::pipe().and_then(|(reader, writer)| {
        let mut child =
            command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // Its ends of the pipe would keep the reader waiting.
        drop(command);
        for line in BufReader::new(reader).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            if let Some(told) = figures.hear(test.row.number, &line) {
                bar.println(format!("  {told}"));
            }
            ran_one |= line.starts_with("test result: ok. 1 passed");
            tail.push_back(line);
            if tail.len() > TAIL_LINES {
                tail.pop_front();
            }
        }
        child.wait()
    });
    let problem = match status {
        Ok(status) if status.success() && ran_one => return true,
        Ok(status) if status.success() => format!("{} did not run", test.name),
        Ok(status) => format!("{}: {status}", test.name),
        Err(error) => format!("{} cannot be run: {error}", test.name),
    };
    tail.iter().for_each(|line| bar.println(format!("  | {line}")));
    bar.println(format!("  FAILED: {problem}"));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Size = Size::Times { long: 1_200, step: 500 };
    const SECONDS: Size = Size::Seconds { long: 60 };

    #[test]
    fn a_test_is_run_until_enough_is_done() {
        let next = |size, wanted, done| next(size, wanted, done, Duration::from_secs(done));
        assert_eq!(next(TIMES, Wanted::Long, 0), Some(500));
        assert_eq!(next(TIMES, Wanted::Long, 1_000), Some(200));
        assert_eq!(next(TIMES, Wanted::Long, 1_200), None);
        assert_eq!(next(TIMES, Wanted::Times(7), 0), Some(7));
        let minute = Wanted::For(Duration::from_secs(60));
        assert_eq!((next(TIMES, minute, 59), next(TIMES, minute, 60)), (Some(500), None));
        assert_eq!((next(SECONDS, minute, 0), next(SECONDS, minute, 60)), (Some(60), None));
        assert_eq!((next(Size::Once, minute, 9), next(Size::Once, minute, 60)), (Some(1), None));
        assert_eq!((next(Size::Once, Wanted::Long, 0)), Some(1));
        assert_eq!((next(Size::Once, Wanted::Long, 1)), None);
    }

    #[test]
    fn the_bars_templates_are_right() {
        for wanted in [Wanted::Long, Wanted::For(Duration::from_secs(1))] {
            bar(TIMES, wanted).finish_and_clear();
        }
    }
}
