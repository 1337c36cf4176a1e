//! What libraries log through the crate `log` stands in our logs: typed, filtered, masked, and at the
//! cost of no memory, whatever they log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log};
use serde_json::json;
use support::{Desk, PATIENCE, child, holders, resident_kib, role, run};
use tapelog::bridge::log::LogBridge;
use tapelog::{Category, MetaLogger, context, testing};

/// A bridge that is not installed: `logger: bridge` hands records to it.
fn bridge(log: &MetaLogger) -> LogBridge {
    log::set_max_level(LevelFilter::Trace);
    LogBridge::new(log)
}

#[test]
fn a_record_keeps_its_level_its_place_its_text_and_the_types_of_its_values() {
    let desk = Desk::new();
    let builder = desk.builder().structured_logging(true).log_level(tapelog::Level::Trace);
    let (log, guard) = builder.build().unwrap();
    let bridge = bridge(&log.bind(context! { symbol = "BTCUSDT" }));
    let key = String::from("made at run time");
    log::info!(
        logger: bridge, target: "venue::feed",
        count = 18_446_744_073_709_551_615_u64, change = -3_i64, px = 70_000.5, ok = true,
        side = "BUY", unit = 'x', huge = u128::MAX, low = i128::MIN, none = None::<u8>,
        shown:% = 1.5_f32, seen:? = Some(2), key:% = key;
        "{} of {}", 1, "two"
    );
    for level in Level::iter() {
        log::log!(logger: bridge, level, "each level");
    }
    drop(guard);
    let lines = desk.json("expert.log");
    let first = &lines[0];
    assert_eq!((&first["event"], &first["level"]), (&json!("1 of two"), &json!("info")));
    assert_eq!(first["count"].to_string(), "18446744073709551615");
    assert_eq!(
        (&first["change"], &first["px"], &first["ok"]),
        (&json!(-3), &json!(70_000.5), &json!(true))
    );
    assert_eq!((&first["side"], &first["unit"]), (&json!("BUY"), &json!("x")));
    assert_eq!((&first["shown"], &first["seen"]), (&json!("1.5"), &json!("Some(2)")));
    assert_eq!((&first["none"], &first["key"]), (&json!(null), &json!("made at run time")));
    assert_eq!(first["symbol"], json!("BTCUSDT"));
    let text = desk.lines("expert.log").remove(0);
    assert!(
        text.contains(&u128::MAX.to_string()) && text.contains(&i128::MIN.to_string()),
        "{text}"
    );
    let levels: Vec<_> = lines[1..].iter().map(|line| line["level"].clone()).collect();
    assert_eq!(levels, ["error", "warning", "info", "debug", "trace"]);
}

#[test]
fn the_text_pattern_shows_where_a_record_came_from() {
    let desk = Desk::new();
    let pattern = "%(target) %(file) %(event)";
    let (log, guard) = desk.builder().text_pattern(pattern).build().unwrap();
    let bridge = bridge(&log);
    log::info!(logger: bridge, target: "venue::feed", "here");
    log::info!(logger: bridge, "by its module");
    drop(guard);
    let lines = desk.lines("expert.log");
    assert_eq!(
        lines,
        ["venue::feed tests/bridge_log.rs here", "bridge_log tests/bridge_log.rs by its module",]
    );
}

#[test]
fn what_the_filter_leaves_out_is_left_out_by_the_target() {
    let desk = Desk::new();
    let builder = desk.builder().log_filter("warning,venue::feed=trace,noise=off");
    let (log, guard) = builder.build().unwrap();
    let bridge = bridge(&log);
    for target in ["venue::feed", "venue::feed::inner", "venue::feeder", "noise"] {
        for level in Level::iter() {
            let metadata = log::Metadata::builder().level(level).target(target).build();
            let kept = bridge.enabled(&metadata);
            assert_eq!(
                kept,
                match target {
                    "venue::feed" | "venue::feed::inner" => true,
                    "noise" => false,
                    _ => level <= Level::Warn,
                },
                "{target} {level}"
            );
            log::log!(logger: bridge, target: target, level, "{target} {level}");
        }
    }
    log::trace!(logger: bridge, target: "noise", category = "trade"; "a trade event is below its level");
    log::info!(logger: bridge, target: "noise", category = "trade"; "a trade event");
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 5 + 5 + 2);
    let trades = desk.json("trades.log");
    assert_eq!((trades.len(), &trades[0]["event"]), (1, &json!("a trade event")));
}

