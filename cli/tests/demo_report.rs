//! Goal: what the demo prints is what the files hold, in a first run and in one that appends.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{demo, line_count, number, slow_calls};

const MESSAGES: u64 = 94_000;
const LOGS: [&str; 3] = ["expert.log", "trades.log", "errors.log"];

/// The row of a file in the report: its size in bytes, and its lines of this run.
fn file_row(report: &str, path: &Path) -> (f64, u64) {
    let path = path.display().to_string();
    let row = report.lines().find(|line| line.trim_start().starts_with(&path));
    let row = row.unwrap_or_else(|| panic!("no {path} in:\n{report}"));
    let mut words = row.trim_start()[path.len()..].split_whitespace();
    let mut word = || words.next().unwrap_or_default().replace(',', "");
    let (size, unit, lines) = (word(), word(), word());
    let unit = match unit.as_str() {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        other => panic!("{other} is no unit: {row}"),
    };
    (size.parse::<f64>().unwrap() * unit, lines.parse().unwrap())
}

fn bytes_of(directory: &Path, name: &str) -> f64 {
    let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let own = files.filter(|file| file.file_name().to_string_lossy().starts_with(name));
    own.map(|file| file.metadata().unwrap().len() as f64).sum()
}

#[test]
fn the_report_tells_what_the_files_hold_and_a_second_run_counts_its_own_lines_alone() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("logs");
    let (mut lines_before, mut slow_before) = ([0; 3], 0);
    // The second run rotates expert.log.
    for run in 1..=2 {
        let report = demo(&directory, &[]);
        println!("{report}");
        assert_eq!(number(&report, "messages"), MESSAGES);
        assert_eq!(number(&report, "lost"), 0);
        assert!(number(&report, "records/s") > 10_000);
        let slow = slow_calls(&directory);
        let records = number(&report, "records") + slow - slow_before;
        slow_before = slow;
        for label in ["accepted", "written", "shown"] {
            assert_eq!(number(&report, label), records, "{label} in run {run}");
        }
        let now = LOGS.map(|name| line_count(&directory, name));
        let own: [u64; 3] = std::array::from_fn(|log| now[log] - lines_before[log]);
        assert_eq!(own[0], records, "run {run}");
        assert_eq!(own[1], number(&report, "trade events"), "run {run}");
        assert_eq!(own[2], number(&report, "errors"), "run {run}");
        assert!(own.iter().all(|lines| *lines > 0));
        for (name, lines) in LOGS.into_iter().zip(own) {
            let (bytes, told) = file_row(&report, &directory.join(name));
            assert_eq!(told, lines, "{name} in run {run}");
            assert!((bytes / bytes_of(&directory, name) - 1.0).abs() < 0.01, "{name}");
        }
        lines_before = now;
    }
    assert!(directory.join("expert.log.1").exists());
}

#[test]
fn the_times_rise_with_their_percentiles_and_are_those_of_the_records() {
    let root = tempfile::tempdir().unwrap();
    let report = demo(root.path(), &["--messages", "20000"]);
    let nanos = |number: &str, unit: &str| {
        let factor = match unit {
            "ns" => 1.0,
            "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            other => panic!("{other} is no unit of time"),
        };
        number.parse::<f64>().unwrap() * factor
    };
    let records = number(&report, "records");
    let counts =
        [("log call", records), ("  empty timer pair", records), ("message to decision", 20_000)];
    for (label, count) in counts {
        assert_eq!(number(&report, label), count, "{label}");
        let row = report.lines().find(|line| line.starts_with(label)).unwrap();
        let words = row[label.len()..].split_whitespace().skip(1).collect::<Vec<_>>();
        let times = words.chunks(2).map(|pair| nanos(pair[0], pair[1])).collect::<Vec<_>>();
        assert_eq!(times.len(), 4, "{row}");
        assert!(times.is_sorted() && times[3] > 0.0, "{row}");
    }
}

#[test]
fn the_next_commands_work_as_they_are_printed() {
    let root = tempfile::tempdir().unwrap();
    // A name that a shell would take apart.
    let directory = root.path().join("my logs");
    let report = demo(&directory, &[]);
    let next = report.lines().skip_while(|line| *line != "next").skip(1).collect::<Vec<_>>();
    assert_eq!(next.len(), 3, "{report}");
    let outputs = next.iter().map(|command| {
        let command = command.replace("tail -F", "tail -n 1");
        let run = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(run.status.success(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    });
    let [tail, cat, order] = outputs.collect::<Vec<_>>().try_into().unwrap();
    assert!(tail.contains(r#""msgid":"trade""#), "{tail}");
    let records = number(&report, "records") + slow_calls(&directory);
    assert_eq!(cat.lines().count() as u64, records);
    assert!(order.contains("order submitted") && order.contains("order rejected"), "{order}");
}

#[test]
fn under_cargo_the_next_command_is_one_for_cargo() {
    let root = tempfile::tempdir().unwrap();
    let mut command = support::tapelog();
    command.env("CARGO", "cargo").args(["demo", "--messages", "100", "--dir"]).arg(root.path());
    let report = support::stdout(&command.output().unwrap());
    assert!(
        report.contains("  cargo run -- cat ") || report.contains("  cargo run --release -- cat ")
    );
}

#[test]
fn a_slower_speed_takes_its_time() {
    let root = tempfile::tempdir().unwrap();
    let begin = std::time::Instant::now();
    let report = demo(root.path(), &["--messages", "1000", "--speed", "10"]);
    assert!(report.contains("at 10 times real time"), "{report}");
    assert!(report.contains("at the speed of the feed"), "{report}");
    assert!(begin.elapsed().as_secs_f64() > 0.1);
}
