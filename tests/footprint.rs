//! What a default start takes of the machine: disk, tmpfs, threads, and the processor when quiet.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use support::disk::bytes_below;
use support::{Desk, PATIENCE, child, role, run};
use tapelog::{Level, MetaLogger, info, try_debug};

const MIB: u64 = 1 << 20;

fn tasks() -> BTreeSet<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| task.unwrap().path().display().to_string()).collect()
}

/// How long a thread has been on a processor.
fn time_of(task: &str) -> Duration {
    let text = fs::read_to_string(format!("{task}/schedstat")).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// The part of a core that the threads use in a while; also printed for each of them.
fn share_of(tasks: &[String], quiet: Duration) -> f64 {
    let (started, before) = (Instant::now(), tasks.iter().map(|task| time_of(task)));
    let before: Vec<_> = before.collect();
    std::thread::sleep(quiet);
    let passed = started.elapsed().as_secs_f64();
    let mut sum = 0.0;
    for (task, before) in tasks.iter().zip(before) {
        let share = (time_of(task) - before).as_secs_f64() / passed;
        let name = fs::read_to_string(format!("{task}/comm")).unwrap();
        println!("{}: {:.3} %", name.trim(), share * 100.0);
        sum += share;
    }
    sum
}

/// What a thread uses that does nothing but sleep for 4 ms again and again: the machine's part.
fn share_of_naps(quiet: Duration) -> f64 {
    let napping = std::thread::spawn(move || {
        let (started, before) = (Instant::now(), time_of("/proc/thread-self"));
        while started.elapsed() < quiet {
            std::thread::park_timeout(Duration::from_millis(4));
        }
        (time_of("/proc/thread-self") - before).as_secs_f64() / started.elapsed().as_secs_f64()
    });
    napping.join().unwrap()
}

/// In a child, which has no other threads.
fn measure(directory: &Path) {
    const QUIET: Duration = Duration::from_secs(3);
    const LIMIT: f64 = 0.01;
    let before = tasks();
    let ring_dir = directory.join("ring");
    // Everything by default but the places, and a console that nobody looks at.
    let (log, guard) =
        MetaLogger::builder().log_dir(directory.join("logs")).ring_dir(&*ring_dir).build().unwrap();
    let ours: Vec<_> = tasks().difference(&before).cloned().collect();
    assert_eq!(ours.len(), 3, "threads");
    let tmpfs = bytes_below(&ring_dir);
    assert!(tmpfs <= 8 * MIB, "{tmpfs} bytes of tmpfs");

    info!(log, "the only one");
    log.flush(PATIENCE).unwrap();
    // Naps grow to their longest first.
    std::thread::sleep(Duration::from_millis(1_700));
    let names: BTreeSet<_> =
        ours.iter().map(|task| fs::read_to_string(format!("{task}/comm")).unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("tapelog-")), "{names:?}");
    // Others may share the machine: the quietest of a few looks counts.
    let mut share = f64::MAX;
    for _ in 0..5 {
        share = share.min(share_of(&ours, QUIET));
        if share <= LIMIT {
            break;
        }
    }
    let disk = bytes_below(&directory.join("logs"));
    println!(
        "quiet engine: {} threads, {:.2} % of a core, {:.1} MiB of tmpfs, {:.1} MiB of disk so far",
        ours.len(),
        share * 100.0,
        tmpfs as f64 / MIB as f64,
        disk as f64 / MIB as f64,
    );
    if share > LIMIT {
        let floor = share_of_naps(QUIET);
        println!("a thread that only naps: {:.2} %", floor * 100.0);
        assert!(share <= 1.5 * floor, "{share}, where napping alone takes {floor}");
    }
    assert!(disk <= 320 * MIB);
    drop(guard);
}

#[test]
fn a_quiet_default_engine_stays_within_its_bounds() {
    if let Some(directory) = role() {
        return measure(Path::new(&directory));
    }
    let root = support::tmpfs();
    let test = "a_quiet_default_engine_stays_within_its_bounds";
    let output = run(child(test, &root.path().display().to_string()));
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{}", text.lines().find(|line| line.contains("quiet engine")).unwrap());
}

#[test]
fn a_default_engine_never_takes_more_than_320_mebibytes_of_disk() {
    let desk = Desk::new();
    let defaults = MetaLogger::builder().configuration().unwrap();
    let files = 3 * (1 + u64::from(defaults.log_backup_count)) * defaults.log_max_file_size;
    // The journal is written in full, but hardly rendered: that is quick.
    let (log, guard) = desk.builder().journal_level(Level::Debug).build().unwrap();
    let (text, mut most, mut number) = ("x".repeat(1_000), 0, 0_u64);
    while log.stats().journal_bytes < 400 * MIB {
        for _ in 0..2_000 {
            number += 1;
            if try_debug!(log, "filling the journal", number, text).is_err() {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        most = most.max(bytes_below(&desk.logs().join("journal")));
    }
    log.flush(PATIENCE).unwrap();
    let bound = most + files;
    println!(
        "journal: {:.1} MiB at most, logs: {:.1} MiB at most",
        most as f64 / MIB as f64,
        files as f64 / MIB as f64
    );
    assert!(most >= 100 * MIB, "the journal went round");
    assert!(bound <= 320 * MIB, "{bound} bytes");
    drop(guard);
}