#[test]
fn what_is_written_at_run_time_names_no_field_and_is_never_cut_silently() {
    let (log, captured) = testing::capture();
    let bridge = bridge(&log);
    let (text, long) = ("{qty} {{x}} }{", "word ".repeat(700));
    log::info!(logger: bridge, qty = 3; "{text}");
    log::info!(logger: bridge, "{}", long);
    log::info!(logger: bridge, "{}", "x".repeat(10_000));
    let many: Vec<_> = (0..70).map(|n| (format!("n{n}"), n)).collect();
    let pairs: Vec<_> =
        many.iter().map(|(name, n)| (name.as_str(), log::kv::Value::from(*n))).collect();
    let mut record = log::Record::builder();
    let pairs = pairs.as_slice();
    bridge.log(&record.args(format_args!("many")).key_values(&pairs).build());
    let entries = captured.entries();
    assert_eq!((&*entries[0].event, &*entries[0].fields["qty"]), ("{qty} {{x}} }{", "3"));
    assert!(entries[1].event.ends_with("word …") && entries[1].event.len() > 900);
    assert!(entries[1].fields["message"].contains(long.trim_end()));
    assert!(entries[2].fields["message"].contains(&"x".repeat(4_000)));
    assert!(entries[2].line.len() < 5_000, "cut, and marked: {}", entries[2].line);
    assert_eq!((entries[3].fields.len(), &*entries[3].fields["fields_left_out"]), (65, "6"));
}

/// A value that logs when it is shown.
struct Chatty<'a>(&'a LogBridge, u32);

impl fmt::Display for Chatty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 > 0 {
            log::info!(logger: self.0, depth = self.1; "inside {}", Chatty(self.0, self.1 - 1));
        }
        write!(f, "value{}", self.1)
    }
}

#[test]
fn a_display_that_logs_adds_its_own_entry() {
    let (log, captured) = testing::capture();
    let bridge = bridge(&log);
    let _scope = log.scope(context! { order_id = 9 });
    log::info!(logger: bridge, value:% = Chatty(&bridge, 2); "outside {}", Chatty(&bridge, 1));
    let entries = captured.entries();
    let mut events: Vec<_> = entries.iter().map(|entry| &*entry.event).collect();
    events.sort_unstable();
    assert_eq!(events, ["inside value0", "inside value0", "inside value1", "outside value1"]);
    assert!(entries.iter().all(|entry| entry.context["order_id"] == "9"));
    assert_eq!(log.stats().lost.total(), 0);
}

const SECRET: &str = "hunter2-is-no-good";

#[derive(Debug)]
#[expect(dead_code, reason = "its Debug form is what is logged")]
struct Credentials {
    user: &'static str,
    api_key: &'static str,
    inner: Option<Inner>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "its Debug form is what is logged")]
struct Inner {
    password: &'static str,
}

#[test]
fn row_19_a_secret_reaches_no_file_whatever_way_it_comes() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let bridge = bridge(&log);
    log::info!(logger: bridge, password = SECRET, user = "ann"; "by name");
    log::info!(logger: bridge, apiKey:% = SECRET, secret_key:? = Some(SECRET); "formatted");
    log::info!(logger: bridge, pin = "p-1"; "not yet a secret");
    log.flush(PATIENCE).unwrap();
    assert_eq!(holders(&desk.ring_dir(), SECRET), [""; 0], "names are masked in front of the ring");
    log.set_mask_keys(&["pin"]).unwrap();
    log::info!(logger: bridge, pin = SECRET, r#type = "x"; "by a name that was added");
    log.flush(PATIENCE).unwrap();
    assert_eq!(holders(&desk.ring_dir(), SECRET), [""; 0], "the ring");
    let inner = Some(Inner { password: SECRET });
    let held = Credentials { user: "ann", api_key: SECRET, inner };
    log::info!(logger: bridge, held:? = held; "nested");
    log::info!(logger: bridge, "nested {held:?} and {held:#?}");
    log::info!(logger: bridge, "GET /order?symbol=X&signature={SECRET} Authorization: Bearer {SECRET}");
    log::info!(logger: bridge, "{} api_key={SECRET}", "long ".repeat(198));
    drop(guard);
    assert_eq!(holders(&desk.logs(), SECRET), [""; 0]);
    let lines = desk.lines("expert.log");
    assert!(lines[0].ends_with("by name password=*** user=ann"), "{}", lines[0]);
    assert!(lines[1].ends_with("formatted apiKey=*** secret_key=***"), "{}", lines[1]);
    assert!(lines[2].ends_with("not yet a secret pin=p-1"), "{}", lines[2]);
    assert!(lines[3].ends_with("pin=*** type=x"), "{}", lines[3]);
    assert!(
        lines[5].contains("Credentials { user: \"ann\"") || lines[5].contains("user: \\\"ann"),
        "{}",
        lines[5]
    );
    println!("row 19: 8 records with a secret over the bridge, 0 of it in any file");
}

