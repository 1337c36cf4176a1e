//! Numbers: integers, floats, decimals, hexadecimal. What both formats write alike.

use super::digits::{self, LIMIT, signed, unsigned};
use crate::record::{Decimal, Value};

/// Appends the shortest digits that read back as `value`; `false` if it is not finite.
#[inline]
pub(super) fn float(out: &mut Vec<u8>, value: f64) -> bool {
    if short(out, value) {
        return true;
    }
    let finite = value.is_finite();
    if finite {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    }
    finite
}

/// Appends `value` if it is a decimal number of few digits, as prices and sizes are: half the time
/// that the general way takes.
///
/// A number of at most 15 digits that reads back as `value` is the only one of its kind, so that
/// there can be none with fewer digits: the result is that of the general way.
#[inline]
fn short(out: &mut Vec<u8>, value: f64) -> bool {
    // Eight places.
    const SCALE: f64 = LIMIT as f64;
    let magnitude = value.abs();
    // Up to 15 digits, and from where the general way begins to write exponents.
    if !(1e-5..1e7).contains(&magnitude) {
        return false;
    }
    let scaled = (magnitude * SCALE + 0.5) as i64;
    if scaled as f64 / SCALE != magnitude {
        return false;
    }
    // Below 10^7 and 10^8.
    let scaled = scaled.unsigned_abs();
    let (whole, fraction) = ((scaled / LIMIT) as u32, (scaled % LIMIT) as u32);
    if value < 0.0 {
        out.push(b'-');
    }
    digits::put_head(out, whole);
    digits::put_fraction(out, fraction);
    true
}

/// As [`float`], with the digits that tell a value from its neighbours of 32 bits.
#[inline]
fn float32(out: &mut Vec<u8>, value: f32) -> bool {
    let finite = value.is_finite();
    if finite {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    }
    finite
}

/// Appends a value that is the same in text and JSON, outside quotes: a number, a truth value or
/// nothing. `false`, and nothing is appended, for all others.
#[inline]
pub(super) fn common(out: &mut Vec<u8>, value: &Value<'_>) -> bool {
    match *value {
        Value::None => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Unsigned(value) => unsigned(out, value),
        Value::Signed(value) => signed(out, value),
        Value::U128(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Value::I128(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Value::F32(value) => return float32(out, value),
        Value::F64(value) => return float(out, value),
        Value::Decimal(value) => decimal(out, value),
        _ => return false,
    }
    true
}

/// Whether a value is an integer that a reader with floats of 64 bits cannot tell from its
/// neighbours.
pub(super) fn is_big_int(value: &Value<'_>) -> bool {
    const EXACT_MAX: u128 = 1 << 53;
    let magnitude = match *value {
        Value::Unsigned(value) => value.into(),
        Value::Signed(value) => value.unsigned_abs().into(),
        Value::U128(value) => value,
        Value::I128(value) => value.unsigned_abs(),
        Value::Decimal(Decimal { mantissa, scale: 0 }) => mantissa.unsigned_abs(),
        _ => 0,
    };
    magnitude > EXACT_MAX
}

/// Appends an exact decimal number with all the places of its scale: 10 × 10^-4 is `0.0010`.
pub(super) fn decimal(out: &mut Vec<u8>, Decimal { mantissa, scale }: Decimal) {
    const ZEROS: [u8; 255] = [b'0'; 255];
    if mantissa < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(mantissa.unsigned_abs()).as_bytes();
    let places = usize::from(scale);
    if places == 0 {
        out.extend_from_slice(digits);
    } else if let Some(whole) = digits.len().checked_sub(places).filter(|&whole| whole > 0) {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    } else {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(&ZEROS[digits.len()..places]);
        out.extend_from_slice(digits);
    }
}

/// Appends bytes in lower-case hexadecimal.
pub(super) fn hexadecimal(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
        out.extend_from_slice(&[DIGITS[high], DIGITS[low]]);
    }
}

/// Appends a UUID as RFC 9562 writes it.
pub(super) fn uuid(out: &mut Vec<u8>, bytes: [u8; 16]) {
    for (range, dash) in [(0..4, true), (4..6, true), (6..8, true), (8..10, true), (10..16, false)]
    {
        hexadecimal(out, &bytes[range]);
        if dash {
            out.push(b'-');
        }
    }
}

/// How the text format names a float that is no number of digits.
pub(super) fn not_finite(value: f64) -> &'static str {
    match (value.is_nan(), value.is_sign_negative()) {
        (true, _) => "NaN",
        (false, false) => "inf",
        (false, true) => "-inf",
    }
}

