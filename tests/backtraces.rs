//! `backtrace = error`: ERROR and CRITICAL entries tell where they were logged from, in functions
//! and lines; the caller only walks its stack, and calls of other levels know nothing of it.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(unsafe_code, reason = "a timer and its signal handler")]

#[path = "support/calls.rs"]
mod calls;
mod support;

use std::mem::MaybeUninit;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use calls::involuntary_switches;
use serde_json::Value;
use support::{Desk, PATIENCE, child, role, run, until};
use tapelog::reading::{Format, Journal};
use tapelog::{Backtrace, Builder, MetaLogger, context, critical, error, info, try_error, warning};

/// Where `check_risk` logs, and where it is called.
const LOGGED: &str = "backtraces::check_risk (tests/backtraces.rs:";
const CALLED: &str = "backtraces::on_tick (tests/backtraces.rs:";

#[inline(never)]
fn check_risk(log: &MetaLogger, qty: u64) {
    error!(log, "limit exceeded", qty);
    std::hint::black_box(log);
}

#[inline(never)]
fn on_tick(log: &MetaLogger, qty: u64) {
    check_risk(log, qty);
    std::hint::black_box(log);
}

/// A builder whose ERROR entries carry a backtrace, in JSON.
fn traced(desk: &Desk) -> Builder {
    desk.builder().backtrace(Backtrace::Error).structured_logging(true)
}

/// The functions of an entry's backtrace.
fn functions(entry: &Value) -> Vec<&str> {
    entry["backtrace"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Logs from `on_tick` until the names have come: reading the debug information takes its time, and
/// entries that cannot wait for it show modules and offsets.
fn log_until_named(desk: &Desk, log: &MetaLogger) {
    until("names in the backtrace", || {
        on_tick(log, 7);
        log.flush(PATIENCE).unwrap();
        desk.lines("errors.log").last().unwrap().contains(LOGGED)
    });
}

#[test]
fn an_error_tells_its_functions_from_the_call_to_main_in_json() {
    let desk = Desk::new();
    let (log, guard) = traced(&desk).build().unwrap();
    log_until_named(&desk, &log);
    info!(log, "no error");
    warning!(log, "nor this");
    let bound = log.bind(context! { symbol = "BTCUSDT" });
    critical!(bound, "gone", error = "x");
    drop(guard);
    let entries = desk.json("expert.log");
    let plain =
        entries.iter().filter(|entry| entry["event"] == "no error" || entry["event"] == "nor this");
    assert_eq!(plain.filter(|entry| entry.get("backtrace").is_none()).count(), 2);
    let errors = desk.json("errors.log");
    let named = &errors[errors.len() - 2];
    let frames = functions(named);
    assert!(frames[0].starts_with(LOGGED), "{frames:?}");
    assert!(frames[1].starts_with(CALLED), "{frames:?}");
    assert!(frames.iter().any(|frame| frame.contains("log_until_named")), "{frames:?}");
    assert!(frames.iter().all(|frame| !frame.contains("tapelog::")), "{frames:?}");
    assert!(frames.iter().all(|frame| !frame.contains("rust_begin_short")), "{frames:?}");
    assert_eq!((&named["qty"], named.get("backtrace_modules")), (&7.into(), None));
    let last = errors.last().unwrap();
    assert_eq!((&last["symbol"], &last["error"]), (&"BTCUSDT".into(), &"x".into()));
    assert!(!functions(last).is_empty());
}

#[test]
fn an_error_with_a_backtrace_is_still_one_line_of_text() {
    let desk = Desk::new();
    let builder = desk.builder().backtrace(Backtrace::Critical);
    let (log, guard) = builder.build().unwrap();
    error!(log, "not this one");
    critical!(log, "this one", qty = 3);
    let producer = log.producer();
    critical!(producer, "and this one");
    log.critical("and one of a method", &[("qty", 4.into())]).unwrap();
    drop(guard);
    let lines = desk.lines("errors.log");
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[0].ends_with("not this one"), "{}", lines[0]);
    assert!(lines[1].contains("] this one qty=3 backtrace=[") && lines[1].ends_with(']'));
    assert!(lines[2].contains("] and this one backtrace=[") && lines[2].ends_with(']'));
    assert!(lines[3].contains("] and one of a method qty=4 backtrace=["), "{}", lines[3]);
}

#[test]
fn a_field_of_that_name_and_a_secret_keep_their_meaning() {
    let desk = Desk::new();
    let (log, guard) = traced(&desk).build().unwrap();
    error!(log, "own", backtrace = "as the caller tells it");
    error!(log, "masked", token = "S3CR3T", qty = 1);
    drop(guard);
    let entries = desk.json("errors.log");
    assert_eq!(entries[0]["backtrace"], "as the caller tells it");
    assert_eq!((&entries[1]["token"], &entries[1]["qty"]), (&"***".into(), &1.into()));
    assert!(!functions(&entries[1]).is_empty());
}

#[test]
fn without_the_parameter_nothing_is_added() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().structured_logging(true).build().unwrap();
    on_tick(&log, 1);
    drop(guard);
    assert_eq!(desk.json("errors.log")[0].get("backtrace"), None);
}

