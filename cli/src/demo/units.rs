//! Numbers as people read them.

/// Digits in groups of three: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration with three digits at most, such as `31 ns`, `12.3 µs`, `1.20 s`.
pub(crate) fn duration_ns(nanos: f64) -> String {
    match nanos {
        ..999.5 => format!("{nanos:.0} ns"),
        ..999_500.0 => scaled(nanos / 1e3, "µs"),
        ..999_500_000.0 => scaled(nanos / 1e6, "ms"),
        _ => scaled(nanos / 1e9, "s"),
    }
}

/// A size such as `512 B`, `6.61 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        ..1024.0 => format!("{count} B"),
        ..1_048_576.0 => scaled(count / 1024.0, "KiB"),
        ..1_073_741_824.0 => scaled(count / 1_048_576.0, "MiB"),
        _ => scaled(count / 1_073_741_824.0, "GiB"),
    }
}

/// A rate as a whole number: no more digits than were measured.
pub(crate) fn rate(count: u64, seconds: f64) -> String {
    if seconds <= 0.0 {
        return "0".to_owned();
    }
    let rate = count as f64 / seconds;
    let unit = 10_f64.powi((rate.max(1.0).log10() as i32 - 2).max(0));
    grouped(((rate / unit).round() * unit) as u64)
}

/// A number with three digits or so, and its unit.
pub(crate) fn scaled(value: f64, unit: &str) -> String {
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        let numbers = [0, 999, 1_000, 38_412, 1_234_567];
        assert_eq!(numbers.map(grouped), ["0", "999", "1,000", "38,412", "1,234,567"]);
    }

    #[test]
    fn durations_and_sizes_have_three_digits() {
        let durations = [0.4, 31.2, 999.4, 999.6, 12_345.0, 1.2e6, 123.4e6, 61e9];
        assert_eq!(
            durations.map(duration_ns),
            ["0 ns", "31 ns", "999 ns", "1.00 µs", "12.3 µs", "1.20 ms", "123 ms", "61.0 s"]
        );
        assert_eq!([7, 1536, 10 << 20].map(bytes), ["7 B", "1.50 KiB", "10.0 MiB"]);
    }

    #[test]
    fn a_rate_has_no_more_digits_than_were_measured() {
        assert_eq!(rate(38_412, 0.0123), "3,120,000");
        assert_eq!(rate(38_412, 345.0), "111");
        assert_eq!(rate(3, 345.0), "0");
        assert_eq!(rate(3, 0.0), "0");
    }
}
