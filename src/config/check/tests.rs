//! The rules, from the code's side.

use std::time::Duration;

use super::super::error::{ConfigError, Origin};
use super::super::kinds::{LogFormat, Overflow, Preset};
use super::super::parameters::Settings;
use super::super::special::WAIT_MAX;
use super::*;
use crate::level::Level;

const GIB: u64 = 1 << 30;

fn resolve(code: Settings) -> Result<Configuration, ConfigError> {
    let defaults = Settings::default().log_level(Level::Debug).log_name("mine");
    Configuration::resolve([(Origin::CodeDefault, defaults), (Origin::Code, code)])
}

#[test]
fn code_parameters_win_over_code_defaults_and_levels_follow() {
    let both = resolve(Settings::default().log_level(Level::Error)).unwrap();
    assert_eq!((both.log_level, both.console_level), (Level::Error, Level::Error));
    assert_eq!(both.log_name, "mine");
    assert_eq!(both.trade_log_level, Level::Info, "an audit log is not emptied by log_level");
    let defaults = resolve(Settings::default()).unwrap();
    assert_eq!(defaults.journal_level, Level::Debug);
    assert!(!defaults.hostname.is_empty());
}

#[test]
fn every_problem_is_listed_with_key_value_origin_and_what_is_accepted() {
    let wrong = Settings::default()
        .block_bytes(5_000_u32)
        .log_file("../expert.log")
        .trade_log_file("errors.log")
        .overflow(Overflow::Block(Duration::from_secs(1)))
        .log_to_file(false)
        .log_to_console(false);
    let error = resolve(wrong).unwrap_err();
    let keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["log_file", "trade_log_file", "log_to_file", "block_bytes", "overflow"]);
    let text = error.to_string();
    assert!(
        text.contains("block_bytes = 5000 (from the program's code): accepted is a power of two")
    );
    assert!(text.starts_with("wrong log configuration, 5 problems:"));
}

/// The key that is to blame, if it is one alone, where an operator's variables lie over a preset and
/// the program's defaults.
fn blamed(defaults: Settings, operator: Settings) -> String {
    let preset = Settings::default().preset(Preset::UltraLowLatency);
    let variable = Origin::Environment { variable: "TAPELOG_…".to_owned() };
    let layers =
        [(Origin::CodeDefault, preset), (Origin::CodeDefault, defaults), (variable, operator)];
    let error = Configuration::resolve(layers).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    error.problems()[0].key.clone()
}

#[test]
fn of_values_that_do_not_go_together_the_highest_layer_s_is_to_blame() {
    let none = Settings::default;
    assert_eq!(blamed(none(), none().log_file("trades.log")), "log_file");
    assert_eq!(blamed(none().log_file("a"), none().trade_log_file("a")), "trade_log_file");
    assert_eq!(blamed(none().trade_log_file("a"), none().log_file("a")), "log_file");
    assert_eq!(blamed(none(), none().ring_bytes(1_u64 << 20)), "ring_bytes", "16 in reserve");
    assert_eq!(
        blamed(none().ring_bytes(4_u64 << 20), none().block_bytes(1_u32 << 20)),
        "block_bytes"
    );
    assert_eq!(blamed(none(), none().reserve_blocks(1000_u32)), "reserve_blocks");
    let short = none().journal_segment_bytes(1_u64 << 20).ring_bytes(64_u64 << 20);
    assert_eq!(blamed(short, none().block_bytes(1_u32 << 20)), "block_bytes");
}

#[test]
fn who_turns_the_last_place_off_is_to_blame_that_nothing_is_logged() {
    let blamed = |defaults: Settings, operator: Settings| {
        let variable = Origin::Environment { variable: "TAPELOG_…".to_owned() };
        let layers = [(Origin::CodeDefault, defaults), (variable, operator)];
        let error = Configuration::resolve(layers).unwrap_err();
        assert_eq!(error.problems().len(), 1, "{error}");
        error.problems()[0].to_string()
    };
    let none = Settings::default;
    for (defaults, operator, told) in [
        (
            none().log_to_console(false),
            none().set("log_to_file", "off"),
            "log_to_file = \"off\" (from the environment variable TAPELOG_…): accepted is true, \
             because log_to_console is false and syslog is not set",
        ),
        (
            none().log_to_file(false),
            none().log_to_console(false),
            "log_to_console = false (from the environment variable TAPELOG_…): accepted is true, \
             because log_to_file is false and syslog is not set",
        ),
        (
            none().log_to_file(false).log_to_console(false).syslog("unix:/dev/log"),
            none().set("syslog", "none"),
            "syslog = \"none\" (from the environment variable TAPELOG_…): accepted is a receiver, \
             because log_to_file and log_to_console are false",
        ),
    ] {
        assert_eq!(blamed(defaults, operator), told);
    }
}

#[test]
fn a_wrong_value_is_told_as_it_was_written() {
    let told = |code: Settings| resolve(code).unwrap_err().problems()[0].value.clone();
    let none = Settings::default;
    assert_eq!(told(none().set("nap", "1h")), "\"1h\"");
    assert_eq!(told(none().set("ring_bytes", "1 MB")), "\"1 MB\"");
    assert_eq!(told(none().set("dir_mode", "0600")), "\"0600\"");
    let related = none().set("ring_bytes", "1024 kib").set("reserve_blocks", "5");
    assert_eq!(told(related), "\"5\"");
    let overwritten = none().set("nap", "1h").nap(Duration::from_secs(60));
    assert_eq!(told(overwritten), "\"60s\"", "the value in force was not written");
}

