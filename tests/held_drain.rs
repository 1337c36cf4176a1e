//! With the drain held and the ring full: every call returns at once, accepted + lost = pushed
//! exactly, a gap entry tells the exact number, and the reserve still takes what matters.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "getrusage of the calling thread")]

mod support;

#[path = "support/calls.rs"]
mod calls;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use calls::{Calls, beside_empty_calls, ticks_per_microsecond};
use support::{Desk, PATIENCE, number};
use tapelog::testing::hold_drain;
use tapelog::{MetaLogger, Overflow, PushError, context, trade, try_info, try_trade, try_warning};

/// The tests take turns: they measure times.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs until the ring is full: how many records were accepted.
fn fill(log: &MetaLogger) -> u64 {
    let mut accepted = 0;
    while try_info!(log, "filling", accepted).is_ok() {
        accepted += 1;
    }
    accepted
}

fn gaps(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.contains("logger.gap")).collect()
}

/// When an entry was made.
fn stamp(line: &str) -> jiff::Timestamp {
    line[1..].split(']').next().unwrap().parse().unwrap()
}

/// So many calls are refused before it is looked how quick they were.
const CALLS: usize = 1_000_000;

/// Calls that are refused, and what they took.
struct Refused {
    calls: Calls,
    control_max: u64,
    per_microsecond: f64,
    /// Of the calls that were made last.
    ticks: Vec<u64>,
    /// What is judged, in nanoseconds: the p99.9 of 10,000 calls, in the median of the hundred of a
    /// million. The highest that was quick; how many were not, and the highest of those.
    judged: f64,
    late: u64,
    worst: f64,
    /// The true p99.9 of each million, for who reads it: a thousandth of the calls is soon slow where
    /// others take the processor.
    p999: Vec<f64>,
}

impl Refused {
    fn new() -> Self {
        let per_microsecond = ticks_per_microsecond();
        let (calls, ticks) = (Calls::new(per_microsecond), Vec::with_capacity(CALLS));
        let (judged, late, worst, p999) = (0.0, 0, 0.0, Vec::new());
        Self { calls, control_max: 0, per_microsecond, ticks, judged, late, worst, p999 }
    }

    fn nanos(&self, ticks: u64) -> f64 {
        ticks as f64 / self.per_microsecond * 1_000.0
    }

    /// Makes them: what all but a thousandth of 10,000 took less than, in the median of a hundred such
    /// stretches.
    fn make(&mut self, log: &MetaLogger) -> f64 {
        let Self { calls, ticks, .. } = self;
        ticks.clear();
        let ((), control_max) = beside_empty_calls(|| {
            for call in 0..CALLS {
                let (pushed, took) = calls.time(|| try_info!(log, "refused", call));
                ticks.push(took);
                assert_eq!(pushed, Err(PushError::Full));
            }
        });
        self.control_max = self.control_max.max(control_max);
        let mut stretches: Vec<_> = ticks
            .chunks_mut(CALLS / 100)
            .map(|stretch| {
                stretch.sort_unstable();
                stretch[stretch.len() * 999 / 1000]
            })
            .collect();
        stretches.sort_unstable();
        ticks.sort_unstable();
        let judged = self.nanos(stretches[stretches.len() / 2]);
        let p999 = self.nanos(self.ticks[CALLS * 999 / 1000]);
        self.p999.push(p999);
        println!(
            "refused calls: p50 {:.0} ns, p99.9 {p999:.0} ns, of the median 10,000 {judged:.0} ns, \
             longest {:.0} ns; an empty call at the same time: longest {:.0} ns",
            self.nanos(self.ticks[CALLS / 2]),
            self.nanos(self.ticks[CALLS - 1]),
            self.nanos(control_max),
        );
        judged
    }

    /// The true p99.9 of a million: of the median one, and of the worst.
    fn p999(&self) -> [f64; 2] {
        let mut p999 = self.p999.clone();
        p999.sort_unstable_by(f64::total_cmp);
        [p999[p999.len() / 2], p999[p999.len() - 1]]
    }

