//! From samples in ticks to figures in nanoseconds.

use hdrhistogram::Histogram;

use super::model::Percentiles;

/// Longer times count as this in the histogram: minutes, on any machine.
const TICKS_MAX: u64 = 1 << 40;
/// Digits to which the histogram keeps times apart.
const DIGITS: u8 = 2;

/// Samples of one series, round by round, and what one of their ticks means.
#[derive(Debug)]
pub(super) struct Samples {
    /// Each ascending.
    rounds: Vec<Vec<u64>>,
    /// Of all rounds, ascending.
    all: Vec<u64>,
    /// Nanoseconds of a call for each tick of a sample.
    nanos_per_tick: f64,
}

impl Samples {
    /// `rounds` are in ticks; each sample is the time of `calls_per_sample` calls.
    pub(super) fn new(
        mut rounds: Vec<Vec<u64>>,
        nanos_per_tick: f64,
        calls_per_sample: u64,
    ) -> Self {
        rounds.retain(|round| !round.is_empty());
        rounds.iter_mut().for_each(|round| round.sort_unstable());
        let mut all = rounds.concat();
        all.sort_unstable();
        Self { rounds, all, nanos_per_tick: nanos_per_tick / calls_per_sample as f64 }
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let at = |share| self.quantile(&self.all, share);
        Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }

    /// A quantile of each round.
    pub(super) fn of_rounds(&self, share: f64) -> Vec<f64> {
        self.rounds.iter().map(|round| self.quantile(round, share)).collect()
    }

    /// Ascending: the upper end of a bucket, and the samples in it.
    pub(super) fn histogram(&self) -> Vec<(f64, u64)> {
        let Ok(mut histogram) = Histogram::<u64>::new_with_bounds(1, TICKS_MAX, DIGITS) else {
            return Vec::new();
        };
        self.all.iter().for_each(|&ticks| histogram.saturating_record(ticks));
        let buckets = histogram.iter_recorded();
        let nanos = |ticks: u64| ticks as f64 * self.nanos_per_tick;
        buckets.map(|it| (nanos(it.value_iterated_to()), it.count_since_last_iteration())).collect()
    }

    /// The smallest sample that `share` of all samples do not exceed.
    fn quantile(&self, ascending: &[u64], share: f64) -> f64 {
        let rank = (share * ascending.len() as f64).ceil() as usize;
        let sample = ascending.get(rank.saturating_sub(1)).copied().unwrap_or(0);
        sample as f64 * self.nanos_per_tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_of_their_rank() {
        let samples = Samples::new(vec![(1..=500).rev().collect(), (501..=1000).collect()], 2.0, 4);
        let Percentiles { p50, p90, p99, p999, max } = samples.percentiles();
        assert_eq!([p50, p90, p99, p999, max], [250.0, 450.0, 495.0, 499.5, 500.0]);
        assert_eq!(samples.of_rounds(0.5), [125.0, 375.0]);
    }

    #[test]
    fn the_histogram_holds_every_sample_once() {
        let samples = Samples::new(vec![vec![7, 7, 8], vec![100_000]], 1.0, 1);
        let histogram = samples.histogram();
        assert_eq!(histogram[..2], [(7.0, 2), (8.0, 1)]);
        assert_eq!(histogram.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert!((100_000.0..102_000.0).contains(&histogram[2].0), "{histogram:?}");
    }

    #[test]
    fn no_samples_give_no_times() {
        let samples = Samples::new(vec![Vec::new()], 1.0, 1);
        assert_eq!(samples.percentiles().max, 0.0);
        assert!(samples.of_rounds(0.5).is_empty() && samples.histogram().is_empty());
    }
}
