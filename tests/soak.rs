//! Row 21: a trading loop logs 100,000 records a second while its logs rotate and everything around it
//! goes wrong, at random. No call takes longer than 10 ms, every call is accounted for, memory,
//! descriptors and disk stay within their bounds, and what is left at each tenth stands there once.
//!
//! A minute; `TEST_SOAK_SECONDS` asks for more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "getrusage, malloc_trim, mallinfo2")]

mod support;

#[path = "support/calls.rs"]
mod calls;
#[path = "support/capabilities.rs"]
mod capabilities;
#[path = "support/flat.rs"]
mod flat;
#[path = "support/meddling.rs"]
mod meddling;
#[path = "soak/trader.rs"]
mod trader;
#[path = "soak/troubles.rs"]
mod troubles;

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use calls::{Calls, beside_empty_calls, ticks_per_microsecond};
use flat::Taken;
use support::disk::{Disk, Kind, bytes_below};
use support::{Desk, PATIENCE, child, role};
use tapelog::reading::Journal;
use tapelog::{Builder, MetaLogger, Stats};
use trader::{Pushed, Signs};
use troubles::Troubles;

/// The logs; one in a directory of its own, which can be taken away.
const FILES: [&str; 3] = ["sub/expert.log", "trades.log", "errors.log"];

const TEST: &str = "row_21_a_trading_loop_goes_on_whatever_happens_around_it";

/// Small files, so that they rotate all the time and the whole has room on a small disk.
fn builder(logs: &Path, rings: &Path) -> Builder {
    support::builder(logs)
        .ring_dir(rings)
        .log_file(FILES[0])
        .ring_bytes(1_u64 << 20)
        .journal_segment_bytes(1_u64 << 20)
        .journal_segments(8_u32)
        .log_max_file_size(1_u64 << 20)
        .log_backup_count(2_u32)
        .disk_reserve(0_u64)
}

/// What the trading loop and what timed it came to.
struct Traded {
    pushed: Pushed,
    calls: Calls,
    control_max: u64,
}

/// Has the trading loop stop, waits until nothing is wrong any more and everything is in the logs, and
/// looks.
fn calm(log: &MetaLogger, signs: &Signs, logs: &Path) -> Taken {
    let began = Instant::now();
    signs.pause.store(true, Ordering::Relaxed);
    while log.stats().degraded.is_some() {
        assert!(began.elapsed() < PATIENCE, "it does not recover: {:?}", log.stats());
        thread::sleep(Duration::from_millis(10));
    }
    log.flush(PATIENCE).unwrap();
    let taken = Taken::now();
    nothing_twice(logs);
    signs.pause.store(false, Ordering::Relaxed);
    taken
}

/// No entry of the trading loop stands twice in what is left of a log.
fn nothing_twice(logs: &Path) {
    for log in FILES {
        let mut numbers = HashSet::new();
        // A rotation may go on meanwhile: what it moves goes to files that were read before.
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        for text in support::files(&logs.join(log)).into_iter().map(read) {
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            for (line, number) in whole.lines().filter_map(|line| Some((line, number_of(line)?))) {
                assert!(numbers.insert(number), "{log}: it stands there twice: {line}");
            }
        }
    }
}

/// The number of the trading loop's entry that a line is.
fn number_of(line: &str) -> Option<u64> {
    if line.starts_with('{') {
        return support::json(line)["number"].as_u64();
    }
    let event = line.split("] ").nth(2)?;
    let its = ["tick", "quote", "filled", "order", "the feed"];
    let its = its.iter().any(|its| event.starts_with(its));
    its.then(|| support::number(line, "number"))
}

/// Every line of every log is whole.
fn whole_lines(logs: &Path) -> u64 {
    let mut count = 0;
    for log in FILES {
        for line in support::lines(&logs.join(log)) {
            count += 1;
            if log == "trades.log" {
                let entry = support::json(&line);
                assert!(entry["end"] == "whole" || entry["event"] == "logger.gap", "{line}");
                continue;
            }
            assert!(line.starts_with('['), "{log}: {line}");
            let ours = ["tick", "quote", "filled", "burst", "order", "the feed"];
            let event = line.split("] ").nth(2).unwrap_or_default();
            if ours.iter().any(|ours| event.starts_with(ours)) {
                assert!(line.contains(" end=whole"), "{log}: {line}");
            }
        }
    }
    count
}

