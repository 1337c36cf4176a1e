//! How long calls take, judged by the rule of the fault table: one of more than 10 ms counts unless its
//! thread lost the processor against its will meanwhile, and few are excused by that. A call that sleeps
//! gives the processor away and may be woken late: the time that its thread stood ready while others ran,
//! by the kernel's account, is not the call's. What an empty call took at the same time is printed, and
//! excuses nothing.

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

/// How long the calling thread has stood ready in all while others had the processor, in nanoseconds
/// (the kernel's Documentation/scheduler/sched-stats.rst); 0 where the kernel keeps no account.
fn ready_nanos() -> u64 {
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    account.split(' ').nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
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
    per_microsecond: f64,
    switches: i64,
    pub(crate) timed: u64,
    pub(crate) longest: u64,
    /// Calls of more than 10 ms: inside which the thread was switched away from, that were woken late,
    /// and others.
    pub(crate) excused: u64,
    pub(crate) late: u64,
    pub(crate) slow: u64,
}

impl Calls {
    pub(crate) fn new(per_microsecond: f64) -> Self {
        Self { per_microsecond, switches: 0, timed: 0, longest: 0, excused: 0, late: 0, slow: 0 }
    }

    /// Times a call; gives its result and its ticks.
    pub(crate) fn time<T>(&mut self, call: impl FnOnce() -> T) -> (T, u64) {
        if self.timed.is_multiple_of(BATCH) {
            self.switches = involuntary_switches();
        }
        let begun = now().0;
        let result = call();
        let took = now().0 - begun;
        self.take(took, 0);
        (result, took)
    }

    /// Times a call that may sleep: looks at the kernel's accounts before each.
    pub(crate) fn time_sleeping<T>(&mut self, call: impl FnOnce() -> T) -> (T, u64) {
        self.switches = involuntary_switches();
        let ready = ready_nanos();
        let begun = now().0;
        let result = call();
        let took = now().0 - begun;
        let ready = (ready_nanos() - ready) as f64 / 1_000.0;
        self.take(took, (ready * self.per_microsecond) as u64);
        (result, took)
    }

    /// Takes a call in: its ticks, and for how many of them its thread stood ready.
    fn take(&mut self, took: u64, ready: u64) {
        let slow = (10_000.0 * self.per_microsecond) as u64;
        self.timed += 1;
        self.longest = self.longest.max(took);
        if took <= slow {
            return;
        }
        let switches = involuntary_switches();
        let switched = switches > std::mem::replace(&mut self.switches, switches);
        *match (took.saturating_sub(ready) <= slow, switched) {
            (true, _) => &mut self.late,
            (false, true) => &mut self.excused,
            (false, false) => &mut self.slow,
        } += 1;
    }

    /// Takes other calls in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.timed += other.timed;
        self.longest = self.longest.max(other.longest);
        self.excused += other.excused;
        self.late += other.late;
        self.slow += other.slow;
    }

    /// Holds the calls to the rule.
    pub(crate) fn check(&self) {
        let Self { slow, late, excused, timed, longest, .. } = self;
        assert_eq!(*slow, 0, "calls of more than 10 ms, of {timed}; the longest: {longest} ticks");
        assert!(*excused <= 10.max(timed / 100_000), "{excused} excused calls of {timed}");
        assert!(*late <= 10.max(timed / 4), "{late} calls of {timed} were woken late");
    }
}
