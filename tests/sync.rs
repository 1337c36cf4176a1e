//! The policies of `sync`: what they bring to the disk, when, and that nobody else waits for it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the power cut is an ioctl; getrusage of the calling thread")]

mod support;

#[path = "support/calls.rs"]
mod calls;
#[path = "support/loop_disk.rs"]
mod loop_disk;
#[path = "support/strace.rs"]
mod strace;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use calls::{Calls, beside_empty_calls, ticks_per_microsecond};
use loop_disk::Disk;
use strace::under_strace;
use support::{Desk, PATIENCE, child, role, run};
use tapelog::reading::{Format, Journal};
use tapelog::{
    Builder, MetaLogger, SyncError, SyncPolicy, context, critical, info, trade, try_info,
};

/// Waits until the statistics say so.
fn until(log: &MetaLogger, holds: impl Fn(&tapelog::Stats) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        let stats = log.stats();
        if holds(&stats) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{stats:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// After so long, a drain that may sleep does so for as long as it ever does.
const SILENCE: Duration = Duration::from_millis(2_500);

#[test]
fn critical_entries_and_trade_events_are_on_the_disk_at_once_and_others_are_not_synced() {
    let desk = Desk::new();
    let builder = desk.builder();
    let (log, guard) = builder.sync(SyncPolicy::Critical).build().unwrap();
    let bound = log.bind(context! { category = "trade" });
    let ordinary = |rounds: u64| {
        // What was urgent may have a second round, for its line in the logs.
        log.wait_synced(PATIENCE).unwrap();
        let before = log.stats().syncs;
        for round in 0..rounds {
            info!(log, "ordinary", round);
            info!(log, "with a definition of its own", password = "x", round);
        }
        log.flush(PATIENCE).unwrap();
        thread::sleep(Duration::from_millis(30));
        assert_eq!(log.stats().syncs, before, "nobody asked for it");
    };
    ordinary(10);
    let mut times = [const { Vec::new() }; 5];
    // A shared disk may be busy for long, but not most of the time.
    let in_time = |times: &Vec<_>| support::median(times) < Duration::from_secs(1);
    for round in 0..10_u64 {
        if round >= 3 && times.iter().all(in_time) {
            break;
        }
        let urgent: [&dyn Fn(); 5] = [
            &|| critical!(log, "down", round),
            &|| trade!(log, "sold", round),
            &|| info!(bound, "bought", round),
            &|| info!(log, "bought", category = "trade", round),
            &|| critical!(log, "with a definition of its own", password = "x", round),
        ];
        for (log_it, times) in urgent.into_iter().zip(&mut times) {
            // As long as the drain needs to take nothing for granted: nobody wakes it up.
            thread::sleep(SILENCE);
            let begun = Instant::now();
            log_it();
            let accepted = log.stats().accepted;
            until(&log, |stats| stats.synced_records >= accepted);
            times.push(begun.elapsed());
        }
        ordinary(3);
    }
    println!("on the disk after {times:?}");
    assert!(times.iter().all(in_time), "{times:?}");
    assert!(log.stats().syncs >= 15);
    drop(guard);
    assert_eq!(log.stats().synced_records, log.stats().accepted, "the end is on the disk, too");
    assert_eq!(log.stats().sync_error, None);
}

#[test]
fn an_interval_syncs_everything_without_being_asked() {
    let desk = Desk::new();
    let interval = SyncPolicy::Interval(Duration::from_millis(10));
    let (log, guard) = desk.builder().log_max_file_size(1000_u64).sync(interval).build().unwrap();
    for round in 0..100_u64 {
        info!(log, "ordinary", round);
    }
    until(&log, |stats| stats.synced_records >= 100);
    let syncs = log.stats().syncs;
    until(&log, |stats| stats.syncs >= syncs + 3);
    assert_eq!(log.stats().sync_errors, 0, "{:?}", log.stats());
    drop(guard);
    for wrong in [9, 3_600_001] {
        let interval = SyncPolicy::Interval(Duration::from_millis(wrong));
        let error = desk.builder().sync(interval).build().unwrap_err().to_string();
        assert!(error.contains("sync") && error.contains("10 ms to an hour"), "{error}");
    }
}

#[test]
fn a_caller_can_wait_for_the_policys_thread_and_is_refused_where_there_is_none() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().sync(SyncPolicy::Critical).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..20_u64 {
                    info!(log, "ordinary", round);
                    log.wait_synced(PATIENCE).unwrap();
                }
            });
        }
    });
    let stats = log.stats();
    assert_eq!((stats.accepted, stats.synced_records), (80, 80));
    println!("80 waits, {} rounds", stats.syncs);
    let held = tapelog::testing::hold_drain(&log);
    info!(log, "ordinary");
    let refused = log.wait_synced(Duration::from_millis(20));
    assert!(matches!(refused, Err(SyncError::Unfinished(_))), "{refused:?}");
    drop((held, guard));

    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "ordinary");
    let refused = log.wait_synced(PATIENCE).unwrap_err();
    assert!(refused.to_string().contains("sync = none"), "{refused}");
    drop(guard);
    assert_eq!(log.stats().syncs, 0);
}

