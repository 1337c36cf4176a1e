//! A disk that is full, at the start, while running, or after everything was allocated: no signal,
//! console only, one notice, everything counted, and back within a second of there being room
//! (row 5 of the fault table).
//!
//! `TEST_FULL_DISKS=n` has each kind of outage n times on each kind of disk instead of 5.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "support/attempts.rs"]
mod attempts;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use attempts::Attempts;
use support::disk::{Disk, Kind, fill};
use support::{Desk, PATIENCE, child, field, number, role, until};
use tapelog::{Builder, Guard, MetaLogger, Stats, error, info, trade};

const WHEN: [&str; 3] = ["start", "running", "allocated"];

/// How often each outage happens.
fn times() -> u32 {
    std::env::var("TEST_FULL_DISKS").map_or(5, |times| times.parse().unwrap())
}

/// A logger of small files.
fn builder(disk: &Path) -> Builder {
    let builder = support::builder(&disk.join("logs"));
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(3_u32);
    builder.log_max_file_size(256_u64 << 10).log_backup_count(1_u32).disk_reserve(0_u64)
}

/// Entries for all three logs, numbered; how many lines they make.
struct Load {
    calls: u64,
    lines: u64,
}

impl Load {
    fn log(&mut self, log: &MetaLogger, rounds: u64) {
        let filler = "x".repeat(200);
        for _ in 0..rounds {
            info!(log, "entry", number = self.calls, filler);
            trade!(log, "entry", number = self.calls + 1);
            error!(log, "entry", number = self.calls + 2);
            self.calls += 3;
            self.lines += 5;
        }
        log.flush(PATIENCE).unwrap();
    }
}

/// The lines of the load in all files of all logs.
fn lines(logs: &Path) -> u64 {
    let names = support::LOGS.iter().flat_map(|log| support::files(&logs.join(log)));
    let texts = names.map(|path| fs::read_to_string(path).unwrap_or_default());
    texts.map(|text| text.lines().filter(|line| line.contains("entry")).count() as u64).sum()
}

