//! What must be back within a second. Others use the machine as well, so what is late gets two more chances;
//! how often they are needed is counted, and only a few of all attempts may be late.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use std::fmt;
use std::time::Duration;

/// What is back by then is in time.
const IN_TIME: Duration = Duration::from_secs(1);

/// How often one thing is tried.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// What attempts came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempts {
    pub(crate) all: u64,
    pub(crate) late: u64,
    /// The longest of those in time, and the worst of the late ones.
    pub(crate) longest: Duration,
    pub(crate) worst: Duration,
}

impl Attempts {
    /// Takes one in: whether it was in time.
    pub(crate) fn take(&mut self, back: Duration) -> bool {
        let in_time = back < IN_TIME;
        let most = if in_time { &mut self.longest } else { &mut self.worst };
        *most = back.max(*most);
        self.all += 1;
        self.late += u64::from(!in_time);
        in_time
    }

    /// Takes others in.
    pub(crate) fn add(&mut self, others: &Self) {
        self.all += others.all;
        self.late += others.late;
        self.longest = self.longest.max(others.longest);
        self.worst = self.worst.max(others.worst);
    }

    /// Has something tried until all of it is in time, which the last attempt must be; false where it
    /// cannot be done here.
    pub(crate) fn make(
        &mut self,
        what: &str,
        mut attempt: impl FnMut() -> Option<Vec<Duration>>,
    ) -> bool {
        for _ in 0..ATTEMPTS_MAX {
            let Some(times) = attempt() else { return false };
            let late = times.iter().filter(|back| !self.take(**back)).count();
            println!("{what}: back within {times:?}");
            if late == 0 {
                return true;
            }
        }
        panic!("{what}: not back within a second, {ATTEMPTS_MAX} times");
    }

    /// Holds the late ones to a tenth of all, or to five.
    pub(crate) fn check(&self) {
        assert!(self.late <= 5 || self.late * 10 <= self.all, "too many are late: {self}");
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { all, late, longest, worst } = self;
        write!(f, "back within {longest:?} at most, {late} of {all} attempts late, ")?;
        write!(f, "the worst {worst:?}")
    }
}
