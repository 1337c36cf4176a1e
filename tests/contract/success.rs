//! The measured successes SC-001 to SC-009.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tapelog::testing::{FileCall, fail};
use tapelog::{
    Level, MetaLogger, context, critical, debug, error, info, trade, try_info, try_trade, warning,
};

use crate::calls::keep_to_the_rule;
use crate::common::child;
use crate::support::{self, Desk, LOGS, PATIENCE, files, number, role, until, wait};

#[test]
fn sc_001_a_default_start_makes_all_logs_in_less_than_fifty_milliseconds() {
    // A busy machine may stop anybody: the best start counts.
    let mut times = (0..100).map(|_| {
        let desk = Desk::new();
        let begun = Instant::now();
        let (_log, _guard) = desk.builder().build().unwrap();
        let took = begun.elapsed();
        assert!(LOGS.iter().all(|log| desk.logs().join(log).is_file()));
        took
    });
    let best = times.find(|took| *took < Duration::from_millis(50));
    println!("a default start: {best:?}");
    assert!(best.is_some(), "100 starts took longer");
}

#[test]
fn sc_002_ten_thousand_entries_a_second_are_taken_without_blocking() {
    const ENTRIES: u64 = 30_000;
    // A busy machine may stop anybody: one round must be in time.
    let in_time = (0..10).any(|_| {
        let desk = Desk::new();
        let (log, guard) = desk.builder().build().unwrap();
        let begun = Instant::now();
        for number in 0..ENTRIES {
            info!(log, "entry", number);
        }
        let logged = begun.elapsed();
        log.flush(PATIENCE).unwrap();
        let (all, stats) = (begun.elapsed(), log.stats());
        drop(guard);
        println!("{ENTRIES} entries: {logged:?} to log, {all:?} until they are in the logs");
        assert_eq!((stats.accepted, stats.lost.total()), (ENTRIES, 0));
        all < Duration::from_secs(ENTRIES / 10_000)
    });
    assert!(in_time, "10 times too slow");
}

#[test]
fn sc_003_a_rotation_loses_splits_and_repeats_nothing() {
    let desk = Desk::new();
    let builder = desk.builder().log_max_file_size(4_096_u64).log_backup_count(10_000_u32);
    let (log, guard) = builder.build().unwrap();
    for number in 0..5_000_u64 {
        info!(log, "entry", number);
    }
    log.flush(PATIENCE).unwrap();
    drop(guard);
    let files = files(&desk.logs().join("expert.log"));
    assert!(files.len() > 50, "{}", files.len());
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= 4_096));
    let lines = desk.lines("expert.log");
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    assert!(entries.map(|line| number(line, "number")).eq(0..5_000));
}

#[test]
fn sc_004_every_entry_has_its_whole_context() {
    const THREADS: u64 = 4;
    const ENTRIES: u64 = 2_000;
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    thread::scope(|scope| {
        for desk in 0..THREADS {
            let log = log.bind(context! { expert_name = "MyEmaBot", desk });
            scope.spawn(move || {
                for order in 0..ENTRIES {
                    let bound = log.bind(context! { symbol = "BTCUSDT", order_id = order });
                    try_trade!(bound, "filled", order).unwrap();
                }
            });
        }
    });
    drop(guard);
    let entries = desk.json("trades.log");
    assert_eq!(entries.len() as u64, THREADS * ENTRIES);
    let complete = entries.iter().filter(|entry| {
        let fixed = entry["expert_name"] == "MyEmaBot" && entry["symbol"] == "BTCUSDT";
        fixed && entry["desk"].is_u64() && entry["order_id"] == entry["order"]
    });
    assert_eq!(complete.count(), entries.len(), "100 %");
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
fn sc_005_every_error_is_in_both_logs() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    (0..200).for_each(|_| log_all_levels(&log));
    drop(guard);
    let expert = desk.lines("expert.log");
    let severe = |line: &&String| line.contains("[ERROR ") || line.contains("[CRITICAL ");
    let severe: Vec<_> = expert.iter().filter(severe).cloned().collect();
    assert_eq!(severe.len(), 400);
    assert_eq!(severe, desk.lines("errors.log"));
}

