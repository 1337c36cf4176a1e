//! Goal: `tapelog new` writes a project that builds, runs and logs as it stands, whose tapelog.toml
//! shows every parameter that there is; or it writes nothing and says why.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::{line_count, log, stderr, stdout, tapelog};
use tapelog::{MetaLogger, parameters};

/// This checkout of tapelog.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn new(parent: &Path, name: &str) -> Output {
    let mut command = tapelog();
    command.args(["new", name, "--path"]).arg(parent);
    command.output().unwrap()
}

/// What stands in a directory, hidden files included.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Builds the project with what this test was built with, and gives the program. The dependencies
/// are those of this checkout, in the versions of its Cargo.lock: nothing is fetched.
fn build(project: &Path) -> PathBuf {
    fs::copy(checkout().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--target-dir"])
        .arg(target)
        .current_dir(project)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", stderr(&built));
    assert!(!stderr(&built).contains("warning"), "{}", stderr(&built));
    target.join("debug").join(project.file_name().unwrap())
}

fn run(program: &Path, project: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).arg("--log-to-console=false").current_dir(project);
    let run = command.output().unwrap();
    assert!(run.status.success(), "{}\n{}", stdout(&run), stderr(&run));
    assert_eq!(stderr(&run), "");
    stdout(&run)
}

#[test]
fn the_project_builds_runs_and_logs() {
    let root = tempfile::tempdir().unwrap();
    let written = new(root.path(), "gate-bot");
    assert!(written.status.success(), "{}", stderr(&written));
    let project = root.path().join("gate-bot");
    assert!(stdout(&written).contains(&format!("cd {}", project.display())));
    assert_eq!(names(&project), [".gitignore", "Cargo.toml", "README.md", "src", "tapelog.toml"]);
    let program = build(&project);

    let told = run(&program, &project, &["--backtest"]);
    assert_eq!(told, "1199 events, 1 errors, ended by FeedEnded\n");
    let logs = project.join("logs");
    let expert = log(&logs, "expert.log");
    let ticks = expert.lines().filter(|line| line.contains("] tick bid=")).count();
    assert_eq!(ticks, 1_199);
    assert_eq!(expert.matches("] still here ").count(), 19);
    for part in ["market_time=2026-01-01T00:19:59Z", "expert_name=gate-bot", "symbol=BTCUSDT"] {
        assert!(expert.contains(part), "{part}");
    }
    let trades = log(&logs, "trades.log");
    assert!(trades.lines().count() > 20, "{trades}");
    for line in trades.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let bound = ["expert_name", "strategy_id", "account_id", "app_name"];
        let bound = bound.map(|name| entry[name].as_str().unwrap());
        assert_eq!(bound, ["gate-bot", "average-20", "***001", "gate-bot"], "{line}");
        assert!(entry["order_id"].as_str().unwrap().starts_with("O-"), "{line}");
    }
    let errors = log(&logs, "errors.log");
    assert!(errors.contains("feed failed error=[\"a tick without a price\"]"), "{errors}");
    assert!(errors.contains("order rejected side=") && errors.contains("order_id=O-7"), "{errors}");
    assert!(errors.contains("a margin of 12.5 is free"), "{errors}");

    // In paper trading, with the file and the command line.
    let file = project.join("tapelog.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("#structured_logging = false", "structured_logging = true"))
        .unwrap();
    run(&program, &project, &["--log-level", "error", "--log-dir", "quiet"]);
    let quiet = project.join("quiet");
    assert_eq!(line_count(&quiet, "expert.log"), line_count(&quiet, "errors.log"));
    assert!(line_count(&quiet, "trades.log") > 20, "an audit log is not emptied by log_level");
    let first = log(&quiet, "errors.log");
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert!(first["market_time"].is_null() && first["event"] == "order rejected", "{first}");
}

#[test]
fn its_tapelog_toml_shows_every_parameter_with_a_comment_and_a_value_that_is_accepted() {
    let root = tempfile::tempdir().unwrap();
    let mut command = tapelog();
    let written = command.args(["new", "bot", "--path"]).arg(root.path()).output().unwrap();
    assert!(written.status.success(), "{}", stderr(&written));
    let file = root.path().join("bot/tapelog.toml");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for parameter in parameters() {
        let key = parameter.key;
        let place = lines.iter().position(|line| {
            let setting = line.strip_prefix('#').unwrap_or(line);
            setting.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = "))
        });
        let place = place.unwrap_or_else(|| panic!("{key} is missing in:\n{text}"));
        assert!(lines[place - 1].starts_with("# "), "{key} has no comment");
        let meaning = parameter.meaning.lines().next().unwrap().trim();
        assert!(text.contains(&format!("# {meaning}")), "{key}: {meaning}");
    }
    let plain = MetaLogger::builder().env_prefix("NO_SUCH_PREFIX_");
    let mut expected = plain.clone().code_only().configuration().unwrap();
    expected.log_name = "bot".to_owned();
    let shown = plain.clone().config_file(&file).configuration().unwrap();
    assert_eq!(shown, expected, "as it is written, it changes nothing but the name");

    // Every line of it can be made one that counts.
    let set = lines.iter().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    let set: String = set.map(|line| format!("{line}\n")).collect();
    fs::write(&file, set).unwrap();
    if let Err(error) = plain.config_file(&file).configuration() {
        panic!("{error}");
    }
    let manifest = fs::read_to_string(root.path().join("bot/Cargo.toml")).unwrap();
    let built_from = fs::canonicalize(checkout()).unwrap();
    let dependency = format!("tapelog = {{ path = '{}', ", built_from.display());
    assert!(manifest.contains(&dependency), "{manifest}");
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let refused = |name: &str, part: &str| {
        let run = new(root.path(), name);
        assert_eq!((run.status.code(), stdout(&run).as_str()), (Some(1), ""), "{name}");
        assert!(stderr(&run).contains(part), "{name}: {}", stderr(&run));
    };
    refused("../bot", "is no name for a project: a letter, then letters");
    refused("fn", "is taken by Rust, cargo or the project itself");
    refused(&"x".repeat(49), "48 characters at most");
    assert!(names(root.path()).is_empty());

    fs::create_dir(root.path().join("there")).unwrap();
    refused("there", "is there already: choose another name or another --path");
    std::os::unix::fs::symlink("nowhere", root.path().join("link")).unwrap();
    refused("link", "is there already");
    assert_eq!(names(root.path()), ["link", "there"]);
    assert!(names(&root.path().join("there")).is_empty());

    let missing = new(&root.path().join("no/such"), "bot");
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("no project can be written to"), "{}", stderr(&missing));
    let mut command = tapelog();
    command.args(["new", "bot", "--path"]).arg(root.path()).arg("--tapelog-path").arg(root.path());
    let run = command.output().unwrap();
    assert!(stderr(&run).contains("is no checkout of tapelog"), "{}", stderr(&run));
    assert_eq!(names(root.path()), ["link", "there"]);
}
