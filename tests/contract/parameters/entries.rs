//! What is logged, and how an entry looks.

use tapelog::testing::hold_drain;
use tapelog::{
    Backtrace, Level, LogFormat, context, critical, debug, enabled, error, info, trade, warning,
};

use crate::common::{assert_refused, child, console, default_of, events, journal};
use crate::support::{self, Desk, PATIENCE, role, run};

const LEVELS: &str = "trace, debug, info, warning, error or critical";

#[test]
fn parameter_log_name_is_the_app_name() {
    assert_eq!(default_of("log_name"), "\"metaexpert\"");
    assert_refused("log_name", &["", "two words", &"x".repeat(49)], "1 to 48 printable ASCII");
    let desk = Desk::new();
    let (log, guard) =
        desk.builder().structured_logging(true).log_name("MyEmaBot").build().unwrap();
    info!(log, "up");
    drop(guard);
    assert_eq!(desk.json("expert.log")[0]["app_name"], "MyEmaBot");
}

#[test]
fn parameter_log_level_is_the_least_of_expert_log() {
    assert_eq!(default_of("log_level"), "\"info\"");
    assert_refused("log_level", &["loud", "3", ""], LEVELS);
    let desk = Desk::new();
    let (log, guard) = desk.builder().set("log_level", "WaRn").build().unwrap();
    info!(log, "info");
    warning!(log, "warning");
    drop(guard);
    assert_eq!(events(&desk.lines("expert.log")), ["warning"]);
}

#[test]
fn parameter_trade_log_level_is_independent_of_log_level() {
    assert_eq!(default_of("trade_log_level"), "\"info\"");
    assert_refused("trade_log_level", &["all"], LEVELS);
    let trades = |trade_level| {
        let desk = Desk::new();
        let builder = desk.builder().log_level(Level::Error).trade_log_level(trade_level);
        let (log, guard) = builder.build().unwrap();
        trade!(log, "sold");
        warning!(log, "sold late", category = "trade");
        drop(guard);
        desk.lines("trades.log").len()
    };
    assert_eq!((trades(Level::Info), trades(Level::Warning)), (2, 1));
}

mod risk {
    pub(super) fn log(log: &tapelog::MetaLogger) {
        tapelog::debug!(log, "risk");
    }
}

#[test]
fn parameter_log_filter_gives_modules_their_levels() {
    assert_eq!(default_of("log_filter"), "\"none\"");
    assert_refused("log_filter", &["inof", "a=b=c"], "module::path=level");
    let desk = Desk::new();
    let builder = desk.builder().log_filter(format!("info,{}::risk=debug", module_path!()));
    let (log, guard) = builder.build().unwrap();
    debug!(log, "elsewhere");
    risk::log(&log);
    info!(log, "all others");
    drop(guard);
    assert_eq!(events(&desk.lines("expert.log")), ["risk", "all others"]);
}

#[test]
fn parameter_console_level_follows_log_level_until_it_is_set() {
    assert_eq!(default_of("console_level"), "\"info\"");
    assert_refused("console_level", &["warnings"], LEVELS);
    if let Some(given) = role() {
        let (level, logs) = given.split_once(' ').unwrap();
        let mut builder = support::builder(logs.as_ref()).log_to_console(true);
        builder = builder.log_level(Level::Warning);
        if level != "none" {
            builder = builder.set("console_level", level);
        }
        let (log, _guard) = builder.build().unwrap();
        warning!(log, "warning");
        return error!(log, "error");
    }
    for (level, shown) in [("none", 2), ("error", 1)] {
        let desk = Desk::new();
        let test = parameter_console_level_follows_log_level_until_it_is_set;
        let output = run(child(test, &format!("{level} {}", desk.logs().display())));
        assert_eq!(console(&output.stderr).len(), shown, "{level}");
        assert_eq!(desk.lines("expert.log").len(), 2);
    }
}

#[test]
fn parameter_journal_level_keeps_more_than_the_logs_show() {
    assert_eq!(default_of("journal_level"), "\"info\"");
    assert_refused("journal_level", &["none"], LEVELS);
    let desk = Desk::new();
    let (log, guard) = desk.builder().journal_level(Level::Debug).build().unwrap();
    debug!(log, "for later");
    info!(log, "for now");
    drop(guard);
    assert_eq!(events(&desk.lines("expert.log")), ["for now"]);
    assert!(journal(&desk.logs()).contains("for later"));
}

#[test]
fn parameter_structured_logging_makes_json_of_two_logs() {
    assert_eq!(default_of("structured_logging"), "false");
    assert_refused("structured_logging", &["json"], "true or false");
    for structured in [false, true] {
        let desk = Desk::new();
        let (log, guard) = desk.builder().structured_logging(structured).build().unwrap();
        error!(log, "rejected", category = "trade");
        drop(guard);
        for name in ["expert.log", "errors.log"] {
            assert_eq!(desk.lines(name)[0].starts_with('{'), structured, "{name}");
        }
        assert_eq!(desk.json("trades.log")[0]["event"], "rejected", "always JSON Lines");
    }
}

