//! Exact decimal numbers, as exchanges send them.

use std::cmp::Ordering;
use std::fmt;

/// The most digits after the point.
const SCALE_MAX: u32 = 18;

/// Why a text is no price and no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DecimalError {
    /// Nothing stands there.
    #[error("is empty")]
    Empty,
    /// Something else than digits with at most one point between them: NaN and 1e5 are such.
    #[error("is not a plain decimal number")]
    NotANumber,
    /// Below zero.
    #[error("is negative")]
    Negative,
    /// Zero, where only a positive number makes sense.
    #[error("is zero")]
    Zero,
    /// More digits than 63 bits or a scale of 18 hold.
    #[error("has too many digits")]
    TooLong,
}

/// An exact decimal number: `mantissa` / 10^`scale`.
///
/// Trailing zeros of the source text are kept, so it prints as it was read. Numbers of equal value
/// are equal whatever their scale.
#[derive(Clone, Copy)]
pub(crate) struct Decimal {
    mantissa: i64,
    scale: u32,
}

impl Decimal {
    pub(crate) const ZERO: Decimal = Decimal::new(0, 0);

    /// `mantissa` / 10^`scale`; a scale above 18 counts as 18.
    pub(crate) const fn new(mantissa: i64, scale: u32) -> Self {
        let scale = if scale > SCALE_MAX { SCALE_MAX } else { scale };
        Decimal { mantissa, scale }
    }

    /// Reads an unsigned decimal number: digits, and at most one point with digits on both sides.
    ///
    /// # Errors
    /// [`DecimalError`] says which rule the text breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, DecimalError> {
        let bytes = text.as_bytes();
        match bytes {
            [] => return Err(DecimalError::Empty),
            [b'-', rest @ ..] if rest.first().is_some_and(u8::is_ascii_digit) => {
                return Err(DecimalError::Negative);
            }
            [b'.', ..] | [.., b'.'] => return Err(DecimalError::NotANumber),
            _ => {}
        }
        let mut mantissa: i64 = 0;
        let mut scale = None;
        for &byte in bytes {
            match byte {
                b'0'..=b'9' => {
                    mantissa = mantissa
                        .checked_mul(10)
                        .and_then(|m| m.checked_add(i64::from(byte - b'0')))
                        .ok_or(DecimalError::TooLong)?;
                    scale = scale.map(|digits: u32| digits + 1);
                }
                b'.' if scale.is_none() => scale = Some(0),
                _ => return Err(DecimalError::NotANumber),
            }
        }
        match scale.unwrap_or(0) {
            scale @ 0..=SCALE_MAX => Ok(Decimal { mantissa, scale }),
            _ => Err(DecimalError::TooLong),
        }
    }

    /// The number without its point.
    pub(crate) const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The count of digits after the point, at most 18.
    pub(crate) const fn scale(self) -> u32 {
        self.scale
    }

    /// The nearest `f64`; the same as parsing the text while the mantissa is below 2^53.
    pub(crate) fn to_f64(self) -> f64 {
        self.mantissa() as f64 / 10_i64.pow(self.scale()) as f64
    }

    /// The sum, at the larger scale; saturates at the ends of the range.
    pub(crate) fn plus(self, other: Decimal) -> Decimal {
        let scale = self.scale.max(other.scale);
        let sum = self.at_scale(scale) + other.at_scale(scale);
        Decimal { mantissa: saturate(sum), scale }
    }

    /// The difference, at the larger scale; saturates at the ends of the range.
    pub(crate) fn minus(self, other: Decimal) -> Decimal {
        self.plus(other.negated())
    }

    /// The product, without its trailing zeros; digits that do not fit are cut off.
    pub(crate) fn times(self, other: Decimal) -> Decimal {
        let mut product = i128::from(self.mantissa) * i128::from(other.mantissa);
        let mut scale = self.scale + other.scale;
        while scale > 0
            && (product % 10 == 0 || scale > SCALE_MAX || i64::try_from(product).is_err())
        {
            product /= 10;
            scale -= 1;
        }
        Decimal { mantissa: saturate(product), scale }
    }

    /// The same number with the other sign.
    pub(crate) const fn negated(self) -> Decimal {
        Decimal { mantissa: self.mantissa.saturating_neg(), scale: self.scale }
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The mantissa at a scale that is not below the number's own.
    fn at_scale(self, scale: u32) -> i128 {
        i128::from(self.mantissa) * 10_i128.pow(scale - self.scale)
    }
}

fn saturate(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.at_scale(scale).cmp(&other.at_scale(scale))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let unit = 10_u64.pow(self.scale);
        let width = self.scale as usize;
        write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_prints_as_it_was_read() {
        for text in ["0", "61800.30", "0.00017000", "5123107832006", "9.223372036854775807"] {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Decimal::new(-5, 2).to_string(), "-0.05");
    }

    #[test]
    fn the_float_is_what_the_text_parses_to() {
        for text in ["61800.30", "0.1", "0.00000001", "61685.99000000", "123456.789"] {
            let exact = Decimal::parse(text).unwrap();
            assert_eq!(exact.to_f64(), text.parse::<f64>().unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_number_is_refused_with_the_reason() {
        let refused = [
            ("", DecimalError::Empty),
            ("-1.5", DecimalError::Negative),
            ("-", DecimalError::NotANumber),
            ("NaN", DecimalError::NotANumber),
            ("-inf", DecimalError::NotANumber),
            ("1e5", DecimalError::NotANumber),
            ("1.2.3", DecimalError::NotANumber),
            (".5", DecimalError::NotANumber),
            ("5.", DecimalError::NotANumber),
            ("+5", DecimalError::NotANumber),
            (" 5", DecimalError::NotANumber),
            ("9223372036854775808", DecimalError::TooLong),
            ("0.0000000000000000001", DecimalError::TooLong),
        ];
        for (text, reason) in refused {
            assert_eq!(Decimal::parse(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn sums_products_and_order_are_exact_across_scales() {
        let price = Decimal::new(618_003, 1);
        let size = Decimal::new(100, 3);
        assert_eq!(price.plus(size).to_string(), "61800.400");
        assert_eq!(size.minus(price).to_string(), "-61800.200");
        assert_eq!(price.times(size).to_string(), "6180.03");
        assert_eq!(Decimal::new(15, 1), Decimal::new(1_500, 3));
        assert!(Decimal::new(-1, 0) < Decimal::ZERO && size < price);
    }

    #[test]
    fn arithmetic_at_the_ends_of_the_range_saturates() {
        let huge = Decimal::new(i64::MAX, 0);
        assert_eq!(huge.plus(huge), huge);
        assert_eq!(huge.times(huge), huge);
        assert_eq!(huge.minus(Decimal::new(1, 18)).scale(), 18);
        let tiny = Decimal::new(i64::MAX, 18);
        assert_eq!(tiny.times(tiny).to_string(), "85.07059173023461584");
    }
}