#[test]
fn memory_stays_as_it_is_whatever_texts_and_names_come() {
    if role().is_none() {
        // The other tests' memory is not counted there.
        let output = run(child("memory_stays_as_it_is_whatever_texts_and_names_come", "host"));
        print!("{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let events = std::env::var("TEST_BRIDGE_EVENTS").map_or(1_000_000, |n| n.parse().unwrap());
    let desk = Desk::new();
    let wait = tapelog::Overflow::Block(Duration::from_millis(5));
    // Without mappings: how much of a file is resident is the kernel's affair. Without logs: how far
    // the view is behind, and what waits in it for its turn, is not what this is about.
    let builder = desk.builder().overflow(wait).journal_mapped(false).render_logs(false);
    let (log, guard) = builder.build().unwrap();
    let bridge = bridge(&log);
    let names: Vec<_> = (0..1_000).map(|n| format!("name-{n}")).collect();
    let mut at = [0; 2];
    for number in 0..events {
        if number == events / 10 {
            at[0] = resident_kib();
        }
        let pair = (names[number as usize % names.len()].as_str(), log::kv::Value::from(number));
        let mut record = log::Record::builder();
        bridge.log(
            &record
                .level(Level::Info)
                .args(format_args!("event {number}"))
                .key_values(&pair)
                .build(),
        );
    }
    at[1] = resident_kib();
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    assert_eq!(stats.accepted + stats.lost.total(), events);
    drop(guard);
    let grown = at[1].saturating_sub(at[0]);
    println!("{events} events, texts and names of their own: {grown} KiB more than after a tenth");
    assert!(grown < 4 << 10, "{grown} KiB");
}

#[test]
fn a_record_of_a_bridge_has_its_price() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().ring_bytes(64_u64 << 20).build().unwrap();
    let bridge = bridge(&log);
    let calls = 20_000;
    let time = |call: &dyn Fn(u64)| {
        let mut best = Duration::MAX;
        for _ in 0..10 {
            log.flush(PATIENCE).unwrap();
            let begun = Instant::now();
            (0..calls).for_each(call);
            best = best.min(begun.elapsed());
        }
        best.as_nanos() as f64 / calls as f64
    };
    let bridged = time(&|n| log::info!(logger: bridge, qty = n, px = 70_000.5; "filled"));
    let formatted = time(&|n| log::info!(logger: bridge, "filled {n} @ {}", 70_000.5));
    let quiet = time(&|n| log::debug!(logger: bridge, qty = n; "filled"));
    let own = time(&|n| tapelog::info!(log, "filled", qty = n, px = 70_000.5));
    println!(
        "ns a call: two values {bridged:.0}, formatted {formatted:.0}, left out {quiet:.1}; our macro {own:.1}"
    );
    assert_eq!(log.stats().lost.total(), 0);
    drop(guard);
}

#[test]
fn an_installed_bridge_follows_the_levels_and_outlives_the_engine() {
    if role().is_none() {
        run(child("an_installed_bridge_follows_the_levels_and_outlives_the_engine", "host"));
        return;
    }
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Off);
    LogBridge::new(&log).install().unwrap();
    let refused = LogBridge::new(&log).install().unwrap_err().to_string();
    assert!(refused.contains("has a logger already"), "{refused}");
    assert_eq!(log::max_level(), LevelFilter::Info);
    log::debug!("not kept");
    log.set_level(tapelog::Level::Trace);
    assert_eq!(log::max_level(), LevelFilter::Trace);
    log::trace!("kept");
    log.flush(PATIENCE).unwrap();
    log.set_level(tapelog::Level::Critical);
    assert_eq!(log::max_level(), LevelFilter::Info, "of trade events");
    log::error!("not kept either");
    log::info!(category = "trade"; "filled");

    let begun = Instant::now();
    log::logger().flush();
    assert_eq!(desk.lines("expert.log").len(), 1);
    assert_eq!(desk.lines("trades.log").len(), 1);
    let held = testing::hold_drain(&log);
    log::info!(category = "trade"; "held up");
    log::logger().flush();
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    drop(held);
    log.flush(PATIENCE).unwrap();

    log.set_level(tapelog::Level::Info);
    drop(guard);
    let before = log.stats().lost.closed;
    log::info!("after the end");
    log::logger().flush();
    assert_eq!(log.stats().lost.closed, before + 1, "refused, and counted");
    assert_eq!(desk.lines("expert.log").len(), 1);
    println!("flush waited {waited:?} for a drain that stood still");
}

#[test]
fn a_bound_category_makes_trade_events_of_a_library() {
    let (log, captured) = testing::capture();
    let bridge = bridge(&log.bind(context! { category = "trade" }));
    log::info!(logger: bridge, "filled");
    log::info!(logger: bridge, category = "risk"; "not one");
    let categories: Vec<_> = captured.entries().iter().map(|entry| entry.category).collect();
    assert_eq!(categories, [Category::Trade, Category::General]);
}
