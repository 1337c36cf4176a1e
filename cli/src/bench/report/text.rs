//! Text and numbers as they stand in the page.

use std::fmt;

use crate::bench::model::Percentiles;
use crate::demo::units::scaled;

/// A text in which nothing is markup, for elements and quoted attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No browser shows them, and some are forbidden even as references.
                c if c.is_control() && c != '\n' && c != '\t' => f.write_str("\u{fffd}")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

/// A time with its unit: `9.8 ns`, `126 ns`, `2.92 µs`.
pub(super) fn time(nanos: f64) -> String {
    match nanos {
        ..99.95 => format!("{nanos:.1} ns"),
        ..999.5 => format!("{nanos:.0} ns"),
        ..999_500.0 => scaled(nanos / 1e3, "µs"),
        ..999_500_000.0 => scaled(nanos / 1e6, "ms"),
        _ => scaled(nanos / 1e9, "s"),
    }
}

/// Percentiles in a sentence.
pub(super) fn times(of: &Percentiles) -> String {
    let Percentiles { p50, p90, p99, p999, max } = *of;
    let [p50, p90, p99, p999, max] = [p50, p90, p99, p999, max].map(time);
    format!("p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, max {max}")
}

/// A time on an axis: `1 ns`, `500 ns`, `20 µs`.
pub(super) fn tick(nanos: f64) -> String {
    let (value, unit) = match nanos {
        ..999.5 => (nanos, "ns"),
        ..999_500.0 => (nanos / 1e3, "µs"),
        ..999_500_000.0 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    if value < 0.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A count or a rate with three digits: `940 k`, `62.1 M`.
pub(super) fn amount(count: f64) -> String {
    match count {
        ..999.5 => format!("{count:.0}"),
        ..999_500.0 => scaled(count / 1e3, "k"),
        ..999_500_000.0 => scaled(count / 1e6, "M"),
        _ => scaled(count / 1e9, "G"),
    }
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_leave_its_place() {
        let hostile = "</td><script>alert('1' & \"2\")</script>\0";
        let escaped = Escaped(hostile).to_string();
        assert_eq!(
            escaped,
            "&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;\u{fffd}"
        );
    }

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        let times = [0.0, 9.84, 99.94, 126.4, 2924.4, 1.5e6, 2e9].map(time);
        assert_eq!(
            times,
            ["0.0 ns", "9.8 ns", "99.9 ns", "126 ns", "2.92 µs", "1.50 ms", "2.00 s"]
        );
        assert_eq!([0.5, 20.0, 5e4, 1e6].map(tick), ["0.5 ns", "20 ns", "50 µs", "1 ms"]);
        assert_eq!([17.0, 62.14e6, 5.3e9].map(amount), ["17", "62.1 M", "5.30 G"]);
        assert_eq!(percent(0.834), "83 %");
    }
}
