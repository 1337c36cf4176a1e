//! Every entry is in the logs that its level and its category say, in the form that was asked for.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use serde_json::Value;
use support::Desk;
use tapelog::{Level, MetaLogger, context, critical, debug, error, info, trade, warning};

/// The events of a log, from text or JSON.
fn events(desk: &Desk, log: &str) -> Vec<String> {
    let event = |line: &String| {
        if line.starts_with('{') {
            return support::json(line)["event"].as_str().unwrap().to_owned();
        }
        line.splitn(3, "] ").nth(2).unwrap().split_once('=').map_or_else(
            || line.splitn(3, "] ").nth(2).unwrap().to_owned(),
            |(head, _)| head.rsplit_once(' ').unwrap().0.to_owned(),
        )
    };
    desk.lines(log).iter().map(event).collect()
}

fn log_all_levels(log: &MetaLogger) {
    debug!(log, "debug");
    info!(log, "info");
    warning!(log, "warning");
    error!(log, "error");
    critical!(log, "critical");
    trade!(log, "trade");
}

#[test]
fn levels_and_categories_decide_the_logs() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    log_all_levels(&log);
    drop(guard);
    assert_eq!(events(&desk, "expert.log"), ["info", "warning", "error", "critical", "trade"]);
    assert_eq!(events(&desk, "trades.log"), ["trade"]);
    assert_eq!(events(&desk, "errors.log"), ["error", "critical"]);
}

#[test]
fn trade_events_have_a_level_of_their_own() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().log_level(Level::Error).build().unwrap();
    log_all_levels(&log);
    info!(log, "sold", category = "trade");
    info!(log, "not a trade", category = "risk");
    drop(guard);
    assert_eq!(events(&desk, "expert.log"), ["error", "critical"]);
    assert_eq!(events(&desk, "trades.log"), ["trade", "sold"]);

    let strict = Desk::new();
    let (log, guard) = strict.builder().trade_log_level(Level::Error).build().unwrap();
    log_all_levels(&log);
    drop(guard);
    assert!(events(&strict, "trades.log").is_empty());
    assert_eq!(events(&strict, "expert.log").len(), 5, "expert.log goes by log_level");
}

#[test]
fn a_category_is_bound_or_given_and_the_call_wins() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let trades = log.bind(context! { category = "trade", symbol = "BTCUSDT" });
    let producer = log.producer();
    info!(trades, "bound");
    info!(trades.bind(context! { order_id = 7 }), "bound further out");
    info!(producer.with(&trades), "bound elsewhere");
    error!(trades, "an error, too");
    info!(trades, "taken back", category = "risk");
    info!(trades.bind(context! { category = "risk" }), "hidden");
    info!(log, "given", category = "trade");
    let category = String::from("trade");
    info!(log, "computed", category);
    info!(log, "other", category = "trades");
    log.info("dynamic", &[("category", "trade".into())]).unwrap();
    log.log_trade("dynamic trade", &[]).unwrap();
    trades.info("dynamic, bound", &[("qty", 3.into())]).unwrap();
    drop(guard);
    assert_eq!(
        events(&desk, "trades.log"),
        [
            "bound",
            "bound further out",
            "bound elsewhere",
            "an error, too",
            "given",
            "computed",
            "dynamic",
            "dynamic trade",
            "dynamic, bound"
        ]
    );
    assert_eq!(events(&desk, "errors.log"), ["an error, too"]);
    assert_eq!(events(&desk, "expert.log").len(), 12);
    let lines = desk.json("trades.log");
    assert_eq!((&lines[1]["order_id"], &lines[1]["symbol"]), (&7.into(), &"BTCUSDT".into()));
    assert!(lines.iter().all(|line| line["msgid"] == "trade"), "{lines:?}");
}

#[test]
fn every_error_is_in_both_logs_in_the_same_words() {
    for structured in [false, true] {
        let desk = Desk::new();
        let (log, guard) = desk.builder().structured_logging(structured).build().unwrap();
        for number in 0..500 {
            log_all_levels(&log);
            let source = "x".parse::<i32>().unwrap_err();
            error!(log, "order rejected", number, error = &source);
        }
        drop(guard);
        let expert = desk.lines("expert.log");
        let severe = |line: &&String| {
            let level = |level: &str| line.contains(level);
            match structured {
                true => level(r#""level":"error""#) || level(r#""level":"critical""#),
                false => level("[ERROR    ]") || level("[CRITICAL ]"),
            }
        };
        let severe: Vec<_> = expert.iter().filter(severe).collect();
        assert_eq!(severe.len(), 1_500);
        assert_eq!(severe, desk.lines("errors.log").iter().collect::<Vec<_>>());
    }
}

#[test]
fn structured_logs_are_json_and_trades_always_are() {
    let desk = Desk::new();
    let (log, guard) = desk
        .builder()
        .structured_logging(true)
        .log_name("MyEmaBot")
        .hostname("desk7")
        .facility(17_u8)
        .build()
        .unwrap();
    let log = log.bind(context! { expert_name = "MyEmaBot", symbol = "BTCUSDT" });
    error!(log, "filled {qty}", qty = 3, hostname = "reserved");
    trade!(log, "sold");
    drop(guard);
    let line = &desk.json("expert.log")[0];
    for (key, value) in [
        ("level", Value::from("error")),
        ("event", "filled 3".into()),
        ("qty", 3.into()),
        ("expert_name", "MyEmaBot".into()),
        ("symbol", "BTCUSDT".into()),
        ("pri", (17 * 8 + 3).into()),
        ("facility", 17.into()),
        ("severity", 3.into()),
        ("version", 1.into()),
        ("hostname", "desk7".into()),
        ("app_name", "MyEmaBot".into()),
        ("procid", std::process::id().to_string().into()),
        ("msgid", Value::Null),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
    assert_eq!(line["fields"]["hostname"], "reserved");
    let nanos: i128 = line["timestamp_ns"].as_str().unwrap().parse().unwrap();
    let stamp: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(stamp.as_nanosecond(), nanos / 1_000 * 1_000);
    assert_eq!(desk.json("errors.log")[0], *line);
    assert_eq!(desk.json("trades.log")[0]["msgid"], "trade");
}

#[test]
fn the_level_changes_while_running_for_every_clone() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let clone = log.clone();
    let bound = log.bind(context! { symbol = "BTCUSDT" });
    let producer = log.producer();
    debug!(clone, "1");
    log.set_level(Level::Debug);
    debug!(clone, "2");
    debug!(bound, "3");
    debug!(producer, "4");
    log.flush(support::PATIENCE).unwrap();
    clone.set_level(Level::Critical);
    error!(log, "5");
    critical!(bound, "6");
    trade!(producer, "7");
    drop(guard);
    assert_eq!(events(&desk, "expert.log"), ["2", "3", "4", "6"]);
    assert_eq!(events(&desk, "trades.log"), ["7"]);
}

#[test]
fn the_journal_keeps_more_than_the_logs_show_when_it_is_told_to() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().journal_level(Level::Debug).build().unwrap();
    log_all_levels(&log);
    log.flush(support::PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    assert_eq!((stats.accepted, stats.journaled, stats.shown), (6, 6, 6));
    assert_eq!(stats.log_lines, 5 + 1 + 2);
    assert_eq!(events(&desk, "expert.log").len(), 5);
}
