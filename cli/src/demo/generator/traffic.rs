//! When the generated messages arrive.
//!
//! Market traffic is not a Poisson process. The model has three layers, each with the recording's
//! own figures, smoothed:
//!
//! 1. *Seconds*: the counts of 345 seconds are a deck of cards; it is shuffled, dealt, and shuffled
//!    again. Every deal has 94,000 messages, within 1 %, the one second of 2,466 and the one of 4.
//! 2. *Bursts*: a second's messages come in bursts that begin anywhere in it. Most are of one
//!    message; some are long; a sweep of the book has a hundred.
//! 3. *Gaps*: inside a burst, messages follow each other in 0.4 to 7.6 µs.

use super::rng::SplitMix64;

/// The begin of the generated feed: a whole second, 2024-08-09 00:00 UTC.
const START_NS: u64 = 1_723_161_600_000_000_000;
const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;
/// Bursts begin in this part of a second, so that the last one ends in it too.
const BURSTS_BEGIN_NS: u64 = 990_000_000;

/// Messages in a second, as (rank among 345 seconds, count), linear in between.
const SECOND_RANKS: [(u64, u64); 21] = [
    (0, 4),
    (20, 82),
    (40, 94),
    (60, 104),
    (80, 119),
    (100, 129),
    (120, 147),
    (140, 156),
    (160, 174),
    (180, 210),
    (200, 233),
    (220, 265),
    (240, 290),
    (260, 327),
    (280, 398),
    (300, 474),
    (320, 565),
    (330, 696),
    (336, 904),
    (340, 1_305),
    (344, 2_466),
];
/// Messages in a burst, as (cumulative permille, smallest, largest).
const BURST_SIZES: [(u64, u64, u64); 7] = [
    (660, 1, 1),
    (810, 2, 2),
    (875, 3, 3),
    (915, 4, 4),
    (957, 5, 7),
    (990, 8, 15),
    (1_000, 16, 60),
];
/// The gap inside a burst, as (cumulative permille, nanoseconds), linear in between.
const GAP_RANKS: [(u64, u64); 7] =
    [(0, 400), (250, 700), (500, 1_000), (750, 1_700), (850, 3_000), (950, 4_200), (1_000, 7_600)];
const GAP_NS_MIN: u64 = 400;
/// A sweep's messages: as many as fit into one millisecond together with what else falls into it.
const SWEEP_SIZE: (u64, u64) = (100, 118);
/// A sweep begins in the first part of a millisecond and so ends in the same one.
const SWEEP_BEGINS_NS: u64 = 300_000;
/// A sweep needs a busy second; in the busiest there always is one.
const SWEEP_SECOND_MIN: u64 = 600;
const SWEEP_SECOND_SURE: u64 = 2_000;
const SWEEP_PERMILLE: u64 = 250;
/// No more messages than this within a millisecond; the next ones wait for the next.
const PER_MS_MAX: u64 = 129;

/// The arrival times, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    rng: SplitMix64,
    /// Counts of seconds, shuffled up to and including those that were dealt.
    deck: Vec<u64>,
    dealt: usize,
    /// The second that is dealt next.
    second_ns: u64,
    /// The current second's arrivals, the next one last.
    arrivals: Vec<u64>,
    last_ns: u64,
    ms: u64,
    in_ms: u64,
}

impl Traffic {
    pub(super) fn new(rng: SplitMix64) -> Self {
        let deck = (0..=SECOND_RANKS[SECOND_RANKS.len() - 1].0)
            .map(|rank| interpolate(&SECOND_RANKS, rank))
            .collect();
        Traffic {
            rng,
            deck,
            dealt: 0,
            second_ns: START_NS,
            arrivals: Vec::new(),
            last_ns: START_NS,
            ms: 0,
            in_ms: 0,
        }
    }

    /// The next message's arrival, at least 400 ns after the one before.
    pub(super) fn next_arrival_ns(&mut self) -> u64 {
        loop {
            if let Some(planned_ns) = self.arrivals.pop() {
                return self.admit(planned_ns);
            }
            self.plan_second();
        }
    }