    /// Makes them again until they are quick: others share the machine, so it gets a few chances.
    fn make_quickly(&mut self, log: &MetaLogger) {
        for _ in 0..10 {
            let judged = self.make(log);
            if judged < 1_000.0 {
                self.judged = judged.max(self.judged);
                return;
            }
            (self.late, self.worst) = (self.late + 1, judged.max(self.worst));
        }
        panic!("p99.9 of the median 10,000 refused calls is not below 1 us, ten times");
    }
}

#[test]
fn row_09_refused_calls_are_quick_and_counted_to_the_last() {
    let _turn = turn();
    let lasts = Duration::from_secs(support::times("TEST_HELD_SECONDS", 0));
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let mut refused = Refused::new();
    let held = hold_drain(&log);
    let accepted = fill(&log);
    let began = Instant::now();
    refused.make_quickly(&log);
    while began.elapsed() < lasts {
        refused.make_quickly(&log);
    }
    let Refused { calls, control_max, judged, late, worst, .. } = &refused;
    let [p999, p999_max] = refused.p999();
    drop(held);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    println!(
        "row 09: {} refused calls, p99.9 of the median ten thousand of a million {judged:.0}ns at \
         most, in {late} of {} more, the worst {worst:.0}ns; p99.9 of a million {p999:.0}ns in the \
         median one, {p999_max:.0}ns in the worst; longest call {:.0}ns, longest empty call at the \
         same time {:.0}ns, {} excused, {} slow",
        calls.timed,
        calls.timed / CALLS as u64,
        refused.nanos(calls.longest),
        refused.nanos(*control_max),
        calls.excused,
        calls.slow,
    );
    calls.check();

    // The last call of `fill` was refused, too.
    let lost = calls.timed + 1;
    assert_eq!((stats.accepted, stats.lost.full, stats.lost.total()), (accepted, lost, lost));
    assert_eq!((stats.journaled, stats.lost.trade), (accepted, 0));
    let lines = desk.lines("expert.log");
    let gaps = gaps(&lines);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(number(gaps[0], "lost"), lost, "{gaps:?}");
    assert!(gaps[0].contains("WARNING") && gaps[0].contains("full"), "{gaps:?}");
    assert_eq!(lines.len() as u64, accepted + 1);
    assert!(desk.lines("trades.log").is_empty(), "no trade event was lost");
}

