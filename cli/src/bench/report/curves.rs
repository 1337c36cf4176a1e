//! Percentile curves: what share of the calls was faster than how much.

use std::fmt::{self, Write};

use super::axis::{Log, Nines};
use super::svg::{Frame, Look};
use super::text::time;
use crate::bench::model::Case;

const FRAME: Frame =
    Frame { width: 560.0, height: 300.0, left: 54.0, right: 14.0, top: 10.0, bottom: 26.0 };
/// Points nearer to each other than this, in units of the drawing, are one.
const POINT_APART: f64 = 0.4;

/// Draws the cases' curves into one chart, with the floor if it is comparable to them.
pub(super) fn draw(
    out: &mut dyn Write,
    label: &str,
    cases: &[(&Case, Look)],
    floor_ns: Option<f64>,
) -> fmt::Result {
    let samples = cases.iter().map(|(case, _)| case.samples()).max().unwrap_or(0);
    let values = cases.iter().flat_map(|(case, _)| case.histogram.iter());
    let values = values.filter(|(_, count)| *count > 0).map(|&(upper, _)| upper);
    let x = Nines::of(samples, FRAME.across());
    let y = Log::of(values.chain(floor_ns), FRAME.upwards());
    FRAME.open(out, label)?;
    FRAME.grid_across(out, &x.ticks())?;
    FRAME.grid_upwards(out, &y.ticks())?;
    if let Some(floor_ns) = floor_ns {
        floor(out, y.at(floor_ns), floor_ns)?;
    }
    for (case, look) in cases {
        curve(out, case, *look, &x, &y)?;
    }
    out.write_str("</svg>\n")
}

fn floor(out: &mut dyn Write, y: f64, floor_ns: f64) -> fmt::Result {
    let right = FRAME.across().to;
    write!(
        out,
        "<path class=\"floor\" d=\"M{:.1} {y:.1}H{right:.1}\"/>\
         <text class=\"floor\" x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"end\">floor {}</text>",
        FRAME.left,
        y + 13.0,
        time(floor_ns)
    )
}

/// A staircase: every sample of a bucket took at most its upper end.
fn curve(out: &mut dyn Write, case: &Case, look: Look, x: &Nines, y: &Log) -> fmt::Result {
    let samples = case.samples();
    let filled = || case.histogram.iter().filter(|(_, count)| *count > 0);
    let Some(first) = filled().next() else { return Ok(()) };
    write!(out, "<path class=\"line {look}\" d=\"M{:.1} {:.1}", x.at(0, samples), y.at(first.0))?;
    let (mut below, mut drawn) = (0, (f64::NEG_INFINITY, f64::NEG_INFINITY));
    for &(upper, count) in filled() {
        below += count;
        let point = (x.at(below, samples), y.at(upper));
        let apart = (point.0 - drawn.0).abs().max((point.1 - drawn.1).abs());
        if apart >= POINT_APART || below == samples {
            write!(out, "V{:.1}H{:.1}", point.1, point.0)?;
            drawn = point;
        }
    }
    out.write_str("\"/>")
}
