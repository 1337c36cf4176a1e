//! Several loggers live in one process, each in a directory of its own; a directory has one owner,
//! and logger, guard and producer may go in any order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};
use support::{Desk, PATIENCE, child, files, number, role, until};
use tapelog::testing::hold_drain;
use tapelog::{
    Builder, Guard, Level, MetaLogger, PushError, StartError, context, critical, info, trade,
    try_info,
};

#[test]
fn loggers_in_different_directories_do_not_mix() {
    let desks: Vec<_> = (0..4).map(|_| Desk::new()).collect();
    let loggers: Vec<(MetaLogger, Guard)> =
        desks.iter().map(|desk| desk.builder().build().unwrap()).collect();
    thread::scope(|scope| {
        for thread in 0..3_u64 {
            let loggers = &loggers;
            scope.spawn(move || {
                for sequence in 0..1_000_u64 {
                    for (desk, (log, _)) in loggers.iter().enumerate() {
                        info!(log, "entry", desk, thread, sequence);
                    }
                }
            });
        }
    });
    for (log, _) in &loggers {
        log.flush(PATIENCE).unwrap();
        let stats = log.stats();
        assert_eq!((stats.accepted, stats.lost.total()), (3_000, 0));
    }
    drop(loggers);
    for (index, desk) in desks.iter().enumerate() {
        let lines = desk.lines("expert.log");
        assert_eq!(lines.len(), 3_000);
        assert!(lines.iter().all(|line| number(line, "desk") == index as u64));
    }
}

#[test]
fn a_context_of_another_engine_comes_with_the_record() {
    let (here, there) = (Desk::new(), Desk::new());
    let (log, guard) = here.builder().build().unwrap();
    let (other, other_guard) = there.builder().build().unwrap();
    let bound = other.bind(context! { symbol = "BTCUSDT", category = "trade" });
    let producer = log.producer();
    info!(producer.with(&bound), "a guest", number = 1);
    drop((guard, other_guard));
    assert!(
        here.lines("expert.log")[0].ends_with("a guest number=1 symbol=BTCUSDT category=trade")
    );
    assert_eq!(here.lines("trades.log").len(), 1);
    assert!(there.lines("expert.log").is_empty());
}

#[test]
fn a_second_logger_in_the_same_directory_is_refused_with_advice() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let error = desk.builder().build().expect_err("the directory is taken");
    let text = error.to_string();
    assert!(matches!(error, StartError::InUse { .. }));
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    assert!(text.contains("share the running logger by cloning it"), "{text}");
    info!(log, "unharmed");
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 1);
    let (_log, _guard) = desk.builder().build().expect("free again");
}

#[test]
fn row_08_a_second_process_is_told_the_owners_pid_and_what_to_do() {
    if let Some(directory) = role() {
        let error = support::builder(directory.as_ref()).build().expect_err("it is taken");
        println!("refused: {error}");
        return;
    }
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let test = "row_08_a_second_process_is_told_the_owners_pid_and_what_to_do";
    let mut command = child(test, &desk.logs().display().to_string());
    let output = command.stderr(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("log_dir = logs/<name>"), "{text}");
    info!(log, "unharmed");
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 1);
}

#[test]
fn logger_guard_and_producer_go_in_any_order() {
    for order in 0..6 {
        let desk = Desk::new();
        let (log, guard) = desk.builder().build().unwrap();
        let (mut log, mut guard) = (Some(log), Some(guard));
        let mut producer = log.as_ref().map(MetaLogger::producer);
        let bound = log.as_ref().map(|log| log.bind(context! { symbol = "BTCUSDT" }));
        info!(log.as_ref().unwrap(), "one");
        info!(producer.as_ref().unwrap(), "two");
        let orders = ["lgp", "lpg", "glp", "gpl", "plg", "pgl"];
        let mut ended = false;
        let mut expected = 2;
        for part in orders[order].chars() {
            match part {
                'l' => log = None,
                'p' => producer = None,
                _ => (guard, ended) = (None, true),
            }
            for pushed in [
                log.as_ref().map(|log| try_info!(log, "logger")),
                producer.as_ref().map(|producer| try_info!(producer, "producer")),
            ] {
                match pushed {
                    Some(Ok(())) if !ended => expected += 1,
                    Some(Err(PushError::Closed)) if ended => {}
                    None => {}
                    other => panic!("{} after {part}: {other:?}", orders[order]),
                }
            }
        }
        drop((bound, guard));
        assert_eq!(desk.lines("expert.log").len(), expected, "{}", orders[order]);
    }
}

