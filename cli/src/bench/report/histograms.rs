//! Histograms: how often a call took how long. Both axes are logarithmic.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::axis::{LEAST, Log, Span};
use super::svg::{Frame, Look};
use crate::bench::model::Case;

const FRAME: Frame =
    Frame { width: 360.0, height: 190.0, left: 50.0, right: 10.0, top: 8.0, bottom: 24.0 };
/// Bars for times ten times as long.
const BARS_PER_DECADE: f64 = 24.0;

/// Draws the cases' histograms over each other.
pub(super) fn draw(out: &mut dyn Write, label: &str, cases: &[(&Case, Look)]) -> fmt::Result {
    let values = cases.iter().flat_map(|(case, _)| case.histogram.iter());
    let values = values.filter(|(_, count)| *count > 0).map(|&(upper, _)| upper);
    let x = Log::of(values, FRAME.across());
    let samples = cases.iter().map(|(case, _)| case.samples()).max().unwrap_or(1);
    let y = Shares::new(samples, FRAME.upwards());
    FRAME.open(out, label)?;
    FRAME.grid_across(out, &x.ticks())?;
    FRAME.grid_upwards(out, &y.ticks())?;
    for (case, look) in cases {
        bars(out, case, *look, &x, &y)?;
    }
    out.write_str("</svg>\n")
}

/// The axis of shares, from one sample to all of them.
struct Shares {
    span: Span,
    decades: f64,
}

impl Shares {
    fn new(samples: u64, span: Span) -> Shares {
        // One sample stands half a decade above the ground, so that it is seen.
        Shares { span, decades: (samples.max(10) as f64).log10() + 0.5 }
    }

    fn at(&self, share: f64) -> f64 {
        let height = (1.0 + share.log10() / self.decades).clamp(0.0, 1.0);
        self.span.from + (self.span.to - self.span.from) * height
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        (0..=self.decades as i32)
            .step_by(if self.decades > 5.0 { 2 } else { 1 })
            .map(|decade| (self.at(10_f64.powi(-decade)), percent_of_decade(decade)))
            .collect()
    }
}

/// `100 %`, `10 %`, `1 %`, `0.1 %`, …
fn percent_of_decade(decade: i32) -> String {
    let digits = (decade - 2).max(0) as usize;
    format!("{:.digits$} %", 10_f64.powi(2 - decade))
}

fn bars(out: &mut dyn Write, case: &Case, look: Look, x: &Log, y: &Shares) -> fmt::Result {
    let mut counts = BTreeMap::<i32, u64>::new();
    for &(upper, count) in case.histogram.iter().filter(|(_, count)| *count > 0) {
        // A hair less, so that an upper end belongs to the bar that it ends.
        let bar = (upper.max(LEAST).log10() * BARS_PER_DECADE - 1e-9).floor() as i32;
        *counts.entry(bar).or_default() += count;
    }
    let samples = case.samples().max(1) as f64;
    let ground = FRAME.upwards().from;
    write!(out, "<path class=\"area {look}\" d=\"")?;
    for (bar, count) in counts {
        let edge = |bar: i32| x.at(10_f64.powf(f64::from(bar) / BARS_PER_DECADE));
        let top = y.at(count as f64 / samples);
        write!(out, "M{:.1} {ground:.1}V{top:.1}H{:.1}V{ground:.1}", edge(bar), edge(bar + 1))?;
    }
    out.write_str("\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_labelled_with_the_digits_that_they_need() {
        assert_eq!(
            [0, 1, 2, 3, 5].map(percent_of_decade),
            ["100 %", "10 %", "1 %", "0.1 %", "0.001 %"]
        );
    }
}