/// So many entries of its own the engine makes of each trouble at most, in the mean.
const OWN_MAX: u64 = 10;
/// So many lines that tell of refused calls: one for each pass of the drain that has met some.
const GAPS_MAX: u64 = 100;
/// So many lines of a log that lost its name count twice, as written and as missing, in the mean: twice
/// what the trading loop logs between two looks at the name, because rings are filled as well.
const NAMELESS_MAX: u64 = 50_000;
/// And so many more in all: few such times have no mean.
const BURST_MAX: u64 = 250_000;

/// Every call is accounted for.
fn accounted(pushed: Pushed, stats: &Stats, troubles: &Troubles) {
    assert_eq!(stats.lost.total(), pushed.refused, "{stats:?}");
    // The engine's own entries are accepted, too.
    let (own, all) = (stats.accepted.checked_sub(pushed.accepted), troubles.all);
    let own = own.expect("what was accepted is counted");
    assert!(own <= OWN_MAX * all, "{own} entries of {all} troubles: {stats:?}");
    assert_eq!(stats.journaled, stats.accepted, "{stats:?}");
    assert_eq!(stats.shown + stats.unreadable, stats.journaled, "{stats:?}");
    // What a log lacks is counted; of a record that could not be read any more, it is all of its lines.
    let lines = stats.log_lines + stats.log_lines_missed;
    let nameless = troubles.nameless;
    println!(
        "{lines} lines in logs or missed, of {} and {own} entries of the engine's own, {} unreadable; \
         {nameless} times a log lost its name",
        pushed.lines, stats.unreadable
    );
    assert!(lines + 2 * stats.unreadable >= pushed.lines, "{lines} of {}: {stats:?}", pushed.lines);
    // And no more, save for what the engine says itself, and for what counts twice.
    let twice = NAMELESS_MAX * nameless + BURST_MAX * u64::from(nameless > 0);
    let most = pushed.lines + 2 * own + GAPS_MAX * all + twice;
    assert!(lines <= most, "{lines} lines, at most {most}: {stats:?}");
}

#[test]
fn row_21_a_trading_loop_goes_on_whatever_happens_around_it() {
    match role().as_deref() {
        None => quietly(child(TEST, "soak")),
        Some("soak") => soak(),
        Some(logs) => match support::builder(logs.as_ref()).build() {
            Err(error) => println!("refused: {error}"),
            Ok(_) => println!("it was given the directory of another"),
        },
    }
}

/// Runs a child without the entries that it shows where it cannot write them. Its allocator keeps
/// nothing of what was freed, so that its memory is what it uses.
fn quietly(mut command: Command) {
    for (key, value) in [("ARENA_MAX", "1"), ("MMAP_THRESHOLD_", "65536"), ("TRIM_THRESHOLD_", "0")]
    {
        command.env(format!("MALLOC_{key}"), value);
    }
    // Where panics are made, the names in their backtraces would be most of the memory.
    command.env("RUST_BACKTRACE", "0");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if !line.starts_with(['[', '{']) {
            eprintln!("{line}");
        }
    }
    assert!(child.wait().unwrap().success());
}

