//! Logging inside logging: a `Display` that logs, and a signal handler that logs a thousand times a
//! second while its thread logs. Nothing deadlocks, and accepted + lost = pushed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "a timer and its signal handler; malloc_trim, mallinfo2")]
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

#[path = "support/flat.rs"]
mod flat;

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flat::Taken;
use support::{Desk, PATIENCE, child, number, role, run};
use tapelog::{MetaLogger, PushError, context, info, testing, try_info, try_warning};

/// A value that logs when it is shown.
struct Chatty<'a>(&'a MetaLogger, u32);

impl fmt::Display for Chatty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 > 0 {
            info!(self.0, "inside", depth = self.1, deeper = %Chatty(self.0, self.1 - 1));
        }
        write!(f, "value{}", self.1)
    }
}

#[test]
fn a_display_that_logs_adds_its_own_entry() {
    let (log, captured) = testing::capture();
    info!(log, "outside", value = %Chatty(&log, 3));
    let producer = log.producer();
    info!(producer, "by a producer", value = %Chatty(&log, 1));
    let entries = captured.entries();
    let mut events: Vec<_> = entries.iter().map(|entry| &*entry.event).collect();
    events.sort_unstable();
    assert_eq!(events, ["by a producer", "inside", "inside", "inside", "inside", "outside"]);
    let outside = entries.iter().find(|entry| entry.event == "outside").unwrap();
    assert_eq!(outside.fields["value"], "value3");
    assert_eq!(log.stats().lost.total(), 0);
}

#[test]
fn a_display_that_panics_costs_its_own_entry_only() {
    struct Panics;
    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a formatter's panic")
        }
    }
    let (log, captured) = testing::capture();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        info!(log, "never there", value = %Panics);
    }));
    assert!(result.is_err(), "the host's panic stays the host's");
    info!(log, "after");
    let events: Vec<_> = captured.entries().into_iter().map(|entry| entry.event).collect();
    assert_eq!(events, ["after"]);
}

#[test]
fn a_display_that_fails_is_told_in_its_place() {
    struct Fails;
    impl fmt::Display for Fails {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half ")?;
            Err(fmt::Error)
        }
    }
    let (log, captured) = testing::capture();
    info!(log, "told", value = %Fails);
    assert_eq!(captured.entries()[0].fields["value"], "half <the value's formatter failed>");
}

static LOGGER: OnceLock<MetaLogger> = OnceLock::new();
static CALLS: AtomicU64 = AtomicU64::new(0);
static ACCEPTED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_signal: libc::c_int) {
    let Some(log) = LOGGER.get() else { return };
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    // As a handler may meet it: through the logger and with something to format.
    let pushed = try_warning!(log, "from the handler", call, shown = %call);
    ACCEPTED.fetch_add(u64::from(pushed.is_ok()), Ordering::Relaxed);
}

