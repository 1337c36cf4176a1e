//! Each file system call of the engine fails with each errno, at the start and while it runs: the engine
//! lives, its calls stay quick, what fails is counted and named, all of it is back within a second, and what
//! was accepted is in the journal and in the logs once, or told as missing (row 6 of the fault table).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "getrusage of the calling thread")]

mod support;

#[path = "support/attempts.rs"]
mod attempts;
#[path = "support/calls.rs"]
mod calls;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use attempts::{ATTEMPTS_MAX, Attempts};
use calls::{Calls, beside_empty_calls, ticks_per_microsecond};
use support::{Desk, PATIENCE, child, field, number, role, run};
use tapelog::reading::{Format, Journal};
use tapelog::testing::{FileCall, fail};
use tapelog::{Builder, MetaLogger, Stats, SyncPolicy, try_critical, try_info, try_trade};

const ERRNOS: [i32; 7] =
    [libc::ENOSPC, libc::EDQUOT, libc::EIO, libc::EINTR, libc::EMFILE, libc::EROFS, libc::EACCES];

/// How many entries a fault sees.
const ENTRIES: u64 = 1500;

/// Small files, so that segments and logs are made, renamed and removed all the time; plain writes, which
/// can fail, or a mapping.
fn builder(desk: &Desk, mapped: bool) -> Builder {
    let builder = desk.builder().sync(SyncPolicy::Critical);
    let builder = builder
        .ring_bytes(4_u64 << 20)
        .block_bytes(32_u32 << 10)
        .journal_mapped(mapped)
        .disk_reserve(0_u64);
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(64_u32);
    builder.log_max_file_size(256_u64 << 10).log_backup_count(200_u32)
}

/// Numbered entries, and which of them were accepted.
struct Load {
    calls: Calls,
    accepted: BTreeSet<u64>,
}

impl Load {
    fn new(per_microsecond: f64) -> Self {
        Self { calls: Calls::new(per_microsecond), accepted: BTreeSet::new() }
    }

    fn log(&mut self, log: &MetaLogger, entries: u64) {
        let text = "x".repeat(600);
        let text = &*text;
        for _ in 0..entries {
            let number = self.calls.timed;
            let (outcome, _) = self.calls.time(|| match number % 100 {
                0 => try_critical!(log, "numbered", number, text),
                1 => try_trade!(log, "numbered", number, text),
                _ => try_info!(log, "numbered", number, text),
            });
            if outcome.is_ok() {
                self.accepted.insert(number);
            }
        }
    }

    /// Logs in small pieces, so that the writer meets each call many times, then waits for it.
    fn log_slowly(&mut self, log: &MetaLogger) {
        for _ in 0..15 {
            self.log(log, ENTRIES / 15);
            std::thread::sleep(Duration::from_millis(4));
        }
    }
}

/// Waits until nothing fails any more and the newest entry is in `expert.log`; how long that takes.
fn back(log: &MetaLogger, logs: &Path, load: &mut Load) -> Duration {
    let begun = Instant::now();
    loop {
        load.log(log, 1);
        log.flush(PATIENCE).unwrap();
        let stats = log.stats();
        let text = std::fs::read_to_string(logs.join("expert.log")).unwrap_or_default();
        let works = stats.file_error.is_none_or(|error| error.until.is_some());
        if works && !stats.journal_in_memory && text.contains(&newest(load)) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", log.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn newest(load: &Load) -> String {
    format!("number={} ", load.calls.timed - 1)
}

/// The numbers in some lines, each of which must be there once.
fn numbers<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for line in lines.filter(|line| line.contains("] numbered ")) {
        assert!(found.insert(number(line, "number")), "twice: {line}");
    }
    found
}

