//! A process that dies while its disk gives no room: what was in its memory alone is told.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

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

/// In the child: logs while the disk gives no room, and ends as it is told to.
fn log_in_memory(role: &str) {
    let [how, logs, rings] = role.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{role}") };
    let (log, guard) = builder(logs.as_ref(), rings.as_ref()).build().unwrap();
    (0..BEFORE).for_each(|n| info!(log, "before", n));
    log.flush(PATIENCE).unwrap();
    assert!(log.stats().crash_safe);
    let full = fail(FileCall::Allocate, libc::ENOSPC, u64::MAX);
    let no_other = fail(FileCall::Rename, libc::ENOSPC, u64::MAX);
    while !log.stats().journal_in_memory {
        info!(log, "filling");
        std::thread::sleep(Duration::from_micros(20));
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
    match how {
        "killed" => kill_process(getpid(), Signal::KILL).unwrap(),
        "ended" => drop(guard),
        "ended_as_the_disk_works_again" => {
            drop((full, no_other));
            drop(guard);
        }
        other => panic!("no such end: {other}"),
    }
}

/// Starts that child, and again: the records that the two runs tell to be in no file, and how many the first
/// one had when it ended.
fn told_after(test: &str, how: &str) -> [u64; 2] {
    let desk = Desk::new();
    let (logs, rings) = (desk.logs(), desk.ring_dir());
    let role = format!("{} {} {}", how.replace(' ', "_"), logs.display(), rings.display());
    let mut child = child(test, &role).stdout(Stdio::null()).spawn().unwrap();
    let killed = std::os::unix::process::ExitStatusExt::signal(&wait(&mut child)) == Some(9);
    assert_eq!(killed, how == "killed");
    let lost: u64 = std::fs::read_to_string(logs.join("lost")).unwrap().parse().unwrap();

    let (log, guard) = builder(&logs, &rings).build().unwrap();
    support::until("what was left is recovered", || !log.stats().recovering);
    drop((log, guard));
    assert_eq!(desk.rings(), 0, "{how}");
    let lines = desk.lines("expert.log");
    let sum = |event: &str, field: &str| -> u64 {
        lines.iter().filter(|line| line.contains(event)).map(|line| number(line, field)).sum()
    };
    [sum("logger.recovered", "lost") + sum("logger.journal_gap", "records"), lost]
}

#[test]
fn row_05_what_was_in_memory_alone_is_told_after_a_kill() {
    if let Some(role) = role() {
        return log_in_memory(&role);
    }
    let test = "outage::row_05_what_was_in_memory_alone_is_told_after_a_kill";
    let [told, lost] = told_after(test, "killed");
    assert_eq!(told, lost);
    println!("row 05: {lost} records in memory alone are told");
}

#[test]
fn row_05_what_was_in_memory_alone_is_told_after_a_clean_end() {
    if let Some(role) = role() {
        return log_in_memory(&role);
    }
    let test = "outage::row_05_what_was_in_memory_alone_is_told_after_a_clean_end";
    for how in ["ended", "ended as the disk works again"] {
        let [told, lost] = told_after(test, how);
        // What the engine says of itself at its end is in memory, too.
        assert!((lost..lost + 10).contains(&told), "{how}: {told} of {lost}");
    }
}

/// In the child: a directory stands in the place of `expert.log`, and the run ends before it works again.
fn log_without_a_log(role: &str) {
    let [how, logs, rings] = role.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{role}") };
    let builder = builder(logs.as_ref(), rings.as_ref());
    let (log, guard) = builder.build().unwrap();
    (0..BEFORE).for_each(|n| info!(log, "before", n));
    log.flush(PATIENCE).unwrap();
    let expert = Path::new(logs).join("expert.log");
    std::fs::rename(&expert, expert.with_extension("moved")).unwrap();
    std::fs::create_dir(&expert).unwrap();
    let mut count = 0;
    while log.stats().log_lines_missed < 1_000 {
        info!(log, "without a log", count);
        count += 1;
        std::thread::sleep(Duration::from_micros(50));
    }
    log.flush(PATIENCE).unwrap();
    // Lines of which no batch has noted the place yet.
    (0..100).for_each(|n| info!(log, "without a log", n));
    std::fs::write(format!("{logs}/logged"), (count + 100).to_string()).unwrap();
    match how {
        "killed" => kill_process(getpid(), Signal::KILL).unwrap(),
        _ => drop(guard),
    }
}

#[test]
fn row_07_lines_that_a_log_missed_to_the_end_of_a_run_are_told_by_the_next_one() {
    if let Some(role) = role() {
        return log_without_a_log(&role);
    }
    let test =
        "outage::row_07_lines_that_a_log_missed_to_the_end_of_a_run_are_told_by_the_next_one";
    for how in ["killed", "ended"] {
        let desk = Desk::new();
        let (logs, rings) = (desk.logs(), desk.ring_dir());
        let mut child = child(test, &format!("{how} {} {}", logs.display(), rings.display()));
        let child = child.stdout(Stdio::null()).stderr(Stdio::null());
        wait(&mut child.spawn().unwrap());
        let logged: u64 = std::fs::read_to_string(logs.join("logged")).unwrap().parse().unwrap();
        std::fs::remove_dir(logs.join("expert.log")).unwrap();
        for run in 0..3 {
            let (log, guard) = builder(&logs, &rings).build().unwrap();
            support::until("what was left is recovered", || !log.stats().recovering);
            info!(log, "of a later run", run);
            drop((log, guard));
        }
        let (moved, lines) = (desk.lines("expert.moved"), desk.lines("expert.log"));
        let shown = moved.iter().chain(&lines).filter(|line| line.contains("without a log"));
        let gaps: Vec<_> = lines.iter().filter(|line| line.contains("] logger.gap ")).collect();
        assert_eq!(gaps.len(), 1, "{how}: {gaps:?}");
        let lost = number(gaps[0], "lost");
        assert!(lost >= 1_000 && gaps[0].contains("could not be written"), "{how}: {}", gaps[0]);
        assert_eq!(shown.count() as u64 + lost, logged, "{how}");
        println!("row 07: {lost} lines missed by a run that {how} are told by the next one");
    }
}
