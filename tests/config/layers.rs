//! The layers, in child processes with an environment and a working directory of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use tapelog::{Builder, Level, MetaLogger, Preset, Settings};

use super::support::{self, Desk, child, role, run};

/// A child in a directory of its own, with nothing of ours in its environment.
fn quiet_child(test: &str, directory: &Path) -> Command {
    let mut command = child(&format!("layers::{test}"), "child");
    fs::create_dir_all(directory).unwrap();
    command.current_dir(directory).env_remove("TAPELOG_CONFIG").env_remove("TAPELOG_LOG_LEVEL");
    command
}

fn shown(builder: Builder) -> String {
    let configuration = builder.configuration().unwrap();
    let warnings: String = configuration.warnings().iter().map(|w| format!("! {w}\n")).collect();
    warnings + &configuration.to_toml()
}

/// The value and the origin of a parameter in what a child printed.
fn told(output: &str, key: &str) -> (String, String) {
    let line = output.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
    let (value, origin) = line.split_once('#').unwrap();
    let value = value.trim().strip_prefix(&format!("{key} = ")).unwrap();
    (value.to_owned(), origin.trim().to_owned())
}

#[test]
fn each_layer_lies_over_the_one_below() {
    if role().is_some() {
        let code = |builder: Builder| builder.trade_log_level(Level::Error).nap(MICROS_200);
        let arguments = Settings::default().set("nap", "300us");
        let builder = MetaLogger::builder()
            .defaults(|d| d.log_name("bot").log_dir("from-defaults").log_backup_count(1_u32))
            .arguments(arguments);
        // Behind what the test harness writes.
        return println!("\n{}", shown(code(builder)));
    }
    let desk = Desk::new();
    let mut command = quiet_child("each_layer_lies_over_the_one_below", &desk.path("work"));
    fs::write(
        desk.path("work/tapelog.toml"),
        "preset = \"production\"\nlog_dir = \"from-file\"\nlog_level = \"debug\"\n\
         log_backup_count = 2\n",
    )
    .unwrap();
    command.env("TAPELOG_LOG_BACKUP_COUNT", "3").env("TAPELOG_TRADE_LOG_LEVEL", "debug");
    command.env("TAPELOG_LOG_LEVEL", "").env("TAPELOG_LOG_LEVLE", "info");
    let output = String::from_utf8(run(command).stdout).unwrap();
    let expected = [
        ("overflow", "\"drop\"", "the built-in default"),
        ("log_max_file_size", "\"100MiB\"", "the preset production"),
        ("log_name", "\"bot\"", "the program's defaults"),
        ("log_dir", "\"from-file\"", "tapelog.toml, line 2"),
        ("log_level", "\"debug\"", "tapelog.toml, line 3"),
        ("log_backup_count", "3", "the environment variable TAPELOG_LOG_BACKUP_COUNT"),
        ("trade_log_level", "\"error\"", "the program's code"),
    ];
    for (key, value, origin) in expected {
        assert_eq!(told(&output, key), (value.to_owned(), origin.to_owned()), "{output}");
    }
    assert_eq!(told(&output, "nap").0, "\"300us\"");
    let warnings: Vec<&str> =
        output.lines().filter(|line| line.starts_with("! ") && line.contains("LOG_LEV")).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let [lost, unknown] = warnings.try_into().unwrap();
    assert!(
        lost.contains("TAPELOG_TRADE_LOG_LEVEL = \"debug\" loses to trade_log_level = \"error\"")
    );
    assert!(unknown.contains("TAPELOG_LOG_LEVLE") && unknown.contains("TAPELOG_LOG_LEVEL?"));
}

const MICROS_200: std::time::Duration = std::time::Duration::from_micros(200);

#[test]
fn neither_file_nor_environment_is_read_by_code_only() {
    if role().is_some() {
        return println!("{}", shown(MetaLogger::builder().code_only()));
    }
    let desk = Desk::new();
    let mut command =
        quiet_child("neither_file_nor_environment_is_read_by_code_only", &desk.path("work"));
    fs::write(desk.path("work/tapelog.toml"), "log_level = 7\n").unwrap();
    command.env("TAPELOG_LOG_LEVEL", "debug").env("TAPELOG_CONFIG", "/nonexistent");
    let output = String::from_utf8(run(command).stdout).unwrap();
    assert_eq!(told(&output, "log_level").0, "\"info\"");
}