/// Sends SIGALRM to the calling thread a thousand times a second, from now on.
fn start_timer() {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zero is an action with an empty mask; the pointer is to that.
    let prepared = unsafe { &mut *action.as_mut_ptr() };
    prepared.sa_sigaction = handler as *const () as libc::sighandler_t;
    prepared.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler has the right signature and stays for the program's life.
    let set = unsafe { libc::sigaction(libc::SIGALRM, action.as_ptr(), std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let mut event = MaybeUninit::<libc::sigevent>::zeroed();
    // SAFETY: zero is a valid event.
    let wanted = unsafe { &mut *event.as_mut_ptr() };
    wanted.sigev_notify = libc::SIGEV_THREAD_ID;
    wanted.sigev_signo = libc::SIGALRM;
    // SAFETY: gives a number.
    wanted.sigev_notify_thread_id = unsafe { libc::gettid() };
    let mut timer = MaybeUninit::<libc::timer_t>::uninit();
    let clock = libc::CLOCK_MONOTONIC;
    // SAFETY: both pointers are to what the call expects.
    let made = unsafe { libc::timer_create(clock, event.as_mut_ptr(), timer.as_mut_ptr()) };
    assert_eq!(made, 0);
    let millisecond = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let period = libc::itimerspec { it_interval: millisecond, it_value: millisecond };
    // SAFETY: `timer_create` has stored the timer.
    let timer = unsafe { timer.assume_init() };
    // SAFETY: the timer was just made; no old value is asked for.
    let set = unsafe { libc::timer_settime(timer, 0, &raw const period, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

/// Until then, every buffer has grown to what it needs.
const WARM_UP: Duration = Duration::from_secs(3);

/// How long the timer's thread logs from then on.
fn run_time() -> Duration {
    Duration::from_secs(support::times("TEST_SECONDS", 5))
}

fn log_under_fire(directory: &str) {
    // Little that is mapped, so that all of it is there after a tenth of the run.
    let builder = support::builder(directory.as_ref())
        .journal_segment_bytes(1_u64 << 20)
        .journal_segments(4_u32);
    let (log, guard) = builder.build().unwrap();
    LOGGER.set(log.clone()).unwrap();
    log.warm_up();
    handler(0);
    start_timer();
    let (mut calls, mut accepted) = (0_u64, 0_u64);
    let at_rest = |calls: &mut u64, accepted: &mut u64| {
        Taken::at_rest(&log, || {
            *calls += 1;
            *accepted += u64::from(try_info!(log, "from the thread", calls = *calls).is_ok());
        })
    };
    let started = Instant::now();
    let mut tenth = None;
    while started.elapsed() < WARM_UP + run_time() {
        if tenth.is_none() && started.elapsed() >= WARM_UP + run_time() / 10 {
            tenth = Some(at_rest(&mut calls, &mut accepted));
        }
        for burst in 0..50 {
            calls += 1;
            let pushed = try_info!(log, "from the thread", calls, burst);
            accepted += u64::from(pushed.is_ok());
            if pushed == Err(PushError::Full) {
                std::thread::sleep(Duration::from_micros(300));
            }
        }
        // What else a thread does: contexts, other threads' lanes, waits.
        let bound = log.bind(context! { round = calls });
        calls += 1;
        accepted += u64::from(try_info!(bound, "bound", calls, text = %calls).is_ok());
        if calls % 5_100 == 0 {
            let producer = log.producer();
            calls += 1;
            accepted += u64::from(try_info!(producer, "producer", calls).is_ok());
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    // No more signals to this thread from here on.
    let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for a set.
    unsafe { libc::sigemptyset(blocked.as_mut_ptr()) };
    // SAFETY: a set, as just made.
    unsafe { libc::sigaddset(blocked.as_mut_ptr(), libc::SIGALRM) };
    // SAFETY: as above; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), std::ptr::null_mut()) };

    at_rest(&mut calls, &mut accepted).check(tenth.unwrap());
    let handled = CALLS.load(Ordering::Relaxed);
    let pushed = calls + handled;
    let accepted = accepted + ACCEPTED.load(Ordering::Relaxed);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    println!(
        "row 11: {handled} signals while {calls} calls were made: {} refused as nested, {} for other \
         reasons",
        stats.lost.reentrant,
        stats.lost.total() - stats.lost.reentrant,
    );
    assert!(handled > 500, "the timer works: {handled}");
    assert_eq!(stats.accepted, accepted);
    assert_eq!(stats.accepted + stats.lost.total(), pushed);
    drop(guard);
}

#[test]
fn row_11_a_signal_handler_logs_while_its_thread_does() {
    if let Some(directory) = role() {
        return log_under_fire(&directory);
    }
    let desk = Desk::new();
    let test = "row_11_a_signal_handler_logs_while_its_thread_does";
    let output = run(child(test, &desk.logs().display().to_string()));
    let stdout = String::from_utf8_lossy(&output.stdout);
    print!("{stdout}");
    let lines = desk.lines("expert.log");
    let own = lines.iter().filter(|line| line.contains("] from the thread "));
    let calls: Vec<_> = own.map(|line| number(line, "calls")).collect();
    assert!(calls.is_sorted(), "in order, none torn");
    let handled = lines.iter().filter(|line| line.contains("] from the handler "));
    for line in handled {
        assert_eq!(number(line, "call"), number(line, "shown"), "{line}");
    }
}
