//! The policies of `sync`: what they bring to the disk, when, and that nobody else waits for it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the power cut is an ioctl")]

mod support;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::{Desk, PATIENCE, child, role, run};
use tapelog::reading::{Format, Journal};
use tapelog::{MetaLogger, SyncError, SyncPolicy, context, critical, info, trade};

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

#[test]
fn critical_entries_and_trade_events_are_on_the_disk_at_once_and_others_are_not_synced() {
    let desk = Desk::new();
    let builder = desk.builder().metrics_interval(Duration::ZERO);
    let (log, guard) = builder.sync(SyncPolicy::Critical).build().unwrap();
    let bound = log.bind(context! { category = "trade" });
    let ordinary = |rounds: u64| {
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
    let mut slowest = Duration::ZERO;
    for round in 0..3_u64 {
        let urgent: [&dyn Fn(); 5] = [
            &|| critical!(log, "down", round),
            &|| trade!(log, "sold", round),
            &|| info!(bound, "bought", round),
            &|| info!(log, "bought", category = "trade", round),
            &|| critical!(log, "with a definition of its own", password = "x", round),
        ];
        for log_it in urgent {
            log_it();
            log.flush(PATIENCE).unwrap();
            let accepted = log.stats().accepted;
            slowest = slowest.max(until(&log, |stats| stats.synced_records >= accepted));
        }
        ordinary(3);
    }
    println!("the slowest: {slowest:?}");
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
    until(&log, |stats| stats.synced_records >= 3);
    assert!(log.stats().sync_error.is_some(), "it stays");
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
        let inner = child(TEST, role);
        let trace = desk.path(role);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=msync,fsync,fdatasync,sync_file_range", "-o"]).arg(&trace);
        strace.arg(inner.get_program()).args(inner.get_args());
        for (key, value) in inner.get_envs() {
            strace.env(key, value.unwrap());
        }
        match strace.output() {
            Err(error) => {
                println!("skipped: strace does not run here ({error})");
                return;
            }
            Ok(output) if !output.status.success() => {
                println!("skipped: strace may not trace here ({:?})", output.status);
                return;
            }
            Ok(_) => {}
        }
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

fn sh(script: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-ec", script]).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Makes an ext4 file system in a file and mounts it.
fn mount(image: &Path, at: &Path) -> Result<(), String> {
    fs::create_dir_all(at).unwrap();
    let (image, at) = (image.display(), at.display());
    sh(&format!("truncate -s 96M {image}; mkfs.ext4 -q -F {image}; mount -o loop {image} {at}"))
}

/// In the child: everything up to a wait is on the disk, then the power fails.
fn until_the_power_fails(disk: &Path) -> ! {
    /// `_IOR('X', 125, u32)`
    const SHUTDOWN: libc::c_ulong = 0x8004_587d;
    /// Without writing the file system's own log first.
    static NO_LOG_FLUSH: u32 = 2;
    let desk = Desk::new();
    let builder = support::builder(&disk.join("logs")).ring_dir(desk.ring_dir());
    let builder = builder.journal_segment_bytes(1_u64 << 20).sync(SyncPolicy::Critical);
    let (log, _guard) = builder.build().unwrap();
    for number in 0..2000_u64 {
        info!(log, "ordinary", number);
        if number % 100 == 99 {
            critical!(log, "synced", number);
        }
    }
    log.wait_synced(PATIENCE).unwrap();
    for number in 2000..4000_u64 {
        info!(log, "ordinary", number);
    }
    let root = File::open(disk).unwrap();
    // SAFETY: the request reads one integer.
    let cut = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN, &raw const NO_LOG_FLUSH) };
    // SAFETY: ends the process, without any farewell.
    unsafe { libc::_exit(if cut == 0 { 0 } else { 9 }) }
}

#[test]
fn row_04_what_was_synced_survives_a_power_cut() {
    const TEST: &str = "row_04_what_was_synced_survives_a_power_cut";
    const DISK: &str = "TEST_DISK";
    if role().is_some() {
        until_the_power_fails(Path::new(&std::env::var(DISK).unwrap()));
    }
    let desk = Desk::new();
    let runs = support::times("TEST_POWER_CUTS", 10);
    for run in 0..runs {
        let (image, disk) = (desk.path(&format!("image{run}")), desk.path(&format!("disk{run}")));
        if let Err(reason) = mount(&image, &disk) {
            println!("skipped: no file system can be mounted here ({})", reason.trim());
            return;
        }
        let status = child(TEST, "victim").env(DISK, &disk).status().unwrap();
        let (image, at) = (image.display(), disk.display());
        let again = sh(&format!("umount {at}; mount -o loop {image} {at}"));
        let mut text = Vec::new();
        let read = again.map(|()| {
            let journal = Journal::open(disk.join("logs"))?;
            journal.write_to(Format::Text, &mut text)?;
            journal.verify(&mut |_| {})
        });
        // Before anything can fail.
        let away = sh(&format!("umount {at}; rm {image}"));
        assert!(status.success(), "{status:?}");
        let verified = read.expect("mounted again").expect("the journal can be read");
        away.expect("unmounted");
        let text = String::from_utf8(text).unwrap();
        let numbers = text.lines().filter(|line| line.contains("] ordinary number="));
        let numbers: Vec<_> = numbers.map(|line| support::number(line, "number")).collect();
        assert!(numbers.len() >= 2000, "only {} of 2000 are left: {verified:?}", numbers.len());
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "a gap, or a wrong entry");
        assert_eq!(text.lines().filter(|line| line.contains("] synced number=")).count(), 20);
        // Behind what was synced there may be half of what was not; it is told and not believed.
        let findings: Vec<_> = verified.segments.iter().flat_map(|it| &it.findings).collect();
        println!("run {run}: 2000 synced, {} read; findings: {findings:?}", numbers.len());
        assert!(verified.records() >= numbers.len() as u64 + 20, "{verified:?}");
        assert_eq!((verified.missing.len(), verified.lost()), (0, 0), "{verified:?}");
    }
    println!("row 04: {runs} power cuts");
}