#[test]
fn a_backtrace_of_a_killed_run_is_named_by_the_same_build_at_the_next_start() {
    let test = "a_backtrace_of_a_killed_run_is_named_by_the_same_build_at_the_next_start";
    if let Some(directory) = role() {
        let builder = support::builder(directory.as_ref()).render_logs(true);
        let (log, guard) = builder.backtrace(Backtrace::Error).build().unwrap();
        // From here on the logs have a place to go on at.
        info!(log, "started");
        log.flush(PATIENCE).unwrap();
        on_tick(&log, 99);
        // Into the journal; what the logs lack is left to the next start.
        until("the journal", || log.stats().journaled > 1);
        std::mem::forget(guard);
        std::process::abort();
    }
    let desk = Desk::new();
    let mut killed = child(test, &desk.logs().display().to_string()).spawn().unwrap();
    assert!(!support::wait(&mut killed).success());
    // The journal shows it at once, whoever reads it: here a program of the same build.
    let mut text = Vec::new();
    Journal::open(desk.logs()).unwrap().write_to(Format::Json, &mut text).unwrap();
    let entry = support::json(String::from_utf8(text).unwrap().lines().nth(1).unwrap());
    let frames = functions(&entry);
    assert!(frames[0].starts_with(LOGGED) && frames[1].starts_with(CALLED), "{frames:?}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader.py");
    let output = Command::new("python3").arg(script).arg(desk.logs().join("journal")).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = support::json(String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap());
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(read["fields"][0], serde_json::json!(["qty", 99]));
    let first = read["fields"][1][1][0].as_str().unwrap();
    assert!(first.starts_with(&format!("{program}+0x")), "{read}");
    let (_log, guard) = desk.builder().build().unwrap();
    drop(guard);
    let lines = desk.lines("errors.log");
    assert!(lines.iter().any(|line| line.contains("limit exceeded qty=99 backtrace=[")));
}

#[test]
fn a_small_record_keeps_the_innermost_frames() {
    fn descend(log: &MetaLogger, depth: u32) {
        match depth {
            0 => error!(log, "deep"),
            _ => descend(log, depth - 1),
        }
        std::hint::black_box(depth);
    }
    let desk = Desk::new();
    let small = traced(&desk).block_bytes(4_096_u32).ring_bytes(1_u64 << 20);
    let (log, guard) = small.build().unwrap();
    descend(&log, 100);
    drop(guard);
    let entry = &desk.json("errors.log")[0];
    let frames = functions(entry);
    assert!(frames.len() > 20, "{frames:?}");
    assert_eq!(frames.last(), Some(&"…"), "more than what is kept");
}

/// Times the calls of a process that has made none before, and prints what came of it.
fn time_calls(directory: &str) {
    let builder = support::builder(directory.as_ref()).backtrace(Backtrace::Error);
    let (log, guard) = builder.build().unwrap();
    // The calls inside which the thread kept its processor.
    let (mut first, mut times) = (None, Vec::with_capacity(1_001));
    for call in 0..1_001 {
        let (switches, begun) = (involuntary_switches(), Instant::now());
        on_tick(&log, call);
        let took = begun.elapsed();
        if involuntary_switches() == switches {
            first = if call == 0 { Some(took) } else { first };
            times.push(took);
        }
    }
    times.sort_unstable();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    println!("first {first:?}, p50 {median:?}, max {longest:?} of {} calls", times.len());
    assert!(median < Duration::from_millis(2), "{median:?}");
    assert!(longest < Duration::from_millis(10), "{longest:?}");
    drop(guard);
    assert_eq!(log.stats().lost.total(), 0);
}

