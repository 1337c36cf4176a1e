//! Goal: unusual programs and configurations neither hang nor lose anything without saying so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "getrusage of the calling thread")]

mod support;

#[path = "support/calls.rs"]
mod calls;

use std::fs;
use std::time::{Duration, Instant};

use calls::keep_to_the_rule;
use support::Desk;
use tapelog::{MetaLogger, Overflow, context, info, try_info};

/// Names that a program's own constants may have, too.
const NAMES: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const TRADE: &str = "T-17";
const SITE: u8 = 7;

#[test]
fn the_hosts_own_constants_are_logged_whatever_they_are_called() {
    const LIMIT: Duration = Duration::from_secs(1);
    let (log, captured) = tapelog::testing::capture();
    let log = log.bind(context! { names = NAMES });
    info!(log, every: LIMIT, "subscribed", trade_id = TRADE, site = SITE);
    let entry = &captured.entries()[0];
    assert_eq!((&*entry.fields["trade_id"], &*entry.fields["site"]), ("T-17", "7"));
    assert!(entry.context["names"].contains("ETHUSDT"), "{entry}");
}

#[test]
fn a_guard_ends_in_time_when_the_journal_can_take_no_more() {
    let root = tempfile::tempdir().unwrap();
    let (log, guard) = MetaLogger::builder()
        .log_dir(root.path().join("logs"))
        .log_to_console(false)
        .journal_segments(3_u32)
        .journal_segment_bytes(512_u64 << 10)
        .shutdown_timeout(Duration::ZERO)
        .build()
        .unwrap();
    let text = "x".repeat(1_000);
    let mut accepted = 0_u64;
    while accepted < 20_000 && try_info!(log, "filling", accepted, text).is_ok() {
        accepted += 1;
    }
    let start = Instant::now();
    drop(guard);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(accepted > 1_000);
}

#[test]
fn a_context_that_is_too_large_for_the_ring_loses_values_but_no_entry() {
    let root = tempfile::tempdir().unwrap();
    let (log, guard) = MetaLogger::builder()
        .log_dir(root.path().join("logs"))
        .log_to_console(false)
        .ring_bytes(256_u64 << 10)
        .block_bytes(4_096_u32)
        .latency_warning(Duration::ZERO)
        .build()
        .unwrap();
    let long = "y".repeat(500);
    let bound = log.bind(context! { symbol = "BTCUSDT", first = &*long, second = &*long });
    let pushed = try_info!(bound, "kept", text = &*long);
    assert_eq!(pushed, Ok(()));
    // What can never fit is refused, counted and told.
    let endless = "t".repeat(5_000);
    assert!(log.info(&endless, &[]).is_err(), "a definition is not cut below 1 KiB");
    let fields: Vec<_> = (0..200).map(|_| ("a_rather_long_name", 1_u64.into())).collect();
    assert!(log.info("many", &fields).is_err());
    info!(log, "after");
    log.flush(support::PATIENCE).unwrap();
    let stats = log.stats();
    assert_eq!((stats.accepted, stats.lost.total()), (2, 2));
    drop(guard);
    let text = fs::read_to_string(root.path().join("logs/expert.log")).unwrap();
    assert!(text.contains("kept") && text.contains("symbol=BTCUSDT"), "{text}");
    // One gap line tells of both, or one of each where the drain came between them.
    let told =
        text.lines().filter_map(|line| line.split_once("logger.gap lost=")).map(|(_, rest)| {
            let (lost, rest) = rest.split_once(" full=").unwrap();
            assert_eq!(rest.split(' ').next(), Some(lost), "all of them for want of room: {text}");
            lost.parse::<u64>().unwrap()
        });
    assert_eq!(told.sum::<u64>(), 2, "{text}");
}

#[test]
fn a_flush_may_wait_for_ever() {
    let (log, _captured) = tapelog::testing::capture();
    info!(log, "one");
    log.flush(Duration::MAX).unwrap();
}