#[test]
fn what_nobody_set_tells_what_it_follows() {
    let origin = |configuration: &Configuration, key| configuration.origin(key).to_string();
    let json = resolve(Settings::default().structured_logging(true)).unwrap();
    assert_eq!(json.log_format, Some(LogFormat::Json), "the form in force");
    assert_eq!(origin(&json, "log_format"), "the default: text, or json with structured_logging");
    assert_eq!(origin(&json, "console_level"), "the default: log_level");
    assert_eq!(origin(&json, "hostname"), "the default: the name of the machine");
    assert_eq!(origin(&json, "nap"), "the built-in default");
    let set = resolve(Settings::default().set("log_format", "none").hostname("desk-7")).unwrap();
    assert_eq!(set.log_format, Some(LogFormat::Text));
    assert_eq!(origin(&set, "log_format"), origin(&json, "log_format"));
    assert_eq!(origin(&set, "hostname"), "the program's code");
}

#[test]
fn syslog_alone_is_enough_and_its_level_follows() {
    let alone = Settings::default().log_to_file(false).log_to_console(false);
    let local = resolve(alone.clone().syslog("unix:/dev/log")).unwrap();
    assert_eq!(local.syslog_level, Level::Debug, "as log_level");
    let traced = Settings::default().syslog("udp://h").syslog_level(Level::Trace);
    assert_eq!(resolve(traced).unwrap().journal_level, Level::Trace);
    let unused = resolve(Settings::default().syslog_level(Level::Trace)).unwrap();
    assert_eq!(unused.journal_level, Level::Debug, "nobody would read TRACE");
    let error = resolve(alone.syslog("udp:h")).unwrap_err();
    let keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["syslog"]);
    let text = error.to_string();
    assert!(text.contains("syslog = \"udp:h\" (from the program's code): accepted is udp://host"));
}

#[test]
fn a_strange_name_of_the_machine_is_made_printable() {
    assert_eq!(printable_host("büro 7"), "b-ro-7");
    assert_eq!(printable_host(""), "-");
}

/// Blocks as long as they can be.
fn long_blocks() -> Settings {
    Settings::default().block_bytes(1_u32 << 20).ring_bytes(32_u64 << 20)
}

#[test]
fn the_edges_of_the_ranges_are_accepted() {
    for settings in [
        Settings::default().log_max_file_size(1_u64),
        Settings::default().log_max_file_size(GIB),
        Settings::default().log_backup_count(0_u32),
        Settings::default().ring_bytes(256 * KIB).block_bytes(4096_u32),
        Settings::default().overflow(Overflow::Block(WAIT_MAX)),
        Settings::default().nap(Duration::from_micros(1)),
        Settings::default().metrics_interval(Duration::ZERO),
        Settings::default().metrics_interval(Duration::from_millis(100)),
        Settings::default().metrics_interval(Duration::from_secs(86_400)),
        Settings::default().latency_warning(Duration::ZERO),
        Settings::default().latency_warning(Duration::from_micros(1)),
        Settings::default().huge_pages(true).mlock(true),
        Settings::default().file_mode(0o600_u32).dir_mode(0o700_u32),
        // Room for two blocks and 64 KiB.
        long_blocks().journal_segment_bytes((2 * 1024 + 64) * KIB),
        Settings::default().trade_log_file("expert.log.old"),
        Settings::default().trade_log_file("expert.log."),
    ] {
        resolve(settings.clone()).unwrap_or_else(|error| panic!("{settings:?}: {error}"));
    }
    for settings in [
        Settings::default().log_max_file_size(0_u64),
        Settings::default().log_max_file_size(GIB + 1),
        Settings::default().nap(Duration::ZERO),
        Settings::default().metrics_interval(Duration::from_millis(99)),
        Settings::default().metrics_interval(Duration::from_secs(86_401)),
        Settings::default().latency_warning(Duration::from_nanos(999)),
        Settings::default().latency_warning(Duration::from_secs(61)),
        Settings::default().journal_segments(2_u32),
        Settings::default().file_mode(0o400_u32),
        Settings::default().dir_mode(0o677_u32),
        Settings::default().reserve_blocks(1000_u32),
        Settings::default().ring_bytes(1_000_000_u64),
        long_blocks().journal_segment_bytes((2 * 1024 + 60) * KIB),
        // Sixteen blocks and a part of one.
        Settings::default().ring_bytes((16 << 16) + 4096_u64),
        // A wrong size of the blocks is told alone, not with what follows from it.
        Settings::default().block_bytes(2048_u32).ring_bytes(300_000_u64),
        Settings::default().block_bytes(2_u32 << 20).ring_bytes(300_000_u64),
        Settings::default().ring_bytes(2 * GIB),
        Settings::default().trade_log_file("expert.log.1"),
        Settings::default().log_file("journal/expert.log"),
        Settings::default().log_file(".tapelog.lock"),
    ] {
        assert_eq!(resolve(settings).unwrap_err().problems().len(), 1);
    }
}