/// Compares journal and logs with what was accepted.
fn compare(desk: &Desk, load: &Load, stats: &Stats, what: &str) {
    let calls = load.calls.timed;
    let own = stats.accepted + stats.lost.total() - calls;
    assert!(own <= 100, "{what}: {own} of the engine's own");
    assert_eq!(load.accepted.len() as u64 + stats.lost.total(), calls, "{what}: {stats:?}");
    let mut text = Vec::new();
    let journal = Journal::open(desk.logs()).unwrap();
    journal.write_to(Format::Text, &mut text).unwrap();
    let verification = journal.verify(&mut |_| {}).unwrap();
    assert!(verification.is_intact(), "{what}: {verification:?}");
    let text = String::from_utf8(text).unwrap();
    let journaled = numbers(text.lines());
    assert!(journaled.is_subset(&load.accepted), "{what}: the journal has what was refused");
    // A full disk has the oldest segments recycled before there are as many as there may be.
    let oldest = journaled.first().copied().unwrap_or_default();
    let missing = (load.accepted.range(oldest..).count() - journaled.len()) as u64;
    assert!(missing <= stats.in_memory_records, "{what}: {missing} missing, {stats:?}");
    let lines = desk.lines("expert.log");
    let logged = numbers(lines.iter().map(String::as_str));
    assert!(logged.is_subset(&load.accepted), "{what}: the log has what was refused");
    let told = lines.iter().filter(|line| line.contains("] logger.gap "));
    let told: u64 = told.filter_map(|line| field(line, "lost")?.parse::<u64>().ok()).sum();
    let missing = (load.accepted.len() - logged.len()) as u64;
    assert!(missing <= told, "{what}: {missing} missing, {told} told, {stats:?}");
}

/// What the cases of a call came to.
struct Cases {
    /// In how many the call was made, and failed; and in how many of these that was counted.
    struck: u64,
    counted: u64,
    must_strike: bool,
    attempts: Attempts,
    calls: Calls,
}

impl Cases {
    fn new(must_strike: bool, per_microsecond: f64) -> Self {
        let calls = Calls::new(per_microsecond);
        Self { struck: 0, counted: 0, must_strike, attempts: Attempts::default(), calls }
    }

    /// Takes a case in, or has it tried again: where that took long, or the call was not made in its time.
    fn are_done_with(&mut self, attempt: u32, (failed, told): (u64, u64), took: Duration) -> bool {
        let in_time = self.attempts.take(took);
        let again = !in_time || self.must_strike && failed == 0;
        if again && attempt < ATTEMPTS_MAX {
            println!("tried again: {failed} failed, back after {took:?}");
            return false;
        }
        assert!(in_time, "not back within a second: {took:?}");
        self.struck += u64::from(failed > 0);
        self.counted += u64::from(failed > 0 && told > 0);
        true
    }

    /// Holds the log calls to their 10 ms, and tells the parent what it sums up.
    fn tell(&self, control_max: u64, per_microsecond: f64) {
        let Self { struck, counted, attempts, calls, .. } = self;
        let micros = |ticks: u64| (ticks as f64 / per_microsecond) as u64;
        let longest = [calls.longest, control_max].map(micros);
        println!(
            "result {struck} {counted} {} {} {} {} {} {} {}",
            attempts.all,
            attempts.late,
            attempts.longest.as_micros(),
            attempts.worst.as_micros(),
            longest[0],
            longest[1],
            calls.excused
        );
        calls.check();
    }
}

/// Has a call fail while some entries are logged, up to so many times until one did: how many of the calls
/// did.
fn fail_meanwhile(call: FileCall, errno: i32, tries: u32, mut meanwhile: impl FnMut()) -> u64 {
    // A signal interrupts a call now and then.
    let times = if errno == libc::EINTR { 50 } else { u64::MAX };
    let fault = fail(call, errno, times);
    for _ in 0..tries {
        meanwhile();
        if fault.failed() > 0 {
            break;
        }
    }
    fault.failed()
}

/// How many calls failed by a fault and how many of them the statistics count; `EINTR` is no failure, and
/// what is counted is named.
fn counted(call: FileCall, errno: i32, failed: u64, before: u64, stats: &Stats) -> (u64, u64) {
    let told = stats.file_errors - before;
    if errno == libc::EINTR {
        assert_eq!(told, 0, "{call:?}: {stats:?}");
    } else if told > 0 {
        let error = stats.file_error.as_ref().unwrap();
        // At the start the newest may be a consequence: there is no log directory.
        let named = error.errno == Some(errno)
            || before == 0 && (error.errno.is_none() || !must(call, false).1);
        assert!(named, "{call:?} {errno}: {error:?}");
    }
    (failed, told)
}

