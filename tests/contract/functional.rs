//! The requirements FR-001 to FR-012.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use tapelog::testing::hold_drain;
use tapelog::{
    Backtrace, Level, LogFormat, MetaExpert, MetaLogger, Overflow, Settings, context, critical,
    debug, enabled, error, info, trade, try_info, warning,
};

use crate::calls::keep_to_the_rule;
use crate::common::{child, console, default_of, events, holders, journal};
use crate::support::{Desk, PATIENCE, field, files, json, role, run};

#[test]
fn fr_001_a_factory_takes_code_environment_file_and_arguments_in_one_order() {
    if role().is_some() {
        let code = MetaLogger::builder()
            .defaults(|d| d.log_name("default").facility(17_u8).log_level(Level::Error))
            .structured_logging(true)
            .log_to_console(false)
            .trade_log_file("code-trades.log")
            .error_log_file("code-errors.log");
        let arguments = Settings::default().set("error_log_file", "argument-errors.log");
        let (log, _guard) = code.arguments(arguments).build().unwrap();
        return error!(log, "up");
    }
    let desk = Desk::new();
    let mut command =
        child(fr_001_a_factory_takes_code_environment_file_and_arguments_in_one_order, "child");
    let file = "log_name = \"file\"\nhostname = \"file\"\nlog_level = \"info\"\n";
    fs::write(desk.path("tapelog.toml"), file).unwrap();
    command.current_dir(desk.path("")).env("TAPELOG_HOSTNAME", "environment");
    command.env("TAPELOG_TRADE_LOG_FILE", "environment-trades.log");
    run(command);
    let lines = desk.json("expert.log");
    let entry = lines.iter().find(|entry| entry["event"] == "up").unwrap();
    assert_eq!(entry["facility"], 17, "a code default over the built-in one");
    assert_eq!(entry["app_name"], "file", "the file over the code default");
    assert_eq!(entry["hostname"], "environment", "the environment over the file");
    assert!(desk.logs().join("code-trades.log").exists(), "code over the environment");
    assert!(desk.logs().join("argument-errors.log").exists(), "the command line over code");
    let losing = lines.iter().filter(|entry| entry["event"] == "logger.configuration");
    let told: String = losing.map(ToString::to_string).collect();
    assert!(told.contains("TAPELOG_TRADE_LOG_FILE") && told.contains("code-trades.log"), "{told}");
}

#[test]
fn fr_002_levels_are_parsed_ordered_and_changed_while_running() {
    assert!(Level::ALL.is_sorted() && Level::ALL[0] == Level::Trace);
    for (text, level) in
        [("warn", Level::Warning), ("FATAL", Level::Critical), ("Debug", Level::Debug)]
    {
        assert_eq!(text.parse::<Level>(), Ok(level));
    }
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    debug!(log, "too early");
    info!(log, "one");
    log.set_level(Level::Debug);
    debug!(log, "two");
    log.flush(PATIENCE).unwrap();
    log.set_level(Level::Critical);
    error!(log, "too late");
    critical!(log, "three");
    drop(guard);
    assert_eq!(events(&desk.lines("expert.log")), ["one", "two", "three"]);
}

/// Needs `TAPELOG_STATIC_LEVEL=warning` when it is built, as the gate does.
#[test]
fn fr_002_calls_below_the_static_level_are_compiled_out() {
    let Some(level) = option_env!("TAPELOG_STATIC_LEVEL") else {
        return crate::support::skip(format_args!("built without TAPELOG_STATIC_LEVEL=warning"));
    };
    assert_eq!(level, "warning");
    let (log, captured) = tapelog::testing::capture();
    let asked = Cell::new(0);
    let ask = || asked.replace(asked.get() + 1);
    info!(log, "gone", n = ask());
    warning!(log, "there", n = ask());
    assert!(!enabled!(log, Level::Info) && enabled!(log, Level::Warning));
    assert_eq!((captured.entries().len(), asked.get()), (1, 1));
}

#[test]
fn fr_003_trade_events_bound_or_given_have_a_log_of_their_own() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "no trade");
    trade!(log, "by its macro");
    info!(log, "given", category = "trade");
    info!(log.bind(context! { category = "trade" }), "bound");
    drop(guard);
    let trades = desk.json("trades.log");
    let events: Vec<_> = trades.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["by its macro", "given", "bound"]);
}