#[test]
fn a_guard_steers_the_engine_as_its_logger_does() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "before");
    guard.flush(PATIENCE).unwrap();
    assert_eq!(desk.lines("expert.log").len(), 1);
    guard.rotate();
    guard.set_level(Level::Error);
    info!(log, "not kept");
    critical!(log, "behind");
    guard.sync().unwrap();
    assert_eq!(guard.stats().accepted, 2);
    assert!(guard.stats().syncs >= 1);
    assert_eq!(files(&desk.logs().join("expert.log")).len(), 2, "rotated once");
    guard.shutdown();
    critical!(log, "refused");
    assert_eq!(log.stats().lost.closed, 1);
}

#[test]
fn what_is_logged_after_the_guard_is_refused_and_counted() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "in time");
    guard.shutdown();
    for _ in 0..10 {
        assert_eq!(try_info!(log, "too late"), Err(PushError::Closed));
    }
    trade!(log, "a trade, too late");
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(try_info!(log, "from a new thread"), Err(PushError::Closed)));
    });
    assert_eq!(try_info!(log.producer(), "by a new producer"), Err(PushError::Closed));
    let stats = log.stats();
    assert_eq!((stats.accepted, stats.lost.closed, stats.lost.trade), (1, 13, 1));
    assert_eq!(desk.lines("expert.log").len(), 1);
    let _bound = log.bind(context! { symbol = "BTCUSDT" });
    log.flush(Duration::from_millis(1)).ok();
}

#[test]
fn a_guard_dropped_while_threads_log_loses_nothing_that_was_accepted() {
    for round in 0..10 {
        let desk = Desk::new();
        let (log, guard) = desk.builder().build().unwrap();
        let (accepted, calls, stop) =
            (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for thread in 0..3_u64 {
                let (log, accepted, calls, stop) = (log.clone(), &accepted, &calls, &stop);
                scope.spawn(move || {
                    let mut sequence = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        calls.fetch_add(1, Ordering::Relaxed);
                        match try_info!(log, "entry", thread, sequence) {
                            Ok(()) => {
                                accepted.fetch_add(1, Ordering::Relaxed);
                                sequence += 1;
                            }
                            Err(PushError::Closed) => break,
                            Err(_) => {}
                        }
                    }
                });
            }
            until("some records", || accepted.load(Ordering::Relaxed) > 2_000 * (round + 1));
            drop(guard);
            stop.store(true, Ordering::Relaxed);
        });
        let stats = log.stats();
        let (accepted, calls) = (accepted.into_inner(), calls.into_inner());
        // A thread that pauses inside a push for longer than 10 ms ends it in the ring's file, which
        // is then kept for recovery.
        let left_in_ring = accepted - stats.accepted;
        assert!(left_in_ring <= 3 * desk.rings() as u64, "{left_in_ring} records are nowhere");
        assert_eq!(accepted + stats.lost.total(), calls);
        let lines = desk.lines("expert.log");
        let entries = lines.iter().filter(|line| line.contains("] entry "));
        assert_eq!(entries.count() as u64, stats.accepted, "round {round}");
    }
}

