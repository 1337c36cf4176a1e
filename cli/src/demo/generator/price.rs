//! Where the generated market's price goes.

use super::rng::SplitMix64;

/// The price that the walk comes back to, in dollars.
const CENTRE: f64 = 61_800.0;
/// The share of the distance to the centre that it is pulled back in a second.
const PULL_PER_S: f64 = 0.01;
/// Noise: the standard deviation that a second adds, in dollars.
const NOISE_PER_SQRT_S: f64 = 1.0;
/// A leg is a drift in one direction; the next one goes the other way. Legs of about equal length
/// and slope let averages of 12 and 26 seconds cross in most of them.
const LEG_MS: (u64, u64) = (8_000, 12_000);
/// The drift of a leg, in cents a second.
const LEG_CENTS_PER_S: (u64, u64) = (300, 500);
/// Prices move in steps of ten cents.
const STEPS_PER_DOLLAR: f64 = 10.0;

/// A mean-reverting random walk with legs, and the quotes around it, in steps.
#[derive(Debug, Clone)]
pub(super) struct PriceWalk {
    rng: SplitMix64,
    now_ns: u64,
    fair: f64,
    drift_per_s: f64,
    leg_ends_ns: u64,
    bid: i64,
    ask: i64,
}

impl PriceWalk {
    pub(super) fn new(rng: SplitMix64) -> Self {
        let bid = (CENTRE * STEPS_PER_DOLLAR) as i64;
        PriceWalk {
            rng,
            now_ns: 0,
            fair: CENTRE,
            drift_per_s: -1.0,
            leg_ends_ns: 0,
            bid,
            ask: bid + 1,
        }
    }

    /// Moves the fair price on to a later time.
    pub(super) fn advance_to(&mut self, now_ns: u64) {
        if self.now_ns == 0 {
            self.now_ns = now_ns;
        }
        if now_ns >= self.leg_ends_ns {
            self.begin_leg(now_ns);
        }
        let seconds = (now_ns - self.now_ns) as f64 / 1e9;
        self.now_ns = now_ns;
        self.fair += (self.drift_per_s + (CENTRE - self.fair) * PULL_PER_S) * seconds
            + self.rng.bell() * NOISE_PER_SQRT_S * seconds.sqrt();
    }

    /// Quotes around the fair price, one step apart as a rule; returns bid and ask in steps.
    pub(super) fn requote(&mut self) -> (i64, i64) {
        let spread = if self.rng.chance_permille(950) { 1 } else { self.rng.between(2, 12) };
        self.bid = (self.fair * STEPS_PER_DOLLAR) as i64;
        self.ask = self.bid + spread as i64;
        self.bid_ask()
    }

    /// The last quotes, in steps.
    pub(super) fn bid_ask(&self) -> (i64, i64) {
        (self.bid, self.ask)
    }

    fn begin_leg(&mut self, now_ns: u64) {
        let cents_per_s = self.rng.between(LEG_CENTS_PER_S.0, LEG_CENTS_PER_S.1) as f64;
        let direction = if self.drift_per_s < 0.0 { 1.0 } else { -1.0 };
        self.drift_per_s = direction * cents_per_s / 100.0;
        self.leg_ends_ns = now_ns + self.rng.between(LEG_MS.0, LEG_MS.1) * 1_000_000;
    }
}
