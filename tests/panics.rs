//! `panic_hook = true`: a panic is in the logs as CRITICAL, with message, place and thread, before
//! the hook that was there goes on; wherever it happens, and also when it ends the process.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Desk, child, role, run};
use tapelog::{Backtrace, LogValue, MetaLogger, context, error, info, testing};

/// The hook is the process's: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

/// A desk whose engine logs panics, in JSON.
fn watched(desk: &Desk) -> (MetaLogger, tapelog::Guard) {
    desk.builder().panic_hook(true).structured_logging(true).build().unwrap()
}

/// The panics in errors.log.
fn panics(desk: &Desk) -> Vec<Value> {
    desk.json("errors.log").into_iter().filter(|entry| entry["event"] == "panic").collect()
}

#[test]
fn a_panic_is_in_the_logs_before_the_hook_that_was_there_goes_on() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let test = "a_panic_is_in_the_logs_before_the_hook_that_was_there_goes_on";
    if role().is_none() {
        // In a process of its own: it counts the lines that stand there when its hook is called.
        run(child(test, "panics"));
        return;
    }
    let desk = Desk::new();
    let errors = desk.logs().join("errors.log");
    panic::set_hook(Box::new(move |_| {
        let lines = std::fs::read_to_string(&errors).unwrap_or_default();
        SEEN.store(lines.matches("\"panic\"").count(), Ordering::Relaxed);
    }));
    let (log, guard) = watched(&desk);
    let line = line!() + 2;
    let worker = std::thread::Builder::new().name("risk-desk".to_owned());
    let worker = worker.spawn(|| panic!("limit of {} exceeded", 7)).unwrap();
    assert!(worker.join().is_err());
    assert_eq!(SEEN.load(Ordering::Relaxed), 1, "flushed when the next hook is called");
    assert!(catch_unwind(|| panic::panic_any(7)).is_err());
    assert_eq!(SEEN.load(Ordering::Relaxed), 2);
    drop(guard);
    assert!(catch_unwind(|| panic!("after the end")).is_err());
    assert_eq!(log.stats().lost.total(), 0, "not this engine's any more");
    let told = panics(&desk);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["level"], "critical");
    assert_eq!(told[0]["message"], "limit of 7 exceeded");
    assert_eq!(told[0]["thread"], "risk-desk");
    let location = told[0]["location"].as_str().unwrap();
    assert!(location.starts_with(&format!("tests/panics.rs:{line}:")), "{location}");
    assert_eq!((&told[1]["message"], &told[1]["thread"]), (&"no text".into(), &test.into()));
    let (log, guard) = watched(&desk);
    assert!(catch_unwind(|| panic!("of a second engine")).is_err());
    drop((log, guard));
    assert_eq!(panics(&desk).len(), 3);
}

#[test]
fn without_the_parameter_a_panic_is_the_hosts_alone() {
    let _one = ONE.lock();
    let desk = Desk::new();
    let (_log, guard) = desk.builder().structured_logging(true).build().unwrap();
    assert!(catch_unwind(|| panic!("the host's")).is_err());
    drop(guard);
    assert_eq!(desk.lines("errors.log"), [""; 0]);
}

#[test]
fn a_panic_in_a_display_costs_its_own_entry_only_and_is_told() {
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a formatter's panic")
        }
    }
    let _one = ONE.lock();
    let desk = Desk::new();
    let (log, guard) = watched(&desk);
    let result = catch_unwind(AssertUnwindSafe(|| error!(log, "never there", value = %Panics)));
    assert!(result.is_err());
    error!(log, "after");
    drop(guard);
    let events = desk.json("errors.log");
    let events: Vec<_> = events.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["panic", "after"]);
}

/// A value that is longer each time it is asked: it breaks its promise inside the push.
struct Grows(AtomicUsize);

impl LogValue for Grows {
    type Stored<'a> = &'a str;
    fn stored(&self) -> &str {
        &"grows and grows and grows and grows and grows and grows and grows"
            [..8 * self.0.fetch_add(1, Ordering::Relaxed)]
    }
}

#[test]
fn a_panic_inside_a_push_is_told_through_another_lane() {
    let _one = ONE.lock();
    let desk = Desk::new();
    let (log, guard) = watched(&desk);
    for turn in 0..3 {
        info!(log, "before", turn);
        let grows = [Grows(AtomicUsize::new(1))];
        let result = catch_unwind(AssertUnwindSafe(|| info!(log, "broken", grows = &grows[..])));
        assert!(result.is_err(), "the value broke its promise");
        info!(log, "after", turn);
    }
    let stats = log.stats();
    drop(guard);
    assert_eq!(panics(&desk).len(), 3, "the thread's own lane would have refused them");
    let lines = desk.json("expert.log");
    let counted = |event: &str| lines.iter().filter(|entry| entry["event"] == event).count();
    assert_eq!((counted("before"), counted("after"), counted("broken")), (3, 3, 0));
    assert_eq!(stats.lost.total(), 0, "{stats:?}");
}

