//! What the charts have in common: frame, grid, lines.

use std::fmt::{self, Write};

use super::axis::Span;
use super::text::Escaped;

/// A chart's size and the place of its plot, in units of the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    pub(super) const fn across(&self) -> Span {
        Span { from: self.left, to: self.width - self.right }
    }

    /// From the plot's lower edge to its upper one.
    pub(super) const fn upwards(&self) -> Span {
        Span { from: self.height - self.bottom, to: self.top }
    }

    /// Opens the drawing; `label` is read to those who do not see it.
    pub(super) fn open(&self, out: &mut dyn Write, label: &str) -> fmt::Result {
        let (width, height) = (self.width, self.height);
        write!(
            out,
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
            Escaped(label)
        )
    }

    /// Vertical grid lines with their labels below.
    pub(super) fn grid_across(&self, out: &mut dyn Write, ticks: &[(f64, String)]) -> fmt::Result {
        let Span { from: low, to: high } = self.upwards();
        let last = ticks.len().saturating_sub(1);
        for (number, (x, label)) in ticks.iter().enumerate() {
            // The last label must not leave the drawing.
            let near_end = number == last && self.width - x < 24.0;
            let anchor = if near_end { "end" } else { "middle" };
            let x_text = if near_end { self.width - 1.0 } else { *x };
            write!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {low:.1}V{high:.1}\"/>\
                 <text x=\"{x_text:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>",
                low + 16.0
            )?;
        }
        Ok(())
    }

    /// Horizontal grid lines with their labels on the left.
    pub(super) fn grid_upwards(&self, out: &mut dyn Write, ticks: &[(f64, String)]) -> fmt::Result {
        let Span { from: left, to: right } = self.across();
        for (y, label) in ticks {
            write!(
                out,
                "<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                left - 6.0,
                y + 4.0
            )?;
        }
        Ok(())
    }
}

/// How a line looks: its colour is its case's, its dashes its face's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) color: usize,
    pub(super) dashed: bool,
}

impl fmt::Display for Look {
    /// The classes of the style sheet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dashed = if self.dashed { " dashed" } else { "" };
        write!(f, "c{}{dashed}", self.color % COLORS)
    }
}

/// Colours in the style sheet.
const COLORS: usize = 8;

/// A legend: what each line is.
pub(super) fn legend(out: &mut dyn Write, lines: &[(Look, String)]) -> fmt::Result {
    out.write_str("<ul class=\"legend\">")?;
    for (look, text) in lines {
        write!(
            out,
            "<li><svg viewBox=\"0 0 28 10\" class=\"swatch\" aria-hidden=\"true\">\
             <path class=\"line {look}\" d=\"M1 5H27\"/></svg>{}</li>",
            Escaped(text)
        )?;
    }
    out.write_str("</ul>\n")
}