    /// Keeps the shortest gap and the most messages of a millisecond.
    fn admit(&mut self, planned_ns: u64) -> u64 {
        let mut now_ns = planned_ns.max(self.last_ns + GAP_NS_MIN);
        if now_ns / NS_PER_MS == self.ms && self.in_ms == PER_MS_MAX {
            now_ns = (self.ms + 1) * NS_PER_MS;
        }
        if now_ns / NS_PER_MS != self.ms {
            self.ms = now_ns / NS_PER_MS;
            self.in_ms = 0;
        }
        self.in_ms += 1;
        self.last_ns = now_ns;
        now_ns
    }

    fn plan_second(&mut self) {
        let mut left = self.deal();
        let has_sweep = left >= SWEEP_SECOND_SURE
            || (left >= SWEEP_SECOND_MIN && self.rng.chance_permille(SWEEP_PERMILLE));
        if has_sweep {
            let begin_ms = self.rng.below(BURSTS_BEGIN_NS / NS_PER_MS) * NS_PER_MS;
            let begin_ns = begin_ms + self.rng.below(SWEEP_BEGINS_NS);
            let size = self.rng.between(SWEEP_SIZE.0, SWEEP_SIZE.1);
            self.plan_burst(begin_ns, size);
            left -= size;
        }
        while left > 0 {
            let begin_ns = self.rng.below(BURSTS_BEGIN_NS);
            let size = self.burst_size().min(left);
            self.plan_burst(begin_ns, size);
            left -= size;
        }
        self.arrivals.sort_unstable_by(|a, b| b.cmp(a));
        self.second_ns += NS_PER_S;
    }

    fn plan_burst(&mut self, begin_ns: u64, size: u64) {
        let mut at_ns = self.second_ns + begin_ns;
        for _ in 0..size {
            self.arrivals.push(at_ns);
            at_ns += interpolate(&GAP_RANKS, self.rng.below(1_001));
        }
    }

    /// The next card: one step of the Fisher-Yates shuffle at a time.
    fn deal(&mut self) -> u64 {
        if self.dealt == self.deck.len() {
            self.dealt = 0;
        }
        let undealt = (self.deck.len() - self.dealt) as u64;
        let chosen = self.dealt + self.rng.below(undealt) as usize;
        self.deck.swap(self.dealt, chosen);
        self.dealt += 1;
        self.deck[self.dealt - 1]
    }

    fn burst_size(&mut self) -> u64 {
        let rank = self.rng.below(1_000);
        let size = BURST_SIZES.iter().find(|(permille, ..)| rank < *permille);
        size.map_or(1, |&(_, smallest, largest)| self.rng.between(smallest, largest))
    }
}

/// The value at `rank` on the line through `points`, which begin at rank 0 and rise.
fn interpolate(points: &[(u64, u64)], rank: u64) -> u64 {
    let after = points.partition_point(|point| point.0 <= rank);
    match (points.get(after.wrapping_sub(1)), points.get(after)) {
        (Some(low), Some(high)) => low.1 + (high.1 - low.1) * (rank - low.0) / (high.0 - low.0),
        (Some(last), None) => last.1,
        (None, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_two_points_lie_on_their_line() {
        let points = [(0, 10), (10, 20), (20, 120)];
        assert_eq!(
            [0, 5, 10, 15, 20, 99].map(|rank| interpolate(&points, rank)),
            [10, 15, 20, 70, 120, 120]
        );
    }

    #[test]
    fn a_deal_of_the_deck_has_every_second_once() {
        let mut traffic = Traffic::new(SplitMix64::new(5));
        let mut sorted = traffic.deck.clone();
        sorted.sort_unstable();
        for _ in 0..2 {
            let mut dealt = (0..sorted.len()).map(|_| traffic.deal()).collect::<Vec<_>>();
            assert_ne!(dealt, sorted);
            dealt.sort_unstable();
            assert_eq!(dealt, sorted);
        }
        let messages = sorted.iter().sum::<u64>();
        assert!((93_060..=94_940).contains(&messages), "{messages} messages");
    }
}
