//! How long the courier waits: between attempts, and at the end.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The first wait after a failure, and the longest.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// At the end, how long a receiver that is away is waited for, and how long between attempts.
const AWAY_AT_THE_END: Duration = Duration::from_secs(1);
const NAP_AT_THE_END: Duration = Duration::from_millis(100);

/// Waits that double, each shortened at random by up to half.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        whole - whole.mul_f64(f64::from(random()) / f64::from(u16::MAX) / 2.0)
    }
}

/// Any number; where the system has none, the clock's.
fn random() -> u16 {
    let mut bytes = [0; 2];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK) {
        Ok(2) => u16::from_le_bytes(bytes),
        _ => (crate::clock::Source::SYSTEM.unix_nanos)() as u16,
    }
}

/// Tells the courier that the end has come.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    end: Mutex<Option<End>>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy)]
struct End {
    /// Until when messages are sent.
    deadline: Instant,
    /// Until when a receiver that is away is waited for.
    away: Instant,
}

impl Stop {
    /// Lets the courier send until the deadline, and no longer.
    pub(crate) fn at(&self, deadline: Instant) {
        let away = deadline.min(Instant::now() + AWAY_AT_THE_END);
        *self.end.lock() = Some(End { deadline, away });
        self.changed.notify_all();
    }

    /// Whether it is time to give up.
    pub(super) fn is_over(&self, connected: bool) -> bool {
        let end = *self.end.lock();
        end.is_some_and(|end| Instant::now() >= if connected { end.deadline } else { end.away })
    }

    /// Sleeps, but not past the beginning of the end, and at the end only for a short time.
    pub(super) fn sleep(&self, nap: Duration) {
        let until = Instant::now() + nap;
        let mut end = self.end.lock();
        if end.is_some() {
            drop(end);
            std::thread::sleep(nap.min(NAP_AT_THE_END));
            return;
        }
        while end.is_none() && !self.changed.wait_until(&mut end, until).timed_out() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_seconds_and_keep_at_least_half() {
        let mut backoff = Backoff::new();
        let mut whole = FIRST;
        for _ in 0..12 {
            let wait = backoff.next();
            assert!(wait <= whole && wait >= whole / 2, "{wait:?} of {whole:?}");
            whole = (whole * 2).min(LONGEST);
        }
        assert_eq!(whole, LONGEST);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn a_sleep_ends_when_the_end_comes() {
        let stop = Stop::default();
        assert!(!stop.is_over(false));
        let began = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| stop.sleep(Duration::from_secs(60)));
            stop.at(Instant::now());
        });
        assert!(began.elapsed() < Duration::from_secs(30));
        assert!(stop.is_over(true) && stop.is_over(false));
        stop.at(Instant::now() + Duration::from_secs(60));
        assert!(!stop.is_over(true) && !stop.is_over(false));
    }
}
