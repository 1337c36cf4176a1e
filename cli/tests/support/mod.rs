//! What the tests of the command line share: running it, and reading what it leaves behind.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

/// The command line, not knowing that cargo runs it.
pub(crate) fn tapelog() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapelog"));
    command.env_remove("CARGO");
    command
}

/// Runs the demo with its logs in `directory`; the output of a run that must succeed.
pub(crate) fn demo(directory: &Path, arguments: &[&str]) -> String {
    let run = tapelog().arg("demo").arg("--dir").arg(directory).args(arguments).output().unwrap();
    assert!(run.status.success(), "{}\n{}", stdout(&run), stderr(&run));
    stdout(&run)
}

/// What `tapelog cat` shows.
pub(crate) fn cat(directory: &Path, format: &str) -> String {
    let run = tapelog().arg("cat").arg(directory).args(["-o", format]).output().unwrap();
    assert_eq!((run.status.code(), stderr(&run).as_str()), (Some(0), ""));
    stdout(&run)
}

pub(crate) fn stdout(run: &Output) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

pub(crate) fn stderr(run: &Output) -> String {
    String::from_utf8(run.stderr.clone()).unwrap()
}

/// The number behind a label of the report.
pub(crate) fn number(report: &str, label: &str) -> u64 {
    let line = report
        .lines()
        .find(|line| line.strip_prefix(label).is_some_and(|rest| rest.starts_with("  ")))
        .unwrap_or_else(|| panic!("no {label:?} in:\n{report}"));
    let number = line[label.len()..].split_whitespace().next().unwrap();
    number.replace(',', "").parse().unwrap()
}

/// A log with its rotated files, the oldest line first.
pub(crate) fn log(directory: &Path, name: &str) -> String {
    let rotated = |backup: u32| directory.join(format!("{name}.{backup}"));
    let mut text = String::new();
    for backup in (1..10).rev().filter(|backup| rotated(*backup).exists()) {
        text.push_str(&fs::read_to_string(rotated(backup)).unwrap());
    }
    text.push_str(&fs::read_to_string(directory.join(name)).unwrap());
    text
}

/// How many lines a log has, rotated files included.
pub(crate) fn line_count(directory: &Path, name: &str) -> u64 {
    log(directory, name).lines().count() as u64
}

/// How many entries the engine made itself, because the machine held up a call for more than
/// `latency_warning`, or a log was rotated more than once a second: they stand among the program's
/// own.
pub(crate) fn slow_calls(directory: &Path) -> u64 {
    let log = log(directory, "expert.log");
    ["logger.slow_call", "logger.fast_rotation"]
        .map(|text| log.matches(text).count() as u64)
        .iter()
        .sum()
}

/// The lines of a JSON format whose entries are trade events.
pub(crate) fn trade_lines(json: &str) -> String {
    let lines = json.lines().filter(|line| line.contains(r#""msgid":"trade""#));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A recording beside the checkout; none, and a printed reason, when it is not there.
pub(crate) fn recording(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/marketdata").join(name);
    if path.is_file() {
        return Some(path);
    }
    let _told = writeln!(std::io::stderr(), "skipped: {} is not there", path.display());
    None
}
