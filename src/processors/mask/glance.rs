//! The first look at a text: most texts need no more.
//!
//! It may see something where there is nothing, never the other way round. All bytes are compared
//! sixteen at a time; what that finds is looked at once more before the text is searched.

use wide::u8x16;

use super::ends::Ends;
use super::named::end_of_name;

/// Bytes that are looked at together.
const LANES: usize = 16;

/// From the first letter of `bearer ` to its last one, and to the blank.
const TO_R: usize = 5;
const TO_BLANK: usize = 6;

/// No bearer token is shorter, the word in front of it included.
const BEARER_BYTES_MIN: usize = 15;

const PAIR: usize = 2 * LANES;

/// Up to here, the first and the last [`PAIR`] bytes are all.
const HALVES_BYTES_MAX: usize = 46;

/// Of each word of 31 bytes and more, a window is full that begins here or so many bytes further.
const WINDOW_FIRST: usize = 15;

/// Bits that tell `:` to `=`, less by `:`, from other bytes.
const SIGN_BITS: u8 = 0xfc;

/// Whether there surely is no secret in a text: no sensitive name in front of a `=` or `:`, no
/// `bearer ` in front of a token, no word as long as a key, no web token, and no password in a URL.
#[inline(always)]
pub(super) fn is_clean(text: &[u8], ends: &Ends) -> bool {
    let (Some(head), Some(tail)) = (text.first_chunk::<PAIR>(), text.last_chunk::<PAIR>()) else {
        return is_short_clean(text, ends);
    };
    let mut sign = signs(lanes::<0, PAIR>(head)).min(signs(lanes::<LANES, PAIR>(head)));
    sign = sign.min(signs(lanes::<LANES, PAIR>(tail)));
    let mut word = is_full(lanes::<WINDOW_FIRST, PAIR>(head));
    // Behind the last `bearer ` stand at least eight bytes.
    let mut bearer = bearers(lanes::<0, PAIR>(head), lanes::<TO_R, PAIR>(head));
    bearer = bearer.min(bearers(lanes::<2, PAIR>(tail), lanes::<{ 2 + TO_R }, PAIR>(tail)));
    if text.len() > HALVES_BYTES_MAX {
        let mut rest = &text[WINDOW_FIRST..];
        while let Some(chunk) = rest.first_chunk::<PAIR>() {
            let bytes = lanes::<LANES, PAIR>(chunk);
            (sign, word) = (sign.min(signs(bytes)), word | is_full(bytes));
            let (first, last) = (lanes::<1, PAIR>(chunk), lanes::<{ 1 + TO_R }, PAIR>(chunk));
            bearer = bearer.min(bearers(first, last));
            rest = &rest[LANES..];
        }
    }
    let nothing = !has_zero((sign & u8x16::splat(SIGN_BITS)).min(bearer));
    nothing & !word || is_clean_after_all(text, ends, word, has_zero(bearer))
}

/// The same for a text of fewer than [`PAIR`] bytes.
#[inline(always)]
fn is_short_clean(text: &[u8], ends: &Ends) -> bool {
    let bits = u8x16::splat(SIGN_BITS);
    if let (Some(head), Some(tail)) = (text.first_chunk::<LANES>(), text.last_chunk::<LANES>()) {
        let sign = signs(u8x16::new(*head)).min(signs(u8x16::new(*tail))) & bits;
        let bearer = match text.first_chunk::<{ LANES + TO_R }>() {
            Some(head) => bearers(lanes::<0, 21>(head), lanes::<TO_R, 21>(head)),
            None => {
                let behind = u128::from_le_bytes(*head) >> (8 * TO_R);
                bearers(u8x16::new(*head), u8x16::new(behind.to_le_bytes()))
            }
        };
        let nothing = !has_zero(sign.min(bearer));
        // One more, and there may be a word as long as a key, and a `bearer ` further behind.
        let long = text.len() == PAIR - 1;
        return nothing & !long || is_clean_after_all(text, ends, long, true);
    }
    if let (Some(head), Some(tail)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        let [head, tail] = [head, tail].map(|bytes| u128::from(u64::from_le_bytes(*bytes)));
        let bytes = u8x16::new((head | tail << 64).to_le_bytes());
        if text.len() < BEARER_BYTES_MIN && !has_zero(signs(bytes) & bits) {
            return true;
        }
    }
    is_clean_after_all(text, ends, false, true)
}

