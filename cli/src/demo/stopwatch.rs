//! Measures calls of a log, outside the logging engine.

use std::time::Instant;

use hdrhistogram::Histogram;
use tapelog::Ticks;

use super::strategy::StrategyLog;
use super::strategy::events::{Bar, FeedGap, Fill, Order, PositionChange, Rejection, Signal};
use super::tick::Tick;

/// Longer times count as this: a minute and more, on any machine.
const TICKS_MAX: u64 = 1 << 40;
/// Digits to which times are kept apart.
const DIGITS: u8 = 3;

/// The shares that the report shows, in percent.
pub(super) const PERCENTILES: [f64; 4] = [50.0, 99.0, 99.9, 100.0];

/// Times, in ticks of the clock that `tapelog::now` reads.
#[derive(Debug, Clone)]
pub(super) struct Times {
    /// `None` if there was no memory for one.
    histogram: Option<Histogram<u64>>,
    ticks: u64,
}

impl Times {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, TICKS_MAX, DIGITS).ok();
        Times { histogram, ticks: 0 }
    }

    /// Counts the time from `before` to now.
    #[inline]
    pub(super) fn record_since(&mut self, before: Ticks) {
        let ticks = tapelog::now().0.saturating_sub(before.0);
        self.ticks += ticks;
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(ticks);
        }
    }

    /// How many times were counted.
    pub(super) fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// Their sum, in ticks.
    pub(super) fn sum_ticks(&self) -> u64 {
        self.ticks
    }

    /// The times below which the [`PERCENTILES`] lie, in ticks.
    pub(super) fn percentiles_ticks(&self) -> [u64; 4] {
        PERCENTILES.map(|percent| {
            self.histogram.as_ref().map_or(0, |times| times.value_at_percentile(percent))
        })
    }
}

/// Measures the length of a tick against the system's clock, over the time of a whole run.
#[derive(Debug, Clone, Copy)]
pub(super) struct TickLength {
    ticks: Ticks,
    instant: Instant,
}

impl TickLength {
    pub(super) fn begin() -> Self {
        TickLength { ticks: tapelog::now(), instant: Instant::now() }
    }

    /// Nanoseconds of one tick.
    pub(super) fn nanos(self) -> f64 {
        let ticks = tapelog::now().0.saturating_sub(self.ticks.0);
        self.instant.elapsed().as_nanos() as f64 / ticks.max(1) as f64
    }
}

/// A log whose calls are timed, each with two readings of the clock.
///
/// Around [`Silent`](super::strategy::Silent) nothing stands between the two readings: that is the
/// empty timer pair.
#[derive(Debug)]
pub(super) struct Timed<L> {
    pub(super) log: L,
    pub(super) calls: Times,
}

impl<L> Timed<L> {
    pub(super) fn new(log: L) -> Self {
        Timed { log, calls: Times::new() }
    }

    #[inline]
    fn time(&mut self, call: impl FnOnce(&mut L)) {
        let before = tapelog::now();
        call(&mut self.log);
        self.calls.record_since(before);
    }
}

impl<L: StrategyLog> StrategyLog for Timed<L> {
    fn market_event(&mut self, tick: &Tick) {
        self.time(|log| log.market_event(tick));
    }
    /// Below the level, and so no record: it must not flatter the times of those that are.
    fn market_detail(&mut self, tick: &Tick) {
        self.log.market_detail(tick);
    }
    fn bar_closed(&mut self, bar: &Bar) {
        self.time(|log| log.bar_closed(bar));
    }
    fn signal(&mut self, signal: &Signal) {
        self.time(|log| log.signal(signal));
    }
    fn order_submitted(&mut self, order: &Order) {
        self.time(|log| log.order_submitted(order));
    }
    fn order_filled(&mut self, fill: &Fill) {
        self.time(|log| log.order_filled(fill));
    }
    fn position_changed(&mut self, change: &PositionChange) {
        self.time(|log| log.position_changed(change));
    }
    fn order_rejected(&mut self, rejection: &Rejection) {
        self.time(|log| log.order_rejected(rejection));
    }
    fn feed_gap(&mut self, gap: &FeedGap) {
        self.time(|log| log.feed_gap(gap));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_counted_and_the_largest_is_the_last_percentile() {
        let mut times = Times::new();
        for _ in 0..100 {
            times.record_since(tapelog::now());
        }
        let long = Ticks(tapelog::now().0 - 1_000_000_000);
        times.record_since(long);
        let [p50, .., max] = times.percentiles_ticks();
        assert_eq!(times.count(), 101);
        assert!(p50 < 1_000_000 && max >= 1_000_000_000, "{p50} {max}");
        assert!(times.sum_ticks() >= 1_000_000_000);
    }

    #[test]
    fn a_tick_has_the_length_that_the_system_s_clock_gives_it() {
        let (length, before) = (TickLength::begin(), tapelog::now());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let ticks = tapelog::now().0 - before.0;
        let nanos = ticks as f64 * length.nanos();
        assert!((15e6..2e9).contains(&nanos), "{nanos}");
    }
}
