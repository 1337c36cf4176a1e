//! The tables: what there is to run, and what came of it.

// Writing to a string cannot fail, so what comes of it is left alone.
use std::fmt::Write as _;

use crate::rows::{ROWS, Size};
use crate::run::{Outcome, Result};
use crate::sources::Test;

/// The rows, and below each its tests.
pub(crate) fn list(tests: &[&Test]) -> String {
    let mut out = String::new();
    for row in &ROWS {
        let of_row = tests.iter().filter(|test| test.row.number == row.number);
        let tests: Vec<_> = of_row.map(|test| listed(test)).collect();
        if !tests.is_empty() {
            let _ = writeln!(out, "{:>2}  {} ({})", row.number, row.fault, row.how);
            tests.iter().for_each(|test| out.push_str(test));
        }
    }
    out
}

fn listed(test: &Test) -> String {
    let size = match (test.long, test.size()) {
        (Some(long), Size::Times { long: times, .. }) => format!("{times} x, {}", long.variable),
        (Some(long), Size::Seconds { long: seconds }) => format!("{seconds} s, {}", long.variable),
        _ => "once".to_owned(),
    };
    format!("      {size:<28} {}: {}\n", test.file, test.name)
}

/// The results as a table in Markdown, and below it what else there is to say.
pub(crate) fn table(results: &[Result]) -> String {
    let mut out = String::from(
        "\n| row | fault | test | asked | done | outcome | took | figures |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for result in results {
        let outcome = match result.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        let done = match (result.figures.done(), result.outcome) {
            (Some(done), _) => done.to_string(),
            // It may have done less than it was asked for, or nothing.
            (None, Outcome::Passed) if result.sized => "**not told**".to_owned(),
            (None, Outcome::Passed) => "once".to_owned(),
            (None, _) => "–".to_owned(),
        };
        let skipped = result.figures.skipped.iter().map(|reason| format!("skipped: {reason}"));
        let figures: Vec<_> = result.figures.lines().chain(skipped).collect();
        let _ = writeln!(
            out,
            "| {} | {} | `{}` | {} | {done} | {outcome} | {:.1} s | {} |",
            result.row,
            result.fault,
            result.test,
            result.asked,
            result.took.as_secs_f64(),
            figures.join("; ").replace('|', "\\|"),
        );
    }
    let count = |outcome| results.iter().filter(|result| result.outcome == outcome).count();
    let [passed, failed, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(count);
    let _ = writeln!(out, "\n{passed} passed, {failed} failed, {skipped} skipped");
    let untold = |result: &&Result| {
        result.sized && result.outcome == Outcome::Passed && result.figures.done().is_none()
    };
    for result in results.iter().filter(untold) {
        let _ = writeln!(out, "{} does not tell how often it was done", result.test);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::Figures;

    #[test]
    fn the_table_has_a_line_for_each_test() {
        let result = |outcome, line| {
            let mut figures = Figures::default();
            figures.hear(4, line);
            let took = Duration::from_millis(1_500);
            let asked = "10".to_owned();
            let test = "row_04_x".to_owned();
            Result { row: 4, fault: "power cut", test, sized: true, asked, outcome, took, figures }
        };
        let table = table(&[
            result(Outcome::Passed, "row 04: 10 power cuts"),
            result(Outcome::Skipped, "skipped: not root"),
            result(Outcome::Failed, ""),
            result(Outcome::Passed, "10 power cuts"),
            Result { sized: false, asked: "once".to_owned(), ..result(Outcome::Passed, "") },
        ]);
        let lines: Vec<_> = table.lines().collect();
        let start = "| 4 | power cut | `row_04_x` | 10 ";
        assert_eq!(lines[3], format!("{start}| 10 | passed | 1.5 s | 10 power cuts |"));
        assert_eq!(lines[4], format!("{start}| – | skipped | 1.5 s | skipped: not root |"));
        assert_eq!(lines[5], format!("{start}| – | FAILED | 1.5 s |  |"));
        assert_eq!(lines[6], format!("{start}| **not told** | passed | 1.5 s |  |"));
        assert!(lines[7].contains("| once | once | passed "), "{}", lines[7]);
        assert_eq!(lines[9], "3 passed, 1 failed, 1 skipped");
        assert_eq!(lines[10..], ["row_04_x does not tell how often it was done"]);
    }
}