/// Sixteen bytes of a chunk.
#[inline(always)]
fn lanes<const FROM: usize, const BYTES: usize>(chunk: &[u8; BYTES]) -> u8x16 {
    const { assert!(FROM + LANES <= BYTES) };
    let mut lanes = [0; LANES];
    lanes.copy_from_slice(&chunk[FROM..FROM + LANES]);
    u8x16::new(lanes)
}

/// Below four where there is a `:`, `;`, `<` or `=`.
#[inline(always)]
fn signs(bytes: u8x16) -> u8x16 {
    bytes - u8x16::splat(b':')
}

/// Zero where a `b` stands in front and an `r` behind.
#[inline(always)]
fn bearers(first: u8x16, last: u8x16) -> u8x16 {
    ((first ^ u8x16::splat(b'b')) | (last ^ u8x16::splat(b'r'))) & u8x16::splat(!0x20)
}

/// Whether all bytes may belong to a key or a token.
#[inline(always)]
fn is_full(bytes: u8x16) -> bool {
    (bytes.max(u8x16::splat(b'-')).simd_eq(bytes) | bytes.simd_eq(u8x16::splat(b'+'))).all()
}

#[inline(always)]
fn has_zero(bytes: u8x16) -> bool {
    bytes.simd_eq(u8x16::ZERO).any()
}

/// The second look, at what the first one has found; `word` and `bearer`: there may be one.
#[inline(never)]
fn is_clean_after_all(text: &[u8], ends: &Ends, word: bool, bearer: bool) -> bool {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut windows = text.windows(LANES).skip(WINDOW_FIRST).step_by(LANES);
    if word && (windows.any(|window| window.iter().all(is_key)) || has_web_token(text))
        || bearer && has_bearer(text)
    {
        return false;
    }
    signs_are_clean(text, ends)
}

/// Whether a web token may begin somewhere: in the middle of `eyJ`.
fn has_web_token(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'y', b'Y', text).any(|at| {
        let around = at.checked_sub(1).and_then(|start| text.get(start..at + 2));
        around.is_some_and(|around| around.eq_ignore_ascii_case(b"eyj"))
    })
}

/// Whether `bearer ` stands in front of so many bytes that they may be a token.
fn has_bearer(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(chunk) = text[at..].first_chunk::<{ LANES + TO_BLANK }>() {
        let (first, last) = (lanes::<0, 22>(chunk), lanes::<TO_R, 22>(chunk));
        let blank = lanes::<TO_BLANK, 22>(chunk) ^ u8x16::splat(b' ');
        if has_zero(bearers(first, last) | blank) {
            return true;
        }
        at += LANES;
    }
    (at..(text.len() + 1).saturating_sub(BEARER_BYTES_MIN)).any(|at| {
        text[at] | 0x20 == b'b' && text[at + TO_R] | 0x20 == b'r' && text[at + TO_BLANK] == b' '
    })
}

/// Whether no `=` or `:` has a sensitive name in front of it, nor a password in a URL behind it.
fn signs_are_clean(text: &[u8], ends: &Ends) -> bool {
    let Some(tail) = text.last_chunk::<LANES>() else {
        let mut signs = (0..text.len()).filter(|at| matches!(text[*at], b'=' | b':'));
        return signs.all(|at| is_clean_sign(text, at, ends));
    };
    let (chunks, rest) = text.as_chunks::<LANES>();
    let behind = text.len() - LANES;
    // Of the last sixteen bytes those that no chunk has.
    let unseen = u32::MAX << (LANES - rest.len());
    let chunks = chunks.iter().enumerate().map(|(at, chunk)| (at * LANES, chunk, u32::MAX));
    chunks.chain([(behind, tail, unseen)]).all(|(from, chunk, seen)| {
        let bytes = u8x16::new(*chunk);
        let equal = bytes.simd_eq(u8x16::splat(b'=')) | bytes.simd_eq(u8x16::splat(b':'));
        let mut places = equal.to_bitmask() & seen;
        while places != 0 {
            if !is_clean_sign(text, from + places.trailing_zeros() as usize, ends) {
                return false;
            }
            places &= places - 1;
        }
        true
    })
}

