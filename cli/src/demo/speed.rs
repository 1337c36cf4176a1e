//! How fast a feed is replayed.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::tick::Tick;

/// A stretch of the feed without messages is waited for no longer than this, in market time: a
/// wrong time stamp must not hold a replay up for years.
const SILENCE_NS_MAX: u64 = 60_000_000_000;
/// Sleeping is this inexact; what is left is spun.
const SLEEP_SLACK: Duration = Duration::from_micros(100);

/// As fast as it goes, or a multiple of real time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    Max,
    Times(f64),
}

/// What is no speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a speed is `max`, or a number above 0: 10 replays ten times as fast as it happened")]
pub(crate) struct NoSpeed;

impl FromStr for Speed {
    type Err = NoSpeed;

    fn from_str(text: &str) -> Result<Self, NoSpeed> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Speed::Max);
        }
        match text.parse() {
            Ok(times) if f64::is_finite(times) && times > 0.0 => Ok(Speed::Times(times)),
            _ => Err(NoSpeed),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Speed::Max => f.write_str("full speed"),
            Speed::Times(times) if *times == 1.0 => f.write_str("real time"),
            Speed::Times(times) => write!(f, "{times} times real time"),
        }
    }
}

/// Holds messages back until they are due.
#[derive(Debug)]
pub(super) struct Pace {
    times: f64,
    last_ns: Option<u64>,
    due: Instant,
}

impl Pace {
    /// `None` at full speed: nothing is held back.
    pub(super) fn new(speed: Speed) -> Option<Pace> {
        let Speed::Times(times) = speed else { return None };
        Some(Pace { times, last_ns: None, due: Instant::now() })
    }

    /// Waits until `tick` is due.
    pub(super) fn wait_for(&mut self, tick: &Tick) {
        let delay = self.delay(tick);
        self.due += delay;
        let left = self.due.saturating_duration_since(Instant::now());
        if left > SLEEP_SLACK {
            std::thread::sleep(left - SLEEP_SLACK);
        }
        while Instant::now() < self.due {
            std::hint::spin_loop();
        }
    }

    /// How long after the message before it comes; at once if its time runs backwards.
    fn delay(&mut self, tick: &Tick) -> Duration {
        let last_ns = self.last_ns.replace(tick.received_ns).unwrap_or(tick.received_ns);
        let silence_ns = tick.received_ns.saturating_sub(last_ns).min(SILENCE_NS_MAX);
        let seconds = silence_ns as f64 / 1e9 / self.times;
        // So slow a replay that a pause has no number is as good as one that waits a day.
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(86_400))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::tick::{Message, Snapshot};

    #[test]
    fn a_speed_is_max_or_a_positive_number() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("MAX".parse(), Ok(Speed::Max));
        assert_eq!("0.5".parse(), Ok(Speed::Times(0.5)));
        for refused in ["", "0", "-1", "nan", "inf", "fast", "10x"] {
            assert_eq!(refused.parse::<Speed>(), Err(NoSpeed), "{refused}");
        }
    }

    #[test]
    fn a_pause_is_that_of_the_market_within_limits() {
        let tick = |received_ns| Tick {
            received_ns,
            message: Message::Snapshot(Snapshot {
                last_update_id: 1,
                bid_levels: 0,
                ask_levels: 0,
            }),
        };
        let mut pace = Pace::new(Speed::Times(2.0)).unwrap();
        assert_eq!(pace.delay(&tick(5_000_000_000)), Duration::ZERO);
        assert_eq!(pace.delay(&tick(6_000_000_000)), Duration::from_millis(500));
        assert_eq!(pace.delay(&tick(2_000_000_000)), Duration::ZERO);
        assert_eq!(pace.delay(&tick(u64::MAX)), Duration::from_secs(30));
        assert!(Pace::new(Speed::Max).is_none());
        let mut standing = Pace::new(Speed::Times(f64::MIN_POSITIVE)).unwrap();
        standing.delay(&tick(1));
        assert_eq!(standing.delay(&tick(9)), Duration::from_secs(86_400));
    }
}
