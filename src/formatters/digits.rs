//! Decimal digits, eight at a time, and short pieces of text without a call of `memcpy`.

/// The first number of nine digits: what [`eight`] cannot write.
pub(super) const LIMIT: u64 = 100_000_000;

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// Appends the first `kept` bytes of `piece`: copies all of them, which takes a store or two, and
/// takes back what is too much.
#[inline(always)]
pub(super) fn put<const N: usize>(out: &mut Vec<u8>, piece: &[u8; N], kept: usize) {
    let end = out.len() + kept;
    out.extend_from_slice(piece);
    out.truncate(end);
}

/// The eight digits of a number below [`LIMIT`], zeros in front; as values, the first one in the
/// lowest byte.
///
/// Halves, pairs and digits are taken apart in all lanes of one word at once; the factors are
/// reciprocals of 100 and 10 that are exact for numbers of four and two digits.
#[inline(always)]
fn eight_values(number: u32) -> u64 {
    let halves = u64::from(number / 10_000) | u64::from(number % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (halves - 100 * hundreds) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - 10 * tens) << 8
}

/// The eight digits of a number below [`LIMIT`], zeros in front.
#[inline(always)]
pub(super) fn eight(number: u32) -> [u8; 8] {
    (eight_values(number) | ZEROS).to_le_bytes()
}

/// Appends a number below [`LIMIT`], without zeros in front.
#[inline(always)]
pub(super) fn put_head(out: &mut Vec<u8>, number: u32) {
    let values = eight_values(number);
    let zeros = (values.trailing_zeros() / 8).min(7);
    let text = ((values | ZEROS) >> (8 * zeros)).to_le_bytes();
    put(out, &text, 8 - zeros as usize);
}

/// Appends a point and the eight digits of a number below [`LIMIT`], without zeros behind the first
/// digit.
#[inline(always)]
pub(super) fn put_fraction(out: &mut Vec<u8>, number: u32) {
    let values = eight_values(number);
    let zeros = (values.leading_zeros() / 8).min(7);
    let text = u128::from(values | ZEROS) << 8 | u128::from(b'.');
    put(out, &text.to_le_bytes(), 9 - zeros as usize);
}

/// Appends an integer.
#[inline(always)]
pub(super) fn unsigned(out: &mut Vec<u8>, number: u64) {
    if number < LIMIT { put_head(out, number as u32) } else { put_long(out, number) }
}

#[inline(never)]
fn put_long(out: &mut Vec<u8>, number: u64) {
    let (high, low) = (number / LIMIT, (number % LIMIT) as u32);
    if high < LIMIT {
        put_head(out, high as u32);
    } else {
        put_head(out, (high / LIMIT) as u32);
        out.extend_from_slice(&eight((high % LIMIT) as u32));
    }
    out.extend_from_slice(&eight(low));
}

/// Appends an integer with its sign.
#[inline]
pub(super) fn signed(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    unsigned(out, number.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"<".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap().split_off(1)
    }

    #[test]
    fn every_number_of_four_digits_has_its_digits_in_both_halves() {
        for number in 0..10_000_u32 {
            assert_eq!(eight(number).as_slice(), format!("{number:08}").as_bytes());
            assert_eq!(eight(number * 10_000).as_slice(), format!("{number:04}0000").as_bytes());
        }
    }

    #[test]
    fn integers_at_the_limits_of_their_blocks_are_written_whole() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for number in powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX]) {
            assert_eq!(written(|out| unsigned(out, number)), number.to_string());
        }
        for number in [0, -1, -9_999_999, -100_000_000, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| signed(out, number)), number.to_string());
        }
    }

    #[test]
    fn a_fraction_keeps_one_digit_at_least() {
        let cases = [(0, ".0"), (1, ".00000001"), (50_000_000, ".5"), (12_340_000, ".1234")];
        for (number, expected) in cases {
            assert_eq!(written(|out| put_fraction(out, number)), expected);
        }
    }

    proptest! {
        #[test]
        fn integers_are_written_as_the_standard_library_writes_them(number: u64, shift in 0..64) {
            let number = number >> shift;
            prop_assert_eq!(written(|out| unsigned(out, number)), number.to_string());
            let number = number as i64;
            prop_assert_eq!(written(|out| signed(out, number)), number.to_string());
        }
    }
}
