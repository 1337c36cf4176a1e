//! A process that dies while its disk gives no room: what was in its memory alone is told.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Signal, getpid, kill_process};

use crate::support::{self, Desk, PATIENCE, child, number, role, wait};
use tapelog::testing::{FileCall, fail};
use tapelog::{Builder, info};

const BEFORE: u64 = 100;
const IN_MEMORY: u64 = 20_000;

fn builder(logs: &Path, rings: &Path) -> Builder {
    support::builder(logs)
        .ring_dir(rings)
        .journal_segment_bytes(512_u64 << 10)
        .block_bytes(64_u32 << 10)
}

#[test]
fn row_05_what_was_in_memory_alone_is_told_after_a_kill() {
    if let Some(role) = role() {
        let (logs, rings) = role.split_once(' ').unwrap();
        let (log, _guard) = builder(logs.as_ref(), rings.as_ref()).build().unwrap();
        (0..BEFORE).for_each(|n| info!(log, "before", n));
        log.flush(PATIENCE).unwrap();
        assert!(log.stats().crash_safe);
        let _full = fail(FileCall::Allocate, libc::ENOSPC, u64::MAX);
        let _no_other = fail(FileCall::Rename, libc::ENOSPC, u64::MAX);
        while !log.stats().journal_in_memory {
            info!(log, "filling");
            std::thread::sleep(std::time::Duration::from_micros(20));
        }
        assert!(!log.stats().crash_safe, "{:?}", log.stats());
        let before = log.stats().in_memory_records;
        (0..IN_MEMORY / 100).for_each(|_| {
            (0..100).for_each(|n| info!(log, "in memory", n));
            log.flush(PATIENCE).unwrap();
        });
        let stats = log.stats();
        assert!(stats.journal_in_memory && stats.in_memory_records >= before + IN_MEMORY);
        std::fs::write(format!("{logs}/lost"), stats.in_memory_records.to_string()).unwrap();
        kill_process(getpid(), Signal::KILL).unwrap();
    }
    let desk = Desk::new();
    let (logs, rings) = (desk.logs(), desk.ring_dir());
    let test = "outage::row_05_what_was_in_memory_alone_is_told_after_a_kill";
    let mut child = child(test, &format!("{} {}", logs.display(), rings.display()));
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&wait(&mut child)), Some(9));
    let lost: u64 = std::fs::read_to_string(logs.join("lost")).unwrap().parse().unwrap();

    let (log, guard) = builder(&logs, &rings).build().unwrap();
    let is_told = |line: &String| line.contains("logger.recovered");
    support::until("it is told", || desk.lines("expert.log").iter().any(is_told));
    drop((log, guard));
    let lines = desk.lines("expert.log");
    let told: Vec<_> = lines.iter().filter(|line| is_told(line)).collect();
    assert_eq!(told.len(), 1, "{:?}", lines.iter().rev().take(5).collect::<Vec<_>>());
    assert_eq!(number(told[0], "lost"), lost, "{}", told[0]);
    println!("row 05: {lost} records in memory alone are told");
}
