//! A thread of the writer that panics goes on: nothing is lost, repeated or out of order, no call
//! waits for it, and an entry tells where it was.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "getrusage of the calling thread")]

mod support;

#[path = "support/calls.rs"]
mod calls;
#[path = "recovery/check.rs"]
mod check;
#[path = "support/panics.rs"]
mod panics;
#[path = "writer_panics/three_times.rs"]
mod three_times;

use std::net::UdpSocket;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use calls::{Calls, beside_empty_calls, ticks_per_microsecond};
use check::{check, in_the_logs, kind, mark, try_entry};
use panics::panic_again;
use support::{Desk, PATIENCE, child, number, role, run, until};
use tapelog::testing::{CrashPoint, capture, panic_at};
use tapelog::{Backtrace, Builder, Level, MetaLogger, SyncPolicy, Threading, context, error, info};

/// One wish at a time is granted in a process.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often a thread panics at each point.
fn panics() -> u64 {
    support::times("TEST_PANICS", 5)
}

/// Small parts, so that every point is passed soon. The engine's other entries are left out.
fn builder(desk: &Desk, threading: Threading) -> Builder {
    desk.builder()
        .threading(threading)
        .ring_bytes(1_u64 << 20)
        .block_bytes(8_u32 << 10)
        .journal_segment_bytes(512_u64 << 10)
        .journal_segments(256_u32)
        .log_max_file_size(256_u64 << 10)
        .log_backup_count(1_000_u32)
}

/// What the producers did.
#[derive(Debug, Default)]
struct Load {
    accepted: Vec<u64>,
    calls: u64,
}

/// Logs with two threads while `meanwhile` runs, and holds the calls to 10 ms.
fn load(log: &MetaLogger, meanwhile: impl FnOnce()) -> Load {
    let stop = AtomicBool::new(false);
    let per_microsecond = ticks_per_microsecond();
    let (threads, control_max) = beside_empty_calls(|| {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|thread| {
                    let (log, stop) = (&log, &stop);
                    scope.spawn(move || {
                        let bound = log.bind(context! { strategy = "grid", thread });
                        let (mut sequence, mut calls) = (0, Calls::new(per_microsecond));
                        while !stop.load(Ordering::Relaxed) {
                            let mark = mark(thread, sequence);
                            let pushed = calls.time(|| try_entry!(bound, sequence, mark)).0;
                            sequence += u64::from(pushed.is_ok());
                            if calls.timed.is_multiple_of(calls::BATCH) {
                                thread::sleep(Duration::from_micros(500));
                            }
                        }
                        (sequence, calls)
                    })
                })
                .collect();
            meanwhile();
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        })
    });
    let mut load = Load::default();
    for (accepted, calls) in threads {
        println!(
            "longest call {:.0} us, longest empty call at the same time {:.0} us, {} excused",
            calls.longest as f64 / per_microsecond,
            control_max as f64 / per_microsecond,
            calls.excused,
        );
        calls.check();
        load.accepted.push(accepted);
        load.calls += calls.timed;
    }
    load
}

/// Has the thread that passes `point` panic so many times.
fn panic_often(log: &MetaLogger, point: CrashPoint, times: u64) {
    for done in 0..times {
        panic_at(point, 1 + (done as u32 * 7) % 5);
        until(&format!("a panic at {point:?}"), || log.stats().writer_panics > done);
    }
}

/// `accepted + lost = calls` to the last, and every panic is told once.
fn account(desk: &Desk, log: &MetaLogger, load: &Load, point: CrashPoint, thread: &str) {
    let stats = log.stats();
    let accepted: u64 = load.accepted.iter().sum();
    assert_eq!(accepted + stats.lost.total(), load.calls, "{point:?}: {stats:?}");
    assert_eq!(stats.writer_panics, panics(), "{point:?}");
    let told = told(desk);
    assert_eq!(told.len() as u64, panics(), "{point:?}: {told:?}");
    assert_eq!(stats.accepted, accepted + panics(), "{point:?}: {stats:?}");
    assert_eq!((stats.journaled, stats.shown), (stats.accepted, stats.accepted), "{point:?}");
    // A segment that a panic has left is cut by the drain, and by nobody else.
    assert_eq!((stats.in_memory_records, stats.file_errors), (0, 0), "{point:?}: {stats:?}");
    for line in &told {
        assert!(
            line.contains("[CRITICAL ]") && line.contains(&format!("at {point:?}\"")),
            "{line}"
        );
        assert!(line.contains(&format!(" thread={thread} ")), "{line}");
    }
    // In a drain that is behind by more than the order window, one may be late.
    let mut numbers: Vec<_> = told.iter().map(|line| number(line, "panics")).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=panics()), "{point:?}: {told:?}");
}

/// The entries that tell panics of the writer.
fn told(desk: &Desk) -> Vec<String> {
    let lines = desk.lines("errors.log").into_iter();
    lines.filter(|line| line.contains("] logger.writer_panic ")).collect()
}