#[test]
fn parameter_async_logging_off_waits_for_the_entry() {
    assert_eq!(default_of("async_logging"), "true");
    assert_refused("async_logging", &["flase"], "true or false");
    let desk = Desk::new();
    let (log, guard) = desk.builder().async_logging(false).build().unwrap();
    let mut late = 0;
    for number in 0..20_u64 {
        info!(log, "entry", number);
        let there = desk.lines("expert.log").len() as u64 == number + 1;
        let counted = log.stats().late_synchronous;
        assert!(there || counted == late + 1, "there, or counted after 5 ms");
        late = counted;
    }
    let held = hold_drain(&log);
    let late = log.stats().late_synchronous;
    info!(log, "nobody writes it");
    assert_eq!(log.stats().late_synchronous, late + 1);
    drop(held);
    drop(guard);
}

#[test]
fn parameter_backtrace_is_for_the_levels_it_names() {
    assert_eq!(default_of("backtrace"), "\"off\"");
    assert_refused("backtrace", &["on", "warning"], "off, error or critical");
    let traced = |backtrace| {
        let desk = Desk::new();
        let builder = desk.builder().backtrace(backtrace).structured_logging(true);
        let (log, guard) = builder.build().unwrap();
        warning!(log, "warning");
        error!(log, "error");
        critical!(log, "critical");
        drop(guard);
        let entries = desk.json("expert.log");
        [0, 1, 2]
            .map(|at: usize| entries[at].get("backtrace").is_some_and(|frames| frames.is_array()))
    };
    assert_eq!(traced(Backtrace::Off), [false; 3]);
    assert_eq!(traced(Backtrace::Error), [false, true, true]);
    assert_eq!(traced(Backtrace::Critical), [false, false, true]);
}

#[test]
fn parameter_mask_keys_adds_names_and_removes_them() {
    assert_eq!(default_of("mask_keys"), "[]");
    assert_refused("mask_keys", &["---", "a*b", "pin:9"], "a field's name");
    let desk = Desk::new();
    let builder = desk.builder().set("mask_keys", "pin, -token, iban:4, *_seed");
    let (log, guard) = builder.build().unwrap();
    info!(log, "names", pin = 1, pins = 2, token = 3, iban = "DE00123456", hd_seed = 5, secret = 6);
    log.set_mask_keys(&["-secret"]).unwrap();
    info!(log, "changed", pin = 1, secret = 6);
    drop(guard);
    let lines = desk.lines("expert.log");
    let masked = "names pin=*** pins=2 token=3 iban=***3456 hd_seed=*** secret=***";
    assert!(lines[0].ends_with(masked), "{}", lines[0]);
    assert!(lines[1].ends_with("changed pin=1 secret=6"), "{}", lines[1]);
}

#[test]
fn parameter_mask_patterns_masks_what_they_match_inside_texts() {
    assert_eq!(default_of("mask_patterns"), "[]");
    assert_refused("mask_patterns", &["(a"], "a regular expression (unclosed group)");
    assert_refused("mask_patterns", &["b*", "x|"], "does not match the empty text");
    assert_refused("mask_patterns", &[&"a".repeat(1025)], "a pattern of at most 1024 bytes");
    let many = vec!["a"; 65].join("\n");
    assert_refused("mask_patterns", &[&many], "at most 64 patterns");
    let desk = Desk::new();
    let patterns = ["ssn=([0-9-]{11})".to_owned(), "desk-[0-9]+".to_owned()];
    let (log, guard) = desk.builder().mask_patterns(patterns).build().unwrap();
    info!(log, "a form", text = "ssn=123-45-6789 of desk-7");
    drop(guard);
    let line = desk.lines("expert.log").remove(0);
    assert!(line.ends_with("a form text=\"ssn=*** of ***\""), "{line}");
}

#[test]
fn parameter_facility_is_in_the_priority() {
    assert_eq!(default_of("facility"), "\"local0\"");
    assert_refused("facility", &["24", "local8"], "0 to 23");
    let desk = Desk::new();
    let builder = desk.builder().log_format(LogFormat::Rfc5424).set("facility", "local3");
    let (log, guard) = builder.build().unwrap();
    info!(log, "up");
    drop(guard);
    assert!(desk.lines("expert.log")[0].starts_with(&format!("<{}>1 ", 19 * 8 + 6)));
}

#[test]
fn parameter_enterprise_number_names_the_structured_data() {
    assert_eq!(default_of("enterprise_number"), "32473");
    assert_refused("enterprise_number", &["0", "99999999999"], "1 to 4294967295");
    let desk = Desk::new();
    let builder = desk.builder().log_format(LogFormat::Rfc5424).enterprise_number(4711_u32);
    let (log, guard) = builder.build().unwrap();
    info!(log.bind(context! { symbol = "BTCUSDT" }), "up");
    drop(guard);
    let line = desk.lines("expert.log").remove(0);
    assert!(line.contains("@4711 ") && line.contains("symbol=\"BTCUSDT\""), "{line}");
}

#[test]
fn parameter_hostname_is_the_system_s_until_it_is_set() {
    let system = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(default_of("hostname"), format!("{:?}", system.trim()));
    assert_refused("hostname", &["", "desk 7"], "1 to 255 printable ASCII");
    let desk = Desk::new();
    let (log, guard) = desk.builder().structured_logging(true).hostname("desk-7").build().unwrap();
    assert!(enabled!(log, Level::Info));
    info!(log, "up");
    log.flush(PATIENCE).unwrap();
    drop(guard);
    assert_eq!(desk.json("expert.log")[0]["hostname"], "desk-7");
}
