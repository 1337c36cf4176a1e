//! When a strategy's timer is due.

use std::time::Duration;

/// How many times of a backtest's silence are made up for between two events.
const MISSED_MAX: i64 = 10_000;

/// A timer, on a clock of nanoseconds.
#[derive(Debug)]
pub(super) struct Timer {
    /// As it was when `next` was reckoned, in nanoseconds; 0: no timer.
    interval: i64,
    next: i64,
    /// Whether times that have passed are made up for.
    catches_up: bool,
    /// How many were not.
    pub(super) missed: u64,
}

impl Timer {
    pub(super) fn new(catches_up: bool) -> Self {
        Self { interval: 0, next: 0, catches_up, missed: 0 }
    }

    /// The next time that is due at `now`. To be asked again until it is none.
    #[inline]
    pub(super) fn due(&mut self, interval: Duration, now: i64) -> Option<i64> {
        if interval.is_zero() {
            self.interval = 0;
            return None;
        }
        self.due_of(i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX), now)
    }

    fn due_of(&mut self, interval: i64, now: i64) -> Option<i64> {
        if interval != self.interval {
            self.interval = interval;
            self.next = now.saturating_add(interval);
        }
        if now < self.next || now == i64::MAX {
            return None;
        }
        let behind = now.saturating_sub(self.next) / interval;
        let skipped = if self.catches_up { behind.saturating_sub(MISSED_MAX - 1) } else { behind };
        if skipped > 0 {
            self.missed += skipped as u64;
            self.next = self.next.saturating_add(skipped.saturating_mul(interval));
        }
        let due = self.next;
        self.next = due.saturating_add(interval);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(timer: &mut Timer, interval: u64, now: i64) -> Vec<i64> {
        std::iter::from_fn(|| timer.due(Duration::from_nanos(interval), now)).collect()
    }

    #[test]
    fn a_market_s_timer_makes_up_for_every_time_that_has_passed() {
        let mut timer = Timer::new(true);
        assert_eq!(all(&mut timer, 10, 5), [] as [i64; 0]);
        assert_eq!(all(&mut timer, 10, 36), [15, 25, 35]);
        assert_eq!(all(&mut timer, 4, 40), [] as [i64; 0], "a new interval begins now");
        assert_eq!(all(&mut timer, 4, 44), [44]);
        assert_eq!(all(&mut timer, 0, 99), [] as [i64; 0]);
        assert_eq!((all(&mut timer, 4, 99).len(), timer.missed), (0, 0));
    }

    #[test]
    fn a_silence_of_years_is_passed_over() {
        let mut timer = Timer::new(true);
        assert!(all(&mut timer, 1, 0).is_empty());
        let due = all(&mut timer, 1, 1 << 60);
        assert_eq!((due.len(), due.last()), (10_000, Some(&(1 << 60))));
        assert_eq!(timer.missed, (1 << 60) - 10_000);
        assert!(all(&mut timer, 1, i64::MAX).is_empty(), "the end of time is no time");
    }

    #[test]
    fn a_wall_timer_is_due_once_however_late_it_is() {
        let mut timer = Timer::new(false);
        assert!(all(&mut timer, 10, 0).is_empty());
        assert_eq!((all(&mut timer, 10, 57), timer.missed), (vec![50], 4));
        assert_eq!(all(&mut timer, 10, 60), [60]);
    }
}