#[test]
fn a_call_with_a_backtrace_takes_far_less_than_ten_milliseconds() {
    let test = "a_call_with_a_backtrace_takes_far_less_than_ten_milliseconds";
    if let Some(directory) = role() {
        return time_calls(&directory);
    }
    // A busy machine may stop the first call, and two processes altogether: then it is another's turn.
    let mut slow = 0;
    let timed = (0..20).any(|_| {
        let desk = Desk::new();
        let output = child(test, &desk.logs().display().to_string()).output().unwrap();
        if !output.status.success() {
            slow += 1;
            assert!(slow <= 2, "{output:?}");
            return false;
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let told = stdout.lines().find(|line| line.contains("first ")).unwrap();
        println!("{told}");
        told.contains("first Some")
    });
    assert!(timed, "each first call lost its processor");
}

static LOGGER: OnceLock<MetaLogger> = OnceLock::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);
static ACCEPTED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_signal: libc::c_int) {
    let Some(log) = LOGGER.get() else { return };
    let call = HANDLED.fetch_add(1, Ordering::Relaxed);
    let pushed = try_error!(log, "from the handler", call);
    ACCEPTED.fetch_add(u64::from(pushed.is_ok()), Ordering::Relaxed);
}

/// Sends SIGALRM to the process a thousand times a second until the result is 0 again.
fn set_timer(microseconds: libc::suseconds_t) {
    let period = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: period, it_value: period };
    // SAFETY: a timer's description and no old one.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

fn log_under_fire(directory: &str) {
    let builder = support::builder(directory.as_ref()).backtrace(Backtrace::Error);
    let (log, guard) = builder.build().unwrap();
    log.warm_up();
    LOGGER.set(log.clone()).unwrap();
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zero is an action with an empty mask; the pointer is to that.
    let prepared = unsafe { &mut *action.as_mut_ptr() };
    prepared.sa_sigaction = handler as *const () as libc::sighandler_t;
    prepared.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler has the right signature and stays for the program's life.
    let set = unsafe { libc::sigaction(libc::SIGALRM, action.as_ptr(), std::ptr::null_mut()) };
    assert_eq!(set, 0);
    set_timer(1_000);
    let (mut calls, mut accepted) = (0, 0);
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        calls += 1;
        accepted += u64::from(try_error!(log, "from the thread", calls).is_ok());
        // Interrupted here too: inside the allocator, and inside another walk over the stack.
        drop(std::hint::black_box(std::backtrace::Backtrace::force_capture()));
    }
    set_timer(0);
    std::thread::sleep(Duration::from_millis(20));
    let handled = HANDLED.load(Ordering::Relaxed);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    println!("{handled} signals while {calls} calls were made, {} refused", stats.lost.total());
    assert!(handled > 100, "the timer works: {handled}");
    assert_eq!(stats.accepted, accepted + ACCEPTED.load(Ordering::Relaxed));
    assert_eq!(stats.accepted + stats.lost.total(), calls + handled);
    drop(guard);
}

#[test]
fn a_signal_handler_logs_with_backtraces_while_its_thread_does() {
    let test = "a_signal_handler_logs_with_backtraces_while_its_thread_does";
    if let Some(directory) = role() {
        return log_under_fire(&directory);
    }
    let desk = Desk::new();
    let output = run(child(test, &desk.logs().display().to_string()));
    let stdout = String::from_utf8_lossy(&output.stdout);
    println!("{}", stdout.lines().find(|line| line.contains("signals while")).unwrap());
    let lines = desk.lines("errors.log");
    assert!(lines.iter().any(|line| line.contains("from the handler call=")));
    assert!(lines.iter().all(|line| line.contains(" backtrace=[")), "every entry carries one");
}
