//! How long calls take, judged by the rule of the fault table: one of more than 10 ms counts unless its
//! thread lost the processor against its will meanwhile, and few are excused by that. So is one whose
//! thread neither slept nor ran that long: the host has stopped the virtual processor. A call that sleeps
//! gives the processor away and may be woken late: the time that its thread stood ready while others ran,
//! by the kernel's account, is not the call's. What an empty call took at the same time is printed, and
//! excuses nothing.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tapelog::now;

/// What a call may take.
const LIMIT: Duration = Duration::from_millis(10);

/// What the kernel has counted of a thread: how often it lost its processor against its will and gave it
/// away, and how long it ran.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    involuntary: i64,
    voluntary: i64,
    ran: Duration,
}

impl Account {
    /// The calling thread's.
    fn own() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer leads to room for the struct.
        unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
        // SAFETY: integers that are zero or were filled in.
        let usage = unsafe { usage.assume_init() };
        let time = |it: libc::timeval| Duration::new(it.tv_sec as u64, it.tv_usec as u32 * 1_000);
        Self {
            involuntary: usage.ru_nivcsw,
            voluntary: usage.ru_nvcsw,
            ran: time(usage.ru_utime) + time(usage.ru_stime),
        }
    }

    /// Whether the thread was kept from running since `before`.
    fn is_kept_from_running(&self, before: &Self) -> bool {
        let ran = self.ran.saturating_sub(before.ran);
        let stopped = self.voluntary == before.voluntary && ran < LIMIT;
        self.involuntary > before.involuntary || stopped
    }
}

/// How often the calling thread lost its processor against its will.
pub(crate) fn involuntary_switches() -> i64 {
    Account::own().involuntary
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

/// At most so many calls lie between two looks at the account: who pauses does so after as many.
pub(crate) const BATCH: u64 = 100;

/// The calls of one thread.
#[derive(Debug)]
pub(crate) struct Calls {
    per_microsecond: f64,
    account: Account,
    pub(crate) timed: u64,
    pub(crate) longest: u64,
    /// Calls of more than 10 ms: whose thread was kept from running, that were woken late, and others.
    pub(crate) excused: u64,
    pub(crate) late: u64,
    pub(crate) slow: u64,
}

impl Calls {
    pub(crate) fn new(per_microsecond: f64) -> Self {
        let account = Account::default();
        Self { per_microsecond, account, timed: 0, longest: 0, excused: 0, late: 0, slow: 0 }
    }

    /// Times a call; gives its result and its ticks.
    pub(crate) fn time<T>(&mut self, call: impl FnOnce() -> T) -> (T, u64) {
        if self.timed.is_multiple_of(BATCH) {
            self.account = Account::own();
        }
        let begun = now().0;
        let result = call();
        let took = now().0 - begun;
        self.take(took, 0);
        (result, took)
    }

    /// Times a call that may sleep: looks at the account before each.
    pub(crate) fn time_sleeping<T>(&mut self, call: impl FnOnce() -> T) -> (T, u64) {
        self.account = Account::own();
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
        let slow = (LIMIT.as_micros() as f64 * self.per_microsecond) as u64;
        self.timed += 1;
        self.longest = self.longest.max(took);
        if took <= slow {
            return;
        }
        let now = Account::own();
        let kept = now.is_kept_from_running(&std::mem::replace(&mut self.account, now));
        *match (took.saturating_sub(ready) <= slow, kept) {
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

    /// Whether the calls keep the rule.
    fn is_kept(&self) -> bool {
        let Self { slow, late, excused, timed, .. } = self;
        *slow == 0 && *excused <= 10.max(timed / 100_000) && *late <= 10.max(timed / 4)
    }

    /// Holds the calls to the rule.
    pub(crate) fn check(&self) {
        assert!(self.is_kept(), "calls of more than 10 ms: {self:?}");
    }
}

/// Makes calls beside empty ones until some keep the rule: a timer that the host serves late is in no
/// account of the system, and others may keep both processors for a while. Calls that are slow by
/// themselves are so each time. Tells what came of them.
pub(crate) fn keep_to_the_rule(what: &str, mut make: impl FnMut(&mut Calls)) -> Calls {
    const ATTEMPTS_MAX: u32 = 5;
    let per_microsecond = ticks_per_microsecond();
    let mut attempt = 1;
    loop {
        let mut calls = Calls::new(per_microsecond);
        let ((), control_max) = beside_empty_calls(|| make(&mut calls));
        let Calls { timed, longest, excused, late, slow, .. } = calls;
        let micros = |ticks: u64| ticks as f64 / per_microsecond;
        println!(
            "{what}: {timed} calls, the longest {:.0} us, the longest empty call {:.0} us, {excused} excused, \
             {late} woken late, {slow} slow",
            micros(longest),
            micros(control_max),
        );
        if calls.is_kept() || attempt == ATTEMPTS_MAX {
            calls.check();
            return calls;
        }
        attempt += 1;
    }
}
