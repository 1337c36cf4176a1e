//! The threads, what they tell of themselves, and what the engine does to its host.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tapelog::testing::hold_drain;
use tapelog::{Builder, Overflow, Threading, info, try_info};

use crate::common::{assert_refused, child, default_of, events, of_threads};
use crate::support::{self, Desk, PATIENCE, number, role, run, until};

/// The thread that drains, as the kernel knows it.
fn drain() -> PathBuf {
    let mut tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let named = |task: &PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "tapelog-drain")
    };
    tasks.find(named).expect("a drain")
}

/// In a child: how much of a core the drain takes, in per mille, and how often a second it goes to
/// sleep, while a few entries come. Where others have the processor, time stands still for it.
fn measure(builder: Builder) {
    let (log, _guard) = builder.build().unwrap();
    info!(log, "the drain has its name by now");
    log.flush(PATIENCE).unwrap();
    let drain = drain();
    let so_far = || -> (u64, u64, u64) {
        let times = fs::read_to_string(drain.join("schedstat")).unwrap();
        let status = fs::read_to_string(drain.join("status")).unwrap();
        let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let mut times = times.split(' ').map(|nanos| nanos.parse().unwrap());
        let [ran, ready] = [times.next().unwrap(), times.next().unwrap()];
        (ran, ready, sleeps.unwrap().trim().parse().unwrap())
    };
    let (begun, before) = (Instant::now(), so_far());
    let (after, passed) = loop {
        info!(log, "tick");
        thread::sleep(Duration::from_millis(1));
        let (after, lasted) = (so_far(), begun.elapsed());
        let passed = lasted.saturating_sub(Duration::from_nanos(after.1 - before.1));
        if passed >= Duration::from_millis(300) || lasted >= PATIENCE / 10 {
            break (after, passed);
        }
    };
    let busy = u128::from(after.0 - before.0) * 1_000 / passed.as_nanos();
    let sleeps = u128::from(after.2 - before.2) * 1_000 / passed.as_millis();
    println!("\ndrain busy={busy} sleeps={sleeps} ");
}

/// What a child measures with a parameter: `busy` and `sleeps`.
fn measured<F: Fn()>(test: F, value: &str) -> (u64, u64) {
    let desk = Desk::new();
    let output = run(child(test, &format!("{value} {}", desk.logs().display())));
    let told = String::from_utf8(output.stdout).unwrap();
    let line = told.lines().find(|line| line.starts_with("drain ")).unwrap();
    println!("{value}: {line}");
    (number(line, "busy"), number(line, "sleeps"))
}

/// Others may take the processor: of some attempts one must show it.
const ATTEMPTS: usize = 10;

#[test]
fn parameter_idle_says_what_an_empty_ring_is_good_for() {
    assert_eq!(default_of("idle"), "\"park\"");
    assert_refused("idle", &["sleep"], "park, spin or yield");
    if let Some(given) = role() {
        let (idle, logs) = given.split_once(' ').unwrap();
        return measure(support::builder(logs.as_ref()).set("idle", idle));
    }
    let test = parameter_idle_says_what_an_empty_ring_is_good_for;
    let (park, sleeps) = measured(test, "park");
    assert!(sleeps > 0);
    for idle in ["spin", "yield"] {
        let awake = (0..ATTEMPTS).any(|_| {
            let (busy, slept) = measured(test, idle);
            busy > 2 * park || slept * 10 < sleeps
        });
        assert!(awake, "{idle} sleeps like park");
    }
}

#[test]
fn parameter_nap_is_the_shortest_sleep() {
    assert_eq!(default_of("nap"), "\"50us\"");
    assert_refused("nap", &["0", "50", "2ms"], "1 µs to 1 ms");
    if let Some(given) = role() {
        let (nap, logs) = given.split_once(' ').unwrap();
        return measure(support::builder(logs.as_ref()).set("nap", nap));
    }
    let test = parameter_nap_is_the_shortest_sleep;
    // Both in the same attempt: the machine may be another's for a while.
    let shorter = (0..ATTEMPTS).any(|_| {
        let (_busy, long) = measured(test, "1ms");
        assert!(long <= 1_200, "naps of 1 ms, {long} a second");
        measured(test, "1us").1 > 2 * long
    });
    assert!(shorter, "naps of 1 µs are no shorter");
}