#[test]
fn fr_004_three_logs_take_what_they_are_for_and_errors_tell_their_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("order refused")]
    struct Refused(#[source] std::num::ParseIntError);

    let desk = Desk::new();
    let (log, guard) = desk.builder().backtrace(Backtrace::Critical).build().unwrap();
    let refused = Refused("x".parse::<i32>().unwrap_err());
    info!(log, "info");
    trade!(log, "trade");
    error!(log, "error", error = &refused);
    critical!(log, "critical");
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 4);
    assert_eq!(desk.lines("trades.log").len(), 1);
    let errors = desk.lines("errors.log");
    assert_eq!(errors.len(), 2);
    let chain = r#"error=["order refused","invalid digit found in string"]"#;
    assert!(errors[0].ends_with(chain), "{}", errors[0]);
    assert!(errors[1].contains("] critical backtrace=["), "{}", errors[1]);
}

#[test]
fn fr_005_text_json_and_rfc_5424_have_their_elements() {
    let line_as = |format| {
        let desk = Desk::new();
        let (log, guard) = desk.builder().log_format(format).hostname("desk7").build().unwrap();
        info!(log.bind(context! { symbol = "BTCUSDT" }), "filled", qty = 2);
        drop(guard);
        desk.lines("expert.log").remove(0)
    };
    let text = line_as(LogFormat::Text);
    assert!(text.ends_with("] [INFO     ] filled qty=2 symbol=BTCUSDT"), "{text}");
    let entry = json(&line_as(LogFormat::Json));
    assert_eq!(
        (&entry["event"], &entry["qty"], &entry["symbol"]),
        (&"filled".into(), &2.into(), &"BTCUSDT".into())
    );
    let elements =
        ["pri", "facility", "severity", "version", "hostname", "app_name", "procid", "msgid"];
    for element in elements.iter().chain(&["timestamp", "level", "timestamp_ns"]) {
        assert!(entry.get(element).is_some(), "no {element} in {entry}");
    }
    let frame = line_as(LogFormat::Rfc5424);
    let head: Vec<_> = frame.splitn(7, ' ').collect();
    let pid = std::process::id().to_string();
    assert_eq!((head[0], head[2], head[3], head[4]), ("<134>1", "desk7", "metaexpert", &*pid));
    assert!(frame.contains("@32473 ") && frame.ends_with("] filled"), "{frame}");
}

#[test]
fn fr_006_logs_rotate_by_size_and_keep_their_backups() {
    assert_eq!(default_of("log_max_file_size"), "\"10MiB\"");
    assert_eq!(default_of("log_backup_count"), "5");
    let desk = Desk::new();
    let small = desk.builder().log_max_file_size(1_000_u64).log_backup_count(2_u32);
    let (log, guard) = small.build().unwrap();
    for number in 0..200 {
        info!(log, "entry", number);
    }
    log.flush(PATIENCE).unwrap();
    drop(guard);
    let files = files(&desk.logs().join("expert.log"));
    assert_eq!(files.len(), 1 + 2);
    for file in files {
        assert!(fs::metadata(&file).unwrap().len() <= 1_000, "{file:?}");
    }
    assert!(desk.lines("expert.log").last().unwrap().ends_with("number=199"));
}

#[test]
fn fr_007_bound_context_stands_on_every_entry() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let bound = log.bind(context! {
        expert_name = "MyEmaBot",
        symbol = "BTCUSDT",
        trade_id = "T-17",
        order_id = "O-9",
        strategy_id = 7,
        account_id = "paper-4711",
        venue = "XNAS",
    });
    let worker = bound.clone();
    std::thread::spawn(move || info!(worker, "elsewhere")).join().unwrap();
    trade!(bound, "here");
    drop(guard);
    let expected = [
        ("expert_name", "MyEmaBot"),
        ("symbol", "BTCUSDT"),
        ("trade_id", "T-17"),
        ("order_id", "O-9"),
        ("strategy_id", "7"),
        ("account_id", "***711"),
        ("venue", "XNAS"),
    ];
    for line in desk.lines("expert.log") {
        for (name, value) in expected {
            assert_eq!(field(&line, name), Some(value), "{line}");
        }
    }
}

#[test]
fn fr_008_calls_return_while_nothing_is_written() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let held = hold_drain(&log);
    for number in 0..1_000 {
        try_info!(log, "accepted", number).unwrap();
    }
    assert_eq!(desk.lines("expert.log").len(), 0, "nobody has waited for a file");
    drop(held);
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 1_000);
}

