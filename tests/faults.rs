//! File system calls that fail: what a signal interrupts is done again, a directory that cannot be locked
//! is no other engine's, and what was not synced is never taken for synced (row 6 of the fault table).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "a timer and its signal handler")]

mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use support::{Desk, PATIENCE, child, role, run, until};
use tapelog::testing::{FileCall, fail};
use tapelog::{SyncPolicy, critical, info};

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
    let builder = desk.builder().render_logs(false).metrics_interval(Duration::ZERO);
    let (log, guard) = builder.sync(SyncPolicy::Critical).build().unwrap();
    info!(log, "synced");
    log.wait_synced(PATIENCE).unwrap();
    let unsynced = fail(FileCall::Sync, libc::EIO, 1);
    let unwritten = fail(FileCall::Write, libc::EIO, u64::MAX);
    critical!(log, "not synced");
    until("the sync fails", || unsynced.failed() == 1);
    let failed_before = log.stats().sync_errors;
    let refused = log.wait_synced(Duration::from_millis(800)).unwrap_err();
    assert!(refused.to_string().contains("os error 5"), "{refused}");
    let stats = log.stats();
    assert_eq!(stats.synced_records, 1, "{stats:?}");
    assert!(stats.sync_errors > failed_before.max(1), "it was tried again: {stats:?}");
    drop(unwritten);
    log.wait_synced(PATIENCE).unwrap();
    assert!(log.stats().synced_records >= 2);
    drop((guard, unsynced));
    println!("row 06: 1 failed sync, {} attempts until it counted", stats.sync_errors);
}