/// How JSON names it, as a string.
pub(super) fn not_finite_json(value: f64) -> &'static str {
    match (value.is_nan(), value.is_sign_negative()) {
        (true, _) => "\"NaN\"",
        (false, false) => "\"Infinity\"",
        (false, true) => "\"-Infinity\"",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_keep_every_place_of_their_scale() {
        let cases = [
            (10, 4, "0.0010"),
            (-10, 4, "-0.0010"),
            (0, 0, "0"),
            (0, 2, "0.00"),
            (7_000_050, 2, "70000.50"),
            (-5, 0, "-5"),
            (12, 2, "0.12"),
            (123, 2, "1.23"),
        ];
        for (mantissa, scale, expected) in cases {
            assert_eq!(written(|out| decimal(out, Decimal { mantissa, scale })), expected);
        }
        let smallest = Decimal { mantissa: i128::MIN, scale: 255 };
        let text = written(|out| decimal(out, smallest));
        assert_eq!(text.len(), "-0.".len() + 255);
        assert!(text.ends_with("00170141183460469231731687303715884105728"), "{text}");
        let widest = written(|out| decimal(out, Decimal { mantissa: i128::MIN, scale: 38 }));
        assert_eq!(widest, "-1.70141183460469231731687303715884105728");
    }

    #[test]
    fn floats_are_the_shortest_digits_and_valid_json() {
        let cases = [
            (70_000.5, "70000.5"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e300, "1e300"),
            (1e-7, "1e-7"),
            (5e-324, "5e-324"),
            (1.0, "1.0"),
            (123_456_789.012_345_6, "123456789.0123456"),
        ];
        for (value, expected) in cases {
            assert_eq!(written(|out| assert!(float(out, value))), expected);
        }
        assert_eq!(written(|out| assert!(float32(out, 0.1))), "0.1");
        assert_eq!(written(|out| assert!(!float(out, f64::NAN))), "");
    }

    fn general(value: f64) -> String {
        ryu::Buffer::new().format_finite(value).to_owned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn short_decimals_are_written_as_the_general_way_writes_them(
            mantissa in -10_i64.pow(16)..10_i64.pow(16), places in 0..12_i32, step in -2..=2_i64,
        ) {
            let near = mantissa as f64 / 10_f64.powi(places);
            let value = f64::from_bits(near.to_bits().wrapping_add_signed(step));
            prop_assert_eq!(written(|out| assert!(float(out, value))), general(value));
        }
    }

    #[test]
    fn floats_at_the_limits_of_the_short_way_are_written_the_same() {
        let limits = [0.0, 1e-8, 1e-6, 1e-5, 1e-3, 0.1, 0.5, 1.0, 1e6, 1e7, 1e15, 1e16, 1e17];
        for limit in limits {
            for value in [limit, f64::next_down(limit), f64::next_up(limit), limit + 1e-8] {
                if value != 0.0 || value.is_sign_positive() {
                    assert_eq!(written(|out| assert!(float(out, value))), general(value));
                    assert_eq!(written(|out| assert!(float(out, -value))), general(-value));
                }
            }
        }
    }

    #[test]
    fn bytes_and_uuids_are_hexadecimal() {
        assert_eq!(written(|out| hexadecimal(out, &[0, 0xff, 0x1a])), "00ff1a");
        let bytes = [0x01, 0x93, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xff];
        assert_eq!(written(|out| uuid(out, bytes)), "01930405-0607-0809-0a0b-0c0d0e0f10ff");
    }
}
