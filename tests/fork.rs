//! A forked child is refused by its parent's logger, and its end, whichever way, touches nothing of
//! the parent's; the parent goes on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "fork and waitpid")]
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use support::{Desk, PATIENCE, child, number, role, run};
use tapelog::{Guard, MetaLogger, PushError, StartError, Stats, context, info, try_info};

/// How the forked child ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// `exit`, with the guard dropped before.
    Exit,
    /// `exit`, with everything still alive.
    ExitAlive,
    /// Without any farewell.
    Abrupt,
}

/// Runs `work` in a forked child; its result is the child's exit status.
fn fork(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs `work`, which ends the process; glibc makes its allocator usable in
    // the child of a process with threads.
    match unsafe { libc::fork() } {
        0 => {
            let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: ends the process.
            unsafe { libc::_exit(status.unwrap_or(99)) }
        }
        pid => {
            assert!(pid > 0, "fork");
            let mut status = 0;
            // SAFETY: `status` is a place for an integer.
            let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
            assert_eq!(waited, pid);
            assert!(libc::WIFEXITED(status), "the child died: {status:#x}");
            libc::WEXITSTATUS(status)
        }
    }
}

/// In the forked child: everything is refused, and then it ends.
fn in_the_child(log: &MetaLogger, guard: &mut Option<Guard>, end: End) -> i32 {
    let producer = log.producer();
    let refused = [
        try_info!(log, "from the child"),
        try_info!(producer, "from the child's producer"),
        try_info!(log.bind(context! { symbol = "BTCUSDT" }), "bound in the child"),
        log.info("dynamic", &[]),
        thread::scope(|scope| scope.spawn(|| try_info!(log, "from a thread")).join().unwrap()),
    ];
    if refused.iter().any(|pushed| *pushed != Err(PushError::Forked)) {
        return 1;
    }
    // The writer's locks may have been held at the fork: nothing here waits for them.
    if log.flush(PATIENCE).is_ok() || log.sync().is_ok() || log.stats() != Stats::default() {
        return 2;
    }
    match end {
        End::Exit => {
            drop(guard.take());
            std::process::exit(0);
        }
        End::ExitAlive => std::process::exit(0),
        End::Abrupt => 0,
    }
}

/// A third of them end in each way.
fn forks() -> u64 {
    support::times("TEST_FORKS", 51)
}

fn fork_many(directory: &str) {
    let forks = forks();
    let (log, guard) = support::builder(directory.as_ref()).build().unwrap();
    let mut guard = Some(guard);
    let (stop, background) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let count = background.load(Ordering::Relaxed);
                if try_info!(log, "background", count).is_ok() {
                    background.store(count + 1, Ordering::Relaxed);
                }
                thread::sleep(std::time::Duration::from_micros(20));
            }
        });
        for number in 0..forks {
            info!(log, "parent", number);
            let end = [End::Exit, End::ExitAlive, End::Abrupt][number as usize % 3];
            let status = fork(|| in_the_child(&log, &mut guard, end));
            assert_eq!(status, 0, "fork {number}, {end:?}");
            let second = support::builder(directory.as_ref()).build();
            assert!(matches!(second, Err(StartError::InUse { .. })), "still ours after {end:?}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    let pushed = forks + background.into_inner();
    assert_eq!((stats.accepted, stats.lost.total()), (pushed, 0));
    drop(guard);
    println!("row 10: {forks} forks, {pushed} records");
}

#[test]
fn row_10_children_are_refused_and_the_parent_goes_on() {
    if let Some(directory) = role() {
        return fork_many(&directory);
    }
    let desk = Desk::new();
    let test = "row_10_children_are_refused_and_the_parent_goes_on";
    let output = run(child(test, &desk.logs().display().to_string()));
    let stdout = String::from_utf8_lossy(&output.stdout);
    println!("{}", stdout.lines().find(|line| line.contains("forks")).unwrap());
    let lines = desk.lines("expert.log");
    let parent: Vec<_> = lines.iter().filter(|line| line.contains("] parent ")).collect();
    assert!(parent.iter().map(|line| number(line, "number")).eq(0..forks()));
    let background = lines.iter().filter(|line| line.contains("] background "));
    assert!(background.map(|line| number(line, "count")).eq(0..lines.len() as u64 - forks()));
}

#[test]
fn row_10_a_child_starts_a_logger_of_its_own_elsewhere() {
    if let Some(roles) = role() {
        let (parents, childs) = roles.split_once(' ').unwrap();
        let (log, guard) = support::builder(parents.as_ref()).build().unwrap();
        info!(log, "before");
        let status = fork(|| {
            let same = support::builder(parents.as_ref()).build();
            if !same.is_err_and(|error| error.to_string().contains("is in use by process")) {
                return 1;
            }
            let (own, own_guard) = support::builder(childs.as_ref()).build().unwrap();
            let accepted = try_info!(own, "the child's own").is_ok();
            drop(own_guard);
            i32::from(!accepted)
        });
        assert_eq!(status, 0);
        info!(log, "after");
        drop(guard);
        return;
    }
    let (parents, childs) = (Desk::new(), Desk::new());
    let test = "row_10_a_child_starts_a_logger_of_its_own_elsewhere";
    run(child(test, &format!("{} {}", parents.logs().display(), childs.logs().display())));
    assert_eq!(parents.lines("expert.log").len(), 2);
    assert_eq!(childs.lines("expert.log").len(), 1);
}

#[test]
fn row_10_a_directory_is_free_when_its_owner_died_and_a_child_lives_on() {
    if let Some(directory) = role() {
        let builder = support::builder(directory.as_ref()).ring_dir(format!("{directory}/ring"));
        let (log, _guard) = builder.build().unwrap();
        info!(log, "before");
        log.flush(PATIENCE).unwrap();
        // SAFETY: the child only sleeps and ends.
        if unsafe { libc::fork() } == 0 {
            thread::sleep(std::time::Duration::from_secs(3));
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) };
        }
        // SAFETY: ends the process, without a word to anybody.
        unsafe { libc::_exit(0) };
    }
    let desk = Desk::new();
    let test = "row_10_a_directory_is_free_when_its_owner_died_and_a_child_lives_on";
    let mut command = child(test, &desk.logs().display().to_string());
    let status = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(status.status().unwrap().success());
    let (log, guard) = desk.builder().build().expect("the lock went with the parent");
    info!(log, "after");
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 2);
}
