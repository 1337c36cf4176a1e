//! The logger measures itself: about one call in 1,024 and every exceptional one is timed, entries
//! `logger.metrics` tell how it is doing, and a slow call is told by name.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Desk, PATIENCE, child, field, json, number, role, run, until};
use tapelog::reading::{Format, Journal};
use tapelog::testing::hold_drain;
use tapelog::{
    Builder, CallTimes, Level, MetaLogger, Overflow, Producer, Stats, info, now, try_info,
};

const RING_BYTES: u64 = 64 << 20;
const CALLS: u64 = 500_000;

/// The statistics after `CALLS` calls, none of which found the ring full.
fn stats_of(calls: impl Fn(&MetaLogger, &Producer, u64)) -> Stats {
    let desk = Desk::new();
    let builder = desk.builder().ring_bytes(RING_BYTES).log_level(Level::Error);
    let (log, guard) = builder.journal_level(Level::Info).build().unwrap();
    let producer = log.producer();
    (0..CALLS).for_each(|call| calls(&log, &producer, call));
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    assert_eq!((stats.accepted, stats.lost.total()), (CALLS, 0));
    stats
}

/// Samples, one in 1,024 calls, and a claimed block for every 1,400 calls or so, and no more.
fn assert_sampled(face: &str, stats: &Stats) {
    let CallTimes { p50, p99, p999, max, samples, .. } = stats.calls;
    println!("{face}: p50 {p50:?}, p99 {p99:?}, p99.9 {p999:?}, max {max:?}, {samples} samples");
    let blocks = CALLS * 48 / (64 << 10);
    let expected = CALLS / 1024 + blocks;
    assert!((expected / 2..expected * 2).contains(&samples), "{samples}, not about {expected}");
    assert!(p50 > Duration::ZERO && p50 <= p99 && p99 <= p999 && p999 <= max, "{stats:?}");
    assert!(p50 < Duration::from_micros(10), "a call takes nanoseconds: {p50:?}");
}

#[test]
fn about_one_call_in_1024_is_timed_through_both_faces_and_with_both_stamps() {
    let own = stats_of(|log, _, call| info!(log, "own", call, price = 7.5, qty = call));
    assert_sampled("logger, own stamp", &own);
    let at = stats_of(|log, _, call| info!(log, at: now(), "at", call, price = 7.5, qty = call));
    assert_sampled("logger, at:", &at);
    let own = stats_of(|_, producer, call| info!(producer, "own", call, price = 7.5, qty = call));
    assert_sampled("producer, own stamp", &own);
    let stamp = now();
    let at = stats_of(move |_, producer, call| {
        info!(producer, at: stamp, "at", call, price = 7.5, qty = call);
    });
    assert_sampled("producer, at:", &at);
}

#[test]
fn every_exceptional_call_is_timed() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().async_logging(false).build().unwrap();
    for call in 0..50_u64 {
        info!(log, "waits until it is written", call);
    }
    assert_eq!(log.stats().calls.samples, 50);
    let values = [("price", 7.5.into())];
    log.info("made at run time", &values).unwrap();
    assert_eq!(log.stats().calls.samples, 51);
    drop(guard);
    assert!(try_info!(log, "too late").is_err());
    assert_eq!(log.stats().calls.samples, 52, "a refusal is timed, too");
}

/// Calls that wait 2 ms for room in vain.
fn wait_in_vain(log: &MetaLogger, calls: u64) -> u32 {
    let held = hold_drain(log);
    while try_info!(log, "fills").is_ok() {}
    for call in 0..calls {
        let waited = try_info!(log, "the slow one", call);
        assert!(waited.is_err());
    }
    drop(held);
    line!() - 4
}

fn slow_calls(desk: &Desk) -> Vec<String> {
    let lines = desk.lines("expert.log").into_iter();
    lines.filter(|line| line.contains("logger.slow_call")).collect()
}

fn slow_builder(desk: &Desk) -> Builder {
    let overflow = Overflow::Block(Duration::from_millis(2));
    desk.builder().overflow(overflow).latency_warning(Duration::from_millis(1))
}

