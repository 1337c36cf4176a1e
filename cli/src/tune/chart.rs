//! The ring's occupancy over time, as a chart for a terminal.

use std::env;
use std::fmt;

use crate::demo::units::{bytes, duration_ns};

/// Rows of the chart.
const ROWS: usize = 7;
/// Columns when the output is no terminal.
const COLUMNS_DEFAULT: usize = 80;
/// Columns that the labels on the left take.
const MARGIN: usize = 11;
const COLUMNS_MIN: usize = 20;
const COLUMNS_MAX: usize = 200;

/// The parts of a cell, from nothing to all of it.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 4] = [' ', '.', ':', '#'];

/// How a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Columns of the whole chart.
    pub(super) columns: usize,
    pub(super) ascii: bool,
}

impl Style {
    /// What fits the terminal, or 80 columns where there is none.
    pub(super) fn of_terminal(ascii: bool) -> Style {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        let columns = columns.unwrap_or(COLUMNS_DEFAULT).clamp(COLUMNS_MIN + MARGIN, COLUMNS_MAX);
        Style { columns, ascii: ascii || !is_utf8(|name| env::var(name).ok()) }
    }
}

/// Whether the locale can show more than ASCII: the first of the variables that is set says so.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable);
    let locale = locale.filter(|locale| !locale.is_empty()).map(|locale| locale.to_lowercase());
    locale.take(1).any(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// Values over time, with a stretch that is marked below.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chart<'a> {
    /// Nanoseconds and bytes, in the order of time.
    pub(super) points: &'a [(u64, u64)],
    /// From when to when, in nanoseconds.
    pub(super) marked_ns: (u64, u64),
    /// What the mark means.
    pub(super) mark: &'a str,
    pub(super) style: Style,
}

impl Chart<'_> {
    /// The highest value of each column; a column in which nobody looked has that before it.
    fn columns(&self, count: usize, end_ns: u64) -> Vec<u64> {
        let mut columns = vec![None; count];
        for &(at_ns, value) in self.points {
            let column = &mut columns[place(at_ns, end_ns, count)];
            *column = Some(value.max(column.unwrap_or(0)));
        }
        let mut last = 0;
        let filled = columns.into_iter().map(|column: Option<u64>| {
            last = column.unwrap_or(last);
            last
        });
        filled.collect()
    }
}

/// The column that a time belongs to.
fn place(at_ns: u64, end_ns: u64, count: usize) -> usize {
    let share = at_ns as f64 / end_ns.max(1) as f64;
    ((share * count as f64) as usize).min(count - 1)
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(&(end_ns, _)) = self.points.last() else { return Ok(()) };
        let count = self.style.columns.saturating_sub(MARGIN).max(COLUMNS_MIN);
        let columns = self.columns(count, end_ns);
        let peak = columns.iter().copied().max().unwrap_or(0);
        let parts: &[char] = if self.style.ascii { &ASCII } else { &BLOCKS };
        let steps = parts.len() - 1;
        let (axis, corner, line) =
            if self.style.ascii { ('|', '+', '-') } else { ('│', '└', '─') };
        for row in (0..ROWS).rev() {
            let label = match row {
                row if row == ROWS - 1 => bytes(peak),
                0 => "0".to_owned(),
                _ => String::new(),
            };
            let cells = columns.iter().map(|value| {
                // Rounded up, so that a single record is seen.
                let height = (u128::from(*value) * (ROWS * steps) as u128)
                    .div_ceil(u128::from(peak.max(1))) as usize;
                parts[height.saturating_sub(row * steps).min(steps)]
            });
            let cells: String = cells.collect();
            writeln!(f, "{label:>9} {axis}{}", cells.trim_end())?;
        }
        writeln!(f, "{:>9} {corner}{}", "", line.to_string().repeat(count))?;
        let (from, to) = self.marked_ns;
        let (from, to) = (place(from, end_ns, count), place(to, end_ns, count));
        let mark = "^".repeat(to.saturating_sub(from) + 1);
        let end = duration_ns(end_ns as f64);
        let text = format!("{}{mark} {}", " ".repeat(from), self.mark);
        let text =
            if text.chars().count() > count { format!("{}{mark}", " ".repeat(from)) } else { text };
        writeln!(f, "{:>11}{}", "", text.trim_end())?;
        writeln!(f, "{:>11}0{end:>width$}", "", width = count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(u64, u64)], ascii: bool) -> String {
        let style = Style { columns: 31, ascii };
        Chart { points, marked_ns: (250, 500), mark: "held", style }.to_string()
    }

    #[test]
    fn a_column_has_the_height_of_the_highest_value_in_it() {
        let points = [(0, 0), (250, 7), (499, 3), (500, 700), (510, 14), (750, 350), (999, 0)];
        let drawn = chart(&points, true);
        let lines: Vec<_> = drawn.lines().collect();
        assert_eq!(lines.len(), ROWS + 3);
        assert_eq!(lines[0], "    700 B |          #####");
        assert_eq!(lines[3], "          |          #####::::", "{drawn}");
        assert_eq!(lines[6], "        0 |     .....#########", "{drawn}");
        assert_eq!(lines[8].trim_end(), "                ^^^^^^ held");
        assert!(lines[9].ends_with("999 ns") && lines[9].len() == 31, "{drawn}");
        assert!(drawn.is_ascii() && !chart(&points, false).is_ascii());
    }

    #[test]
    fn no_points_make_no_chart_and_an_empty_ring_a_flat_one() {
        assert_eq!(chart(&[], true), "");
        assert!(!chart(&[(0, 0), (9, 0)], true).contains('#'));
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let locale = |all: &str, lang: &str| {
            is_utf8(|name| match name {
                "LC_ALL" => Some(all.to_owned()),
                "LANG" => Some(lang.to_owned()),
                _ => None,
            })
        };
        assert!(locale("", "en_US.UTF-8") && locale("C.utf8", "C"));
        assert!(!locale("C", "en_US.UTF-8") && !locale("", ""));
    }
}