#[test]
fn sc_006_every_trade_is_in_trades_log_as_a_line_of_json() {
    let desk = Desk::new();
    // Whatever the level and the form of the other logs.
    let (log, guard) = desk.builder().log_level(Level::Critical).build().unwrap();
    (0..200).for_each(|_| log_all_levels(&log));
    info!(log.bind(context! { category = "trade" }), "bound");
    drop(guard);
    let trades = desk.json("trades.log");
    assert_eq!(trades.len(), 201);
    assert!(trades.iter().all(|entry| entry["msgid"] == "trade"), "{trades:?}");
}

/// Logs until what is logged reaches the file again.
fn until_it_is_logged(log: &MetaLogger, file: &Path) {
    until("the file is back", || {
        info!(log, "again");
        log.flush(PATIENCE).unwrap();
        fs::read_to_string(file).is_ok_and(|text| text.ends_with("] again\n"))
    });
}

#[test]
fn sc_007_trading_goes_on_without_a_console_and_with_lost_files() {
    if let Some(logs) = role() {
        let (log, guard) =
            MetaLogger::builder().code_only().log_dir(&*logs).build().expect("an engine");
        let expert = Path::new(&logs).join("expert.log");
        info!(log, "a console that nobody reads");
        log.flush(PATIENCE).unwrap();
        // Locked by somebody else: nobody asks.
        let locked = File::open(&expert).unwrap();
        locked.lock().unwrap();
        until_it_is_logged(&log, &expert);
        fs::remove_file(&expert).unwrap();
        until_it_is_logged(&log, &expert);
        // A mode would be of no account to who has the file open, nor to root.
        let unwritable = fail(FileCall::Write, libc::EACCES, u64::MAX);
        until("a write that fails", || {
            info!(log, "an unwritable file");
            log.flush(PATIENCE).unwrap();
            unwritable.failed() > 0 && log.stats().log_lines_missed > 0
        });
        drop(unwritable);
        until_it_is_logged(&log, &expert);
        fs::rename(&logs, format!("{logs}-moved")).unwrap();
        info!(log, "no directory");
        log.flush(PATIENCE).unwrap();
        // It is made again.
        until_it_is_logged(&log, &expert);
        // What the engine says of the files may come at any time.
        until("all is in the journal", || {
            let stats = log.stats();
            stats.accepted == stats.journaled
        });
        assert_eq!(log.stats().lost.total(), 0);
        return drop(guard);
    }
    let desk = Desk::new();
    let test = sc_007_trading_goes_on_without_a_console_and_with_lost_files;
    let mut command = child(test, &desk.logs().display().to_string());
    let mut running = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(running.stderr.take());
    assert!(wait(&mut running).success());
}

#[test]
fn sc_007_trading_goes_on_on_a_full_disk() {
    if let Some(disk) = role() {
        let disk = Path::new(&disk);
        fs::write(disk.join("ballast"), vec![0; 8 << 20]).unwrap();
        let builder = support::builder(&disk.join("logs")).ring_dir(disk.join("../ring"));
        let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(3_u32);
        let (log, guard) = builder.build().unwrap();
        info!(log, "there is room");
        log.flush(PATIENCE).unwrap();
        // Everything that is left.
        let mut rest = File::options().append(true).open(disk.join("ballast")).unwrap();
        while std::io::Write::write(&mut rest, &[0; 4_096]).is_ok_and(|bytes| bytes > 0) {}
        for number in 0..2_000_u64 {
            info!(log, "the disk is full", number);
        }
        log.flush(PATIENCE).unwrap();
        assert!(log.stats().log_lines_missed > 0, "{:?}", log.stats());
        drop(rest);
        fs::remove_file(disk.join("ballast")).unwrap();
        until_it_is_logged(&log, &disk.join("logs/expert.log"));
        assert_eq!(log.stats().lost.total(), 0, "the journal had its room");
        return drop(guard);
    }
    let desk = Desk::new();
    let disk = desk.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&disk).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        return crate::support::skip(format_args!("nothing can be mounted here"));
    }
    let test = sc_007_trading_goes_on_on_a_full_disk;
    let output = child(test, &disk.display().to_string()).output().unwrap();
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{told}", String::from_utf8_lossy(&output.stdout));
    assert!(told.contains("its lines go to stderr until it works again"), "{told}");
}