#[test]
fn a_slow_call_is_told_by_name_and_the_others_are_counted() {
    let desk = Desk::new();
    let (log, guard) = slow_builder(&desk).build().unwrap();
    let line = wait_in_vain(&log, 3);
    // The last call that fills waits, too.
    let told = || slow_calls(&desk).iter().map(|told| 1 + number(told, "suppressed")).sum::<u64>();
    let begun = Instant::now();
    until("a warning", || {
        // The count of those that wait comes with the next one that is told.
        thread::sleep(Duration::from_millis(50));
        log.flush(PATIENCE).unwrap();
        told() > 0
    });
    assert!(begun.elapsed() < Duration::from_secs(20));
    let line_after = wait_in_vain(&log, 1);
    assert_eq!(line_after, line);
    drop(guard);
    let told_lines = slow_calls(&desk);
    assert!(told() >= 6, "all of them are told or counted: {told_lines:#?}");
    for told in &told_lines {
        assert!(told.contains("[WARNING"), "{told}");
        assert!(number(told, "took_us") >= 1000, "{told}");
        assert_eq!(field(told, "file"), Some("tests/metrics.rs"), "{told}");
        assert_eq!(field(told, "module"), Some("metrics"), "{told}");
        assert!(told.contains("text=fills") || told.contains("text=\"the slow one\""), "{told}");
    }
    let named = told_lines.iter().find(|told| told.contains("the slow one"));
    if let Some(named) = named {
        assert_eq!(number(named, "line"), u64::from(line), "{named}");
    }
}

#[test]
fn a_slow_call_shortly_before_the_end_is_told_at_the_end() {
    let desk = Desk::new();
    let (log, guard) = slow_builder(&desk).build().unwrap();
    wait_in_vain(&log, 0);
    drop(guard);
    let told = slow_calls(&desk);
    assert!(told.iter().any(|told| told.contains("text=fills")), "{told:?}");
    assert!(desk.lines("errors.log").is_empty());
}

#[test]
fn without_a_threshold_no_call_is_slow() {
    let desk = Desk::new();
    let (log, guard) = slow_builder(&desk).latency_warning(Duration::ZERO).build().unwrap();
    wait_in_vain(&log, 3);
    thread::sleep(Duration::from_millis(1200));
    drop(guard);
    assert_eq!(slow_calls(&desk), Vec::<String>::new());
}

#[test]
fn a_log_rotated_more_than_once_a_second_is_told_once_by_the_key_that_decides() {
    let desk = Desk::new();
    let builder = MetaLogger::builder().code_only().log_dir(desk.logs()).ring_dir(desk.ring_dir());
    let builder = builder.log_to_console(false).latency_warning(Duration::ZERO);
    let builder = builder.log_max_file_size(1_000_u64).log_backup_count(1_000_u32);
    let told = |builder: Builder, until_told: bool| {
        let (log, guard) = builder.build().unwrap();
        let rotated_often = || {
            (0..100_u64).for_each(|number| info!(log, "fills", number));
            log.flush(PATIENCE).unwrap();
        };
        let warnings = || {
            let lines = desk.lines("expert.log").into_iter();
            lines.filter(|line| line.contains("logger.fast_rotation")).collect::<Vec<_>>()
        };
        rotated_often();
        if until_told {
            until("a warning", || {
                thread::sleep(Duration::from_millis(50));
                log.flush(PATIENCE).unwrap();
                !warnings().is_empty()
            });
        }
        rotated_often();
        drop(guard);
        warnings()
    };
    let muted = tapelog::testing::without_rotation_warning(builder.clone());
    assert_eq!(told(muted, false), Vec::<String>::new());
    // All of it makes the log rotate once.
    let slow = builder.clone().log_max_file_size(10_000_u64);
    assert_eq!(told(slow, false), Vec::<String>::new());
    let told = told(builder, true);
    assert_eq!(told.len(), 1, "{told:?}");
    let line = &told[0];
    assert!(line.contains("[WARNING") && number(line, "value") == 1_000, "{line}");
    assert_eq!(field(line, "key"), Some("log_max_file_size"), "{line}");
    assert_eq!(field(line, "log"), desk.logs().join("expert.log").to_str(), "{line}");
    assert!(number(line, "apart_ms") < number(line, "apart_ms_min"), "{line}");
}