/// In the child: a call fails with each errno while the engine runs.
fn fail_while_running(call: FileCall, mapped: bool, per_microsecond: f64) -> Cases {
    let desk = Desk::new();
    let (log, guard) = builder(&desk, mapped).build().unwrap();
    let (mut load, mut cases) =
        (Load::new(per_microsecond), Cases::new(must(call, true).0, per_microsecond));
    for errno in ERRNOS {
        for attempt in 1.. {
            load.log_slowly(&log);
            log.flush(PATIENCE).unwrap();
            let before = log.stats().file_errors;
            let tries = if must(call, true).0 { 10 } else { 1 };
            let failed = fail_meanwhile(call, errno, tries, || load.log_slowly(&log));
            let took = back(&log, &desk.logs(), &mut load);
            let case = counted(call, errno, failed, before, &log.stats());
            println!(
                "{call:?} {errno}: {} failed, {} counted, back after {took:?}",
                case.0, case.1
            );
            if cases.are_done_with(attempt, case, took) {
                break;
            }
        }
    }
    drop(guard);
    compare(&desk, &load, &log.stats(), &format!("{call:?}"));
    cases.calls.add(&load.calls);
    cases
}

/// In the child: a call fails with each errno at the start.
fn fail_at_the_start(call: FileCall, mapped: bool, per_microsecond: f64) -> Cases {
    let mut cases = Cases::new(must(call, false).0, per_microsecond);
    for errno in ERRNOS {
        for attempt in 1.. {
            let (desk, mut load) = (Desk::new(), Load::new(per_microsecond));
            let mut started = None;
            let failed = fail_meanwhile(call, errno, 1, || {
                let (log, _) = started.insert(builder(&desk, mapped).build().unwrap());
                load.log_slowly(log);
            });
            let (log, guard) = started.unwrap();
            let took = back(&log, &desk.logs(), &mut load);
            let case = counted(call, errno, failed, 0, &log.stats());
            println!(
                "{call:?} {errno} at the start: {} failed, {} counted, back after {took:?}",
                case.0, case.1
            );
            drop(guard);
            compare(&desk, &load, &log.stats(), &format!("{call:?} {errno} at the start"));
            cases.calls.add(&load.calls);
            if cases.are_done_with(attempt, case, took) {
                break;
            }
        }
    }
    cases
}

/// Whether a call must be made, and fail, with each errno while the engine runs or at its start; and
/// whether each such failure but `EINTR` must be counted. What fails of the lock's file and of the ring's at
/// the start is told otherwise.
fn must(call: FileCall, running: bool) -> (bool, bool) {
    use FileCall::{Create, List, Lock, MakeDirectory, Open, Read, SetLength, Stat, Write};
    match running {
        true => (!matches!(call, SetLength | MakeDirectory | Lock), true),
        false => (true, matches!(call, Open | Create | Stat | List | Read | Write)),
    }
}

/// Has a child of its own for each call.
fn each_call(test: &str, when: &str, body: fn(FileCall, bool, f64) -> Cases) {
    if let Some(role) = role() {
        let (at, mapped) = role.split_once(' ').unwrap();
        let call = FileCall::ALL[at.parse::<usize>().unwrap()];
        let per_microsecond = ticks_per_microsecond();
        let (cases, control_max) =
            beside_empty_calls(|| body(call, mapped == "true", per_microsecond));
        return cases.tell(control_max, per_microsecond);
    }
    let (mut cases, mut sums, mut most, mut wrong) = (0, [0; 3], [0; 2], Vec::new());
    let mut attempts = Attempts::default();
    for at in 0..FileCall::ALL.len() {
        // What is written through a mapping cannot fail.
        let mapped = !matches!(FileCall::ALL[at], FileCall::Write | FileCall::ShortWrite);
        let output = run(child(test, &format!("{at} {mapped}")));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{told}");
        let result = told.lines().find_map(|line| line.split_once("result ")).unwrap().1;
        let result: Vec<u64> = result.split(' ').map(|number| number.parse().unwrap()).collect();
        let [struck, counted, all, late, back, worst, longest, control, excused] = result[..]
        else {
            panic!("{result:?}")
        };
        let [back, worst] = [back, worst].map(Duration::from_micros);
        attempts.add(&Attempts { all, late, longest: back, worst });
        let (call, all) = (FileCall::ALL[at], ERRNOS.len() as u64);
        let (strikes, counts) = must(call, when == "while running");
        if strikes && struck < all || counts && counted + 1 < struck {
            wrong.push(format!("{call:?}: {struck} of {all} struck, {counted} counted"));
        }
        cases += ERRNOS.len();
        sums = [sums[0] + struck, sums[1] + counted, sums[2] + excused];
        most = [most[0].max(longest), most[1].max(control)];
    }
    println!(
        "row 06: {cases} cases {when} ({} calls, {} errnos), of which {} met their call and {} were \
         counted; {attempts}; the longest log call {} us, the longest empty call {} us, {} excused",
        FileCall::ALL.len(),
        ERRNOS.len(),
        sums[0],
        sums[1],
        most[0],
        most[1],
        sums[2],
    );
    assert!(wrong.is_empty(), "{when}: {wrong:#?}");
    attempts.check();
}