#[test]
fn row_08_of_many_starters_exactly_one_owns_the_directory_and_the_others_are_told_who() {
    let test = "row_08_of_many_starters_exactly_one_owns_the_directory_and_the_others_are_told_who";
    if let Some(directory) = role() {
        let built = support::builder(directory.as_ref()).ring_bytes(1_u64 << 20).build();
        match &built {
            Ok(_) => println!("\nstarter owns"),
            Err(error) => println!("\nstarter refused: {error}"),
        }
        // Until the parent has heard everybody.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let starts = support::times("TEST_STARTS", 20);
    for round in 0..starts {
        let desk = Desk::new();
        let starters = (0..2 + round % 7).map(|_| {
            let mut command = child(test, &desk.logs().display().to_string());
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            command.spawn().unwrap()
        });
        let mut starters: Vec<_> = starters.collect();
        let mut owners = Vec::new();
        let mut refusals = Vec::new();
        for starter in &mut starters {
            let lines = BufReader::new(starter.stdout.as_mut().unwrap()).lines();
            let mut told = lines.map_while(Result::ok).filter(|line| line.starts_with("starter "));
            match told.next().expect("an answer") {
                line if line == "starter owns" => owners.push(starter.id()),
                line => refusals.push(line),
            }
        }
        for mut starter in starters {
            drop(starter.stdin.take());
            support::wait(&mut starter);
        }
        let [owner] = owners[..] else { panic!("round {round}: {owners:?} own it") };
        for refusal in refusals {
            assert!(refusal.contains(&format!("process {owner}")), "{owner}: {refusal}");
        }
    }
    println!("row 08: {starts} starts of 2 to 8 processes, one owner each");
}

/// The user that has few threads.
const USER: u32 = 64_986;

/// A ring that takes more than a journal of few segments.
fn small_journal(logs: &Path, rings: &Path, segments: u32) -> Builder {
    let builder = support::builder(logs).ring_dir(rings).ring_bytes(8_u64 << 20);
    let builder = builder.block_bytes(64_u32 << 10).journal_segment_bytes(512_u64 << 10);
    builder.journal_segments(segments)
}

/// In the child: dies with a ring full of entries that are in no file.
fn die_with_a_full_ring(logs: &Path, rings: &Path) {
    let (log, _guard) = small_journal(logs, rings, 4).build().unwrap();
    let held = hold_drain(&log);
    assert!(held.is_still());
    let count = (0_u64..).take_while(|&number| try_info!(log, "entry", number).is_ok()).count();
    println!("\nentries {count}");
    kill_process(getpid(), Signal::KILL).unwrap();
}

fn limit_threads(threads: u64) {
    let hard = rustix::process::getrlimit(Resource::Nproc).maximum;
    setrlimit(Resource::Nproc, Rlimit { current: Some(threads), maximum: hard }).unwrap();
}

/// In the child: a start that gets no thread for the views.
fn start_without_views(logs: &Path, rings: &Path, count: u64) {
    // One fewer than a start needs.
    let empty = Desk::new();
    let starts = |&threads: &u64| {
        limit_threads(threads);
        empty.builder().build().is_ok()
    };
    let threads = (1..).find(starts).unwrap() - 1;
    limit_threads(threads);
    let began = Instant::now();
    let error = small_journal(logs, rings, 4).build().expect_err("a thread less than it needs");
    assert!(error.to_string().contains("a thread"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "the drain has waited for views");
    limit_threads(1_000);
    let (log, guard) = small_journal(logs, rings, 64).build().expect("a free directory");
    info!(log, "behind them");
    log.flush(PATIENCE).unwrap();
    drop(guard);
    let lines = support::lines(&logs.join("expert.log"));
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    let numbers: Vec<_> = entries.map(|line| number(line, "number")).collect();
    assert!(numbers.into_iter().eq(0..count), "each once and in order");
}

#[test]
fn row_14_a_start_that_gets_no_thread_for_the_views_leaves_nobody_in_the_directory() {
    const TEST: &str =
        "row_14_a_start_that_gets_no_thread_for_the_views_leaves_nobody_in_the_directory";
    if let Some(role) = role() {
        // A user that has no other thread: this one alone counts.
        let user = rustix::process::Uid::from_raw(USER);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        let parts: Vec<_> = role.split(' ').collect();
        let (logs, rings) = (Path::new(parts[0]), Path::new(parts[1]));
        return match parts.get(2) {
            None => die_with_a_full_ring(logs, rings),
            Some(count) => start_without_views(logs, rings, count.parse().unwrap()),
        };
    }
    if !rustix::process::geteuid().is_root() {
        return support::skip(format_args!("row 14: only root can become a user of its own"));
    }
    let desk = Desk::new();
    for directory in [&*desk.path(""), desk.ring_dir().parent().unwrap()] {
        std::os::unix::fs::chown(directory, Some(USER), None).unwrap();
    }
    let role = format!("{} {}", desk.logs().display(), desk.ring_dir().display());
    let died = child(TEST, &role).output().unwrap();
    let told = String::from_utf8(died.stdout).unwrap();
    let count: u64 = told.split("entries ").nth(1).unwrap().trim().parse().unwrap();
    support::run(child(TEST, &format!("{role} {count}")));
    println!("row 14: no thread for the views, {count} entries recovered by the next start");
}
