//! A histogram of durations with a bounded relative error, after Gil Tene's HdrHistogram.
//!
//! Values below 64 have a bucket each; above, every power of two is cut into 32 buckets. So a value
//! is known to 1/32, 3.1 %, from 1 tick to 2^36 ticks (26 s at 2.6 GHz); what takes longer stands in
//! the last bucket, and exactly in the maximum. 8 KiB, whatever happens.

#![expect(unsafe_code, reason = "declares that histograms are valid in zeroed memory")]

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::ArenaItem;

/// Buckets for each power of two.
const SUB_BUCKETS: usize = 1 << SUB_BITS;
const SUB_BITS: u32 = 5;
/// Values from 2^36 on share the last bucket.
const VALUE_BITS: u32 = 36;
const BUCKETS: usize = (VALUE_BITS - SUB_BITS + 1) as usize * SUB_BUCKETS;

/// One lane's times. Any thread may read it at any time.
///
/// Only the lane's own thread writes to it, save in the shared lane; and a signal handler may
/// interrupt it anywhere. So counts are added with one instruction: once in about 1,024 calls, on
/// a line of the lane's own.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// How many calls were timed.
    timed: AtomicU64,
    /// The longest of them.
    longest: AtomicU64,
}

// SAFETY: atomics only.
unsafe impl ArenaItem for Histogram {}

const _: () = assert!(size_of::<Histogram>() == 8 * BUCKETS + 128 && BUCKETS == 1024);

impl Default for Histogram {
    fn default() -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self { buckets, timed: AtomicU64::new(0), longest: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts `calls` calls of this duration, one of which was timed.
    pub(super) fn record(&self, ticks: u64, calls: u64) {
        // ORDERING: Relaxed for all of them: numbers of their own. A reader may see one of them a
        //   moment before the others.
        // PAIRS WITH: the loads in `Snapshot::add`.
        // IF WEAKENED: they are the weakest already.
        self.buckets[bucket(ticks)].fetch_add(calls, Ordering::Relaxed);
        self.timed.fetch_add(1, Ordering::Relaxed);
        self.longest.fetch_max(ticks, Ordering::Relaxed);
    }
}

/// The bucket of a value.
fn bucket(value: u64) -> usize {
    let value = value.min((1 << VALUE_BITS) - 1);
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    shift as usize * SUB_BUCKETS + (value >> shift) as usize
}

/// The largest value of a bucket.
fn upper_edge(bucket: usize) -> u64 {
    let shift = (bucket / SUB_BUCKETS).saturating_sub(1);
    let first = (bucket - shift * SUB_BUCKETS) as u64;
    ((first + 1) << shift) - 1
}

/// Times of calls, added up at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    buckets: Box<[u64; BUCKETS]>,
    timed: u64,
    longest: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), timed: 0, longest: 0 }
    }
}

impl Snapshot {
    /// Adds a lane's times.
    pub(super) fn add(&mut self, histogram: &Histogram) {
        // ORDERING: Relaxed for all three, see `record`.
        // PAIRS WITH: the additions there.
        // IF WEAKENED: they are the weakest already.
        let timed = histogram.timed.load(Ordering::Relaxed);
        let longest = histogram.longest.load(Ordering::Relaxed);
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        self.timed += timed;
        self.longest = self.longest.max(longest);
    }

    /// What was added since an earlier moment. The longest is then known to a bucket's width.
    pub(crate) fn since(&self, earlier: &Snapshot) -> Snapshot {
        let mut buckets = self.buckets.clone();
        for (count, before) in buckets.iter_mut().zip(earlier.buckets.iter()) {
            *count = count.saturating_sub(*before);
        }
        let highest = buckets.iter().rposition(|count| *count > 0);
        // What did not fit is as long as the longest ever.
        let edge = match highest {
            Some(last) if last == BUCKETS - 1 => u64::MAX,
            Some(bucket) => upper_edge(bucket),
            None => 0,
        };
        let timed = self.timed.saturating_sub(earlier.timed);
        Snapshot { buckets, timed, longest: edge.min(self.longest) }
    }

    /// How many calls were timed.
    pub(crate) fn timed(&self) -> u64 {
        self.timed
    }

    /// The longest time, in ticks.
    pub(crate) fn longest(&self) -> u64 {
        self.longest
    }

    /// The time, in ticks, that a share of all calls did not exceed: at most 3.1 % too high, never
    /// too low. 0 when no call was timed.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let all: u64 = self.buckets.iter().sum();
        let rank = ((all as f64 * share).ceil() as u64).clamp(1, all.max(1));
        let mut passed = 0;
        let reached = self.buckets.iter().position(|count| {
            passed += count;
            passed >= rank
        });
        reached.map_or(0, |bucket| upper_edge(bucket).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(histogram: &Histogram) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.add(histogram);
        snapshot
    }

    #[test]
    fn every_bucket_ends_where_the_next_one_begins() {
        for at in 0..BUCKETS {
            let edge = upper_edge(at);
            assert_eq!(bucket(edge), at);
            assert_eq!(bucket(edge + 1), (at + 1).min(BUCKETS - 1));
        }
        assert_eq!(upper_edge(BUCKETS - 1), (1 << VALUE_BITS) - 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_at_most_one_part_in_32_too_high() {
        let histogram = Histogram::default();
        let mut state = 1_u64;
        let mut values: Vec<u64> = (0..10_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Over the whole range, small values as often as large ones.
                (state >> 40) >> (state >> 20 & 15)
            })
            .collect();
        values.iter().for_each(|value| histogram.record(*value, 1));
        values.sort_unstable();
        let snapshot = snapshot(&histogram);
        for share in [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let exact = values[((values.len() as f64 * share).ceil() as usize).max(1) - 1];
            let found = snapshot.quantile(share);
            assert!((exact..=exact + exact / 32).contains(&found), "{share}: {exact}, {found}");
        }
        assert_eq!((snapshot.timed(), snapshot.longest()), (10_000, values[9_999]));
    }

    #[test]
    fn a_sample_stands_for_many_calls_and_an_exception_for_itself() {
        let histogram = Histogram::default();
        for _ in 0..99 {
            histogram.record(20, 1024);
        }
        for _ in 0..99 {
            histogram.record(1 << 20, 1);
        }
        let snapshot = snapshot(&histogram);
        assert_eq!((snapshot.quantile(0.5), snapshot.quantile(0.999)), (20, 20));
        assert!(snapshot.quantile(0.9995) >= 1 << 20, "99 of 101,475 calls");
        assert_eq!(snapshot.timed(), 198);
    }

    #[test]
    fn an_interval_is_the_difference_of_two_moments() {
        let histogram = Histogram::default();
        histogram.record(1_000_000, 1);
        let before = snapshot(&histogram);
        histogram.record(100, 10);
        let interval = snapshot(&histogram).since(&before);
        assert_eq!((interval.timed(), interval.quantile(0.5)), (1, 101));
        assert_eq!(interval.longest(), 101, "the upper edge of its bucket");
        assert_eq!(interval.since(&interval).quantile(0.99), 0);
        let far = Histogram::default();
        far.record(1 << 40, 1);
        let far = snapshot(&far);
        assert_eq!((far.longest(), far.since(&Snapshot::default()).longest()), (1 << 40, 1 << 40));
    }
}