/// Logs until journal and logs are in files again; how long that took.
fn back(log: &MetaLogger, logs: &Path, load: &mut Load) -> Duration {
    let began = Instant::now();
    loop {
        load.log(log, 1);
        let newest = format!("number={} ", load.calls - 3);
        let text = fs::read_to_string(logs.join("expert.log")).unwrap_or_default();
        if text.contains(&newest) && !log.stats().journal_in_memory {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", log.stats());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// In the child: one outage from its beginning to its end.
fn outage(when: &str, disk: &Path) {
    let (logs, ballast) = (disk.join("logs"), disk.join("ballast"));
    let mut load = Load { calls: 0, lines: 0 };
    if when == "start" {
        fill(&ballast);
    }
    let (log, guard) = builder(disk).build().unwrap();
    match when {
        "running" => load.log(&log, 10),
        // Until there are as many segments as there will ever be.
        "allocated" => {
            let segments = || fs::read_dir(logs.join("journal")).map_or(0, Iterator::count);
            until("all segments", || {
                load.log(&log, 200);
                segments() > 3
            });
        }
        _ => {}
    }
    fill(&ballast);
    load.log(&log, 3_000);
    let during = log.stats();
    assert!(during.log_lines_missed > 0, "{during:?}");
    assert!(during.degraded.is_some(), "{during:?}");
    // It is there for a moment, four times a second.
    until("no partial file", || !logs.join("journal/next.tape.new").exists());
    // A copy-on-write disk wants room for what it had allocated, too.
    if when == "allocated" && during.journal_mapped {
        assert_eq!(during.in_memory_records, 0, "the journal had its room: {during:?}");
    }
    fs::remove_file(&ballast).unwrap();
    let took = back(&log, &logs, &mut load);
    load.log(&log, 10);
    until("the end of the outage", || log.stats().degraded.is_none());
    // What is told of the journal is an entry that is made in its own time.
    until("the gap of the journal", || {
        let told = fs::read_to_string(logs.join("expert.log")).unwrap_or_default();
        log.stats().in_memory_records == 0 || told.contains("] logger.journal_gap ")
    });
    load.log(&log, 1);
    let stats = log.stats();
    drop(guard);
    // What the engine says of files that failed, and of a journal in memory, are entries, too.
    let own = stats.accepted + stats.lost.total() - load.calls;
    assert!((u64::from(stats.in_memory_records > 0)..=20).contains(&own), "{own}: {stats:?}");
    assert_eq!(stats.lost.total(), 0, "{stats:?}");
    let error = stats.file_error.clone().expect("it is named");
    assert!(stats.file_errors > 0 && error.until.is_some(), "{stats:?}");
    assert_eq!(error.errno, Some(libc::ENOSPC), "{stats:?}");
    println!(
        "result {} {} {} {}",
        took.as_micros(),
        load.lines,
        stats.log_lines_missed,
        stats.in_memory_records
    );
    journal_gap(&logs, &stats);
    // Rotation has removed what was oldest, so the rest is counted, not found.
    let told = stats.log_lines + stats.log_lines_missed;
    // A copy-on-write disk that takes neither a frame's place in the segment nor the cut behind the last
    // one has the views show what is written again elsewhere twice.
    let most = if log.stats().journal_mapped { load.lines + 2 * own + 3 * 4 } else { u64::MAX };
    assert!((load.lines..=most).contains(&told), "{told} of {}", load.lines);
    assert!(lines(&logs) > 0);
}

/// One entry tells what is in no file of the journal, how many records and when, if there is any.
fn journal_gap(logs: &Path, stats: &Stats) {
    let lines = support::lines(&logs.join("expert.log"));
    let gaps: Vec<_> = lines.iter().filter(|line| line.contains("] logger.journal_gap ")).collect();
    assert_eq!(gaps.len(), usize::from(stats.in_memory_records > 0), "{gaps:?} {stats:?}");
    for gap in gaps {
        assert_eq!(number(gap, "records"), stats.in_memory_records, "{gap}");
        let [from, until] = ["from", "until"].map(|name| field(gap, name).expect("a time"));
        assert!(from <= until, "{gap}");
        assert!(gap.contains("os error 28"), "{gap}");
    }
}

/// What a child told on stderr besides log lines: the beginnings of outages, and their ends.
fn notices(stderr: &str) -> (Vec<&str>, usize) {
    let mut notices: Vec<_> =
        stderr.lines().filter_map(|line| line.strip_prefix("tapelog: ")).collect();
    notices.retain(|notice| !notice.ends_with("more suppressed"));
    let before = notices.len();
    notices.retain(|notice| *notice != "journal and logs can be written again");
    (notices.clone(), before - notices.len())
}

fn outages(test: &str, kind: Kind) {
    if let Some(role) = role() {
        let (when, disk) = role.split_once(' ').unwrap();
        return outage(when, Path::new(disk));
    }
    let desk = Desk::new();
    let (mut missed, mut shown, mut disks) = (0, 0, 0);
    let mut attempts = Attempts::default();
    for _ in 0..times() {
        for when in WHEN {
            let done = attempts.make(&format!("{when} on {kind:?}"), || {
                disks += 1;
                let name = format!("{when}{disks}");
                let disk = match Disk::mount(kind, desk.path("").as_path(), &name) {
                    Ok(disk) => disk,
                    Err(reason) => {
                        support::skip(format_args!(
                            "row 05: no {kind:?} can be mounted here ({})",
                            reason.trim()
                        ));
                        return None;
                    }
                };
                let seen = one_outage(test, when, disk.path());
                missed += seen.missed;
                shown += seen.shown;
                Some(vec![seen.back])
            });
            if !done {
                return;
            }
        }
    }
    println!(
        "row 05: {} outages on {kind:?}, {missed} lines missed and counted, {shown} of them on stderr; \
         {attempts}",
        attempts.all,
    );
    attempts.check();
}

/// What came of an outage: how soon it was over, and the lines that were missed and shown.
struct Seen {
    back: Duration,
    missed: u64,
    shown: u64,
}

/// Has a child live through an outage.
fn one_outage(test: &str, when: &str, disk: &Path) -> Seen {
    let began = Instant::now();
    let output = child(test, &format!("{when} {}", disk.display())).output().unwrap();
    let lasted = began.elapsed();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let notes = notices(&stderr);
    let panic = stderr.split_once("panicked").map_or("", |(_, panic)| panic);
    assert!(output.status.success(), "{when}: {told}\n{notes:?}\n{panic:.2000}");
    assert_eq!((notes.0.len(), notes.1), (1, 1), "{when}: {notes:?}");
    let result = told.lines().find_map(|line| line.split_once("result ")).unwrap().1;
    let numbers: Vec<u64> = result.split(' ').map(|number| number.parse().unwrap()).collect();
    // Entries that are in no log are shown here, a hundred a second: lines of whichever log failed first.
    let is_entry = |line: &&str| line.contains("] entry ") || line.contains(r#""event":"entry""#);
    let shown = stderr.lines().filter(is_entry).count() as u64;
    let most = 100 * (lasted.as_secs() + 2);
    assert!((1..=most).contains(&shown), "{when}: {shown} lines in {lasted:?}");
    Seen { back: Duration::from_micros(numbers[0]), missed: numbers[2], shown }
}

#[test]
fn row_05_a_full_tmpfs_costs_no_entry_untold_and_is_come_back_from() {
    outages("row_05_a_full_tmpfs_costs_no_entry_untold_and_is_come_back_from", Kind::Tmpfs);
}

#[test]
fn row_05_a_full_ext4_costs_no_entry_untold_and_is_come_back_from() {
    outages("row_05_a_full_ext4_costs_no_entry_untold_and_is_come_back_from", Kind::Ext4);
}

#[test]
fn row_05_a_full_btrfs_costs_no_entry_untold_and_is_come_back_from() {
    outages("row_05_a_full_btrfs_costs_no_entry_untold_and_is_come_back_from", Kind::Btrfs);
}

#[test]
fn row_05_a_copy_on_write_disk_is_written_by_write() {
    let desk = Desk::new();
    match Disk::mount(Kind::Btrfs, desk.path("").as_path(), "disk") {
        Err(reason) => {
            support::skip(format_args!("row 05: no btrfs can be mounted here ({})", reason.trim()))
        }
        Ok(disk) => {
            let (log, guard) = builder(disk.path()).ring_dir(desk.ring_dir()).build().unwrap();
            info!(log, "entry");
            log.flush(PATIENCE).unwrap();
            assert!(!log.stats().journal_mapped && !log.stats().journal_in_memory);
            drop(guard);
        }
    }
}

/// Leaves so much room on a disk that a segment would fit, and the reserve would not be kept.
fn leave_a_mebibyte(ballast: &Path) {
    fill(ballast);
    let filled = fs::metadata(ballast).unwrap().len();
    let file = fs::File::options().write(true).open(ballast).unwrap();
    file.set_len(filled - (1 << 20)).unwrap();
}

/// The names of the segments in files.
fn segments(logs: &Path) -> BTreeSet<String> {
    let Ok(found) = fs::read_dir(logs.join("journal")) else { return BTreeSet::new() };
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".tape")).collect()
}

/// Logs past so many segments of a journal.
fn log_past(log: &MetaLogger, load: &mut Load, segments: u64) {
    let enough = log.stats().journal_bytes + segments * (512 << 10);
    until("segments are full", || {
        load.log(log, 100);
        log.stats().journal_bytes > enough
    });
}

/// In the child: the room runs short while running. What there is of segments is used again.
fn short_while_running(builder: Builder, disk: &Path, load: &mut Load) -> (MetaLogger, Guard) {
    let (log, guard) = builder.build().unwrap();
    load.log(&log, 10);
    assert_eq!(log.stats().degraded, None);
    let logs = disk.join("logs");
    until("segments ahead", || segments(&logs).len() == 3);
    leave_a_mebibyte(&disk.join("ballast"));
    until("the shortage", || log.stats().degraded.is_some());
    let before = log.stats();
    load.log(&log, 100);
    assert_eq!(log.stats().log_lines_missed, 500);
    log_past(&log, load, 6);
    assert_eq!(log.stats().log_lines, before.log_lines, "the logs go no further");
    assert!(segments(&logs).len() <= 3, "no segment more: {:?}", segments(&logs));
    (log, guard)
}

/// A start on a disk whose room has run short.
fn start_short(builder: Builder, disk: &Path) -> (MetaLogger, Guard) {
    leave_a_mebibyte(&disk.join("ballast"));
    let (log, guard) = builder.build().unwrap();
    until("the shortage", || log.stats().degraded.is_some());
    (log, guard)
}

/// In the child: there is too little room from the start on, for the first segment, too.
fn short_at_the_start(builder: Builder, disk: &Path, load: &mut Load) -> (MetaLogger, Guard) {
    let (log, guard) = start_short(builder, disk);
    log_past(&log, load, 6);
    let stats = log.stats();
    assert!(stats.journal_in_memory && stats.in_memory_records > 0, "{stats:?}");
    assert_eq!(segments(&disk.join("logs")), BTreeSet::new());
    (log, guard)
}

/// In the child: the same, and there are segments of an earlier run, smaller ones: none can be made
/// new without more room than it has, so all of them stay.
fn short_for_longer_segments(
    builder: Builder,
    disk: &Path,
    load: &mut Load,
) -> (MetaLogger, Guard) {
    let logs = disk.join("logs");
    let (log, guard) = builder.clone().build().unwrap();
    log_past(&log, load, 3);
    drop((log, guard));
    let earlier = segments(&logs);
    assert!(earlier.len() >= 3, "{earlier:?}");
    let (log, guard) = start_short(builder.journal_segment_bytes(1_u64 << 20), disk);
    // The views have passed those of the earlier run then, and the next one is asked for again and again.
    log_past(&log, load, 12);
    let stats = log.stats();
    assert!(stats.journal_in_memory && stats.in_memory_records > 0, "{stats:?}");
    assert_eq!(segments(&logs), earlier);
    (log, guard)
}
#[test]
fn row_05_the_reserve_is_left_to_others_and_told_once() {
    const TEST: &str = "row_05_the_reserve_is_left_to_others_and_told_once";
    if let Some(role) = role() {
        let (when, disk) = role.split_once(' ').unwrap();
        let disk = Path::new(disk);
        // A twentieth of 32 MiB, less what the file system itself takes.
        let builder = builder(disk).disk_reserve(64_u64 << 20).journal_segments(8_u32);
        let mut load = Load { calls: 0, lines: 0 };
        let (log, guard) = match when {
            "running" => short_while_running(builder, disk, &mut load),
            "start" => short_at_the_start(builder, disk, &mut load),
            _ => short_for_longer_segments(builder, disk, &mut load),
        };
        assert!(log.stats().degraded.unwrap().contains("disk_reserve"));
        fs::remove_file(disk.join("ballast")).unwrap();
        let took = back(&log, &disk.join("logs"), &mut load);
        println!("back within {took:?}");
        until("the end of the shortage", || log.stats().degraded.is_none());
        assert!(!segments(&disk.join("logs")).is_empty());
        assert_eq!(log.stats().lost.total(), 0);
        return drop(guard);
    }
    let desk = Desk::new();
    for when in ["running", "start", "longer"] {
        let disk = match Disk::mount(Kind::Ext4, desk.path("").as_path(), when) {
            Ok(disk) => disk,
            Err(reason) => {
                return support::skip(format_args!(
                    "row 05: no disk can be mounted here ({})",
                    reason.trim()
                ));
            }
        };
        let output = child(TEST, &format!("{when} {}", disk.path().display())).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let notes = notices(&stderr);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let panic = stderr.split_once("panicked").map_or("", |(_, panic)| panic);
        assert!(output.status.success(), "{when}: {told}{notes:?}\n{panic:.2000}");
        assert_eq!((notes.0.len(), notes.1), (1, 1), "{when}: {notes:?}");
    }
}
