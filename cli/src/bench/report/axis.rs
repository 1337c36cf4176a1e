//! The axes of the charts.

use super::text::tick;

/// A place between two ends, both in units of the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Span {
    fn at(self, share: f64) -> f64 {
        self.from + (self.to - self.from) * share.clamp(0.0, 1.0)
    }
}

/// A logarithmic axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    span: Span,
    low: f64,
    high: f64,
}

/// Values below cannot be drawn on a logarithmic axis, nor measured: a tenth of a nanosecond.
pub(super) const LEAST: f64 = 0.1;

/// The room that a label takes along an axis, in units of the drawing.
const LABEL_WIDTH: f64 = 50.0;
const LABEL_HEIGHT: f64 = 18.0;

impl Log {
    /// An axis that has room for all `values`.
    pub(super) fn of(values: impl Iterator<Item = f64>, span: Span) -> Log {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.map(|value| value.max(LEAST)) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        // A little air at both ends, and never an axis without length.
        let (low, high) = (low.log10() - 0.08, high.log10() + 0.08);
        Log { span, low, high: high.max(low + 0.5) }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let place = value.max(LEAST).log10();
        self.span.at((place - self.low) / (self.high - self.low))
    }

    /// Where the grid lines stand, and what is written there: decades, with steps between them
    /// where there is room for their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let decade = (self.span.to - self.span.from) / (self.high - self.low);
        let room = if decade > 0.0 { LABEL_WIDTH } else { LABEL_HEIGHT };
        let fits = |steps: &[f64]| steps[1].log10() * decade.abs() >= room;
        let fine: [&[f64]; 2] = [&[1.0, 2.0, 5.0], &[1.0, 3.0]];
        let steps = fine.into_iter().find(|steps| fits(steps)).unwrap_or(&[1.0]);
        let decades = self.low.floor() as i32..=self.high.ceil() as i32;
        decades
            .flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)))
            .filter(|value| (self.low..=self.high).contains(&value.log10()))
            .map(|value| (self.at(value), tick(value)))
            .collect()
    }
}

/// An axis of percentiles on which each further nine takes the same room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nines {
    span: Span,
    nines: f64,
}

/// What is labelled, in percent.
const PERCENTS: [f64; 8] = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999];

impl Nines {
    /// An axis up to the last of so many samples: it is all that is known of the percentiles
    /// beyond.
    pub(super) fn of(samples: u64, span: Span) -> Nines {
        Nines { span, nines: (samples.max(10) as f64).log10() }
    }

    /// The place below which the first `below` of `samples` lie.
    pub(super) fn at(&self, below: u64, samples: u64) -> f64 {
        let above = samples.saturating_sub(below).max(1) as f64;
        self.span.at((samples.max(1) as f64 / above).log10() / self.nines)
    }

    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let place = |percent: f64| -(1.0 - percent / 100.0).log10() / self.nines;
        PERCENTS
            .into_iter()
            .map(|percent| (place(percent), format!("p{percent}")))
            .filter(|(share, _)| *share <= 1.000_001)
            .map(|(share, label)| (self.span.at(share), label))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { from: 0.0, to: 100.0 };
    const WIDE: Span = Span { from: 0.0, to: 900.0 };

    #[test]
    fn a_decade_takes_the_same_room_everywhere() {
        let axis = Log::of([1.0, 10_000.0].into_iter(), SPAN);
        let steps = [1.0, 10.0, 100.0, 1_000.0].map(|value| axis.at(value * 10.0) - axis.at(value));
        assert!(steps.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-9), "{steps:?}");
        let labels: Vec<_> = axis.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["1 ns", "10 ns", "100 ns", "1 µs", "10 µs"]);
        let wide = Log::of([1.0, 10_000.0].into_iter(), WIDE).ticks();
        assert_eq!(wide[1].1, "2 ns");
        assert!(wide.windows(2).all(|pair| pair[1].0 - pair[0].0 >= LABEL_WIDTH), "{wide:?}");
    }

    #[test]
    fn an_axis_without_values_or_with_one_still_has_a_length() {
        for values in [vec![], vec![7.0], vec![0.0, 0.0]] {
            let axis = Log::of(values.iter().copied(), SPAN);
            assert!(axis.at(7.0).is_finite() && axis.high > axis.low);
        }
    }

    #[test]
    fn each_further_nine_takes_the_same_room() {
        let axis = Nines::of(10_000, SPAN);
        let places = [9_000, 9_900, 9_990, 10_000].map(|below| axis.at(below, 10_000));
        assert_eq!(places.map(f64::round), [25.0, 50.0, 75.0, 100.0]);
        assert_eq!(axis.ticks().last().unwrap().1, "p99.99");
    }
}