#[test]
fn parameter_threading_shared_has_one_thread_less() {
    assert_eq!(default_of("threading"), "\"dedicated\"");
    assert_refused("threading", &["share"], "dedicated or shared");
    if let Some(given) = role() {
        let (threading, logs) = given.split_once(' ').unwrap();
        let builder = support::builder(logs.as_ref()).set("threading", threading);
        let (log, guard) = builder.build().unwrap();
        until("the threads have their names", || of_threads("Name").len() >= 2);
        info!(log, "entry");
        log.flush(PATIENCE).unwrap();
        let names = of_threads("Name");
        let has = |name: &str| names.iter().any(|(known, _)| known == name);
        assert!(
            has("tapelog-drain") && has("tapelog-view") == (threading == "dedicated"),
            "{names:?}"
        );
        return drop(guard);
    }
    for threading in [Threading::Dedicated, Threading::Shared] {
        let desk = Desk::new();
        let word = if threading == Threading::Shared { "shared" } else { "dedicated" };
        let test = parameter_threading_shared_has_one_thread_less;
        run(child(test, &format!("{word} {}", desk.logs().display())));
        assert_eq!(desk.lines("expert.log").len(), 1, "{word}");
    }
}

/// A processor that this process may use.
fn processor() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let last = allowed.rsplit([',', '-']).next().unwrap();
    last.trim().parse().unwrap()
}

/// In a child, the processors of a thread; in its parent, runs the child.
fn assert_pinned<F: Fn()>(test: F, key: &str, thread: &str) {
    assert_eq!(default_of(key), "\"none\"");
    assert_refused(key, &["first", "-1"], "none, or the number of a processor");
    let cpu = processor().to_string();
    let Some(logs) = role() else {
        let desk = Desk::new();
        run(child(test, &desk.logs().display().to_string()));
        return;
    };
    let (_log, _guard) = support::builder(logs.as_ref()).set(key, &cpu).build().unwrap();
    until("the thread is pinned", || {
        of_threads("Cpus_allowed_list").contains(&(thread.to_owned(), cpu.clone()))
    });
}

#[test]
fn parameter_writer_cpu_pins_the_drain() {
    assert_pinned(parameter_writer_cpu_pins_the_drain, "writer_cpu", "tapelog-drain");
}

#[test]
fn parameter_view_cpu_pins_the_view() {
    assert_pinned(parameter_view_cpu_pins_the_view, "view_cpu", "tapelog-view");
}

/// Holds an engine to whether its log tells of a full ring and of slow calls, sooner or later or not.
fn assert_tells(builder: Builder, desk: &Desk, text: &str, tells: bool) {
    let overflow = Overflow::Block(Duration::from_millis(3));
    let (log, guard) = builder.overflow(overflow).build().unwrap();
    let held = hold_drain(&log);
    // The last one waits for room, in vain.
    while try_info!(log, "fills").is_ok() {}
    drop(held);
    let told = || desk.lines("expert.log").iter().any(|line| line.contains(text));
    if tells {
        until(text, || {
            log.flush(PATIENCE).unwrap();
            told()
        });
    } else {
        thread::sleep(Duration::from_millis(300));
    }
    drop(guard);
    assert_eq!(told(), tells, "{text}");
}

#[test]
fn parameter_metrics_interval_is_how_often_metrics_are_logged() {
    assert_eq!(default_of("metrics_interval"), "\"60s\"");
    assert_refused("metrics_interval", &["60", "50ms", "25h"], "0 (off), or 100 ms to 24 h");
    for (interval, told) in [("100ms", true), ("0", false)] {
        let desk = Desk::new();
        let builder = desk.builder().set("metrics_interval", interval);
        assert_tells(builder, &desk, "] logger.metrics interval_ms=", told);
    }
}

