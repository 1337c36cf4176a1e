//! The threads, what they tell of themselves, and what the engine does to its host.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tapelog::{Builder, Overflow, Threading, info, try_info};

use crate::common::{assert_refused, child, default_of, events, hold, of_threads};
use crate::support::{self, Desk, PATIENCE, number, role, run, until};

/// In a child, how often the drain went to sleep in a while.
fn sleeps(builder: Builder) -> u64 {
    let (_log, _guard) = builder.build().unwrap();
    let so_far = || {
        let threads = of_threads("voluntary_ctxt_switches");
        threads.iter().find(|(name, _)| name == "tapelog-drain").unwrap().1.parse::<u64>().unwrap()
    };
    // It begins with whatever it has to set up.
    thread::sleep(Duration::from_millis(20));
    let before = so_far();
    thread::sleep(Duration::from_millis(400));
    so_far() - before
}

#[test]
fn parameter_idle_says_what_an_empty_ring_is_good_for() {
    assert_eq!(default_of("idle"), "\"park\"");
    assert_refused("idle", &["sleep"], "park, spin or yield");
    if let Some(given) = role() {
        let (idle, logs) = given.split_once(' ').unwrap();
        let builder = support::builder(logs.as_ref()).set("idle", idle);
        return println!("\nidle sleeps={} ", sleeps(builder));
    }
    for idle in ["park", "spin", "yield"] {
        let desk = Desk::new();
        let test = parameter_idle_says_what_an_empty_ring_is_good_for;
        let output = run(child(test, &format!("{idle} {}", desk.logs().display())));
        let told = String::from_utf8(output.stdout).unwrap();
        let line = told.lines().find(|line| line.starts_with("idle ")).unwrap();
        println!("{idle}: {line}");
        let sleeps = number(line, "sleeps");
        assert!(if idle == "park" { sleeps > 20 } else { sleeps < 20 }, "{idle}: {sleeps}");
    }
}

#[test]
fn parameter_nap_is_the_shortest_sleep() {
    assert_eq!(default_of("nap"), "\"50us\"");
    assert_refused("nap", &["0", "50", "2ms"], "1 µs to 1 ms");
    let hundred_passes = |nap: &str| {
        let desk = Desk::new();
        let begun = Instant::now();
        let (log, _guard) = desk.builder().set("nap", nap).build().unwrap();
        // Before naps grow.
        until("naps", || log.stats().passes >= 100);
        begun.elapsed()
    };
    let long = hundred_passes("1ms");
    // Others may take the processor: of some attempts one must be quick.
    let short = (0..10).map(|_| hundred_passes("1us")).find(|short| *short < long);
    println!("100 passes: {short:?} with naps of 1 µs, {long:?} with naps of 1 ms");
    assert!(long >= Duration::from_millis(80) && short.is_some());
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

/// Whether an engine's log holds a text after a while.
fn tells(builder: Builder, desk: &Desk, text: &str) -> bool {
    let overflow = Overflow::Block(Duration::from_millis(3));
    let (log, guard) = builder.overflow(overflow).build().unwrap();
    let held = hold(&log);
    // The last one waits for room, in vain.
    while try_info!(log, "fills").is_ok() {}
    drop(held);
    thread::sleep(Duration::from_millis(300));
    drop(guard);
    desk.lines("expert.log").iter().any(|line| line.contains(text))
}

#[test]
fn parameter_metrics_interval_is_how_often_metrics_are_logged() {
    assert_eq!(default_of("metrics_interval"), "\"60s\"");
    assert_refused("metrics_interval", &["60", "50ms", "25h"], "0 (off), or 100 ms to 24 h");
    for (interval, told) in [("100ms", true), ("0", false)] {
        let desk = Desk::new();
        let builder = desk.builder().set("metrics_interval", interval);
        assert_eq!(tells(builder, &desk, "] logger.metrics interval_ms="), told, "{interval}");
    }
}

#[test]
fn parameter_latency_warning_names_slow_calls() {
    assert_eq!(default_of("latency_warning"), "\"10ms\"");
    assert_refused("latency_warning", &["2h", "10"], "0 (off), or 1 µs to 1 min");
    for (threshold, told) in [("1ms", true), ("0", false)] {
        let desk = Desk::new();
        let builder = desk.builder().set("latency_warning", threshold);
        assert_eq!(tells(builder, &desk, "[WARNING  ] logger.slow_call"), told, "{threshold}");
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
