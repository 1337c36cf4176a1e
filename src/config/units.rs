//! Sizes and durations as people write them.

use std::time::Duration;

use jiff::SignedDuration;

/// The units of sizes, the longest names first.
const SIZES: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// The units of durations in nanoseconds, the longest first.
const DURATIONS: [(&str, u128); 4] =
    [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// A size: `4096`, `10MiB`, `16 KB`, units in any letter case.
pub(super) fn read_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().ok()?;
    match unit.trim() {
        "" => Some(number),
        unit => {
            let named = SIZES.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
            named.and_then(|(_, bytes)| number.checked_mul(*bytes))
        }
    }
}

/// A size in the largest binary unit that shows it exactly; `None` if that is bytes.
pub(super) fn show_bytes(bytes: u64) -> Option<String> {
    let exact = SIZES[..3].iter().rev().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    exact.map(|(name, unit)| format!("{}{name}", bytes / unit))
}

/// A duration: `250ms`, `50us`, `1.5s`, `1h 30m`; a number needs a unit, unless it is 0.
pub(super) fn read_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()
}

/// A duration in the largest unit that shows it exactly.
pub(super) fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let exact = DURATIONS.iter().find(|(_, unit)| nanos.is_multiple_of(*unit));
    let (name, unit) = exact.unwrap_or(&DURATIONS[3]);
    format!("{}{name}", nanos / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        let known = [
            ("4096", 4096),
            ("64_000", 64_000),
            ("10MiB", 10 << 20),
            (" 16 KB ", 16_000),
            ("1gib", 1 << 30),
            ("7B", 7),
        ];
        for (text, bytes) in known {
            assert_eq!(read_bytes(text), Some(bytes), "{text}");
        }
        for wrong in ["", "MiB", "10 MB B", "1.5MiB", "-1", "10M", "99999999999GiB"] {
            assert_eq!(read_bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_need_a_unit_and_never_run_backwards() {
        let known = [
            ("250ms", Duration::from_millis(250)),
            ("50us", Duration::from_micros(50)),
            ("50 µs", Duration::from_micros(50)),
            ("1.5s", Duration::from_millis(1500)),
            ("1h 30m", Duration::from_secs(5400)),
            ("0", Duration::ZERO),
        ];
        for (text, duration) in known {
            assert_eq!(read_duration(text), Some(duration), "{text}");
        }
        for wrong in ["", "5", "-1s", "1s ago", "fast", "1 month"] {
            assert_eq!(read_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for bytes in [0, 1, 1023, 1024, 10 << 20, (1 << 30) + 1, 1 << 30] {
            let shown = show_bytes(bytes).unwrap_or_else(|| bytes.to_string());
            assert_eq!(read_bytes(&shown), Some(bytes), "{shown}");
        }
        for nanos in [0, 1, 999, 50_000, 10_000_000, 60_000_000_000, 1_000_000_001] {
            let shown = show_duration(Duration::from_nanos(nanos));
            assert_eq!(read_duration(&shown), Some(Duration::from_nanos(nanos)), "{shown}");
        }
        assert_eq!(show_bytes(10 << 20).as_deref(), Some("10MiB"));
        assert_eq!(show_duration(Duration::from_micros(50)), "50us");
    }
}
