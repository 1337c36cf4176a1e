//! The layers, in child processes with an environment and a working directory of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use tapelog::{Builder, Level, LogFormat, MetaLogger, Preset, Settings};

use super::support::{self, Desk, child, role, run};

/// A child in a directory of its own, with nothing of ours in its environment.
pub(crate) fn quiet_child(test: &str, directory: &Path) -> Command {
    let mut command = child(test, "child");
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
    let mut command = quiet_child("layers::each_layer_lies_over_the_one_below", &desk.path("work"));
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
    let mut command = quiet_child(
        "layers::neither_file_nor_environment_is_read_by_code_only",
        &desk.path("work"),
    );
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
    let test = "layers::what_is_wrong_in_file_and_environment_is_told_with_its_place";
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
        "ring_bytes = \"1MB\" (from desk.toml, line 2): accepted is a multiple of block_bytes",
        "log_levl = \"info\" (from desk.toml, line 3): there is no such parameter; did you mean \
         log_level?",
        "idle = 1979-05-27 (from desk.toml, line 4): accepted is park, spin or yield",
        "nap = \"slow\" (from the environment variable BOT_NAP): accepted is 1 µs to 1 ms",
    ] {
        assert!(output.contains(expected), "{expected} is not in {output}");
    }
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
    if let Some(directory) = role() {
        let (log, guard) = MetaLogger::builder()
            .log_dir(directory)
            .log_to_console(false)
            .log_level(Level::Info)
            .build()
            .unwrap();
        tapelog::debug!(log, "not kept");
        log.flush(support::PATIENCE).unwrap();
        return drop(guard);
    }
    let name = "layers::a_variable_that_loses_to_the_code_is_told_once_in_the_log";
    for (variable, value) in [
        ("TAPELOG_LOG_LEVEL", "error"),
        ("TAPELOG_LOG_FILTER", "debug"),
        ("TAPELOG_LOG_FILTER", "debug,my_bot=trace"),
    ] {
        let desk = Desk::new();
        let mut command = child(name, &desk.logs().display().to_string());
        command.env(variable, value);
        run(command);
        let lines = desk.lines("expert.log");
        let told = lines.iter().filter(|line| line.contains("logger.configuration"));
        let losing: Vec<_> = told.filter(|line| line.contains(variable)).collect();
        assert_eq!(losing.len(), 1, "{lines:?}");
        for part in ["[WARNING", value, "loses to log_level = \\\"info\\\""] {
            assert!(losing[0].contains(part), "no {part} in {losing:?}");
        }
        assert!(!lines.iter().any(|line| line.contains("not kept")), "{variable}: {lines:?}");
    }
}

#[test]
fn a_filter_that_lost_its_level_to_the_code_is_shown_as_what_is_left_of_it() {
    if role().is_some() {
        let code = MetaLogger::builder().log_level(Level::Info).structured_logging(true);
        return println!("\n{}", shown(code));
    }
    let test = "layers::a_filter_that_lost_its_level_to_the_code_is_shown_as_what_is_left_of_it";
    let with = |value: &str| {
        let desk = Desk::new();
        let mut command = quiet_child(test, &desk.path("work"));
        command.env("TAPELOG_LOG_FILTER", value);
        let output = String::from_utf8(run(command).stdout).unwrap();
        assert!(output.contains("TAPELOG_LOG_FILTER"), "it is told: {output}");
        let left = "; of it, \"a=trace\" is in force; only the command line";
        assert_eq!(output.contains(left), value.contains("a=trace"), "{output}");
        told(&output, "log_filter")
    };
    let (code, variable) = ("the program's code", "the environment variable TAPELOG_LOG_FILTER");
    // Variables that say nothing lose nothing.
    let desk = Desk::new();
    let mut command = quiet_child(test, &desk.path("work"));
    command.env("TAPELOG_LOG_FILTER", "none").env("TAPELOG_LOG_FORMAT", "none");
    let output = String::from_utf8(run(command).stdout).unwrap();
    assert!(!output.contains("! "), "{output}");
    assert_eq!(with("debug"), ("\"none\"".to_owned(), code.to_owned()));
    assert_eq!(with("debug,a=trace"), ("\"a=trace\"".to_owned(), variable.to_owned()));
}

