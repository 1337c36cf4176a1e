//! Where the logs lie, how they rotate, and that a restart goes on where the last run ended.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::{Desk, PATIENCE, builder, child, number, role, run};
use tapelog::{MetaLogger, StartError, error, info, trade};

fn log_numbers(log: &MetaLogger, numbers: std::ops::Range<u64>) {
    for number in numbers {
        while tapelog::try_info!(log, "entry", number).is_err() {
            std::thread::yield_now();
        }
    }
}

fn numbers(lines: &[String]) -> Vec<u64> {
    lines.iter().map(|line| number(line, "number")).collect()
}

#[test]
fn logs_lie_where_they_are_told_to() {
    let desk = Desk::new();
    let elsewhere = desk.path("elsewhere/errors.txt");
    let (log, guard) = desk
        .builder()
        .log_file("my.log")
        .trade_log_file("audit/trades.jsonl")
        .error_log_file(&*elsewhere)
        .build()
        .unwrap();
    info!(log, "one");
    trade!(log, "two");
    error!(log, "three");
    drop(guard);
    assert_eq!(desk.lines("my.log").len(), 3);
    assert_eq!(desk.lines("audit/trades.jsonl").len(), 1);
    assert_eq!(support::lines(&elsewhere).len(), 1);
    let mut names: Vec<_> =
        fs::read_dir(desk.logs()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".tapelog.lock", "audit", "journal", "my.log"]);
}

#[test]
fn a_relative_directory_lies_below_the_working_directory() {
    if let Some(root) = role() {
        std::env::set_current_dir(root).unwrap();
        let (log, _guard) = builder(Path::new("logs/bot")).build().unwrap();
        return info!(log, "here");
    }
    let desk = Desk::new();
    let test = "a_relative_directory_lies_below_the_working_directory";
    run(child(test, &desk.path("").display().to_string()));
    assert_eq!(support::lines(&desk.path("logs/bot/expert.log")).len(), 1);
}