#[test]
fn row_09_many_threads_lose_exactly_what_they_are_told() {
    let _turn = turn();
    const THREADS: u64 = 4;
    const CALLS: u64 = 200_000;
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let held = hold_drain(&log);
    let accepted: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let log = log.clone();
                scope.spawn(move || {
                    let push = |call| u64::from(try_info!(log, "entry", thread, call).is_ok());
                    (0..CALLS).map(push).sum::<u64>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    drop(held);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    let lost = THREADS * CALLS - accepted;
    assert!(lost > 0, "the ring was full");
    assert_eq!((stats.accepted, stats.lost.total()), (accepted, lost));
    let lines = desk.lines("expert.log");
    let told: u64 = gaps(&lines).into_iter().map(|line| number(line, "lost")).sum();
    assert_eq!(told, lost, "the gap entries tell them all");
    assert_eq!(lines.len() - gaps(&lines).len(), accepted as usize);
    println!("row 09: {} calls of {THREADS} threads, {lost} refused and told", THREADS * CALLS);
}

#[test]
fn a_gap_stands_where_the_records_are_missing() {
    let _turn = turn();
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let held = hold_drain(&log);
    let accepted = fill(&log);
    let pause = Duration::from_millis(20);
    thread::sleep(pause);
    assert_eq!(try_info!(log, "refused"), Err(PushError::Full));
    drop(held);
    support::until("room", || try_info!(log, "after", number = 0).is_ok());
    log.flush(PATIENCE).unwrap();
    let lost = log.stats().lost.total();
    drop(guard);
    let lines = desk.lines("expert.log");
    let gap = lines.iter().position(|line| line.contains("logger.gap")).unwrap();
    // From when to when: behind the entry in front of it, and in front of the one that was accepted.
    let (mut earliest, latest) = (stamp(&lines[gap - 1]), stamp(lines.last().unwrap()));
    for (number, line) in gaps(&lines).into_iter().enumerate() {
        let [first, last] = ["first", "last"].map(|name| support::field(line, name).unwrap());
        let [first, last] = [first, last].map(|time| time.parse::<jiff::Timestamp>().unwrap());
        assert!(
            earliest <= first && first <= last && last <= latest,
            "{earliest} {latest}: {line}"
        );
        let lasted = Duration::try_from(last.duration_since(first)).unwrap();
        // The clock's rate is measured again meanwhile.
        assert!(number > 0 || lasted >= pause * 9 / 10, "{lasted:?}: {line}");
        earliest = last;
    }
    assert!(lines[..gap].iter().all(|line| line.contains("] filling ")));
    assert_eq!(gap as u64, accepted);
    assert!(lines.last().unwrap().contains("] after "));
    let told: u64 = gaps(&lines).into_iter().map(|line| number(line, "lost")).sum();
    assert_eq!(told, lost);
}

#[test]
fn the_reserve_takes_warnings_and_trade_events_when_nothing_else_is_taken() {
    let _turn = turn();
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let bound = log.bind(context! { category = "trade" });
    let held = hold_drain(&log);
    let ordinary = fill(&log);
    for round in 0..100 {
        assert_eq!(try_info!(log, "refused", round), Err(PushError::Full));
        assert_eq!(try_warning!(log, "warned", round), Ok(()));
        assert_eq!(try_trade!(log, "sold", round), Ok(()));
        assert_eq!(try_info!(bound, "bound", round), Ok(()));
    }
    let mut more = 0;
    while try_trade!(log, "sold more", more).is_ok() {
        more += 1;
    }
    assert!(more > 500, "two blocks hold more than {more} records");
    assert_eq!(try_warning!(log, "the reserve is full, too"), Err(PushError::Full));
    trade!(bound, "lost as well");
    drop(held);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    assert_eq!(stats.accepted, ordinary + 300 + more);
    assert_eq!(stats.lost.total(), 1 + 100 + 1 + 1 + 1);
    assert_eq!(stats.lost.trade, 2);
    let trades = desk.json("trades.log");
    let (gaps, sold): (Vec<_>, Vec<_>) =
        trades.iter().partition(|line| line["event"] == "logger.gap");
    assert_eq!(sold.len() as u64, 200 + more);
    let told: u64 = gaps.iter().map(|gap| gap["trade"].as_u64().unwrap_or(0)).sum();
    assert_eq!(told, 2, "lost trade events are told in the trade log: {gaps:?}");
    let lines = desk.lines("expert.log");
    let told: u64 = self::gaps(&lines).into_iter().map(|line| number(line, "lost")).sum();
    assert_eq!(told, stats.lost.total());
}

#[test]
fn row_09_blocking_calls_wait_for_their_deadline_and_no_longer() {
    let _turn = turn();
    const DEADLINE: Duration = Duration::from_millis(3);
    let desk = Desk::new();
    let (log, guard) = desk.builder().overflow(Overflow::Block(DEADLINE)).build().unwrap();
    let held = hold_drain(&log);
    let accepted = fill(&log);
    let per_microsecond = ticks_per_microsecond();
    let mut calls = Calls::new(per_microsecond);
    let ((), control_max) = beside_empty_calls(|| {
        for call in 0..100 {
            let begun = Instant::now();
            let (pushed, _) = calls.time_sleeping(|| try_info!(log, "waits", call));
            assert_eq!(pushed, Err(PushError::Full));
            let took = begun.elapsed();
            assert!(took >= DEADLINE, "{took:?}");
        }
    });
    let millis = |ticks: u64| ticks as f64 / per_microsecond / 1_000.0;
    println!(
        "row 09: {} blocking calls, longest call {:.1}ms, longest empty call at the same time {:.1}ms, \
         {} excused, {} late",
        calls.timed,
        millis(calls.longest),
        millis(control_max),
        calls.excused,
        calls.late
    );
    calls.check();
    drop(held);
    let mut refused = 0;
    support::until("room", || {
        let pushed = try_info!(log, "waited");
        refused += u64::from(pushed.is_err());
        pushed.is_ok()
    });
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    assert_eq!(stats.accepted, accepted + 1);
    assert_eq!(stats.lost.total(), 1 + calls.timed + refused);
    let lines = desk.lines("expert.log");
    let told: u64 = gaps(&lines).into_iter().map(|line| number(line, "lost")).sum();
    assert_eq!(told, stats.lost.total());
}
