//! Exponential moving averages and their crossings.

use super::events::Side;

/// An exponential moving average: each value weighs 2 / (period + 1), the first is the seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Average {
    weight: f64,
    value: Option<f64>,
}

impl Average {
    pub(super) fn new(period: u32) -> Self {
        Average { weight: 2.0 / (f64::from(period) + 1.0), value: None }
    }

    /// Takes the next value; returns the new average.
    pub(super) fn update(&mut self, next: f64) -> f64 {
        let value = self.value.map_or(next, |value| value + self.weight * (next - value));
        self.value = Some(value);
        value
    }
}

/// A fast and a slow average, and which of them was above.
#[derive(Debug)]
pub(super) struct Crossover {
    fast: Average,
    slow: Average,
    warm_up_left: u32,
    above: Option<Side>,
}

/// The fast average went over to `side` of the slow one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cross {
    pub(super) side: Side,
    pub(super) fast: f64,
    pub(super) slow: f64,
}

impl Crossover {
    pub(super) fn new(fast_period: u32, slow_period: u32) -> Self {
        Crossover {
            fast: Average::new(fast_period),
            slow: Average::new(slow_period),
            warm_up_left: slow_period,
            above: None,
        }
    }

    /// Takes a close. Touching is not crossing, and the side at the end of the warm-up is only
    /// where the averages begin.
    pub(super) fn update(&mut self, close: f64) -> Option<Cross> {
        let fast = self.fast.update(close);
        let slow = self.slow.update(close);
        if self.warm_up_left > 1 {
            self.warm_up_left -= 1;
            return None;
        }
        let side = if fast > slow {
            Side::Buy
        } else if fast < slow {
            Side::Sell
        } else {
            return None;
        };
        let before = self.above.replace(side);
        (before == Some(side.opposite())).then_some(Cross { side, fast, slow })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close_to(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn an_average_has_the_values_computed_by_hand() {
        // Period 3: weight 1/2. 10; 10 + (11-10)/2; 10.5 + (13-10.5)/2; 11.75 + (9-11.75)/2.
        let mut average = Average::new(3);
        let found = [10.0, 11.0, 13.0, 9.0].map(|value| average.update(value));
        assert_eq!(found, [10.0, 10.5, 11.75, 10.375]);
        // Period 12: weight 2/13. 100; 100 + 13 * 2/13; 102 + (89-102) * 2/13.
        let mut average = Average::new(12);
        let found = [100.0, 113.0, 89.0].map(|value| average.update(value));
        assert!(close_to(found[1], 102.0) && close_to(found[2], 100.0), "{found:?}");
        // Period 26: weight 2/27. 100; 100 + 27 * 2/27; 102 - 54 * 2/27.
        let mut average = Average::new(26);
        let found = [100.0, 127.0, 48.0].map(|value| average.update(value));
        assert!(close_to(found[1], 102.0) && close_to(found[2], 98.0), "{found:?}");
    }

    #[test]
    fn a_crossing_is_told_once_and_on_the_right_side() {
        // Periods 1 and 3: the fast average is the close itself.
        let mut crossover = Crossover::new(1, 3);
        let closes = [10.0, 10.0, 12.0, 13.0, 8.0, 7.0, 12.0];
        let sides = closes.map(|close| crossover.update(close).map(|cross| cross.side));
        // The slow average: 10, 10, 11, 12, 10, 8.5, 10.25.
        assert_eq!(sides, [None, None, None, None, Some(Side::Sell), None, Some(Side::Buy)]);
    }

    #[test]
    fn a_touch_is_no_crossing() {
        let mut crossover = Crossover::new(1, 3);
        let closes = [10.0, 10.0, 12.0, 11.0, 12.0, 11.5];
        // The slow average: 10, 10, 11, 11 (touched), 11.5, 11.5 (touched).
        assert!(closes.iter().all(|close| crossover.update(*close).is_none()));
        // 11.5 + (9-11.5)/2 = 10.25.
        let expected = Cross { side: Side::Sell, fast: 9.0, slow: 10.25 };
        assert_eq!(crossover.update(9.0), Some(expected));
    }

    #[test]
    fn there_is_no_crossing_during_the_warm_up() {
        let mut crossover = Crossover::new(1, 6);
        let closes = [10.0, 12.0, 5.0, 20.0, 1.0];
        assert!(closes.iter().all(|close| crossover.update(*close).is_none()));
        assert!(crossover.update(30.0).is_none(), "the first side is only the beginning");
        assert!(crossover.update(1.0).is_some());
    }
}