#[test]
fn fr_009_a_program_goes_on_without_files_and_with_a_wrong_configuration() {
    if role().is_some() {
        // Nobody may make a directory there, root included.
        let nowhere = MetaLogger::builder().code_only().log_dir("/sys/tapelog-contract/logs");
        let (log, guard) = nowhere.log_to_console(false).build().unwrap();
        info!(log, "without files");
        assert!(log.stats().degraded.is_some());
        drop(guard);
        let wrong = MetaLogger::builder().code_only().set("log_level", "loud").log_to_file(false);
        let wrong = wrong.mask_keys(["pin".to_owned(), "*".to_owned(), "-token".to_owned()]);
        let wrong = wrong.mask_patterns([r"ACC-\d+".to_owned()]);
        let wrong = wrong.processor(tapelog::processors::Hide::new(["desk"]));
        let (log, _guard) = wrong.build_or_console();
        let (pin, token) = ("p-1", "t-1");
        return info!(log, "with a wrong configuration", pin, token, desk = "d-1", of = "ACC-77");
    }
    let test = fr_009_a_program_goes_on_without_files_and_with_a_wrong_configuration;
    let output = run(child(test, "child"));
    let shown = console(&output.stderr);
    let ours: Vec<_> = shown.iter().filter(|line| line.contains("[INFO ")).cloned().collect();
    let second = "with a wrong configuration pin=*** token=*** desk=*** of=***";
    assert_eq!(events(&ours), ["without files", second]);
    let told = String::from_utf8_lossy(&output.stderr);
    let masked = ["p-1", "t-1", "d-1", "ACC-77"].iter().all(|secret| !told.contains(secret));
    assert!(masked, "what the wrong configuration masks is masked: {told}");
    assert!(
        told.contains("log_level = \"loud\"") && told.contains("/sys/tapelog-contract"),
        "{told}"
    );
}

#[test]
fn fr_010_a_host_gives_strategies_their_logger() {
    let (log, captured) = tapelog::testing::capture();
    let host = MetaExpert::builder("MyEmaBot").symbol("BTCUSDT").strategy_id("ema-1");
    let expert = host.account_id("paper-4711").logger(&log).build().unwrap();
    info!(expert.logger(), "bar closed");
    let entry = captured.entries().into_iter().find(|entry| entry.event == "bar closed").unwrap();
    let bound =
        ["expert_name", "symbol", "strategy_id", "account_id"].map(|name| &*entry.context[name]);
    assert_eq!(bound, ["MyEmaBot", "BTCUSDT", "ema-1", "***711"]);
}

/// None of some calls takes 10 ms, by the rule of the fault table.
fn assert_quick(what: &str, call: impl Fn()) {
    keep_to_the_rule(what, |calls| (0..200).for_each(|_| calls.time_sleeping(&call).0));
}

#[test]
fn fr_011_no_call_takes_ten_milliseconds() {
    let desk = Desk::new();
    let all_waits = desk.builder().overflow(Overflow::Block(Duration::from_millis(5)));
    let (log, guard) = all_waits.async_logging(false).build().unwrap();
    assert_quick("waits for its entry", || info!(log, "synchronous"));
    let held = hold_drain(&log);
    assert_quick("a stopped writer", || info!(log, "nobody writes it"));
    let text = "x".repeat(10_000);
    while try_info!(log, "fills", text).is_ok() {}
    assert_quick("a full ring", || assert!(try_info!(log, "refused", text).is_err()));
    drop(held);
    drop(guard);
    assert_quick("an ended engine", || assert!(try_info!(log, "refused").is_err()));
    let (log, _guard) = desk.builder().log_dir("/sys/tapelog-contract/logs").build().unwrap();
    assert!(log.stats().degraded.is_some());
    assert_quick("a dead disk", || info!(log, "to the console"));
}

#[test]
fn fr_012_secrets_are_in_no_file_and_on_no_console() {
    const SECRET: &str = "hunter2-is-no-good";
    const IN_TEXT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0NzExIn0.c2lnbmF0dXJlLWlzLWhlcmU";
    if let Some(root) = role() {
        let (logs, ring) = root.split_once(' ').unwrap();
        let builder = MetaLogger::builder().code_only().log_dir(logs).ring_dir(ring);
        let (log, _guard) = builder.build().unwrap();
        let log = log.bind(context! { api_secret = SECRET });
        info!(log, "signed in", password = SECRET, apiKey = %SECRET);
        info!(log, "GET /order?signature={it}", it = SECRET);
        trade!(log, "sent with Authorization: Bearer {it}", it = IN_TEXT);
        log.flush(PATIENCE).unwrap();
        assert_eq!(holders(ring.as_ref(), SECRET), 0, "the ring");
        return;
    }
    let desk = Desk::new();
    let both = format!("{} {}", desk.logs().display(), desk.ring_dir().display());
    let output = run(child(fr_012_secrets_are_in_no_file_and_on_no_console, &both));
    let shown = console(&output.stderr).concat();
    let entries = journal(&desk.logs());
    for secret in [SECRET, IN_TEXT] {
        assert_eq!(holders(&desk.logs(), secret), 0, "{secret}");
        assert!(!shown.contains(secret) && !entries.contains(secret), "{shown}{entries}");
    }
    assert!(shown.contains("password=***") && shown.contains("api_secret=***"), "{shown}");
}