#[test]
fn of_structured_logging_and_log_format_the_higher_layer_decides() {
    let production = || MetaLogger::builder().preset(Preset::Production);
    if role().is_some() {
        // Behind what the test harness writes.
        println!("\n{}", shown(production()));
        let code = MetaLogger::builder().structured_logging(true);
        return println!("in code:\n{}", shown(code));
    }
    let desk = Desk::new();
    let test = "layers::of_structured_logging_and_log_format_the_higher_layer_decides";
    let mut command = quiet_child(test, &desk.path("work"));
    command.env("TAPELOG_LOG_FORMAT", "logfmt");
    let output = String::from_utf8(run(command).stdout).unwrap();
    let (preset, code) = output.split_once("in code:\n").unwrap();
    let with = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    let variable = "the environment variable TAPELOG_LOG_FORMAT";
    assert_eq!(told(preset, "log_format"), with("\"logfmt\"", variable));
    assert_eq!(told(preset, "structured_logging"), with("false", variable), "it follows");
    assert!(!preset.contains("! "), "{preset}");
    assert_eq!(told(code, "log_format"), with("\"json\"", "the program's code"));
    let warning = "! the environment variable TAPELOG_LOG_FORMAT = \"logfmt\" loses to \
                   structured_logging = true, which the program's code sets";
    assert!(code.contains(warning), "{code}");

    let text = production().code_only().log_format(LogFormat::Text).configuration().unwrap();
    assert_eq!((text.log_format, text.structured_logging), (Some(LogFormat::Text), false));
    let path = desk.path("desk.toml");
    let above = |defaults: fn(Settings) -> Settings, file: &str| {
        fs::write(&path, file).unwrap();
        let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
        builder.defaults(defaults).configuration().unwrap()
    };
    let logfmt = above(|d| d.structured_logging(true), "log_format = \"logfmt\"\n");
    assert_eq!((logfmt.log_format, logfmt.structured_logging), (Some(LogFormat::Logfmt), false));
    let json = above(|d| d.log_format(LogFormat::Logfmt), "structured_logging = true\n");
    assert_eq!((json.log_format, json.structured_logging), (Some(LogFormat::Json), true));
    let plain = above(|d| d.log_format(LogFormat::Json), "structured_logging = false\n");
    assert_eq!(plain.log_format, Some(LogFormat::Text), "no JSON, says who comes last");
    let both = "structured_logging = false\nlog_format = \"json\"\n";
    assert_eq!(above(|d| d, both).log_format, Some(LogFormat::Json));
}

#[test]
fn an_unknown_variable_is_told_once_in_the_logs_whoever_asked_before() {
    let desk = Desk::new();
    if let Some(directory) = role() {
        let builder = |name: &str| {
            let logs = Path::new(&directory).join(name);
            MetaLogger::builder().log_dir(logs).log_to_console(false)
        };
        for _ in 0..2 {
            let configuration = builder("asked").configuration().unwrap();
            let warnings = configuration.warnings();
            assert!(warnings.iter().any(|told| told.contains("TAPELOG_LOG_LEVLE")), "{warnings:?}");
        }
        for name in ["first", "second"] {
            let (log, guard) = builder(name).build().unwrap();
            log.flush(support::PATIENCE).unwrap();
            drop(guard);
        }
        return;
    }
    let name = "layers::an_unknown_variable_is_told_once_in_the_logs_whoever_asked_before";
    let mut command = child(name, &desk.logs().display().to_string());
    command.env("TAPELOG_LOG_LEVLE", "error");
    run(command);
    let told = |name: &str| {
        let lines = support::lines(&desk.logs().join(name).join("expert.log"));
        lines.iter().filter(|line| line.contains("TAPELOG_LOG_LEVLE")).count()
    };
    assert_eq!((told("first"), told("second")), (1, 0));
}

#[test]
fn a_file_that_loses_to_the_codes_is_told() {
    if role().is_some() {
        let code = || MetaLogger::builder().config_file("code.toml");
        println!("\n{}", shown(code()));
        let argument = MetaLogger::builder().config_file_argument("--config", "code.toml");
        println!("argument\n{}", shown(argument));
        let missing = MetaLogger::builder().config_file_argument("--config", "none.toml");
        return println!("{}", missing.configuration().unwrap_err());
    }
    let desk = Desk::new();
    let mut command = quiet_child("layers::a_file_that_loses_to_the_codes_is_told", &desk.path(""));
    for (name, level) in [("code.toml", "debug"), ("other.toml", "error")] {
        fs::write(desk.path(name), format!("log_level = \"{level}\"\n")).unwrap();
    }
    command.env("TAPELOG_CONFIG", "other.toml");
    let output = String::from_utf8(run(command).stdout).unwrap();
    let (code, argument) = output.split_once("argument\n").unwrap();
    assert_eq!(told(code, "log_level").0, "\"debug\"");
    let warning = "! the environment variable TAPELOG_CONFIG = \"other.toml\" loses to the \
                   configuration file \"code.toml\", which the program's code names: unset";
    assert!(code.contains(warning), "{code}");
    assert_eq!(told(argument, "log_level").0, "\"debug\"");
    assert!(!argument.contains("! "), "the command line is above the environment: {argument}");
    let missing = "configuration file = \"none.toml\" (from the argument --config): ";
    assert!(argument.contains(missing), "{argument}");
}