fn goes_on(point: CrashPoint, threading: Threading, thread: &str) {
    let desk = Desk::new();
    let (log, guard) = builder(&desk, threading).build().unwrap();
    let load = load(&log, || panic_often(&log, point, panics()));
    log.flush(PATIENCE).unwrap();
    drop(guard);
    account(&desk, &log, &load, point, thread);
    assert_eq!(check(&desk, 2, &load.accepted, kind), load.accepted, "{point:?}");
    println!(
        "row 09: {} panics at {point:?} ({threading:?}), {} calls, {} lost",
        panics(),
        load.calls,
        log.stats().lost.total()
    );
}

#[test]
fn row_09_the_drain_goes_on_after_a_panic_at_any_point() {
    let _turn = turn();
    for threading in [Threading::Dedicated, Threading::Shared] {
        for point in [
            CrashPoint::FramesWritten,
            CrashPoint::CursorWritten,
            CrashPoint::PassDone,
            CrashPoint::SegmentBegun,
        ] {
            goes_on(point, threading, "tapelog-drain");
        }
    }
}

#[test]
fn row_09_the_views_go_on_after_a_panic_at_any_point() {
    let _turn = turn();
    for threading in [Threading::Dedicated, Threading::Shared] {
        for point in [
            CrashPoint::EntriesRendered,
            CrashPoint::BatchNoted,
            CrashPoint::BatchWritten,
            CrashPoint::FileRenamed,
        ] {
            goes_on(point, threading, "tapelog-view");
        }
    }
}

#[test]
fn row_09_the_janitor_goes_on_after_a_panic_at_any_point() {
    let _turn = turn();
    for point in [CrashPoint::SegmentUnnamed, CrashPoint::SegmentHeaded, CrashPoint::SegmentNamed] {
        let desk = Desk::new();
        // Few segments, so that they are made anew out of old ones.
        let (log, guard) =
            builder(&desk, Threading::Dedicated).journal_segments(4_u32).build().unwrap();
        let load = load(&log, || panic_often(&log, point, panics()));
        log.flush(PATIENCE).unwrap();
        drop(guard);
        account(&desk, &log, &load, point, "tapelog-janitor");
        assert_eq!(in_the_logs(&desk.logs(), 2, kind), load.accepted, "{point:?}");
        let tapes = std::fs::read_dir(desk.logs().join("journal")).unwrap();
        let tapes = tapes.filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().contains(".tape")
        });
        assert!(tapes.count() <= 4, "no segment is forgotten");
        println!("row 09: {} panics at {point:?}, {} calls", panics(), load.calls);
    }
}

#[test]
fn row_09_the_syncer_goes_on_after_a_panic() {
    let _turn = turn();
    let desk = Desk::new();
    let every = SyncPolicy::Interval(Duration::from_millis(10));
    let (log, guard) = builder(&desk, Threading::Dedicated).sync(every).build().unwrap();
    let point = CrashPoint::JournalSynced;
    let load = load(&log, || panic_often(&log, point, panics()));
    log.flush(PATIENCE).unwrap();
    let before = log.stats().syncs;
    until("another round", || log.stats().syncs > before);
    drop(guard);
    account(&desk, &log, &load, point, "tapelog-sync");
    assert_eq!(log.stats().synced_records, log.stats().journaled);
    println!("row 09: {} panics at {point:?}, {} syncs", panics(), log.stats().syncs);
}

/// A receiver of syslog messages, and a logger's builder that sends them there.
fn with_receiver(desk: &Desk) -> (UdpSocket, Builder) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let url = format!("udp://{}", socket.local_addr().unwrap());
    let builder = builder(desk, Threading::Dedicated).syslog(url).syslog_level(Level::Info);
    (socket, builder)
}

#[test]
fn row_09_every_message_goes_to_syslog_although_its_thread_panics() {
    let _turn = turn();
    let desk = Desk::new();
    let (socket, builder) = with_receiver(&desk);
    let (log, guard) = builder.build().unwrap();
    // The system keeps a hundred of them or so for a reader that is late: no more are under way.
    let (read, messages) = std::sync::mpsc::channel();
    let came = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&came);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(bytes) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
            count.fetch_add(1, Ordering::Relaxed);
            if read.send(text).is_err() {
                return;
            }
        }
    });
    let mut sent = 0;
    for done in 0..panics() {
        panic_at(CrashPoint::MessagesTaken, 1);
        until("a panic", || {
            if sent + done < came.load(Ordering::Relaxed) + 50 {
                info!(log, "message", sent);
                sent += 1;
            }
            log.stats().writer_panics > done
        });
        until("messages behind a panic", || log.stats().syslog_sent > sent);
    }
    log.flush(PATIENCE).unwrap();
    let mut next = 0;
    while next < sent {
        let text = messages.recv_timeout(PATIENCE).unwrap();
        if text.contains("logger.writer_panic") {
            continue;
        }
        assert!(text.contains(&format!("sent=\"{next}\"")), "{next}: {text}");
        next += 1;
    }
    drop(guard);
    assert_eq!(log.stats().syslog_dropped, 0);
    assert_eq!(told(&desk).len() as u64, panics());
    println!("row 09: {} panics of the syslog thread, {sent} messages, each came once", panics());
}