fn soak() {
    let lasts = Duration::from_secs(support::times("TEST_SOAK_SECONDS", 60));
    let desk = Desk::new();
    let disk = Disk::mount(Kind::Ext4, &desk.path(""), "disk");
    if let Err(reason) = &disk {
        support::skip(format_args!("row 21: no disk can be filled here ({})", reason.trim()));
    }
    // Root would read and write what has no permissions.
    capabilities::obey_modes();
    let disk = disk.ok();
    let home = disk.as_ref().map_or(desk.path("home"), |disk| disk.path().to_owned());
    let logs = home.join("logs");
    let builder = builder(&logs, &desk.ring_dir());
    let bounds = builder.configuration().unwrap().disk_bytes_max();
    let (log, guard) = builder.build().unwrap();
    let mut troubles = Troubles::new(&log, &home, &logs, disk.as_ref());

    let per_microsecond = ticks_per_microsecond();
    let (signs, began) = (Signs::default(), Instant::now());
    let (traded, disk_max, tenths) = thread::scope(|scope| {
        let trader = scope.spawn(|| {
            let mut calls = Calls::new(per_microsecond);
            let (pushed, control_max) =
                beside_empty_calls(|| trader::trade(&log, &signs, &mut calls));
            Traded { pushed, calls, control_max }
        });
        let sampler = scope.spawn(|| {
            let mut disk_max = 0;
            while !signs.stop.load(Ordering::Relaxed) {
                disk_max = disk_max.max(bytes_below(&logs));
                thread::sleep(Duration::from_millis(20));
            }
            disk_max
        });
        // Whatever panics here ends the others.
        let _stop = Stop(&signs);
        troubles.begin();
        let tenths = (1..=10).map(|tenth| {
            troubles.go_on_until(began + lasts * tenth / 10);
            // What is compared has had the same to do just before.
            troubles.make_backlogs();
            calm(&log, &signs, &logs)
        });
        let tenths: Vec<_> = tenths.collect();
        // Segments that were meddled with give way to others.
        let newest = troubles::segments(&logs).pop();
        support::until("new segments", || troubles::segments(&logs).first() > newest.as_ref());
        signs.stop.store(true, Ordering::Relaxed);
        (trader.join().unwrap(), sampler.join().unwrap(), tenths)
    });
    let took = began.elapsed();
    guard.shutdown();
    let stats = log.stats();
    let mut pushed = troubles.pushed;
    pushed.add(traded.pushed);
    let verified = Journal::open(&logs).unwrap().verify(&mut |_| {}).unwrap();
    let lines = whole_lines(&logs);

    let calls = pushed.accepted + pushed.refused;
    let micros = |ticks: u64| ticks as f64 / per_microsecond;
    let rate = traded.calls.timed as f64 / took.as_secs_f64();
    let bound = bounds.0 + bounds.1;
    let memory: Vec<_> = tenths.iter().map(|taken| taken.resident_kib).collect();
    let heap: Vec<_> = tenths.iter().map(|taken| taken.heap_kib).collect();
    let descriptors: Vec<_> = tenths.iter().map(|taken| taken.descriptors as u64).collect();
    let rows = [
        ("calls", format!("{calls}; the trading loop's {rate:.0} per second")),
        ("accepted, lost", format!("{}, {}: {:?}", pushed.accepted, pushed.refused, stats.lost)),
        ("longest call", format!("{:.0} us", micros(traded.calls.longest))),
        ("longest empty call", format!("{:.0} us", micros(traded.control_max))),
        ("over 10 ms", format!("{} excused, {} slow", traded.calls.excused, traded.calls.slow)),
        ("descriptors", format!("{descriptors:?} at each tenth")),
        ("heap, KiB", format!("{heap:?} at each tenth")),
        ("memory, KiB", format!("{memory:?} at each tenth")),
        ("disk, KiB", format!("at most {} of {}", disk_max >> 10, bound >> 10)),
        ("logs", format!("{} lines missed, {lines} at the end", stats.log_lines_missed)),
        ("rotations", stats.rotations.to_string()),
        ("troubles", format!("{:?}", troubles.made)),
        ("left out", format!("{:?}", troubles.skipped)),
    ];
    rows.iter().for_each(|(what, figures)| println!("  {what:<20} {figures}"));
    let made: u64 = troubles.made.values().sum();
    println!(
        "row 21: {} seconds, {calls} calls, {} lost and told, {made} troubles, longest call {:.0} us, \
         longest empty call {:.0} us, {} excused",
        took.as_secs(),
        pushed.refused,
        micros(traded.calls.longest),
        micros(traded.control_max),
        traded.calls.excused,
    );

    traded.calls.check();
    // What it was late with it has made up for, save for the pauses in which is looked.
    assert!(rate > 80_000.0, "the trading loop came to {rate:.0} calls a second only");
    accounted(pushed, &stats, &troubles);
    assert!(verified.is_intact(), "{verified:?}");
    assert!(disk_max <= bound, "{disk_max} bytes on the disk, at most {bound} were promised");
    assert!(descriptors[9] <= descriptors[0], "{descriptors:?} descriptors");
    assert!(heap[9] <= heap[0] + 1_024, "{heap:?} KiB");
    assert!(memory[9] <= memory[0] + 1_024, "{memory:?} KiB");
}

/// Has the others stop when it is dropped.
struct Stop<'a>(&'a Signs);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}