#[test]
fn sc_008_the_json_obeys_the_schema_that_the_project_ships() {
    const VALIDATE: &str = "
import json, sys, jsonschema
validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
[validator.validate(json.loads(line)) for line in open(sys.argv[2], newline='\\n')]
";
    let desk = Desk::new();
    let (log, guard) = desk.builder().structured_logging(true).build().unwrap();
    let log = log.bind(context! { expert_name = "MyEmaBot", pri = "reserved" });
    log_all_levels(&log);
    info!(log, "values", nan = f64::NAN, big = u64::MAX, none = None::<u8>, list = [1, 2]);
    drop(guard);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/log-line.schema.json");
    let parsed: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&schema).unwrap()).unwrap();
    let required = parsed["required"].as_array().unwrap();
    assert!(required.len() > 10);
    for line in desk.json("expert.log").iter().chain(&desk.json("trades.log")) {
        let lacking = |name: &&serde_json::Value| line.get(name.as_str().unwrap()).is_none();
        assert_eq!(required.iter().find(lacking), None, "{line}");
    }
    let import = Command::new("python3").args(["-c", "import jsonschema"]).output();
    if !import.is_ok_and(|output| output.status.success()) {
        return crate::support::skip(format_args!("python3 has no module jsonschema"));
    }
    for name in ["expert.log", "trades.log"] {
        let mut python = Command::new("python3");
        python.args(["-c", VALIDATE]).arg(&schema).arg(desk.logs().join(name));
        support::run(python);
    }
}

#[path = "../../examples/expert.rs"]
#[allow(dead_code, reason = "its `main` is for cargo")]
mod expert;

#[test]
fn sc_009_the_documented_strategy_logs_in_its_context() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("docs/guides/logging.md")).unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("(examples/expert.rs)") && guide.contains("expert.logger()"));
    if let Some(logs) = role() {
        expert::run(Path::new(&logs));
        return;
    }
    let desk = Desk::new();
    let test = sc_009_the_documented_strategy_logs_in_its_context;
    support::run(child(test, &desk.logs().display().to_string()));
    let trades = desk.json("trades.log");
    assert!(!trades.is_empty());
    for name in ["expert_name", "symbol", "strategy_id", "account_id", "order_id", "trade_id"] {
        assert!(trades.iter().all(|entry| entry[name].is_string()), "{name}: {trades:?}");
    }
}

/// The rate of the bar of our own, tens of millions a second, is the laboratory's to measure; that no
/// call waits while records come faster than anybody can render them, shows here.
#[test]
fn sc_002_a_burst_is_taken_or_refused_and_never_waited_for() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().ring_bytes(1_u64 << 20).build().unwrap();
    let (mut accepted, mut refused) = (0_u64, 0_u64);
    keep_to_the_rule("a burst", |calls| {
        // Until it was too much at least once.
        while calls.timed < 400_000 || (refused == 0 && calls.timed < 50_000_000) {
            let number = calls.timed;
            match calls.time(|| try_info!(log, "entry", number)).0 {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    });
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    println!("{accepted} accepted, {refused} refused");
    assert!(refused > 0, "the burst never filled the ring: {stats:?}");
    assert_eq!((stats.accepted, stats.lost.total()), (accepted, refused));
}