#[test]
fn what_is_wrong_in_file_and_environment_is_told_with_its_place() {
    if role().is_some() {
        let error = MetaLogger::builder().env_prefix("BOT_").configuration().unwrap_err();
        return println!("{error}");
    }
    let desk = Desk::new();
    let test = "what_is_wrong_in_file_and_environment_is_told_with_its_place";
    let told_by = |variables: &[(&str, &str)], file: &str| {
        let mut command = quiet_child(test, &desk.path("work"));
        fs::write(desk.path("work/desk.toml"), file).unwrap();
        command.envs(variables.iter().copied());
        String::from_utf8(run(command).stdout).unwrap()
    };
    let file = "[tapelog]\nring_bytes = \"1MB\"\nlog_levl = \"info\"\nidle = 1979-05-27\n";
    let output = told_by(&[("BOT_CONFIG", "desk.toml"), ("BOT_NAP", "slow")], file);
    for expected in [
        "4 problems",
        "ring_bytes = \"1000000\"",
        "ring_bytes = 1000000",
        "log_levl = \"info\" (from desk.toml, line 3): there is no such parameter; did you mean \
         log_level?",
        "idle = 1979-05-27 (from desk.toml, line 4): accepted is park, spin or yield",
        "nap = \"slow\" (from the environment variable BOT_NAP): accepted is 1 µs to 1 ms",
    ] {
        let either = expected.starts_with("ring_bytes");
        assert!(either || output.contains(expected), "{expected} is not in {output}");
    }
    assert!(output.contains("ring_bytes = ") && output.contains("desk.toml, line 2"), "{output}");
    let output = told_by(&[("BOT_CONFIG", "none.toml")], file);
    assert!(output.contains("BOT_CONFIG") && output.contains("cannot be read"), "{output}");
    let output = told_by(&[("BOT_CONFIG", "desk.toml")], "log_level = info\n");
    assert!(output.contains("desk.toml, line 1") && output.contains("no TOML"), "{output}");
}

#[test]
fn a_preset_stands_above_the_built_in_defaults_only() {
    let builder = || MetaLogger::builder().code_only().preset(Preset::Development);
    let alone = builder().configuration().unwrap();
    assert_eq!((alone.log_level, alone.console_level), (Level::Debug, Level::Debug));
    assert!(alone.panic_hook);
    let above = builder().defaults(|d| d.log_level(Level::Error)).configuration().unwrap();
    assert_eq!(above.log_level, Level::Error);
    let arguments = Settings::default().set("preset", "ultra_low_latency");
    let other = builder().arguments(arguments).configuration().unwrap();
    assert!(other.mlock && !other.panic_hook, "one preset, not two");
    for preset in [Preset::Production, Preset::Backtesting] {
        builder().preset(preset).configuration().unwrap();
    }
}

#[test]
fn a_variable_that_loses_to_the_code_is_told_once_in_the_log() {
    let desk = Desk::new();
    if let Some(directory) = role() {
        let (log, guard) = MetaLogger::builder()
            .log_dir(directory)
            .log_to_console(false)
            .log_level(Level::Info)
            .build()
            .unwrap();
        log.flush(support::PATIENCE).unwrap();
        return drop(guard);
    }
    let name = "layers::a_variable_that_loses_to_the_code_is_told_once_in_the_log";
    let mut command = child(name, &desk.logs().display().to_string());
    command.env("TAPELOG_LOG_LEVEL", "error");
    run(command);
    let lines = desk.lines("expert.log");
    let told: Vec<_> = lines.iter().filter(|line| line.contains("logger.configuration")).collect();
    let losing: Vec<_> = told.iter().filter(|line| line.contains("TAPELOG_LOG_LEVEL")).collect();
    assert_eq!(losing.len(), 1, "{lines:?}");
    assert!(losing[0].contains("[WARNING") && losing[0].contains("log_level = "), "{losing:?}");
}
