//! The first look at a text: one pass that most texts need no more than.
//!
//! It may see something where there is nothing, never the other way round. It is made of plain
//! comparisons of sixteen bytes at a time, which the compiler turns into vector instructions.

/// What there may be in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// A `=` or `:`: perhaps a name in front of a value.
    pub(super) signs: bool,
    /// A word of 31 bytes and more, or the word `bearer`: perhaps a key or a token.
    pub(super) words: bool,
}

/// Bytes that are looked at together.
const LANES: usize = 16;

/// From a `b` that may begin `bearer ` to its last letter, and to the blank behind it.
const BEARER_LAST: usize = 5;
const BEARER_BLANK: usize = 6;

/// No bearer token is shorter, the word in front of it included.
const BEARER_BYTES_MIN: usize = 15;

/// Looks at a text.
#[inline]
pub(super) fn glance(text: &[u8]) -> Seen {
    if text.len() < LANES {
        return Seen { signs: short_signs(text), words: short_bearer(text) };
    }
    let (mut signs, mut bearer) = ([0; LANES], [0; LANES]);
    let mut long = false;
    let (chunks, _) = text.as_chunks::<LANES>();
    for chunk in chunks.iter().chain(text.last_chunk::<LANES>()) {
        let mut gaps = [0; LANES];
        for lane in 0..LANES {
            let byte = chunk[lane];
            signs[lane] |= u8::from(byte == b'=') | u8::from(byte == b':');
            gaps[lane] = u8::from(byte <= b'.' && byte != b'+') | u8::from(byte == b'_');
        }
        long |= u128::from_le_bytes(gaps) == 0;
    }
    let (lasts, _) = text.get(BEARER_LAST..).unwrap_or_default().as_chunks::<LANES>();
    let (blanks, _) = text.get(BEARER_BLANK..).unwrap_or_default().as_chunks::<LANES>();
    for ((firsts, lasts), blanks) in chunks.iter().zip(lasts).zip(blanks) {
        for lane in 0..LANES {
            let ends = u8::from(firsts[lane] | 0x20 == b'b') & u8::from(lasts[lane] | 0x20 == b'r');
            bearer[lane] |= ends & u8::from(blanks[lane] == b' ');
        }
    }
    let rest = blanks.len() * LANES;
    Seen {
        signs: u128::from_le_bytes(signs) != 0,
        words: long || u128::from_le_bytes(bearer) != 0 || short_bearer(&text[rest..]),
    }
}

/// The same for a few bytes, eight at a time.
fn short_signs(text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) else {
        return text.iter().any(|byte| matches!(byte, b'=' | b':'));
    };
    [first, last].iter().any(|word| {
        let word = u64::from_le_bytes(**word);
        has_byte(word, b'=') || has_byte(word, b':')
    })
}

/// Whether one of the eight bytes is `byte`; see Hacker's Delight, 6-1.
fn has_byte(word: u64, byte: u8) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let differing = word ^ (ONES * u64::from(byte));
    differing.wrapping_sub(ONES) & !differing & (ONES << 7) != 0
}

/// Whether a short text may have a `bearer ` with a token behind it.
fn short_bearer(text: &[u8]) -> bool {
    let places = text.len().saturating_sub(BEARER_BYTES_MIN - 1);
    (0..places).any(|at| {
        text[at] | 0x20 == b'b'
            && text[at + BEARER_LAST] | 0x20 == b'r'
            && text[at + BEARER_BLANK] == b' '
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slowly(text: &[u8]) -> Seen {
        let gap = |byte: &u8| *byte <= b'.' && *byte != b'+' || *byte == b'_';
        let bearer = text
            .windows(7)
            .any(|seven| seven[..6].eq_ignore_ascii_case(b"bearer") && seven[6] == b' ');
        Seen {
            signs: text.iter().any(|byte| matches!(byte, b'=' | b':')),
            words: text.split(gap).any(|word| word.len() >= 31)
                || bearer && text.len() >= BEARER_BYTES_MIN,
        }
    }

    proptest! {
        #[test]
        fn nothing_is_overlooked(
            front in "[a-z0-9 ]{0,40}",
            middle in "[=:]|Bearer [a-z]{8,9}|[A-Za-z0-9+/]{31,40}|[a-zA-Z .,-]{0,20}",
            behind in "[a-z0-9 ]{0,40}",
        ) {
            let text = format!("{front}{middle}{behind}");
            let (seen, there) = (glance(text.as_bytes()), slowly(text.as_bytes()));
            prop_assert_eq!(seen.signs, there.signs);
            prop_assert!(seen.words || !there.words, "{}", text);
        }
    }

    #[test]
    fn ordinary_texts_need_no_second_look() {
        for text in [
            "",
            "BTCUSDT",
            "O-51",
            "order accepted by the exchange, 3 fills",
            "5f0c1d1e-9b1f-4c42-9c39-0f8e7d6c5b4a",
            "0.00012345",
        ] {
            assert_eq!(glance(text.as_bytes()), Seen::default(), "{text}");
        }
    }
}
