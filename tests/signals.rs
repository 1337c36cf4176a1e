//! The ends of a process: `handle_signals` writes everything out before SIGTERM or SIGINT end it;
//! and however it ends, what was flushed is there and the journal is whole.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(unsafe_code, reason = "signals are sent and handlers set through libc")]

mod support;

#[path = "support/strace.rs"]
mod strace;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strace::under_strace;
use support::{Desk, PATIENCE, child, number, role, wait};
use tapelog::reading::{Format, Journal};
use tapelog::{Builder, Level, debug, enabled, info, try_info};

/// How many children end in each way.
const CHILDREN: usize = 20;

/// A builder for a child that was given both directories.
fn builder(directories: &str) -> Builder {
    let (logs, rings) = directories.split_once(' ').unwrap();
    support::builder(logs.as_ref()).ring_dir(rings)
}

/// This program again, to log to the desk in a role.
fn start(test: &str, role: &str, desk: &Desk) -> Child {
    let directories = format!("{role} {} {}", desk.logs().display(), desk.ring_dir().display());
    child(test, &directories).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: i32) {
    // SAFETY: a signal to a child that is not waited for yet.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), signal) }, 0);
}

/// The numbers that the child printed, line by line, until it ends.
struct Told(std::io::Lines<BufReader<std::process::ChildStdout>>);

impl Told {
    fn of(child: &mut Child) -> Self {
        Self(BufReader::new(child.stdout.take().unwrap()).lines())
    }

    /// The next number behind `mark`.
    fn next(&mut self, mark: &str) -> Option<u64> {
        self.0.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once(mark).and_then(|(_, number)| number.trim().parse().ok())
        })
    }
}

/// Whatever was logged up to `last` is in expert.log, once and in order.
fn assert_all_there(desk: &Desk, last: u64, how: &str) {
    let lines = desk.lines("expert.log");
    let numbers: Vec<u64> = lines
        .iter()
        .filter(|line| line.contains("] tick "))
        .map(|line| number(line, "n"))
        .collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{how}: {numbers:?}");
    assert!(numbers.len() as u64 >= last, "{how}: {} of {last}", numbers.len());
}

/// The journal can be read without a complaint, and has as much.
fn assert_journal_whole(desk: &Desk, last: u64, how: &str) {
    let mut text = Vec::new();
    let summary = Journal::open(desk.logs()).unwrap().write_to(Format::Text, &mut text).unwrap();
    assert!(summary.is_intact(), "{how}: {:?}", summary.notes);
    let text = String::from_utf8(text).unwrap();
    let count = text.lines().filter(|line| line.contains("] tick ")).count() as u64;
    assert!(count >= last, "{how}: {count} of {last}");
}

/// Logs numbers for ever and tells each one that was accepted.
fn log_and_tell(directories: &str) -> ! {
    // In the background of a script it is ignored, and would stay so.
    set(libc::SIGINT, libc::SIG_DFL);
    let (log, _guard) = builder(directories).handle_signals(true).build().unwrap();
    let mut out = std::io::stdout().lock();
    let mut n = 0;
    loop {
        n += 1;
        if try_info!(log, "tick", n).is_ok() {
            writeln!(out, "accepted {n}").unwrap();
        }
    }
}

#[test]
fn a_signal_ends_the_process_when_everything_is_written() {
    let test = "a_signal_ends_the_process_when_everything_is_written";
    if let Some(role) = role() {
        log_and_tell(role.split_once(' ').unwrap().1);
    }
    let (mut total, mut left) = (0, 0);
    for turn in 0..CHILDREN {
        let signal = [libc::SIGTERM, libc::SIGINT][turn % 2];
        let desk = Desk::new();
        let mut child = start(test, "log", &desk);
        let mut told = Told::of(&mut child);
        let mut last = 0;
        for _ in 0..=37 * turn {
            last = told.next("accepted ").unwrap();
        }
        send(&child, signal);
        while let Some(number) = told.next("accepted ") {
            last = number;
        }
        let status = wait(&mut child);
        assert_eq!(status.signal(), Some(signal), "{status:?}");
        // A clean end leaves no ring; but where the thread was kept from its processor inside a push for
        // longer than the end waits for it, that record is left to the next start.
        if desk.rings() > 0 {
            left += 1;
            let (log, guard) = desk.builder().build().unwrap();
            drop(guard);
            assert!(log.stats().recovered <= 1, "{:?}", log.stats());
            assert_eq!(desk.rings(), 0);
        }
        assert_all_there(&desk, last, "a signal");
        assert_journal_whole(&desk, last, "a signal");
        total += last;
    }
    println!("{CHILDREN} processes ended by signals, {total} entries, {left} rings were left");
    assert!(left <= CHILDREN / 4, "{left} rings were left");
}