#[test]
fn a_category_given_at_the_call_makes_a_trade_event_also_when_it_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let (log, guard) = MetaLogger::builder()
        .log_dir(root.path().join("logs"))
        .log_to_console(false)
        .build()
        .unwrap();
    let held = tapelog::testing::hold_drain(&log);
    let text = "x".repeat(4_000);
    while try_info!(log, "trade", category = "trade", text = &*text).is_ok() {}
    assert_eq!(log.stats().lost.trade, 1);
    drop(held);
    drop(guard);
    let trades = fs::read_to_string(root.path().join("logs/trades.log")).unwrap();
    assert!(trades.contains("\"event\":\"logger.gap\""));
}

#[test]
fn calls_that_wait_for_room_and_for_the_log_wait_five_milliseconds_at_most() {
    const WAIT: Duration = Duration::from_millis(5);
    const CALLS: u64 = 20;
    let desk = Desk::new();
    let builder = desk.builder().async_logging(false).overflow(Overflow::Block(WAIT));
    let (log, guard) = builder.ring_bytes(256_u64 << 10).block_bytes(4_u32 << 10).build().unwrap();
    let held = tapelog::testing::hold_drain(&log);
    // It takes effect before the next pass.
    support::until("the drain is held", || {
        let late = log.stats().late_synchronous;
        info!(log, "first");
        log.stats().late_synchronous > late
    });
    let late = log.stats().late_synchronous;
    // That they wait no longer is the rule's to say.
    let timed = |what: &str, call: &dyn Fn()| {
        let mut took = Vec::new();
        keep_to_the_rule(what, |calls| {
            for _ in 0..CALLS {
                let begun = Instant::now();
                calls.time_sleeping(call);
                took.push(begun.elapsed());
            }
        });
        let median = support::median(&took);
        assert!(median >= WAIT - Duration::from_millis(1), "{what}: it waits: {took:?}");
        took.len() as u64
    };
    let made = timed("an entry that nobody writes", &|| try_info!(log, "entry").unwrap());
    assert_eq!(log.stats().late_synchronous, late + made, "each is counted");
    let text = "x".repeat(900);
    while try_info!(log, "fills", text).is_ok() {}
    let lost = log.stats().lost.total();
    let refused = timed("no room", &|| assert!(try_info!(log, "refused", text).is_err()));
    assert_eq!(log.stats().lost.total(), lost + refused);
    drop(held);
    drop(guard);
    let lines = desk.lines("expert.log");
    let entries = lines.iter().filter(|line| line.contains("] entry")).count();
    assert_eq!(entries as u64, made);
}

#[test]
fn without_files_no_directory_is_made() {
    let root = tempfile::tempdir().unwrap();
    let (logs, ring) = (root.path().join("logs"), root.path().join("ring"));
    let (log, guard) = MetaLogger::builder()
        .log_dir(logs.as_path())
        .ring_dir(ring.as_path())
        .log_to_file(false)
        .build()
        .unwrap();
    info!(log, "to the console alone");
    log.flush(support::PATIENCE).unwrap();
    assert!(!log.stats().crash_safe);
    drop(guard);
    assert!(!logs.exists() && !ring.exists());
}

#[test]
fn a_journal_is_read_from_a_time_on() {
    use tapelog::UnixNanos;
    use tapelog::reading::{Format, Journal};

    let root = tempfile::tempdir().unwrap();
    let (log, guard) = MetaLogger::builder()
        .log_dir(root.path().join("logs"))
        .log_to_console(false)
        .latency_warning(Duration::ZERO)
        .build()
        .unwrap();
    let second = |number: i64| UnixNanos((1_700_000_000 + number) * 1_000_000_000);
    for number in 0..10 {
        info!(log, at: second(number), "entry", number);
        log.flush(support::PATIENCE).unwrap();
    }
    drop(guard);
    let mut lines = Vec::new();
    let journal = Journal::open(root.path()).or_else(|_| Journal::open(root.path().join("logs")));
    let summary = journal.unwrap().since(second(7)).write_to(Format::Text, &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!((summary.entries, lines.lines().count()), (3, 3), "{lines}");
    assert!(lines.contains("number=7") && !lines.contains("number=6"), "{lines}");
}
