//! Times stretches of calls, and remembers what was logged with which stamp.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapelog::{MetaLogger, UnixNanos, now};

use super::cases::Measure;
use super::machine::Counter;
use super::mode::{COLD_BYTES, Mode, Timing};
use super::series::{CaseName, What};

/// How long a mode that begins with an empty ring waits for one.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Numbers of calls that one thread has for itself.
const THREAD_SHIFT: u32 = 32;

/// Everything about one series on one thread.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) what: What,
    /// The samples of each round, in ticks.
    pub(super) rounds: Vec<Vec<u64>>,
    /// Calls that were made, those before the first round included.
    pub(super) calls: u64,
    pub(super) stamps: Stamps,
}

/// The stamps that a caller gave: one for each group; within it they are a nanosecond apart.
#[derive(Debug, Clone)]
pub(super) struct Stamps {
    pub(super) first_of_groups: Vec<i64>,
    pub(super) calls_per_group: u64,
}

impl Stamps {
    /// The stamp of a thread's call.
    pub(super) fn of_call(&self, call: u64) -> Option<i64> {
        let group = usize::try_from(call / self.calls_per_group).ok()?;
        let within = i64::try_from(call % self.calls_per_group).ok()?;
        Some(self.first_of_groups.get(group)? + within)
    }
}

/// The number of a thread's call: different for each call of each thread.
pub(super) fn number(thread: u32, call: u64) -> u64 {
    (u64::from(thread) << THREAD_SHIFT) + call
}

/// The thread and the call that a number belongs to.
pub(super) fn thread_and_call(number: u64) -> (usize, u64) {
    ((number >> THREAD_SHIFT) as usize, number & ((1 << THREAD_SHIFT) - 1))
}

/// Measures one mode on one thread.
///
/// Between two groups it does as little as it can, and touches as little memory: it reads the
/// counter until the pause is over. Stamps and numbers follow from registers, the room for samples
/// is there. Nor does it call what it measures before a group: caches are as the pause left them.
#[derive(Debug)]
pub(super) struct Stopwatch<'a> {
    timing: Timing,
    /// Between groups, in ticks.
    pause: u64,
    mode: Mode,
    /// Calls of a stretch.
    calls: u64,
    cases: &'a [CaseName],
    thread: u32,
    /// Where the threads wait for each other before each stretch.
    meet: &'a Barrier,
    /// Waited for before each stretch.
    settle: Option<&'a MetaLogger>,
    cold: Vec<u64>,
    last_stamp: i64,
    tracks: Vec<Track>,
}

impl<'a> Stopwatch<'a> {
    /// One that makes a group of calls in each stretch, to warm up code and memory.
    pub(super) fn new(
        mode: Mode,
        cases: &'a [CaseName],
        thread: u32,
        meet: &'a Barrier,
        log: &'a MetaLogger,
        counter: Counter,
    ) -> Self {
        Self {
            timing: mode.timing(),
            pause: counter.ticks(mode.pause()),
            mode,
            calls: mode.timing().calls_per_group(),
            cases,
            thread,
            meet,
            settle: mode.settles().then_some(log),
            cold: if mode == Mode::Cold { vec![1; COLD_BYTES / 8] } else { Vec::new() },
            last_stamp: 0,
            tracks: Vec::new(),
        }
    }

    /// From now on a stretch has so many calls, and counts. What was logged before is remembered,
    /// its times are not.
    pub(super) fn begin(&mut self, calls: u64) {
        self.calls = calls;
        self.tracks.iter_mut().for_each(|track| track.rounds.clear());
    }

    /// What was measured.
    pub(super) fn into_tracks(self) -> Vec<Track> {
        self.tracks
    }

    fn track(&mut self, what: What) -> usize {
        let known = self.tracks.iter().position(|track| track.what == what);
        known.unwrap_or_else(|| {
            let stamps = Stamps {
                first_of_groups: Vec::new(),
                calls_per_group: self.timing.calls_per_group(),
            };
            self.tracks.push(Track { what, rounds: Vec::new(), calls: 0, stamps });
            self.tracks.len() - 1
        })
    }

