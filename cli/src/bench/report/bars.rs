//! Throughput bars, with the limit that the control program has shown.

use std::fmt::{self, Write};

use super::text::{Escaped, amount, percent};
use crate::bench::model::Throughput;

const WIDTH: f64 = 1_100.0;
const ROW: f64 = 54.0;
const BAR: f64 = 20.0;

/// Draws a bar for each case.
pub(super) fn draw(out: &mut dyn Write, cases: &[Throughput]) -> fmt::Result {
    let rates = cases.iter().flat_map(|case| {
        let rounds = case.round_records_per_s.iter().copied();
        rounds.chain([case.records_per_s, case.control_records_per_s().unwrap_or(0.0)])
    });
    let most = rates.fold(1.0, f64::max);
    let height = cases.len() as f64 * ROW + 4.0;
    write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Records per second of each throughput case\">"
    )?;
    for (row, case) in cases.iter().enumerate() {
        let place = |rate: f64| 2.0 + (WIDTH - 4.0) * (rate / most).clamp(0.0, 1.0);
        bar(out, case, row as f64 * ROW + 4.0, &place)?;
    }
    out.write_str("</svg>\n")
}

fn bar(
    out: &mut dyn Write,
    case: &Throughput,
    top: f64,
    place: &dyn Fn(f64) -> f64,
) -> fmt::Result {
    let (text, upper) = (top + 13.0, top + 20.0);
    let lower = upper + BAR;
    let share = match case.control_records_per_s() {
        Some(_) => format!(", {} of the control", percent(case.share_of_control)),
        None => String::new(),
    };
    write!(
        out,
        "<text class=\"name\" x=\"2\" y=\"{text}\">{}</text>\
         <text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{} records/s, {}B/s{share}</text>\
         <rect class=\"bar\" x=\"2\" y=\"{upper}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
        Escaped(&case.key()),
        WIDTH - 2.0,
        amount(case.records_per_s),
        amount(case.bytes_per_s),
        place(case.records_per_s) - 2.0
    )?;
    let rounds = &case.round_records_per_s;
    let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rounds.iter().copied().fold(0.0, f64::max);
    if rounds.len() > 1 {
        let (from, to, middle) = (place(least), place(most), upper + BAR / 2.0);
        write!(
            out,
            "<path class=\"whisker\" d=\"M{from:.1} {middle}H{to:.1}M{from:.1} {}v8M{to:.1} {}v8\"/>",
            middle - 4.0,
            middle - 4.0
        )?;
    }
    if let Some(limit) = case.control_records_per_s() {
        let (x, from) = (place(limit), upper - 3.0);
        write!(out, "<path class=\"limit\" d=\"M{x:.1} {from}V{}\"/>", lower + 3.0)?;
    }
    Ok(())
}