#[test]
fn row_06_a_call_that_fails_while_the_engine_runs_costs_no_entry_untold() {
    const TEST: &str = "row_06_a_call_that_fails_while_the_engine_runs_costs_no_entry_untold";
    each_call(TEST, "while running", fail_while_running);
}

#[test]
fn row_06_a_call_that_fails_at_the_start_costs_no_entry_untold() {
    const TEST: &str = "row_06_a_call_that_fails_at_the_start_costs_no_entry_untold";
    each_call(TEST, "at the start", fail_at_the_start);
}

/// In the child: `fails` writes to the journal fail, one segment each, whose followers were made before
/// anybody knew of it; then the same once more, if the janitor has made room meanwhile.
fn fail_segments(fails: u64, again: bool) {
    let desk = Desk::new();
    // Nobody else writes.
    let alone = || builder(&desk, false).render_logs(false);
    let there = |sequence: u64| desk.logs().join(format!("journal/{sequence:020}.tape")).exists();
    let (log, guard) = alone().build().unwrap();
    let mut load = Load::new(ticks_per_microsecond());
    let mut fail_so_often = |fails: u64| {
        let fault = fail(FileCall::Write, libc::EIO, fails);
        load.log(&log, 10);
        log.flush(PATIENCE).unwrap();
        assert_eq!(fault.failed(), fails);
        drop(fault);
        load.log(&log, 10);
        log.flush(PATIENCE).unwrap();
    };
    fail_so_often(0);
    support::until("two are made ahead", || there(3));
    fail_so_often(fails);
    if again {
        // What took its place in memory meanwhile has the number in between.
        support::until("a file is made behind them", || there(5));
        support::until("the drain writes to it", || !log.stats().journal_in_memory);
        fail_so_often(fails);
    }
    let what = format!("{fails} failed, again {again}");
    let calls = load.calls.timed;
    drop((log, guard));
    for starts in 1..=3 {
        let journal = Journal::open(desk.logs()).unwrap();
        let verification = journal.verify(&mut |_| {}).unwrap();
        assert!(verification.is_intact(), "{what}, start {starts}: {verification:?}");
        let mut text = Vec::new();
        journal.write_to(Format::Text, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(numbers(text.lines()).len() as u64, calls, "{what}, start {starts}");
        // The next start removes what holds nothing.
        drop(alone().build().unwrap());
    }
}

#[test]
fn row_06_numbers_of_segments_in_which_nothing_was_written_are_not_taken_for_lost_ones() {
    const TEST: &str =
        "row_06_numbers_of_segments_in_which_nothing_was_written_are_not_taken_for_lost_ones";
    if let Some(role) = role() {
        let (fails, again) = role.split_once(' ').unwrap();
        return fail_segments(fails.parse().unwrap(), again == "true");
    }
    for (fails, again) in [(1, false), (2, false), (1, true)] {
        run(child(TEST, &format!("{fails} {again}")));
    }
    println!("row 06: 3 engines whose segments could not be written, no number is missing untold");
}