    /// The stamps of the groups of a stretch, in nanoseconds of UTC, about as far apart as the
    /// groups will be: the first one, later than all stamps given so far, and their distance.
    fn stamps(&mut self) -> (i64, i64) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let first = (since.as_nanos() as i64).max(self.last_stamp);
        let calls_per_group = self.timing.calls_per_group();
        let distance = (self.mode.pause().as_nanos() as u64 + calls_per_group) as i64;
        self.last_stamp = first + distance * self.calls.div_ceil(calls_per_group) as i64;
        (first, distance)
    }

    fn touch_other_memory(&mut self) {
        // A line of the cache has eight words.
        for word in self.cold.iter_mut().step_by(8) {
            *word = word.wrapping_add(1);
        }
        black_box(&mut self.cold);
    }

    /// Makes the calls of a stretch, group by group. `group` is given the number of the group's
    /// first call and its stamp.
    #[inline(always)]
    fn groups(&mut self, what: What, mut group: impl FnMut(&mut Self, &mut Vec<u64>, u64, i64)) {
        let at = self.track(what);
        let mut samples = room_for(self.calls / self.timing.calls_per_sample());
        let (first_stamp, distance) = self.stamps();
        let (mut calls, mut stamp) = (self.tracks[at].calls, first_stamp);
        let (thread, pause, end) = (self.thread, self.pause, calls + self.calls);
        while calls < end {
            group(self, &mut samples, number(thread, calls), stamp);
            calls += self.timing.calls_per_group();
            stamp += distance;
            spin_for(pause);
        }
        let track = &mut self.tracks[at];
        track.calls = calls;
        track.rounds.push(samples);
        let stamps = (first_stamp..stamp).step_by(distance as usize);
        track.stamps.first_of_groups.extend(stamps);
    }
}

impl Measure for Stopwatch<'_> {
    fn stretch(&mut self, what: What, call: impl Fn(u64, UnixNanos)) {
        let chosen = match what {
            What::Clock | What::TimerPair | What::Stores => true,
            What::Call(series) => self.cases.contains(&series.case),
        };
        if !chosen || !self.mode.has(what) {
            return;
        }
        if let Some(log) = self.settle {
            // What is not through by then counts as lost or is found missing.
            let _told_later = log.flush(SETTLE_TIMEOUT);
        }
        self.meet.wait();
        let together = self.timing.calls_per_sample();
        if self.timing == Timing::Call {
            self.groups(what, |this, samples, first, stamp| {
                let ahead = stamp - first as i64;
                for at in 0..this.timing.calls_per_group() {
                    this.touch_other_memory();
                    let before = now();
                    let number = black_box(first + at);
                    call(number, UnixNanos(ahead + number as i64));
                    samples.push(now().0 - before.0);
                }
            });
        } else {
            self.groups(what, |_, samples, first, stamp| {
                // Unknown to the compiler, so that it keeps the loop: one call site, as in a
                // program.
                let together = black_box(together);
                let ahead = stamp - first as i64;
                let before = now();
                for at in 0..together {
                    let number = black_box(first + at);
                    call(number, UnixNanos(ahead + number as i64));
                }
                samples.push(now().0 - before.0);
            });
        }
    }
}

/// Room for samples whose pages are there already.
fn room_for(samples: u64) -> Vec<u64> {
    let mut room = vec![u64::MAX; samples as usize];
    black_box(&mut room);
    room.clear();
    room
}

/// Reads the counter until it has counted so far, and touches nothing else.
fn spin_for(ticks: u64) {
    let start = now().0;
    while now().0.wrapping_sub(start) < ticks {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_its_thread_and_call() {
        assert_eq!(thread_and_call(number(1, 77)), (1, 77));
        assert_eq!(thread_and_call(number(0, 4_000_000_000)), (0, 4_000_000_000));
    }

    #[test]
    fn every_call_has_its_own_number_and_a_later_stamp() {
        let (log, _captured) = tapelog::testing::capture();
        let meet = Barrier::new(1);
        let cases = [CaseName::NoArgs];
        let counter = Counter { nanos_per_tick: 1.0, step_ns: 1.0 };
        let mut stopwatch = Stopwatch::new(Mode::Saturated, &cases, 1, &meet, &log, counter);
        stopwatch.stretch(What::Clock, |_, _| ());
        stopwatch.begin(60);
        let seen = std::cell::RefCell::new(Vec::new());
        for _ in 0..2 {
            stopwatch.stretch(What::Clock, |number, at| seen.borrow_mut().push((number, at.0)));
        }
        let seen = seen.into_inner();
        let tracks = stopwatch.into_tracks();
        assert_eq!((seen.len(), tracks[0].calls, tracks[0].rounds.len()), (120, 140, 2));
        assert_eq!(tracks[0].rounds[0].len(), 3);
        for (at, window) in seen.windows(2).enumerate() {
            let call = 20 + at as u64;
            assert_eq!(window[0].0, number(1, call));
            assert!(window[0].1 < window[1].1, "{window:?}");
            assert_eq!(tracks[0].stamps.of_call(call), Some(window[0].1));
        }
        assert_eq!(tracks[0].stamps.of_call(140), None);
    }
}
