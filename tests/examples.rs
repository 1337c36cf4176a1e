//! Goal: every program in `examples/` runs, and its logs hold what the documents say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use support::{Desk, LOGS, json, lines, run};

/// An example as a program, to be run in the desk's directory with nothing of ours in its
/// environment but that slow calls are not told. All are built once, into the directory that this test was built in.
fn example(name: &str, desk: &Desk) -> Command {
    static BUILT: LazyLock<()> = LazyLock::new(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--workspace", "--examples", "--manifest-path"]);
        cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        cargo.arg("--target-dir").arg(target());
        run(cargo);
    });
    LazyLock::force(&BUILT);
    let mut program = Command::new(target().join("debug/examples").join(name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("TAPELOG_") {
            program.env_remove(variable);
        }
    }
    program.current_dir(desk.path("")).env("TMPDIR", desk.path(""));
    // A busy machine may stop any call for long, and lines are counted.
    program.env("TAPELOG_LATENCY_WARNING", "0");
    program
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

#[test]
fn every_file_in_examples_is_run_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = fs::read_to_string(root.join("tests/examples.rs")).unwrap();
    let files = fs::read_dir(root.join("examples")).unwrap().map(|file| file.unwrap().path());
    let mut count = 0;
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(tests.contains(&format!("example(\"{name}\", ")), "nothing runs {name}");
        count += 1;
    }
    assert!(count >= 5);
    println!("{count} examples");
}

/// A line without what differs from run to run: the time, the process, the machine.
fn without_time(line: &str) -> String {
    let Ok(mut entry) = serde_json::from_str::<Value>(line) else {
        return line.split_once("Z] ").unwrap_or_else(|| panic!("no time in {line}")).1.to_owned();
    };
    let fields = entry.as_object_mut().unwrap();
    for varies in ["timestamp", "timestamp_ns", "hostname", "procid"] {
        fields.remove(varies).unwrap_or_else(|| panic!("no {varies} in {line}"));
    }
    entry.to_string()
}

#[test]
fn the_quickstart_leaves_the_lines_that_the_readme_shows() {
    let desk = Desk::new();
    run(example("quickstart", &desk));
    let readme = include_str!("../README.md");
    let shown = readme.split("<!-- lines -->\n```text\n").nth(1).unwrap();
    let shown = shown.split("```\n").next().unwrap();
    let mut written = String::new();
    for log in LOGS {
        written += &format!("==> logs/{log} <==\n");
        for line in lines(&desk.logs().join(log)) {
            written += &(without_time(&line) + "\n");
        }
    }
    let shown: String = shown
        .lines()
        .map(|line| if line.starts_with("==>") { line.to_owned() } else { without_time(line) } + "\n")
        .collect();
    assert_eq!(written, shown, "the README shows other lines than the program writes");
}

#[test]
fn the_hottest_loop_logs_its_quote() {
    let desk = Desk::new();
    run(example("hottest_loop", &desk));
    let [line] = &desk.lines("expert.log")[..] else { panic!("{:?}", desk.lines("expert.log")) };
    assert!(line.ends_with("quote bid=70000.0 ask=70000.1"), "{line}");
}

#[test]
fn the_call_sites_run_and_leave_nothing() {
    let desk = Desk::new();
    run(example("sites", &desk));
    assert_eq!(fs::read_dir(desk.path("")).unwrap().count(), 0);
}

#[test]
fn the_panicking_program_tells_of_its_panic_in_errors_log() {
    let desk = Desk::new();
    let output = example("panics", &desk).output().unwrap();
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let [line] = &desk.lines("errors.log")[..] else { panic!("{:?}", desk.lines("errors.log")) };
    let part = r#"] panic message="attempt to divide by zero" location=examples/panics.rs:"#;
    assert!(line.contains(part), "{line}");
    assert_eq!(desk.lines("expert.log").len(), 2);
}

/// SC-009: contextual logging inside a strategy.
#[test]
fn the_expert_example_logs_each_order_with_the_strategy_s_context_and_its_own() {
    let desk = Desk::new();
    let output = run(example("expert", &desk));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "40 events, 0 errors\n");

    let trades: Vec<_> = desk.lines("trades.log").iter().map(|line| json(line)).collect();
    assert!(trades.len() > 8, "{}", trades.len());
    let bound = [
        ("expert_name", "ThreeInARow"),
        ("symbol", "BTCUSDT"),
        ("strategy_id", "three-in-a-row"),
        ("account_id", "***711"),
    ];
    for entry in &trades {
        for (name, value) in bound {
            assert_eq!(entry[name], value, "{entry}");
        }
        assert_eq!(
            entry["order_id"].as_str().unwrap()[2..],
            entry["trade_id"].as_str().unwrap()[2..]
        );
        assert!(entry["market_time"].as_str().unwrap().starts_with("2026-01-01T00:00:"), "{entry}");
    }
    let errors = desk.lines("errors.log");
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in ["order rejected", "order_id=O-3", "invalid float", "symbol=BTCUSDT"] {
        assert!(errors[0].contains(part), "{}", errors[0]);
    }
    assert!(desk.lines("expert.log").len() > 40 + trades.len());
}
