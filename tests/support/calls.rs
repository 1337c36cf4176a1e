//! How long calls take, judged by the rule of the fault table: one of more than 10 ms counts unless its
//! thread lost the processor against its will meanwhile, and few are excused by that. What an empty call
//! took at the same time is printed, and excuses nothing.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tapelog::now;

/// How often the calling thread lost its processor against its will.
pub(crate) fn involuntary_switches() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer leads to room for the struct.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: integers that are zero or were filled in.
    unsafe { usage.assume_init() }.ru_nivcsw
}

pub(crate) fn ticks_per_microsecond() -> f64 {
    let (ticks, time) = (now().0, Instant::now());
    thread::sleep(Duration::from_millis(50));
    (now().0 - ticks) as f64 / time.elapsed().as_nanos() as f64 * 1_000.0
}

/// Runs `work` while another thread times empty calls: the longest of those comes with the result.
/// What that thread suffers is the machine's doing.
pub(crate) fn beside_empty_calls<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also where `work` panics: the scope waits for the other thread.
        let ended = Ended(&stop);
        let control = scope.spawn(|| {
            let mut longest = 0;
            while !stop.load(Ordering::Relaxed) {
                let begun = now().0;
                longest = longest.max(now().0 - begun);
            }
            longest
        });
        let result = work();
        drop(ended);
        (result, control.join().expect("the control thread"))
    })
}

/// Tells the other thread to end when it is dropped.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// At most so many calls lie between two looks at the context switches: who pauses does so after as many.
pub(crate) const BATCH: u64 = 100;

/// The calls of one thread.
#[derive(Debug)]
pub(crate) struct Calls {
    slow_ticks: u64,
    switches: i64,
    pub(crate) timed: u64,
    pub(crate) longest: u64,
    /// Calls of more than 10 ms: inside which the thread was switched away from, and others.
    pub(crate) excused: u64,
    pub(crate) slow: u64,
}

impl Calls {
    pub(crate) fn new(per_microsecond: f64) -> Self {
        let slow_ticks = (per_microsecond * 10_000.0) as u64;
        Self { slow_ticks, switches: 0, timed: 0, longest: 0, excused: 0, slow: 0 }
    }

    /// Times a call; gives its result and its ticks.
    pub(crate) fn time<T>(&mut self, call: impl FnOnce() -> T) -> (T, u64) {
        if self.timed.is_multiple_of(BATCH) {
            self.switches = involuntary_switches();
        }
        let begun = now().0;
        let result = call();
        let took = now().0 - begun;
        self.timed += 1;
        self.longest = self.longest.max(took);
        if took > self.slow_ticks {
            let switches = involuntary_switches();
            let excused = switches > std::mem::replace(&mut self.switches, switches);
            *(if excused { &mut self.excused } else { &mut self.slow }) += 1;
        }
        (result, took)
    }

    /// Takes other calls in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.timed += other.timed;
        self.longest = self.longest.max(other.longest);
        self.excused += other.excused;
        self.slow += other.slow;
    }

    /// Holds the calls to the rule.
    pub(crate) fn check(&self) {
        let Self { slow, excused, timed, longest, .. } = self;
        assert_eq!(*slow, 0, "calls of more than 10 ms, of {timed}; the longest: {longest} ticks");
        assert!(*excused <= 10.max(timed / 100_000), "{excused} excused calls of {timed}");
    }
}