/// In the child: the host changes its working directory while it logs.
fn log_and_go_elsewhere(role: &str) {
    let (root, rings) = role.split_once(' ').unwrap();
    std::env::set_current_dir(root).unwrap();
    fs::write("tapelog.toml", "mask_keys = [\"pin\"]\n").unwrap();
    let small = MetaLogger::builder().env_prefix("TAPELOG_NONE_").log_dir("logs");
    let small = small.ring_dir(rings).log_to_console(false);
    let small = small.block_bytes(64_u32 << 10).journal_segment_bytes(512_u64 << 10);
    let (log, guard) = small.journal_segments(64_u32).build().unwrap();
    fs::create_dir("elsewhere").unwrap();
    std::env::set_current_dir("elsewhere").unwrap();
    // Longer than the janitor's look at names and files, and over some segments.
    const COUNT: u64 = 60_000;
    for first in (0..COUNT).step_by(1_000) {
        log_numbers(&log, first..first + 1_000);
        log.flush(PATIENCE).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    log.sync().unwrap();
    log.reload().unwrap();
    info!(log, "signed", pin = "p-1");
    fs::remove_file("../tapelog.toml").unwrap();
    let refused = log.reload().unwrap_err().to_string();
    assert!(refused.contains("tapelog.toml"), "what was read must still be there: {refused}");
    info!(log, "signed", pin = "p-1");
    assert_eq!((log.stats().file_errors, &log.stats().degraded), (0, &None));
    drop(guard);
    println!("logged {COUNT}");
}

#[test]
fn the_host_may_change_its_working_directory() {
    if let Some(root) = role() {
        return log_and_go_elsewhere(&root);
    }
    let desk = Desk::new();
    let test = "the_host_may_change_its_working_directory";
    let role = format!("{} {}", desk.path("").display(), desk.ring_dir().display());
    let output = run(child(test, &role));
    let told = String::from_utf8(output.stdout).unwrap();
    let count = told.split("logged ").nth(1).unwrap().split_whitespace().next().unwrap();
    let count: u64 = count.parse().unwrap();
    let lines = desk.lines("expert.log");
    let entries: Vec<_> = lines.iter().filter(|line| line.contains("] entry ")).cloned().collect();
    assert_eq!(numbers(&entries), (0..count).collect::<Vec<_>>());
    let signed: Vec<_> = lines.iter().filter(|line| line.contains("] signed ")).collect();
    assert!(
        signed.len() == 2 && signed.iter().all(|line| line.ends_with(" pin=***")),
        "{signed:?}"
    );
    let verified = tapelog::reading::Journal::open(desk.logs()).unwrap();
    let verified = verified.verify(&mut |_| {}).unwrap();
    assert!(verified.is_intact() && verified.segments.len() > 1, "{verified:?}");
    assert_eq!(fs::read_dir(desk.path("elsewhere")).unwrap().count(), 0, "nothing was made there");
}

#[test]
fn row_17_paths_that_climb_or_clash_are_refused() {
    let desk = Desk::new();
    fs::create_dir(desk.path("real")).unwrap();
    std::os::unix::fs::symlink(desk.path("real"), desk.path("linked")).unwrap();
    let relative = std::env::current_dir().unwrap();
    let up = "../".repeat(relative.components().count() - 1);
    let relative = format!("{up}{}", desk.logs().strip_prefix("/").unwrap().display());
    let builders = [
        desk.builder().trade_log_file("./expert.log"),
        desk.builder().trade_log_file("expert.log.3"),
        desk.builder().trade_log_file("./expert.log.3"),
        desk.builder().log_file("journal/../journal//x.log"),
        desk.builder().log_file("./journal/x.log"),
        desk.builder().error_log_file("./.tapelog.lock"),
        desk.builder().log_dir(&relative).error_log_file(desk.logs().join("expert.log")),
        desk.builder()
            .log_file(desk.path("linked/one.log"))
            .error_log_file(desk.path("real/one.log")),
        desk.builder()
            .log_file(desk.path("linked/one.log"))
            .error_log_file(desk.path("real/one.log.12")),
        desk.builder().log_file("../expert.log"),
        desk.builder().trade_log_file("expert.log"),
        desk.builder().error_log_file(desk.logs().join("trades.log")),
        desk.builder().log_file("a/.."),
    ];
    let count = builders.len();
    for builder in builders {
        let error = builder.build().expect_err("a refusal");
        assert!(matches!(error, StartError::Configuration(_)), "{error:?}");
    }
    assert!(!desk.logs().exists(), "nothing was made");
    let apart = desk.builder().log_file("a/one.log").error_log_file("b/one.log");
    let apart = apart.trade_log_file("a/one.log.gz");
    assert_eq!(apart.configuration().unwrap().log_paths().len(), 3);
    println!("row 17: {count} paths that climb or clash are refused");
}

#[test]
fn a_rotation_loses_splits_and_repeats_nothing_and_keeps_the_backups_asked_for() {
    const MAX_BYTES: u64 = 16 << 10;
    for backups in [0_u32, 3, 1000] {
        let desk = Desk::new();
        let (log, guard) =
            desk.builder().log_max_file_size(MAX_BYTES).log_backup_count(backups).build().unwrap();
        log_numbers(&log, 0..20_000);
        log.flush(PATIENCE).unwrap();
        let rotations = log.stats().rotations;
        drop(guard);
        let files = support::files(&desk.logs().join("expert.log"));
        for file in &files {
            assert!(fs::metadata(file).unwrap().len() <= MAX_BYTES, "{file:?} is too long");
        }
        let found = numbers(&desk.lines("expert.log"));
        assert!(rotations > 20, "{rotations}");
        assert_eq!(files.len() as u64, u64::from(backups).min(rotations) + 1);
        let first = found[0];
        assert_eq!(found, (first..20_000).collect::<Vec<_>>(), "{backups} backups");
        assert_eq!(first == 0, backups == 1000, "older ones are deleted, and only those");
        assert!(desk.lines("errors.log").is_empty(), "an empty log is not rotated");
        assert!(!desk.logs().join("errors.log.1").exists());
    }
}

#[test]
fn a_line_longer_than_the_limit_has_a_file_of_its_own() {
    let desk = Desk::new();
    let (log, guard) =
        desk.builder().log_max_file_size(1_u64).log_backup_count(100_u32).build().unwrap();
    log_numbers(&log, 0..50);
    log.flush(support::PATIENCE).unwrap();
    drop(guard);
    let files = support::files(&desk.logs().join("expert.log"));
    assert_eq!(files.len(), 50);
    assert_eq!(numbers(&desk.lines("expert.log")), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_rotation_can_be_asked_for() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let (live, old) = (desk.logs().join("expert.log"), desk.logs().join("expert.log.1"));
    info!(log, "before");
    log.flush(PATIENCE).unwrap();
    log.rotate();
    support::until("the rotation", || old.exists() && live.exists());
    info!(log, "after");
    drop(guard);
    assert!(fs::read_to_string(old).unwrap().ends_with("before\n"));
    let text = fs::read_to_string(live).unwrap();
    assert!(text.ends_with("after\n") && text.lines().count() == 1);
    assert!(!desk.logs().join("trades.log.1").exists(), "an empty log stays");
}

#[test]
fn lines_of_a_log_that_is_removed_right_before_the_end_are_counted_and_told() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    log_numbers(&log, 0..3);
    error!(log, "in two logs", number = 3);
    log.flush(PATIENCE).unwrap();
    fs::remove_file(desk.logs().join("expert.log")).unwrap();
    drop(guard);
    let stats = log.stats();
    assert_eq!(stats.log_lines_missed, 4, "{stats:?}");
    let lines = desk.lines("expert.log");
    assert!(lines.len() == 1 && lines[0].contains("] logger.gap "), "{lines:?}");
    assert_eq!(number(&lines[0], "lost"), 4);
    assert_eq!(desk.lines("errors.log").len(), 1);
}

#[test]
fn a_restart_appends() {
    let desk = Desk::new();
    for run in 0..5 {
        let (log, guard) = desk.builder().build().unwrap();
        log_numbers(&log, run * 100..(run + 1) * 100);
        trade!(log, "a trade", number = run);
        if run % 2 == 0 {
            log.flush(PATIENCE).unwrap();
            let lines = desk.lines("trades.log").len() as u64;
            assert_eq!(lines, run + 1, "a flush waits for what it was asked for");
        }
        drop(guard);
    }
    let found: Vec<_> = desk.lines("expert.log");
    let entries: Vec<_> = found.into_iter().filter(|line| line.contains("] entry ")).collect();
    assert_eq!(numbers(&entries), (0..500).collect::<Vec<_>>());
    let trades: Vec<_> =
        desk.json("trades.log").iter().map(|line| line["number"].clone()).collect();
    assert_eq!(trades, [0, 1, 2, 3, 4]);
}

#[test]
fn what_a_short_shutdown_leaves_is_rendered_once_by_the_next_starts() {
    const RUNS: u64 = 4;
    const ENTRIES: u64 = 150_000;
    let desk = Desk::new();
    let mut left_behind = 0;
    for run in 0..RUNS {
        let (log, guard) = desk.builder().shutdown_timeout(Duration::ZERO).build().unwrap();
        log_numbers(&log, run * ENTRIES..(run + 1) * ENTRIES);
        trade!(log, "the last of a run", number = run);
        drop(guard);
        let stats = log.stats();
        assert_eq!(stats.accepted + stats.lost.total(), ENTRIES + 1 + stats.lost.total());
        left_behind += stats.accepted - stats.shown.min(stats.accepted);
    }
    assert!(left_behind > 0, "the views were too fast for this test");
    println!("left to the next start: {left_behind} entries");
    let (log, guard) = desk.builder().build().unwrap();
    log.flush(PATIENCE).unwrap();
    drop(guard);
    let lines = desk.lines("expert.log");
    let entries: Vec<_> = lines.into_iter().filter(|line| line.contains("] entry ")).collect();
    let found = numbers(&entries);
    assert_eq!(found.len() as u64, RUNS * ENTRIES);
    assert!(found.iter().copied().eq(0..RUNS * ENTRIES), "each once and in order");
    let trades: Vec<_> =
        desk.json("trades.log").iter().map(|line| line["number"].clone()).collect();
    assert_eq!(trades, [0, 1, 2, 3]);
}

#[test]
fn a_synchronous_call_returns_with_its_entry_in_the_log() {
    // A busy machine may keep the threads apart that hand the entry over: it gets three chances.
    for attempt in 1.. {
        let desk = Desk::new();
        let (log, guard) = desk.builder().async_logging(false).build().unwrap();
        let path = desk.logs().join("expert.log");
        let mut missing = 0;
        for number in 0..200 {
            info!(log, "waited for", number);
            let text = fs::read_to_string(&path).unwrap();
            missing += u64::from(!text.ends_with(&format!("number={number}\n")));
        }
        let late = log.stats().late_synchronous;
        println!("{missing} of 200 calls returned before their entry was there, {late} after 5 ms");
        assert!(missing <= late, "only those that took 5 ms come too early");
        drop(guard);
        assert_eq!(numbers(&desk.lines("expert.log")), (0..200).collect::<Vec<_>>());
        if late < 100 {
            break;
        }
        assert!(attempt < 3, "{late} of 200 took longer than 5 ms");
    }
}