#[inline(always)]
fn is_clean_sign(text: &[u8], sign: usize, ends: &Ends) -> bool {
    let (before, last) = match text[..sign] {
        [.., before, last] => (before, last),
        [last] => (0, last),
        _ => (0, 0),
    };
    let is_url = text.get(sign + 1) == Some(&b'/') && has_password(&text[sign..]);
    let is_name = ends.may_end(before, last) && has_name(text, sign, ends);
    !(is_url || is_name)
}

/// Whether a sensitive name may stand in front of the sign.
#[cold]
fn has_name(text: &[u8], sign: usize, ends: &Ends) -> bool {
    ends.may_be_behind(&text[..end_of_name(text, sign)])
}

/// Whether a URL's `://` is followed by an `@`.
#[cold]
fn has_password(text: &[u8]) -> bool {
    text.starts_with(b"://") && memchr::memchr(b'@', text).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::names::NameMask;
    use super::super::texts::{Spans, Texts};
    use super::*;

    /// What may hold a secret.
    const SECRETS: &str = "\
        (token|apiKey|API Key|account_id|x-bapi-sign|cookie|pin|p_in)\\\\?[\"']? {0,2}[=:][ =\"']?[a-z0-9]{1,9}\
        |[Bb]earer  ?[a-z0-9_]{8,24}\
        |[A-Za-z0-9+/]{31,90}\
        |eyJ[A-Za-z0-9_-]{8,20}\\.[A-Za-z0-9_-]{1,20}\\.[A-Za-z0-9_-]{0,43}\
        |wss?://[a-z]{0,3}:[a-z]{1,3}@h\
        |[a-zA-Z .,:=@/-]{0,30}";

    proptest! {
        #[test]
        fn nothing_is_overlooked(
            front in "[a-z0-9 ]{0,70}|[A-Z+_-]{0,20}|.{0,9}",
            middle in SECRETS,
            behind in "[a-z0-9 ]{0,70}|[,;&] .{0,9}",
        ) {
            let (names, texts) = (NameMask::new(["pin"]), Texts::new([]));
            let all = [format!("{front}{middle}{behind}"), format!("{front} {middle}"), middle];
            for text in all {
                let mut found = Spans::new();
                texts.find(&names, text.as_bytes(), &|_| false, &mut found);
                let clean = is_clean(text.as_bytes(), names.ends());
                prop_assert!(!clean || found.is_empty(), "{}", text);
            }
        }
    }

    #[test]
    fn a_secret_is_seen_wherever_it_stands() {
        let (names, texts) = (NameMask::new(["pin"]), Texts::new([]));
        let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        let jwt =
            "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOjQyfQ.SflKxwRJSMeKKF2QT4_fwpMeJf36POk6yJV-adQssw5c";
        let secrets = [
            key,
            jwt,
            "Bearer a1b2c3d4",
            "bearer a1b2c3d4e5f6g7h8",
            "pin=7",
            "token: q1",
            "ws://:p@h",
        ];
        let filler = "the order of ten lots was sent, and nothing came back from there; ".repeat(2);
        let mut seen = 0;
        for secret in secrets {
            for (before, behind) in (0..80).flat_map(|before| (0..40).map(move |at| (before, at))) {
                let text = format!("{} {secret} {}", &filler[..before], &filler[..behind]);
                let mut found = Spans::new();
                texts.find(&names, text.as_bytes(), &|_| false, &mut found);
                assert!(found.len() == 1 && !is_clean(text.as_bytes(), names.ends()), "{text}");
                seen += 1;
            }
        }
        assert_eq!(seen, secrets.len() * 80 * 40);
    }

    #[test]
    fn ordinary_texts_need_no_search() {
        let names = NameMask::new([]);
        for text in [
            "",
            "BTCUSDT",
            "O-51",
            "BUY price",
            "qty=3 px=7.5",
            "side=BUY qty=3 at 7",
            "side=BUY and qty=3 at 70000.5 1",
            "order accepted by the exchange, 3 fills",
            "5f0c1d1e-9b1f-4c42-9c39-0f8e7d6c5b4a",
            "side=BUY price: 70000.5 at 12:30:05 qty=1",
            "{\"order_id\": 7, \"price\":\"0.1\", \"time\": \"2024-08-09T12:30:05.123Z\"}",
            "GET https://api.example.com/api/v3/depth?symbol=BTCUSDT&limit=50",
            "my_bot::risk::limits: exposure 12 USD, position: 3, connection = open",
            "0.00012345",
        ] {
            assert!(is_clean(text.as_bytes(), names.ends()), "{text}");
        }
    }
}
