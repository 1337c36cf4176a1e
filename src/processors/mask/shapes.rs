//! What keys look like that stand in a text without a name.
//!
//! Only shapes that ordinary words, numbers, hashes, addresses and identifiers do not have. Keys
//! that look like identifiers (18 characters, a UUID) are masked beside a name alone.

use super::texts::Spans;

/// What a byte is, as a key's writer would draw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    /// `+` and `/`, which base64 has beside letters and digits.
    Sign,
    /// Anything else.
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' => Class::Lower,
            b'A'..=b'Z' => Class::Upper,
            b'0'..=b'9' => Class::Digit,
            b'+' | b'/' => Class::Sign,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// No key is shorter.
const KEY_BYTES_MIN: usize = 32;

/// Finds keys by their shape.
pub(super) fn keys(text: &[u8], found: &mut Spans) {
    let mut at = 0;
    while at < text.len() {
        let word = &text[at..];
        let word = word.split(|byte| class(*byte) == Class::Other).next().unwrap_or_default();
        let padded = text[at + word.len()..].starts_with(b"==");
        if word.len() >= KEY_BYTES_MIN {
            if is_base64_key(word, padded) {
                found.push(at..at + word.len() + if padded { 2 } else { 0 });
            } else {
                plain_keys(at, word, found);
            }
        }
        at += word.len() + 1;
    }
}

/// Finds keys of letters and digits in a word that begins at `start`.
fn plain_keys(start: usize, word: &[u8], found: &mut Spans) {
    let mut at = start;
    for part in word.split(|byte| class(*byte) == Class::Sign) {
        if is_plain_key(part) {
            found.push(at..at + part.len());
        }
        at += part.len() + 1;
    }
}

/// Kraken: a key of 42 bytes, a secret of 64 bytes.
fn is_base64_key(word: &[u8], padded: bool) -> bool {
    (word.len() == 56 && !padded || word.len() == 86 && padded) && looks_random(word)
}

/// Binance: 64 letters and digits, key and secret. Bybit: a secret of 36. OKX: a secret of 32
/// hexadecimal digits, upper case.
fn is_plain_key(word: &[u8]) -> bool {
    match word.len() {
        64 | 36 => looks_random(word),
        32 => {
            let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
            let hexadecimal = word.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
            hexadecimal && (4..=28).contains(&digits)
        }
        _ => false,
    }
}

/// Whether small letters, capitals and digits follow each other as chance has it: then nearly half of
/// the neighbours are such as words do not have, in `CamelCase` or otherwise.
fn looks_random(word: &[u8]) -> bool {
    use Class::{Digit, Lower, Upper};
    let kinds = || word.iter().map(|byte| class(*byte)).filter(|kind| *kind != Class::Sign);
    let unlike_words = |(one, next): &(Class, Class)| {
        !matches!((one, next), (Lower, Lower | Upper) | (Upper, Lower) | (Digit, Digit))
    };
    let mixed = [Lower, Upper, Digit].iter().all(|wanted| kinds().any(|kind| kind == *wanted));
    mixed && kinds().zip(kinds().skip(1)).filter(unlike_words).count() * 5 > word.len()
}

/// The bytes in front of what a token does not have.
pub(super) fn token(text: &[u8]) -> &[u8] {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let end = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    &text[..end]
}

/// Whether what stands behind `Bearer` is a token, not the next word of a sentence.
pub(super) fn is_bearer_token(token: &[u8]) -> bool {
    let inner = token.get(1..).unwrap_or_default();
    let unlike_a_word = token.iter().any(u8::is_ascii_digit)
        || inner.iter().any(|byte| byte.is_ascii_uppercase() || b"_~+=".contains(byte));
    token.len() >= 20 || token.len() >= 8 && unlike_a_word
}

/// The JSON web token at the front: parts of base64 between dots; empty if there is none.
pub(super) fn web_token(text: &[u8]) -> &[u8] {
    let token = token(text);
    let mut parts = token.split(|byte| *byte == b'.');
    let header = parts.next().is_some_and(|header| header.len() >= 10);
    let payload = parts.next().is_some_and(|payload| !payload.is_empty());
    if header && payload && token.len() >= 31 { token } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut spans = Spans::default();
        keys(text.as_bytes(), &mut spans);
        spans.iter().map(|span| &text[span.clone()]).collect()
    }

    #[test]
    fn keys_of_the_exchanges_are_found() {
        let binance = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        let kraken = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZt\
                      uZuj6F1huXg==";
        let bybit = "Qk3vZbZ1mP8xT0aLw9RsYc4NhUe7JdGf2oXi";
        let okx = "9A1C22E30F0B4D5E8C77A6B5D4E3F201";
        for key in [binance, kraken, bybit, okx] {
            assert_eq!(found(&format!("key {key}, sent")), [key]);
            assert_eq!(found(key), [key]);
        }
    }

    #[test]
    fn what_is_no_key_is_left_alone() {
        for text in [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "5f0c1d1e-9b1f-4c42-9c39-0f8e7d6c5b4a",
            "12345678901234567890123456789012",
            "AnImmenselyLongTypeNameOfSomebodysNo2Idea4Everybody2AdmireButNot",
            "/home/Ann/Projects/tapelog2026/Recordings/Binance/Spot24",
            "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert!(!is_bearer_token(b"certificate") && !is_bearer_token(b"Markets"));
        assert!(is_bearer_token(b"a8f5f167") && is_bearer_token(b"mF_9.B5f-4.1JqM"));
    }
}