#[test]
fn a_file_that_cannot_be_synced_is_told_once_by_its_name_and_tried_again() {
    const TEST: &str = "a_file_that_cannot_be_synced_is_told_once_by_its_name_and_tried_again";
    if role().is_none() {
        let output = run(child(TEST, "failing"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(told.matches("cannot sync").count(), 1, "{told}");
        return;
    }
    let desk = Desk::new();
    let (log, guard) = desk.builder().sync(SyncPolicy::Critical).build().unwrap();
    critical!(log, "down");
    until(&log, |stats| stats.synced_records == 1);
    let segment = desk.logs().join("journal/00000000000000000001.tape");
    let aside = desk.path("aside");
    fs::rename(&segment, &aside).unwrap();
    critical!(log, "down again");
    until(&log, |stats| stats.sync_errors >= 1);
    let error = log.stats().sync_error.unwrap();
    assert!(error.contains("00000000000000000001.tape") && error.contains("removed"), "{error}");
    // The journal goes on in another segment.
    critical!(log, "in another one");
    until(&log, |stats| stats.in_memory_records >= 2);
    // What was in the one that is gone is on no disk: that is told once.
    let refused = log.wait_synced(PATIENCE);
    assert!(matches!(refused, Err(SyncError::NoFile { .. })), "{refused:?}");
    critical!(log, "after all that");
    log.wait_synced(PATIENCE).unwrap();
    let stats = log.stats();
    assert!(stats.sync_error.is_some(), "it stays");
    assert!(stats.synced_records >= 2, "{stats:?}");
    drop(guard);
}

/// System calls as strace sees them: the journal is synced by `msync`, logs and names by the others.
#[test]
fn the_system_calls_of_each_policy_are_seen_from_outside() {
    const TEST: &str = "the_system_calls_of_each_policy_are_seen_from_outside";
    if let Some(role) = role() {
        let policy = if role == "none" { SyncPolicy::None } else { SyncPolicy::Critical };
        let desk = Desk::new();
        let (log, guard) = desk.builder().sync(policy).build().unwrap();
        for round in 0..10_u64 {
            critical!(log, "down", round);
            if policy == SyncPolicy::Critical {
                until(&log, |stats| stats.synced_records > round);
            }
        }
        drop(guard);
        return;
    }
    let desk = Desk::new();
    for (role, expected) in [("none", 0..1), ("critical", 10..1000)] {
        let trace = desk.path(role);
        let seen = format!("-f -e trace={SYNCS},sync_file_range -o {}", trace.display());
        let Some(output) = under_strace(&seen, &child(TEST, role)) else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(&trace).unwrap();
        let msyncs =
            text.lines().filter(|line| line.contains("msync(") && line.contains("MS_SYNC"));
        let msyncs = msyncs.count();
        println!("{role}: {msyncs} msync, {} of all kinds", text.matches("sync(").count());
        assert!(expected.contains(&msyncs), "{role}: {text}");
        if role == "none" {
            assert_eq!(text.matches("sync(").count(), 0, "{text}");
        } else {
            assert!(text.contains("fdatasync("), "the logs follow: {text}");
        }
    }
}

/// The system calls by which something is brought to the disk.
const SYNCS: &str = "msync,fsync,fdatasync";

/// In the child: while each sync takes its time, entries are logged, and the logs have them at once.
fn log_while_it_syncs() {
    let desk = Desk::new();
    let builder = desk.builder();
    let (log, guard) = builder.sync(SyncPolicy::Critical).build().unwrap();
    let per_microsecond = ticks_per_microsecond();
    let mut calls = Calls::new(per_microsecond);
    let (mut times, mut under_way) = (Vec::new(), 0);
    let ((), control_max) = beside_empty_calls(|| {
        // A flush that waited for the sync would never be back before it.
        for round in 0..30_u64 {
            if under_way == 3 {
                break;
            }
            critical!(log, "down", round);
            // The sync is under way soon.
            thread::sleep(SLOW_SYNC / 10);
            let begun = Instant::now();
            for number in 0..100_u64 {
                let (pushed, _) = calls.time(|| try_info!(log, "ordinary", round, number));
                pushed.unwrap();
            }
            log.flush(PATIENCE).unwrap();
            times.push(begun.elapsed());
            under_way += u32::from(log.stats().synced_records <= round * 101);
            until(&log, |stats| stats.synced_records > round * 101);
        }
    });
    let micros = |ticks: u64| ticks as f64 / per_microsecond;
    println!(
        "in the logs after {times:?}, the longest call {:.0} us, the longest empty call {:.0} us, {} excused",
        micros(calls.longest),
        micros(control_max),
        calls.excused
    );
    assert_eq!(under_way, 3, "{times:?}");
    calls.check();
    drop(guard);
}

/// How long a sync takes on a slow disk.
const SLOW_SYNC: Duration = Duration::from_millis(500);

#[test]
fn a_slow_sync_keeps_neither_a_caller_nor_the_writer_waiting() {
    const TEST: &str = "a_slow_sync_keeps_neither_a_caller_nor_the_writer_waiting";
    if role().is_some() {
        return log_while_it_syncs();
    }
    let delay = SLOW_SYNC.as_micros();
    // With a filter, where one can be had, nothing else that the child does is stopped.
    let filtered = Command::new("strace").args(["-f", "--seccomp-bpf", "true"]).output();
    let filtered = filtered.is_ok_and(|output| output.status.success());
    let how = if filtered { "-f --seccomp-bpf" } else { "-f" };
    let slow = format!("{how} -o /dev/null -e trace={SYNCS} -e inject={SYNCS}:delay_enter={delay}");
    let Some(output) = under_strace(&slow, &child(TEST, "slow")) else { return };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    print!("{told}");
}

/// Entries up to a first and a last wait, and all of them.
const SYNCED: u64 = 2000;
const JOURNAL_SYNCED: u64 = 3000;
const LOGGED: u64 = 5000;

/// What is on the disk when the power fails, beside what the policy brings there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The logs as far as `log.sync()` brought them.
    Synced,
    /// The same, and a newer cursor of the views.
    Cursor,
    /// The same, and one of the logs.
    OneLog,
    /// No log by anybody's word, and a newer cursor.
    Unsynced,
    /// As `Synced`, but the policy is `none`, which promises nothing.
    NoPolicy,
    /// As `Cursor`, with logs that rotate.
    Rotated,
}

impl Cut {
    const ALL: [Cut; 6] =
        [Self::Synced, Self::Cursor, Self::OneLog, Self::Unsynced, Self::NoPolicy, Self::Rotated];

    /// An engine with its logs on a disk, and its ring somewhere else.
    fn builder(self, disk: &Path, desk: &Desk) -> Builder {
        let builder = support::builder(&disk.join("logs")).ring_dir(desk.ring_dir());
        let builder = builder.journal_segment_bytes(1_u64 << 20);
        let policy = if self == Cut::NoPolicy { SyncPolicy::None } else { SyncPolicy::Critical };
        let builder = builder.sync(policy);
        if self == Cut::Rotated {
            builder.log_max_file_size(50_000_u64).log_backup_count(50_u32)
        } else {
            builder
        }
    }
}

/// In the child: everything up to a wait is on the disk, then the power fails.
fn until_the_power_fails(disk: &Path, cut: Cut) -> ! {
    /// `_IOR('X', 125, u32)`
    const SHUTDOWN: libc::c_ulong = 0x8004_587d;
    /// Without writing the file system's own log first.
    static NO_LOG_FLUSH: u32 = 2;
    let desk = Desk::new();
    let (log, _guard) = cut.builder(disk, &desk).build().unwrap();
    let log_range = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            info!(log, "ordinary", number);
            if number % 100 == 99 {
                critical!(log, "synced", number);
                trade!(log, "traded", number);
            }
        }
    };
    log_range(0..SYNCED);
    if cut != Cut::Unsynced {
        log.sync().unwrap();
    }
    log_range(SYNCED..JOURNAL_SYNCED);
    match cut {
        Cut::NoPolicy => log.flush(PATIENCE).unwrap(),
        _ => log.wait_synced(PATIENCE).unwrap(),
    }
    // None of these is urgent.
    for number in JOURNAL_SYNCED..LOGGED {
        info!(log, "ordinary", number);
    }
    let also = match cut {
        Cut::Synced | Cut::NoPolicy => None,
        Cut::OneLog => Some("logs/expert.log"),
        Cut::Cursor | Cut::Unsynced | Cut::Rotated => Some("logs/journal/views.cursor"),
    };
    if let Some(also) = also {
        log.flush(PATIENCE).unwrap();
        File::open(disk.join(also)).unwrap().sync_data().unwrap();
    }
    let root = File::open(disk).unwrap();
    // SAFETY: the request reads one integer.
    let cut = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN, &raw const NO_LOG_FLUSH) };
    // SAFETY: ends the process, without any farewell.
    unsafe { libc::_exit(if cut == 0 { 0 } else { 9 }) }
}