/// The numbers of an entry `logger.metrics`.
fn of(entry: &Value, name: &str) -> u64 {
    entry[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {entry}"))
}

fn is_metrics(entry: &Value) -> bool {
    entry["event"] == "logger.metrics"
}

/// What holds for every entry of an engine that lost nothing, as the last statistics are.
fn assert_plausible(entry: &Value, stats: &Stats) {
    assert_eq!(entry["level"], "info");
    assert_eq!(of(entry, "ring_bytes"), stats.ring_bytes);
    assert_eq!(of(entry, "blocks"), u64::from(stats.blocks));
    assert!(of(entry, "free_blocks") <= of(entry, "blocks"));
    assert!(of(entry, "ring_used_bytes_max") <= stats.ring_used_bytes_max, "{entry}");
    assert_eq!(of(entry, "ring_used_bytes_max") % (64 << 10), 0, "{entry}");
    assert_eq!((of(entry, "lost_total"), of(entry, "lost_full")), (0, 0));
    assert_eq!(of(entry, "lost_trade"), 0);
    assert!(of(entry, "rotations") <= stats.rotations);
    assert!(of(entry, "call_p50_ns") <= of(entry, "call_p999_ns"));
    assert!(of(entry, "call_p999_ns") <= of(entry, "call_max_ns"));
    assert!(of(entry, "drain_lag_us_max") < 60_000_000, "{entry}");
    assert!(stats.drain_lag_max >= stats.drain_lag);
}

#[test]
fn an_entry_tells_regularly_how_the_logger_is_doing() {
    const INTERVAL: Duration = Duration::from_millis(200);
    let desk = Desk::new();
    let builder = desk.builder().structured_logging(true).metrics_interval(INTERVAL);
    let begun = Instant::now();
    let (log, guard) = builder.build().unwrap();
    let producer = log.producer();
    let metrics =
        || -> Vec<Value> { desk.json("expert.log").into_iter().filter(is_metrics).collect() };
    let (mut pushed, mut stats) = (0_u64, log.stats());
    // Eight intervals; more where a busy machine has kept the entries back.
    while begun.elapsed() < 8 * INTERVAL || stats.records_per_s == 0 || metrics().len() < 4 {
        assert!(begun.elapsed() < PATIENCE, "{stats:?}");
        for _ in 0..100 {
            info!(producer, "tick", pushed, price = 7.5);
            pushed += 1;
        }
        thread::sleep(Duration::from_millis(1));
        stats = log.stats();
    }
    assert!(stats.bytes_per_s > stats.records_per_s, "{stats:?}");
    // One more, with what is still missing.
    let records_of = |entry: &Value| of(entry, "records_per_s") * of(entry, "interval_ms") / 1000;
    until("the last records in an entry", || {
        thread::sleep(INTERVAL / 2);
        log.flush(PATIENCE).unwrap();
        metrics().iter().map(records_of).sum::<u64>() * 100 >= pushed * 99
    });
    let (stats, metrics) = (log.stats(), metrics());
    drop(guard);
    let most = begun.elapsed().as_millis() / INTERVAL.as_millis() + 1;
    assert!(metrics.len() as u128 <= most, "{} entries, at most {most}", metrics.len());
    let told: u64 = metrics.iter().map(records_of).sum();
    let accepted = pushed + metrics.len() as u64;
    assert!((told * 100).abs_diff(accepted * 100) <= accepted * 2, "{told} of {accepted}");
    let bytes = metrics.iter().map(|e| of(e, "bytes_per_s") * of(e, "interval_ms") / 1000);
    let bytes: u64 = bytes.sum();
    assert!(bytes * 100 >= stats.journal_bytes * 90, "{bytes} of {}", stats.journal_bytes);
    assert!(bytes * 100 <= stats.journal_bytes * 102, "{bytes} of {}", stats.journal_bytes);
    metrics.iter().for_each(|entry| assert_plausible(entry, &stats));
    assert!(metrics.iter().any(|entry| of(entry, "samples") > 0), "{metrics:#?}");
    assert!(metrics.iter().any(|entry| of(entry, "ring_used_bytes_max") > 0));
    assert!(metrics.iter().any(|entry| of(entry, "drain_lag_us_max") > 0));
    assert!(metrics.iter().any(|entry| of(entry, "view_lag_us") > 0));
    assert_eq!(desk.lines("trades.log"), Vec::<String>::new());
}
#[test]
fn losses_stand_in_the_entries_by_their_reasons() {
    let desk = Desk::new();
    let interval = Duration::from_millis(100);
    let builder = desk.builder().structured_logging(true).metrics_interval(interval);
    let (log, guard) = builder.build().unwrap();
    let held = hold_drain(&log);
    let accepted = (0..).take_while(|call| try_info!(log, "fills", call).is_ok()).count() as u64;
    for call in 0..41_u64 {
        assert!(try_info!(log, "lost", call).is_err());
    }
    drop(held);
    until("an entry with the losses", || {
        thread::sleep(interval / 2);
        log.flush(PATIENCE).unwrap();
        let entries = desk.json("expert.log");
        entries.iter().any(|entry| is_metrics(entry) && of(entry, "lost_total") == 42)
    });
    drop(guard);
    let entries = desk.json("expert.log");
    let (metrics, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_metrics(entry));
    let told = metrics.iter().find(|entry| of(entry, "lost_total") == 42).unwrap();
    assert_eq!(of(told, "lost_full"), 42, "an entry of the engine's own is never lost: {told}");
    let used: Vec<u64> = metrics.iter().map(|entry| of(entry, "ring_used_bytes_max")).collect();
    let full = of(told, "blocks") - 2;
    assert!(used.iter().any(|used| *used >= full * (64 << 10)), "the ring was full: {used:?}");
    let fills = others.iter().filter(|entry| entry["event"] == "fills").count() as u64;
    assert_eq!(fills, accepted);
}

#[test]
fn the_entry_is_in_the_journal_whatever_the_levels_are_and_never_on_the_console() {
    if let Some(directory) = role() {
        let (level, directory) = directory.split_once(' ').unwrap();
        let builder =
            MetaLogger::builder().log_dir(directory).log_level(level.parse::<Level>().unwrap());
        let builder = builder.metrics_interval(Duration::from_millis(100));
        let begun = Instant::now();
        let (log, guard) = builder.latency_warning(Duration::ZERO).build().unwrap();
        info!(log, "shown");
        // Three intervals, and until the janitor has come to it.
        thread::sleep(Duration::from_millis(350));
        until("metrics in the journal", || {
            log.flush(PATIENCE).unwrap();
            in_journal(directory.as_ref()) > 0
        });
        drop(guard);
        return println!("\nintervals={}", begun.elapsed().as_millis() / 100);
    }
    for (level, in_log) in [("info", true), ("error", false)] {
        let desk = Desk::new();
        let test = "the_entry_is_in_the_journal_whatever_the_levels_are_and_never_on_the_console";
        let output = run(child(test, &format!("{level} {}", desk.logs().display())));
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(shown.contains("shown"), in_log, "{shown}");
        assert!(!shown.contains("logger.metrics"), "{shown}");
        let expert = desk.lines("expert.log");
        assert_eq!(expert.iter().any(|line| line.contains("logger.metrics")), in_log);
        let told = String::from_utf8(output.stdout).unwrap();
        let told = told.lines().find(|line| line.starts_with("intervals=")).unwrap();
        let intervals = support::number(told, "intervals");
        let metrics = in_journal(&desk.logs()) as u64;
        // One more for what was begun, and one for the end.
        assert!((1..=intervals + 2).contains(&metrics), "{metrics} in {intervals} intervals");
    }
}

/// Entries of metrics in the journal.
fn in_journal(logs: &Path) -> usize {
    let mut read = Vec::new();
    let journal = Journal::open(logs).unwrap();
    assert!(journal.write_to(Format::Json, &mut read).unwrap().is_intact());
    let entries = String::from_utf8(read).unwrap();
    entries.lines().map(json).filter(is_metrics).count()
}

#[test]
fn no_interval_no_entry() {
    let desk = Desk::new();
    let begun = Instant::now();
    let (log, guard) = desk.builder().build().unwrap();
    const ENTRIES: u64 = 1_000;
    (0..ENTRIES).for_each(|number| info!(log, "alone", number));
    log.flush(PATIENCE).unwrap();
    thread::sleep(Duration::from_millis(300));
    let (stats, lasted) = (log.stats(), begun.elapsed().as_secs_f64());
    drop(guard);
    assert_eq!(desk.lines("expert.log").len() as u64, ENTRIES);
    // Since the start, which was later than `begun`.
    assert!(stats.records_per_s >= (ENTRIES as f64 / lasted) as u64, "{lasted}: {stats:?}");
}