#[test]
fn parameter_latency_warning_names_slow_calls() {
    assert_eq!(default_of("latency_warning"), "\"10ms\"");
    assert_refused("latency_warning", &["2h", "10"], "0 (off), or 1 µs to 1 min");
    for (threshold, told) in [("1ms", true), ("0", false)] {
        let desk = Desk::new();
        let builder = desk.builder().set("latency_warning", threshold);
        assert_tells(builder, &desk, "[WARNING  ] logger.slow_call", told);
    }
}

#[test]
fn parameter_handle_signals_writes_everything_out_first() {
    assert_eq!(default_of("handle_signals"), "false");
    assert_refused("handle_signals", &["SIGTERM"], "true or false");
    if let Some(logs) = role() {
        let builder = support::builder(logs.as_ref()).handle_signals(true);
        let (log, _guard) = builder.build().unwrap();
        (0..2_000_u64).for_each(|number| info!(log, "entry", number));
        let term = rustix::process::Signal::TERM;
        rustix::process::kill_process(rustix::process::getpid(), term).unwrap();
        thread::sleep(PATIENCE);
        return;
    }
    let desk = Desk::new();
    let test = parameter_handle_signals_writes_everything_out_first;
    let status = child(test, &desk.logs().display().to_string()).output().unwrap().status;
    assert_eq!(status.signal(), Some(libc::SIGTERM), "it ends as it would have");
    assert_eq!(desk.lines("expert.log").len(), 2_000);
}

#[test]
fn parameter_panic_hook_logs_panics() {
    assert_eq!(default_of("panic_hook"), "false");
    assert_refused("panic_hook", &["2"], "true or false");
    if let Some(given) = role() {
        let (on, logs) = given.split_once(' ').unwrap();
        let (_log, _guard) = support::builder(logs.as_ref()).set("panic_hook", on).build().unwrap();
        let worker = thread::spawn(|| panic!("limit exceeded"));
        assert!(worker.join().is_err());
        return;
    }
    for (on, logged) in [("on", 1), ("off", 0)] {
        let desk = Desk::new();
        let test = parameter_panic_hook_logs_panics;
        run(child(test, &format!("{on} {}", desk.logs().display())));
        let lines = desk.lines("errors.log");
        let told = lines
            .iter()
            .filter(|line| line.contains("[CRITICAL ] panic message=\"limit exceeded\""));
        assert_eq!(told.count(), logged, "{lines:?}");
    }
}

#[test]
fn parameter_sigbus_guard_survives_a_truncated_segment() {
    assert_eq!(default_of("sigbus_guard"), "true");
    assert_refused("sigbus_guard", &["2"], "true or false");
    if let Some(given) = role() {
        let (on, logs) = given.split_once(' ').unwrap();
        let (log, guard) = support::builder(logs.as_ref()).set("sigbus_guard", on).build().unwrap();
        if on == "off" {
            assert!(!log.stats().journal_mapped, "there is nothing to guard");
        }
        info!(log, "before");
        log.flush(PATIENCE).unwrap();
        let segment = Path::new(logs).join("journal/00000000000000000001.tape");
        fs::File::options().write(true).open(segment).unwrap().set_len(0).unwrap();
        info!(log, "after");
        log.flush(PATIENCE).unwrap();
        return drop(guard);
    }
    for on in ["on", "off"] {
        let desk = Desk::new();
        let test = parameter_sigbus_guard_survives_a_truncated_segment;
        run(child(test, &format!("{on} {}", desk.logs().display())));
        let lines = desk.lines("expert.log");
        let told = events(&lines);
        assert!(on == "off" || told.contains(&"after"), "{told:?}");
        assert_eq!(told[0], "before");
    }
}