#[test]
fn row_09_backtraces_have_names_again_after_a_panic_of_their_thread() {
    let _turn = turn();
    let desk = Desk::new();
    let builder = builder(&desk, Threading::Dedicated).backtrace(Backtrace::Error);
    let (log, guard) = builder.build().unwrap();
    panic_at(CrashPoint::SymbolsAsked, 1);
    let mut logged = 0;
    until("a name", || {
        error!(log, "traced", logged);
        logged += 1;
        log.flush(PATIENCE).unwrap();
        let lines = desk.lines("errors.log").into_iter();
        let mut traced = lines.filter(|line| line.contains("] traced "));
        traced.next_back().unwrap().contains("row_09_backtraces_have_names")
    });
    drop(guard);
    assert_eq!((log.stats().writer_panics, told(&desk).len()), (1, 1));
    println!("row 09: 1 panic of the thread for names, {logged} entries until they were back");
}

#[test]
fn row_09_panics_in_a_row_back_off_and_calls_do_not_wait() {
    let test = "row_09_panics_in_a_row_back_off_and_calls_do_not_wait";
    if role().is_none() {
        print!("{}", String::from_utf8_lossy(&run(child(test, "panics")).stdout));
        return;
    }
    let desk = Desk::new();
    let (log, guard) = builder(&desk, Threading::Dedicated).build().unwrap();
    let begun = Instant::now();
    panic_again(CrashPoint::FramesWritten, u64::MAX);
    let load = load(&log, || thread::sleep(Duration::from_secs(3)));
    let (panics, lasted) = (log.stats().writer_panics, begun.elapsed());
    // 1 + 2 + … + 512 ms are a second, then one comes each second.
    let most = 11 + lasted.as_secs();
    assert!((9..=most).contains(&panics), "{panics} panics in {lasted:?}");
    let _quiet = panic::take_hook();
    panic_at(CrashPoint::RingSetAside, 1);
    log.flush(PATIENCE).unwrap();
    drop(guard);
    let (stats, accepted) = (log.stats(), load.accepted.iter().sum::<u64>());
    assert_eq!(accepted + stats.lost.total(), load.calls);
    assert!(stats.lost.full > 0, "the ring was full meanwhile: {stats:?}");
    assert_eq!(check(&desk, 2, &load.accepted, kind), load.accepted);
    let lines = desk.lines("expert.log");
    let gaps: u64 = lines
        .iter()
        .filter(|line| line.contains("logger.gap"))
        .map(|line| number(line, "lost"))
        .sum();
    assert_eq!(gaps, stats.lost.total(), "all of them are told");
    assert!(!told(&desk).is_empty());
    println!("row 09: {panics} panics in a row in 3 s, {} calls, {gaps} lost and told", load.calls);
}

#[test]
fn row_09_an_entry_whose_rendering_panics_is_shown_by_the_next_attempt() {
    let _turn = turn();
    let (log, captured) = capture();
    for times in 1..=8 {
        panic_at(CrashPoint::EntryShown, times);
        for number in 0..8_u64 {
            info!(log, "entry", number);
        }
        let entries = captured.entries();
        let numbers = entries.iter().filter(|entry| entry.event == "entry");
        let numbers: Vec<_> = numbers.map(|entry| entry.fields["number"].clone()).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7"], "{times}");
        assert_eq!(log.stats().writer_panics, u64::from(times));
        captured.clear();
    }
}

#[test]
fn row_09_the_hosts_hook_comes_first_and_a_panic_is_told_once() {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let test = "row_09_the_hosts_hook_comes_first_and_a_panic_is_told_once";
    if role().is_none() {
        let output = run(child(test, "panics"));
        let notices = String::from_utf8_lossy(&output.stderr).matches("tapelog: thread").count();
        assert_eq!(notices, 1, "{output:?}");
        return;
    }
    let desk = Desk::new();
    let (log, guard) = {
        let errors = desk.logs().join("errors.log");
        panic::set_hook(Box::new(move |_| {
            let told = std::fs::read_to_string(&errors).unwrap_or_default();
            let told = told.matches("logger.writer_panic").count() as u64;
            assert_eq!(told, SEEN.fetch_add(1, Ordering::Relaxed), "the entry comes behind");
        }));
        builder(&desk, Threading::Dedicated).panic_hook(true).build().unwrap()
    };
    for (done, point) in [CrashPoint::PassDone, CrashPoint::FramesWritten, CrashPoint::PassDone]
        .into_iter()
        .enumerate()
    {
        let begun = Instant::now();
        panic_at(point, 1);
        until("a panic", || {
            info!(log, "entry", done);
            log.stats().writer_panics > done as u64
        });
        log.flush(PATIENCE).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits for nobody");
    }
    drop(guard);
    let lines = desk.lines("errors.log");
    assert_eq!(
        (SEEN.load(Ordering::Relaxed), lines.len(), told(&desk).len()),
        (3, 3, 3),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| line.contains(" location=src/crash.rs:")), "{lines:?}");
    println!("row 09: 3 panics with panic_hook = true, each told once");
}