/// Logs when it is dropped.
struct Farewell<'a>(&'a MetaLogger);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        error!(self.0, "dropped", unwinding = std::thread::panicking());
    }
}

#[test]
fn what_is_dropped_while_the_stack_unwinds_logs_behind_the_panic() {
    let _one = ONE.lock();
    let desk = Desk::new();
    let (log, guard) = watched(&desk);
    let bound = log.bind(context! { symbol = "BTCUSDT" });
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _farewell = Farewell(&bound);
        panic!("unwinds");
    }));
    assert!(result.is_err());
    drop(guard);
    let entries = desk.json("errors.log");
    assert_eq!(entries.len(), 2);
    assert_eq!(
        (&entries[0]["event"], &entries[0]["message"]),
        (&"panic".into(), &"unwinds".into())
    );
    assert_eq!((&entries[1]["event"], &entries[1]["unwinding"]), (&"dropped".into(), &true.into()));
    assert_eq!(entries[1]["symbol"], "BTCUSDT");
}

#[test]
fn a_panic_waits_for_a_stuck_writer_a_second_and_is_told_later() {
    let _one = ONE.lock();
    let desk = Desk::new();
    let (log, guard) = watched(&desk);
    let hold = testing::hold_drain(&log);
    // A busy machine may hold it up for longer; of a few attempts one comes through.
    let mut attempts = 0;
    let waited = loop {
        attempts += 1;
        let begun = Instant::now();
        assert!(catch_unwind(|| panic!("nobody writes")).is_err());
        let waited = begun.elapsed();
        if waited < Duration::from_secs(3) || attempts == 5 {
            break waited;
        }
    };
    println!("waited {waited:?}");
    assert!(waited >= Duration::from_millis(900), "{waited:?}");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    assert_eq!(panics(&desk).len(), 0);
    drop((hold, guard));
    assert_eq!(panics(&desk).len(), attempts);
}

#[test]
fn many_threads_panic_at_once_and_each_is_told() {
    let _one = ONE.lock();
    let desk = Desk::new();
    let (_log, guard) = watched(&desk);
    let threads: Vec<_> =
        (0..8).map(|number| std::thread::spawn(move || panic!("thread {number}"))).collect();
    assert!(threads.into_iter().all(|thread| thread.join().is_err()));
    drop(guard);
    let mut told: Vec<_> =
        panics(&desk).iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect();
    told.sort_unstable();
    assert_eq!(told, (0..8).map(|number| format!("thread {number}")).collect::<Vec<_>>());
}

extern "C" fn cannot_unwind() {
    panic!("in a function that cannot unwind");
}

#[test]
fn a_panic_that_ends_the_process_is_in_the_logs() {
    let test = "a_panic_that_ends_the_process_is_in_the_logs";
    if let Some(directory) = role() {
        let builder = support::builder(directory.as_ref()).panic_hook(true);
        let (log, _guard) = builder.backtrace(Backtrace::Critical).build().unwrap();
        error!(log, "before");
        cannot_unwind();
    }
    let desk = Desk::new();
    let output = child(test, &desk.logs().display().to_string()).output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
    let lines = desk.lines("errors.log");
    assert!(lines[0].ends_with("] before"), "{lines:#?}");
    assert!(lines[1].contains("in a function that cannot unwind"), "{lines:#?}");
    assert!(lines[1].contains(" backtrace=["), "{lines:#?}");
}

#[test]
fn a_program_that_aborts_on_panic_has_it_in_the_logs() {
    if std::env::var_os("TEST_PANIC_ABORT").is_none() {
        support::skip(format_args!(
            "TEST_PANIC_ABORT is not set, and the test would build an example"
        ));
        return;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["rustc", "--quiet", "--example", "panics", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .args(["--target-dir"])
        .arg(target)
        .args(["--", "-C", "panic=abort"])
        .status();
    assert!(built.unwrap().success(), "the example `panics` was not built");
    let desk = Desk::new();
    let program = target.join("debug/examples/panics");
    let output = Command::new(program).arg(desk.logs()).output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
    let lines = desk.lines("errors.log");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains(
            r#"] panic message="attempt to divide by zero" location=examples/panics.rs:"#
        )
    );
    assert!(lines[0].contains(" thread=main backtrace=["), "{lines:#?}");
    assert!(desk.lines("expert.log")[0].ends_with("about to divide"));
}