/// Logs, flushes, tells so, logs on, and ends in the way of the role.
fn flush_and_end(role: &str) {
    let (how, directories) = role.split_once(' ').unwrap();
    let (log, guard) = builder(directories).build().unwrap();
    for n in 1..=500 {
        info!(log, "tick", n);
    }
    log.flush(PATIENCE).unwrap();
    println!("flushed 500");
    for n in 501..=600 {
        info!(log, "tick", n);
    }
    match how {
        "return" => drop(guard),
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        "segv" => {
            let nowhere = std::ptr::without_provenance_mut::<u8>(8);
            // SAFETY: never sound: nothing is mapped there, and the process is to die of it. Sent
            // by `raise`, std's own handler would take the signal for done and return.
            unsafe { nowhere.write_volatile(1) };
        }
        "term" => {
            // SAFETY: as above; nobody handles it.
            unsafe { libc::raise(libc::SIGTERM) };
        }
        other => panic!("no such end: {other}"),
    }
}

#[test]
fn however_a_process_ends_what_was_flushed_is_there_and_the_journal_is_whole() {
    let test = "however_a_process_ends_what_was_flushed_is_there_and_the_journal_is_whole";
    if let Some(role) = role() {
        return flush_and_end(&role);
    }
    type Check = fn(&ExitStatus) -> bool;
    let ends: [(&str, u64, Check); 5] = [
        ("return", 600, |status| status.success()),
        ("exit", 500, |status| status.success()),
        ("abort", 500, |status| status.signal() == Some(libc::SIGABRT)),
        ("segv", 500, |status| status.signal() == Some(libc::SIGSEGV)),
        ("term", 500, |status| status.signal() == Some(libc::SIGTERM)),
    ];
    for (how, least, as_expected) in ends {
        for _ in 0..CHILDREN {
            let desk = Desk::new();
            let mut child = start(test, how, &desk);
            let mut told = Told::of(&mut child);
            assert_eq!(told.next("flushed "), Some(500));
            // Read to its end: a child whose pipe is closed ends in yet another way.
            assert_eq!(told.next("flushed "), None);
            let status = wait(&mut child);
            assert!(as_expected(&status), "{how}: {status:?}");
            assert_all_there(&desk, least, how);
            assert_journal_whole(&desk, least, how);
        }
    }
    println!("{CHILDREN} processes for each of {} ends", ends.len());
}

static HOSTS: AtomicBool = AtomicBool::new(false);

extern "C" fn hosts_handler(_signal: libc::c_int) {
    HOSTS.store(true, Ordering::Relaxed);
}

fn set(signal: i32, handler: libc::sighandler_t) {
    // SAFETY: a handler that stores to an atomic, or one of the system's.
    assert_ne!(unsafe { libc::signal(signal, handler) }, libc::SIG_ERR);
}

