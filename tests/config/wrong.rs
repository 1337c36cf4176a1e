//! Wrong values, each with its message in a golden table.

use std::fs;

use tapelog::{ConfigError, MetaLogger, parameters};

/// Settings as an environment variable says them; what is set together stands in one case.
const CASES: &[&[(&str, &str)]] = &[
    &[("preset", "producton")],
    &[("log_name", "")],
    &[("log_name", "two words")],
    &[("log_name", "a-name-that-is-much-longer-than-the-48-characters-of-the-rfc")],
    &[("log_level", "debgu")],
    &[("log_level", "3")],
    &[("log_filter", "my_bot=loud")],
    &[("log_filter", "risk-desk=info")],
    &[("trade_log_level", "all")],
    &[("console_level", "warnings")],
    &[("journal_level", "none")],
    &[("log_dir", "")],
    &[("log_file", "../expert.log")],
    &[("log_file", "trades.log")],
    &[("trade_log_file", "expert.log.3")],
    &[("error_log_file", "journal/errors.log")],
    &[("log_to_file", "false"), ("log_to_console", "false")],
    &[("log_to_file", "maybe")],
    &[("log_to_console", "maybe")],
    &[("structured_logging", "json")],
    &[("log_format", "jsn")],
    &[("structured_logging", "true"), ("log_format", "logfmt")],
    &[("text_pattern", "%(evnt)")],
    &[("text_pattern", "%(time")],
    &[("text_pattern", "%(level:wide)")],
    &[("time_zone", "Europe/Berlin")],
    &[("time_precision", "seconds")],
    &[("json_big_ints", "text")],
    &[("async_logging", "flase")],
    &[("log_max_file_size", "0")],
    &[("log_max_file_size", "2GiB")],
    &[("log_max_file_size", "10 megabytes")],
    &[("log_max_file_size", "1.5MiB")],
    &[("log_backup_count", "-1")],
    &[("log_backup_count", "five")],
    &[("use_colors", "alway")],
    &[("ring_bytes", "1000000")],
    &[("ring_bytes", "64KiB")],
    &[("block_bytes", "5000")],
    &[("block_bytes", "2MiB")],
    &[("block_bytes", "1MiB")],
    &[("block_bytes", "1MiB"), ("ring_bytes", "8MiB")],
    &[("reserve_blocks", "1000")],
    &[("ring_dir", "dev/shm")],
    &[("overflow", "blok")],
    &[("overflow", "block(6ms)")],
    &[("overflow", "block(2)")],
    &[("journal_segment_bytes", "1000000")],
    &[("journal_segment_bytes", "2GiB")],
    &[("journal_segments", "2")],
    &[("idle", "sleep")],
    &[("nap", "0")],
    &[("nap", "50")],
    &[("threading", "share")],
    &[("writer_cpu", "first")],
    &[("order_window", "2s")],
    &[("shutdown_timeout", "-5s")],
    &[("sync", "interval(1ms)")],
    &[("sync", "always")],
    &[("metrics_interval", "60")],
    &[("metrics_interval", "50ms")],
    &[("latency_warning", "2h")],
    &[("backtrace", "on")],
    &[("panic_hook", "2")],
    &[("mask_keys", "---")],
    &[("mask_keys", "pin:9")],
    &[("mask_patterns", "(a")],
    &[("mask_patterns", "a*")],
    &[("file_mode", "0400")],
    &[("file_mode", "rw-------")],
    &[("dir_mode", "1777")],
    &[("dir_mode", "0600")],
    &[("file_group", "wheel")],
    &[("facility", "local8")],
    &[("facility", "24")],
    &[("hostname", "desk 7")],
    &[("enterprise_number", "99999999999")],
    &[("syslog", "udp:desk")],
    &[("syslog", "tcp://desk:port")],
    &[("syslog", "http://127.0.0.1")],
    &[("syslog", "unix:dev/log")],
    &[("syslog_level", "notice")],
    &[("log_levl", "debug")],
    &[("colour_of_the_sky", "blue")],
    &[("log_level", "loud"), ("nap", "1h"), ("log_fiel", "a.log")],
];

fn refused(settings: &[(&str, &str)]) -> ConfigError {
    let mut builder = MetaLogger::builder().code_only();
    for (key, value) in settings {
        builder = builder.set(key, value);
    }
    match builder.configuration() {
        Err(error) => error,
        Ok(_) => panic!("{settings:?} is accepted"),
    }
}

#[test]
fn each_wrong_value_gives_a_message_that_names_it_and_says_what_to_do() {
    let mut table = String::new();
    for settings in CASES {
        let error = refused(settings);
        for problem in error.problems() {
            let line = problem.to_string();
            assert!(line.starts_with(&format!("{} = ", problem.key)), "{line}");
            assert!(settings.iter().any(|(key, _)| *key == problem.key), "nobody set it: {line}");
            assert!(line.contains("(from the program's code)"), "{line}");
            let known = parameters().iter().any(|known| known.key == problem.key);
            assert_eq!(problem.accepted.starts_with("accepted is "), known, "{line}");
        }
        let set: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        table.push_str(&format!("{}\n  {error}\n", set.join(" ")));
    }
    assert!(CASES.len() >= 40);
    golden("tests/config/wrong_values.txt", &table);
}

#[test]
fn all_problems_are_listed_at_once_and_those_of_one_key_once() {
    let error = refused(&[("log_level", "loud"), ("nap", "1h"), ("log_fiel", "a.log")]);
    let keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["log_level", "nap", "log_fiel"]);
    assert_eq!(error.problems()[2].suggestion.as_deref(), Some("log_file"));
}

/// Compares with a file of the repository; with `TEST_BLESS=1`, writes it.
pub(crate) fn golden(path: &str, text: &str) {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("TEST_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    for (line, (stored, now)) in stored.lines().zip(text.lines()).enumerate() {
        assert_eq!(stored, now, "{path}, line {}: TEST_BLESS=1 writes it anew", line + 1);
    }
    assert_eq!(stored.lines().count(), text.lines().count(), "{path}: its length");
}
