//! File system calls that fail: what a signal interrupts is done again, a directory that cannot be locked
//! is no other engine's, and what was not synced is never taken for synced (row 6 of the fault table).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "a timer and its signal handler")]

mod support;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use support::{Desk, PATIENCE, child, field, number, role, run, until};
use tapelog::reading::Journal;
use tapelog::testing::{FileCall, fail, fail_every};
use tapelog::{SyncError, SyncPolicy, critical, info};

/// The tests take turns: a fault strikes all engines of the process.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn do_nothing(_signal: i32) {}

/// Has SIGALRM interrupt system calls of this process a thousand times a second.
fn start_timer() {
    // SAFETY: an action of zeroes is a valid one, without SA_RESTART.
    let mut action = unsafe { std::mem::zeroed::<libc::sigaction>() };
    action.sa_sigaction = do_nothing as *const () as usize;
    // SAFETY: the action is whole, and its handler does nothing.
    let set = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let millisecond = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
    let period = libc::itimerval { it_interval: millisecond, it_value: millisecond };
    // SAFETY: the period is whole; no old value is asked for.
    let set =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const period, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

#[test]
fn row_06_a_timer_signal_at_the_start_leaves_the_ring_in_its_file() {
    const TEST: &str = "row_06_a_timer_signal_at_the_start_leaves_the_ring_in_its_file";
    if role().is_none() {
        run(child(TEST, "under fire"));
        println!("row 06: 10 starts under a signal every millisecond");
        return;
    }
    start_timer();
    for _ in 0..10 {
        let desk = Desk::new();
        let (log, guard) = desk.builder().build().unwrap();
        info!(log, "there");
        let stats = log.stats();
        assert!(stats.crash_safe, "{:?}", stats.degraded);
        drop(guard);
    }
}

#[test]
fn row_06_a_directory_that_cannot_be_locked_is_not_taken_for_another_engines() {
    let _turn = turn();
    let refusals = [libc::ENOLCK, libc::EOPNOTSUPP, libc::EIO];
    for errno in refusals {
        let desk = Desk::new();
        let fault = fail(FileCall::Lock, errno, 1);
        let (log, guard) = desk.builder().build().unwrap();
        assert_eq!(fault.failed(), 1);
        info!(log, "there");
        log.flush(PATIENCE).unwrap();
        let degraded = log.stats().degraded.expect("it says why there are no files");
        assert!(
            degraded.contains("cannot lock") && degraded.contains(".tapelog.lock"),
            "{degraded}"
        );
        assert!(degraded.contains(&format!("os error {errno}")), "{degraded}");
        drop((guard, fault));
    }
    println!("row 06: {} starts in a directory that cannot be locked", refusals.len());
}

/// After a failed sync the kernel forgets what it could not write: the next one succeeds at once.
#[test]
fn row_06_what_could_not_be_synced_is_written_again_before_it_counts_as_synced() {
    let _turn = turn();
    let desk = Desk::new();
    // Without logs, which are synced, too.
    let builder = desk.builder().render_logs(false);
    let (log, guard) = builder.sync(SyncPolicy::Critical).build().unwrap();
    info!(log, "synced");
    log.wait_synced(PATIENCE).unwrap();
    let unsynced = fail(FileCall::Sync, libc::EIO, 1);
    let unwritten = fail(FileCall::Write, libc::EIO, u64::MAX);
    critical!(log, "not synced");
    until("the sync fails", || unsynced.failed() == 1);
    let failed_before = log.stats().sync_errors;
    // Of a busy machine it says only that it is not finished.
    until("a refusal that tells why", || {
        let refused = log.wait_synced(Duration::from_millis(800)).unwrap_err();
        refused.to_string().contains("os error 5")
    });
    until("another attempt", || log.stats().sync_errors > failed_before.max(1));
    let stats = log.stats();
    assert_eq!(stats.synced_records, 1, "{stats:?}");
    drop((unwritten, unsynced));
    log.wait_synced(PATIENCE).unwrap();
    assert!(log.stats().synced_records >= 2);
    // One that the caller asked for is told to the caller, and stands in the stats as well.
    let unsynced = fail(FileCall::Sync, libc::EIO, 1);
    let known = log.stats().file_errors;
    log.sync().unwrap_err();
    let told = log.stats();
    assert!(told.file_errors > known && told.sync_errors > stats.sync_errors, "{told:?}");
    let error = told.file_error.expect("it names the file");
    assert!(error.to_string().contains("cannot sync") && error.errno == Some(libc::EIO), "{error}");
    drop(unsynced);
    log.sync().unwrap();
    until("it is over", || log.stats().file_error.is_some_and(|error| error.until.is_some()));
    drop(guard);
    println!("row 06: 2 failed syncs, {} attempts until the first counted", stats.sync_errors);
}

#[test]
fn row_05_what_was_in_memory_alone_is_not_called_synced() {
    const TEST: &str = "row_05_what_was_in_memory_alone_is_not_called_synced";
    if role().is_none() {
        run(child(TEST, "without room"));
        println!("row 05: 2 ways to wait for the disk told what was in memory alone");
        return;
    }
    for policy in [SyncPolicy::Critical, SyncPolicy::None] {
        let desk = Desk::new();
        let full = fail_every(FileCall::Create, libc::ENOSPC, 1);
        let (log, guard) = desk.builder().sync(policy).build().unwrap();
        critical!(log, "in memory alone");
        until("the journal in memory", || {
            let stats = log.stats();
            stats.in_memory_records > 0 && stats.journal_in_memory
        });
        drop(full);
        // Journal and logs.
        let logs = support::LOGS.map(|name| desk.logs().join(name));
        let are_there = || logs.iter().all(|log| log.exists());
        until("files", || !log.stats().journal_in_memory && are_there());
        let wait = || match policy {
            SyncPolicy::None => log.sync(),
            _ => log.wait_synced(PATIENCE),
        };
        // The journal is in files and on the disk, but not what was logged before.
        let refused = wait();
        assert!(matches!(refused, Err(SyncError::NoFile { .. })), "{refused:?}");
        critical!(log, "in a file");
        wait().unwrap();
        drop(guard);
    }
}

#[test]
fn row_06_what_cannot_be_read_is_not_taken_for_damage_by_verify() {
    let _turn = turn();
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    (0..5_000_u64).for_each(|number| info!(log, "entry", number));
    drop(guard);
    let journal = Journal::open(desk.logs()).unwrap();
    let whole = journal.verify(&mut |_| {}).unwrap();
    assert!(whole.is_intact());
    // Each of its reads, one after the other, until there is none more.
    let mut failed = 0;
    for n in 1.. {
        let fault = fail_every(FileCall::Read, libc::EIO, n);
        let found = journal.verify(&mut |_| {});
        if fault.failed() == 0 {
            assert_eq!(found.unwrap().records(), whole.records());
            break;
        }
        failed += 1;
        match found {
            Err(error) => assert!(format!("{error:?}").contains("code: 5"), "{error:?}"),
            // What is only looked up once more, or for a message.
            Ok(found) => assert!(found.is_intact(), "read {n}: {found:?}"),
        }
    }
    println!("row 06: {failed} reads of verify failed, and no segment was called damaged");
    assert!(failed > 3);
}

#[test]
fn row_06_what_failed_is_named_in_the_statistics_and_by_an_entry_when_it_is_over() {
    let _turn = turn();
    let desk = Desk::new();
    let builder = desk.builder();
    let (log, guard) = builder.build().unwrap();
    info!(log, "there");
    log.flush(PATIENCE).unwrap();
    assert_eq!((log.stats().file_errors, log.stats().file_error), (0, None));
    // A log alone: the journal is written through a mapping, its next segments are there already,
    // and the cursor has its turn first.
    let journal = desk.logs().join("journal");
    let segments = || fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().file_name());
    let tapes = || segments().filter(|name| name.to_string_lossy().ends_with(".tape")).count();
    until("the next segments", || tapes() == 3);
    let fault = fail(FileCall::Write, libc::ENOSPC, u64::MAX);
    let missing = 5;
    for number in 0..missing {
        info!(log, "not there", number);
        log.flush(PATIENCE).unwrap();
    }
    let stats = log.stats();
    let error = stats.file_error.unwrap();
    assert!(error.path.starts_with(desk.logs()) && error.action == "write to", "{error:?}");
    assert_eq!((error.errno, error.until), (Some(libc::ENOSPC), None));
    assert!(stats.file_errors >= error.count);
    let degraded = stats.degraded.unwrap();
    assert!(degraded.contains("cannot write to") && degraded.contains("os error 28"), "{degraded}");
    assert_eq!(stats.log_lines_missed, missing);
    drop(fault);
    let log_path = desk.logs().join("expert.log").display().to_string();
    let told = |log: &str, text: &str| {
        let lines = desk.lines(log).into_iter();
        lines.filter(|line| line.contains(text) && line.contains(&log_path)).collect::<Vec<_>>()
    };
    until("an entry in both logs", || {
        info!(log, "there again");
        ["expert.log", "errors.log"].iter().all(|log| told(log, "] logger.file_failed ").len() == 1)
    });
    for line in
        [&told("expert.log", "logger.file_failed")[0], &told("errors.log", "logger.file")[0]]
    {
        assert!(line.contains("action=\"write to\"") && line.contains("errno=28"), "{line}");
        assert!(number(line, "missed") >= missing, "{line}");
        assert!(number(line, "failures") >= 1 && line.contains("No space left"), "{line}");
        let [from, until] = ["from", "until"].map(|name| field(line, name).unwrap());
        assert!(from < until, "{line}");
    }
    let gap = &told("expert.log", "] logger.gap ")[0];
    assert_eq!(number(gap, "errno"), 28, "{gap}");
    let missed = number(&told("expert.log", "logger.file_failed")[0], "missed");
    assert_eq!(number(gap, "lost"), missed, "{gap}");
    let stats = log.stats();
    assert!(stats.file_error.unwrap().until.is_some());
    until("the end of the outage", || log.stats().degraded.is_none());
    drop(guard);
    println!("row 06: 1 failure of {} calls, told by name", stats.file_errors);
}
