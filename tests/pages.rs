//! `huge_pages` and `mlock` ask for something that a machine may refuse: the logger starts and works
//! either way, and says once what it could not have.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

#[path = "support/capabilities.rs"]
mod capabilities;

use std::fs;

use rustix::process::{Resource, Rlimit, setrlimit};
use support::{Desk, PATIENCE, child, role, run};
use tapelog::{Builder, Stats, info};

/// Logs through a ring like this; the entries must arrive.
fn log_some(builder: Builder) -> Stats {
    let (log, guard) = builder.build().unwrap();
    (0..100_u64).for_each(|number| info!(log, "entry", number));
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    assert_eq!((stats.accepted, stats.journaled, stats.shown), (100, 100, 100));
    stats
}

/// Kilobytes that this process has locked.
fn locked_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    locked.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn huge_pages_are_had_or_their_lack_is_told() {
    for in_files in [true, false] {
        let desk = Desk::new();
        let builder = desk.builder().huge_pages(true).log_to_file(in_files);
        let stats = log_some(builder.log_to_console(!in_files));
        assert_eq!(stats.crash_safe, in_files, "the ring's place is the same");
        if let Some(degraded) = stats.degraded {
            println!("{degraded}");
            assert!(degraded.starts_with("huge_pages = true, but the kernel gave the ring none"));
        }
    }
}

/// From now on no memory can be locked, not even by root.
fn forbid_locking() {
    capabilities::give_up_all();
    setrlimit(Resource::Memlock, Rlimit { current: Some(4096), maximum: Some(4096) }).unwrap();
}

#[test]
fn row_14_locked_memory_is_had_or_its_lack_is_told() {
    let test = "row_14_locked_memory_is_had_or_its_lack_is_told";
    if let Some(role) = role() {
        let (what, root) = role.split_once(' ').unwrap();
        let root = std::path::Path::new(root);
        let builder = support::builder(&root.join("logs")).ring_dir(root.join("ring"));
        let builder = builder.mlock(true);
        if what == "refused" {
            forbid_locking();
        }
        let (_log, guard) = builder.clone().build().unwrap();
        let locked = locked_kib();
        drop(guard);
        let degraded = log_some(builder).degraded;
        match degraded {
            None => assert!(locked >= 8 << 10, "the ring is locked: {locked} KiB"),
            Some(told) => {
                assert!(told.starts_with("mlock = true") && told.contains("RLIMIT_MEMLOCK"));
                println!("{told}");
            }
        }
        return;
    }
    for what in ["allowed", "refused"] {
        let directory = support::tmpfs();
        let output = run(child(test, &format!("{what} {}", directory.path().display())));
        let notices = String::from_utf8_lossy(&output.stderr).into_owned();
        if what == "refused" {
            // Two engines, one notice each.
            assert_eq!(
                notices.matches("RLIMIT_MEMLOCK, which is 4096 bytes").count(),
                2,
                "{notices}"
            );
        }
    }
}

#[test]
fn both_are_off_by_default() {
    let configuration = Desk::new().builder().configuration().unwrap();
    assert!(!configuration.huge_pages && !configuration.mlock && !configuration.dump_ring);
}

#[test]
fn row_19_the_ring_is_in_no_core_dump_unless_that_is_asked_for() {
    // `dd` among the flags of a mapping: it is left out of dumps.
    let hidden = |ring: &std::path::Path| {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let name = ring.display().to_string();
        let mapping = maps.lines().skip_while(|line| !line.ends_with(&name));
        let mut flags = mapping.filter_map(|line| line.strip_prefix("VmFlags:"));
        flags.next().expect("the ring is mapped").split(' ').any(|flag| flag == "dd")
    };
    for dumped in [false, true] {
        let desk = Desk::new();
        let (_log, _guard) = desk.builder().dump_ring(dumped).build().unwrap();
        let ring = fs::read_dir(desk.ring_dir()).unwrap().next().unwrap().unwrap().path();
        assert_eq!(hidden(&ring), !dumped);
    }
}

/// Of each mapping of a file whose name is meant: whether it is left out of dumps.
fn hidden(is_meant: impl Fn(&str) -> bool) -> Vec<bool> {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut found, mut ours) = (Vec::new(), false);
    for line in maps.lines() {
        match line.strip_prefix("VmFlags:") {
            Some(flags) if ours => found.push(flags.split(' ').any(|flag| flag == "dd")),
            Some(_) => {}
            None if line.split_whitespace().next().is_some_and(|it| it.ends_with(':')) => {}
            None => ours = is_meant(line),
        }
    }
    found
}

#[test]
fn row_19_segments_in_memory_are_in_no_core_dump_unless_that_is_asked_for() {
    for dumped in [false, true] {
        let desk = Desk::new();
        let builder = desk.builder().dump_ring(dumped).log_to_file(false).log_to_console(true);
        let (_log, _guard) = builder.build().unwrap();
        // Other tests of this program have theirs hidden; one that is just being made is not yet.
        support::until("segments that are as they should be", || {
            let found = hidden(|line| line.contains("/memfd:tapelog-journal"));
            !found.is_empty() && found.iter().all(|hidden| *hidden) != dumped
        });
    }
}

#[test]
fn row_19_segments_in_files_are_in_no_core_dump_unless_that_is_asked_for() {
    for dumped in [false, true] {
        let desk = Desk::new();
        let (log, _guard) = desk.builder().dump_ring(dumped).build().unwrap();
        if !log.stats().journal_mapped {
            return support::skip(format_args!("segments are not mapped on this file system"));
        }
        // What has its name is hidden already, or will not be.
        let journal = desk.logs().join("journal").display().to_string();
        let found = || hidden(|line| line.contains(&journal) && line.trim_end().ends_with(".tape"));
        support::until("the first and two ahead", || found().len() == 3);
        let found = found();
        assert!(found.iter().all(|&hidden| hidden != dumped), "{found:?}");
    }
}