/// The numbers of the entries with a text, in the order of the lines.
fn numbers(lines: &[String], event: &str) -> Vec<u64> {
    let (text, json) = (format!("] {event} number="), format!("\"event\":\"{event}\""));
    let of = |line: &String| match line.starts_with('{') {
        true => line.contains(&json).then(|| support::json(line)["number"].as_u64().unwrap()),
        false => line.contains(&text).then(|| support::number(line, "number")),
    };
    lines.iter().filter_map(of).collect()
}

/// The lines of a log, the rotated ones first. Behind what was synced half of one may stand, or zeros.
fn lines_of(log: &Path) -> Vec<String> {
    let rotated = (1..50).rev().map(|number| log.with_added_extension(number.to_string()));
    let files = rotated.chain([log.to_owned()]).filter_map(|path| fs::read(path).ok());
    let whole = |file: Vec<u8>| {
        let end = file.iter().position(|byte| *byte == 0).unwrap_or(file.len());
        let end = file[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let text = String::from_utf8(file[..end].to_vec()).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    files.flat_map(whole).collect()
}

/// The logs have no entry twice, all in order, and all of those below `complete`: how many ordinary ones
/// are in `expert.log`.
fn check_logs(logs: &Path, complete: u64) -> u64 {
    let check = |log: &str, event: &str, first: u64, step: usize| {
        let found = numbers(&lines_of(&logs.join(log)), event);
        let last = if step == 1 { complete } else { complete.min(JOURNAL_SYNCED) };
        let expected: Vec<u64> = (first..last).step_by(step).collect();
        let missing = expected.iter().filter(|number| !found.contains(number)).count();
        assert!(found.starts_with(&expected), "{log}: {event}: {missing} missing: {found:?}");
        assert!(found.is_sorted_by(|one, other| one < other), "{log}: {event}: {found:?}");
        assert!(found.iter().all(|number| *number < LOGGED), "{log}: {event}: {found:?}");
        found.len() as u64
    };
    check("expert.log", "synced", 99, 100);
    check("expert.log", "traded", 99, 100);
    check("errors.log", "synced", 99, 100);
    check("trades.log", "traded", 99, 100);
    check("expert.log", "ordinary", 0, 1)
}

/// What the journal has is intact, and everything that was synced is in it: the numbers of its entries.
fn check_journal(logs: &Path, run: u64, cut: Cut) -> Vec<u64> {
    let synced = if cut == Cut::NoPolicy { SYNCED } else { JOURNAL_SYNCED };
    let mut text = Vec::new();
    let journal = Journal::open(logs).expect("the journal can be read");
    journal.write_to(Format::Text, &mut text).unwrap();
    let verified = journal.verify(&mut |_| {}).unwrap();
    let lines: Vec<_> = String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
    let found = numbers(&lines, "ordinary");
    let count = found.len() as u64;
    assert!(count >= synced, "only {count} are left: {verified:?}");
    assert!(found.iter().copied().eq(0..count), "a gap, or a wrong entry");
    assert_eq!(numbers(&lines, "synced").len() as u64, count.min(JOURNAL_SYNCED) / 100);
    // Behind what was synced there may be half of what was not; it is told and not believed.
    let findings: Vec<_> = verified.segments.iter().flat_map(|it| &it.findings).collect();
    println!("run {run}: {synced} synced, {count} read; findings: {findings:?}");
    assert!(verified.records() >= count + synced / 50, "{verified:?}");
    assert_eq!((verified.missing.len(), verified.lost()), (0, 0), "{verified:?}");
    found
}

#[test]
fn row_04_what_was_synced_survives_a_power_cut() {
    const TEST: &str = "row_04_what_was_synced_survives_a_power_cut";
    const DISK: &str = "TEST_DISK";
    let cuts = Cut::ALL.into_iter().cycle();
    if let Some(role) = role() {
        let cut = cuts.take(6).find(|cut| format!("{cut:?}") == role).unwrap();
        until_the_power_fails(Path::new(&std::env::var(DISK).unwrap()), cut);
    }
    let runs = support::times("TEST_POWER_CUTS", 12);
    let mut told_of = [0; 6];
    for (run, cut) in (0..runs).zip(cuts) {
        // Another ring than the dead process's: that one is gone with the machine's memory.
        let desk = Desk::new();
        let disk = match Disk::mount(desk.path("image"), desk.path("disk")) {
            Ok(disk) => disk,
            Err(reason) => {
                support::skip(format_args!(
                    "no file system can be mounted here ({})",
                    reason.trim()
                ));
                return;
            }
        };
        let status = child(TEST, &format!("{cut:?}")).env(DISK, &disk.at).status().unwrap();
        assert!(status.success(), "{status:?}");
        disk.mount_again();
        let logs = disk.at.join("logs");
        let journaled = check_journal(&logs, run, cut);
        // What the log had and the journal had not yet on the disk is in no way promised.
        let shown = if cut == Cut::Rotated {
            0
        } else {
            check_logs(&logs, if cut == Cut::Unsynced { 0 } else { SYNCED })
        };
        // The second start finds nothing more to do.
        for _ in 0..2 {
            let (log, guard) = cut.builder(&disk.at, &desk).build().unwrap();
            info!(log, "the power is back");
            log.sync().unwrap();
            drop(guard);
            assert_eq!(check_journal(&logs, run, cut), journaled);
        }
        let lines = lines_of(&logs.join("expert.log"));
        assert!(lines.last().unwrap().contains("] the power is back"), "{:?}", lines.last());
        // Others tell of segments that were prepared and have no header on the disk.
        let is_gap = |line: &&String| line.contains("] logger.gap") && line.contains("shorter");
        let gaps = lines.iter().filter(is_gap).count();
        assert!(gaps <= 1, "{lines:?}");
        told_of[run as usize % 6] += gaps;
        // Every entry that the journal has, once; or a line that says that some are missing.
        let again = match gaps {
            0 => check_logs(&logs, journaled.len() as u64),
            _ => numbers(&lines, "ordinary").len() as u64,
        };
        println!(
            "run {run}, {cut:?}: {shown} lines in expert.log, {again} after the restart, {} in the journal, {gaps} gaps",
            journaled.len()
        );
    }
    println!("row 04: {runs} power cuts; told as a gap, of {:?}: {told_of:?}", Cut::ALL);
    // Where the logs' own syncs are enough, nothing is missing.
    assert_eq!(told_of[..5], [0; 5]);
}