fn raise(signal: i32) {
    // SAFETY: sends a signal to the calling thread.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

#[test]
fn a_handler_of_the_host_decides_and_the_logs_are_flushed() {
    let test = "a_handler_of_the_host_decides_and_the_logs_are_flushed";
    if let Some(role) = role() {
        set(libc::SIGTERM, hosts_handler as *const () as libc::sighandler_t);
        set(libc::SIGINT, libc::SIG_IGN);
        let directories = role.split_once(' ').unwrap().1;
        let (log, guard) = builder(directories).handle_signals(true).build().unwrap();
        info!(log, "tick", n = 1);
        raise(libc::SIGINT);
        raise(libc::SIGTERM);
        assert!(HOSTS.load(Ordering::Relaxed), "the host's handler is called");
        let file = std::path::Path::new(directories.split_once(' ').unwrap().0).join("expert.log");
        support::until("the flush", || {
            std::fs::read_to_string(&file).unwrap().contains("] tick n=1")
        });
        info!(log, "tick", n = 2);
        drop(guard);
        std::process::exit(7);
    }
    let desk = Desk::new();
    let status = wait(&mut start(test, "host", &desk));
    assert_eq!(status.code(), Some(7), "{status:?}");
    assert_all_there(&desk, 2, "a handler of the host");
}

#[test]
fn after_the_end_and_in_a_forked_child_a_signal_does_what_it_always_does() {
    let test = "after_the_end_and_in_a_forked_child_a_signal_does_what_it_always_does";
    if let Some(role) = role() {
        // In the background of a script it is ignored, and would stay so.
        set(libc::SIGINT, libc::SIG_DFL);
        let directories = role.split_once(' ').unwrap().1;
        let (log, guard) = builder(directories).handle_signals(true).build().unwrap();
        info!(log, "tick", n = 1);
        // SAFETY: the child raises a signal and nothing else.
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            raise(libc::SIGTERM);
            std::process::exit(3);
        }
        let mut status = 0;
        // SAFETY: waits for the child, with room for its status.
        assert_eq!(unsafe { libc::waitpid(forked, &raw mut status, 0) }, forked);
        assert_eq!(ExitStatus::from_raw(status).signal(), Some(libc::SIGTERM));
        info!(log, "tick", n = 2);
        drop(guard);
        let (log, guard) = builder(directories).handle_signals(true).build().unwrap();
        info!(log, "tick", n = 3);
        drop(guard);
        println!("ended 3");
        raise(libc::SIGINT);
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let desk = Desk::new();
    let mut child = start(test, "fork", &desk);
    assert_eq!(Told::of(&mut child).next("ended "), Some(3));
    let status = wait(&mut child);
    assert_eq!(status.signal(), Some(libc::SIGINT), "{status:?}");
    assert_all_there(&desk, 3, "two engines and a fork");
}

#[test]
fn two_engines_are_both_written_out() {
    let test = "two_engines_are_both_written_out";
    if let Some(role) = role() {
        let (logs, rings) = role.split_once(' ').unwrap().1.split_once(' ').unwrap();
        let second = format!("{logs}/second {rings}");
        let (one, _guard) =
            builder(&format!("{logs} {rings}")).handle_signals(true).build().unwrap();
        let (two, _second) = builder(&second).handle_signals(true).build().unwrap();
        for n in 1..=2_000 {
            info!(one, "tick", n);
            info!(two, "tick", n);
        }
        raise(libc::SIGTERM);
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let desk = Desk::new();
    let status = wait(&mut start(test, "two", &desk));
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{status:?}");
    assert_all_there(&desk, 2_000, "the first engine");
    let second = support::lines(&desk.logs().join("second/expert.log"));
    assert_eq!(second.iter().filter(|line| line.contains("] tick ")).count(), 2_000);
}

#[test]
fn a_hangup_puts_the_file_in_force_that_has_changed() {
    let test = "a_hangup_puts_the_file_in_force_that_has_changed";
    if let Some(role) = role() {
        // Under `nohup` it is ignored, and would stay so.
        set(libc::SIGHUP, libc::SIG_DFL);
        let directories = role.split_once(' ').unwrap().1;
        let file = format!("{}.toml", directories.split_once(' ').unwrap().0);
        let with_signals = tapelog::MetaLogger::builder().config_file(file).handle_signals(true);
        let (logs, rings) = directories.split_once(' ').unwrap();
        let builder = with_signals.env_prefix("TAPELOG_NONE_").log_dir(logs).ring_dir(rings);
        let (log, guard) = builder.log_to_console(false).build().unwrap();
        let sign_in = |n: u64| {
            debug!(log, "tick", n = 2 * n - 1, pin = "p-1");
            info!(log, "tick", n = 2 * n, pin = "p-1");
        };
        sign_in(1);
        println!("ready 1");
        support::until("the level of the new file", || enabled!(log, Level::Debug));
        sign_in(2);
        drop(guard);
        return;
    }
    let desk = Desk::new();
    let file = format!("{}.toml", desk.logs().display());
    std::fs::write(&file, "log_level = \"info\"\n").unwrap();
    let mut child = start(test, "hup", &desk);
    let mut told = Told::of(&mut child);
    assert_eq!(told.next("ready "), Some(1));
    std::fs::write(&file, "log_level = \"debug\"\nmask_keys = [\"pin\"]\n").unwrap();
    send(&child, libc::SIGHUP);
    assert_eq!(told.next("ready "), None);
    let status = wait(&mut child);
    assert!(status.success(), "{status:?}");
    let lines = desk.lines("expert.log");
    let ticks: Vec<_> = lines.iter().filter_map(|line| line.split_once("] tick ")).collect();
    let shown: Vec<_> = ticks.iter().map(|(_, fields)| *fields).collect();
    assert_eq!(shown, ["n=2 pin=p-1", "n=3 pin=***", "n=4 pin=***"], "{lines:?}");
}

/// How long a file takes that does not answer.
const SLOW_READ: Duration = Duration::from_secs(20);

#[test]
fn a_file_that_does_not_answer_keeps_no_other_signal_waiting() {
    let test = "a_file_that_does_not_answer_keeps_no_other_signal_waiting";
    if let Some(role) = role() {
        set(libc::SIGHUP, libc::SIG_DFL);
        let (logs, rings) = role.split_once(' ').unwrap().1.split_once(' ').unwrap();
        let builder = tapelog::MetaLogger::builder().config_file(format!("{logs}.toml"));
        let builder = builder.handle_signals(true).env_prefix("TAPELOG_NONE_").log_dir(logs);
        let builder = builder.ring_dir(rings).log_to_console(false);
        let (log, _guard) = builder.build().unwrap();
        info!(log, "tick", n = 1);
        std::fs::rename(format!("{logs}.next"), format!("{logs}.toml")).unwrap();
        raise(libc::SIGHUP);
        let trace = std::path::Path::new(logs).with_file_name("trace");
        support::until("the file is read", || {
            std::fs::read_to_string(&trace).unwrap().contains("read(")
        });
        info!(log, "tick", n = 2);
        raise(libc::SIGTERM);
        std::thread::sleep(SLOW_READ / 2);
        println!("alive 1");
        return;
    }
    let desk = Desk::new();
    let [file, next, slow] =
        ["toml", "next", "slow"].map(|end| format!("{}.{end}", desk.logs().display()));
    std::fs::write(file, "log_level = \"info\"\n").unwrap();
    std::fs::write(&slow, "log_level = \"info\"\n").unwrap();
    std::os::unix::fs::symlink(&slow, next).unwrap();
    let trace = desk.path("trace");
    let delay = SLOW_READ.as_micros();
    let options = format!("-f -o {} -P {slow} -e inject=read:delay_enter={delay}", trace.display());
    let directories = format!("hang {} {}", desk.logs().display(), desk.ring_dir().display());
    let Some(output) = under_strace(&options, &child(test, &directories)) else { return };
    let seen = std::fs::read_to_string(trace).unwrap();
    assert!(seen.contains("read("), "the configuration is read again: {seen}");
    assert_eq!(output.status.signal(), Some(libc::SIGTERM), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("alive"), "{output:?}");
    assert_all_there(&desk, 2, "a signal while the file does not answer");
}

#[test]
fn a_file_that_does_not_answer_does_not_hold_the_end_for_ever() {
    const TEST: &str = "a_file_that_does_not_answer_does_not_hold_the_end_for_ever";
    if let Some(logs) = role() {
        let builder = support::builder(logs.as_ref()).shutdown_timeout(Duration::from_millis(100));
        let (log, guard) = builder.build().unwrap();
        info!(log, "entry");
        log.flush(PATIENCE).unwrap();
        let begun = std::time::Instant::now();
        drop(guard);
        let took = begun.elapsed();
        assert!(took > Duration::from_secs(4), "the file was asked: {took:?}");
        assert!(took < Duration::from_secs(25), "and not waited for: {took:?}");
        let again = support::builder(logs.as_ref()).build();
        assert!(again.is_err(), "who is left behind keeps the directory");
        return;
    }
    let desk = Desk::new();
    let segment = desk.logs().join("journal/00000000000000000001.tape");
    // The drain's last call for a segment: it cuts the file to what is written.
    let slow = format!(
        "-f -o /dev/null -P {} -e inject=ftruncate:delay_enter=30000000:when=1",
        segment.display()
    );
    let test = child(TEST, &desk.logs().display().to_string());
    let Some(output) = under_strace(&slow, &test) else { return };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("tapelog-drain does not end"), "{told}");
}

#[test]
fn without_the_parameter_nothing_is_installed() {
    let test = "without_the_parameter_nothing_is_installed";
    let caught = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
        u64::from_str_radix(mask, 16).unwrap()
    };
    if let Some(role) = role() {
        let before = caught();
        let (_log, guard) = builder(role.split_once(' ').unwrap().1).build().unwrap();
        let bits = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP].map(|signal| 1_u64 << (signal - 1));
        let ours = bits.iter().sum::<u64>();
        assert_eq!((before & ours, caught() & ours), (0, 0));
        drop(guard);
        return;
    }
    let desk = Desk::new();
    let mut child: Child = start(test, "none", &desk);
    assert!(wait(&mut child).success());
}
