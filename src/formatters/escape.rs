//! Text that must stay one line and must not command a terminal.
//!
//! Dangerous are the control characters (C0, DEL, C1), the line separators U+2028 and U+2029, and
//! the characters that reorder what is shown (U+202A–202E, U+2066–2069). Neither format lets one
//! of them through as it is:
//!
//! | | JSON | text | RFC 5424 |
//! |---|---|---|---|
//! | newline, return, tab | `\n` `\r` `\t` | `\n` `\r` `\t` | `\\n` `\\r` `\\t` |
//! | any other | `\u001b` | `\u{1b}` | `\\u{1b}` |
//! | `"` and `\` | `\"` `\\` | the same inside quotes; as they are outside | `\"` `\\` |
//! | `]` | | | `\]` |
//!
//! In structured data of RFC 5424 a backslash may stand before `"`, `\` and `]` only. So it is
//! doubled there, and who reads the frame gets what the text format shows.

use crate::one_line::is_dangerous;

/// The sign behind what was cut off.
pub(super) const ELLIPSIS: &str = "…";

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Whether every byte lies in `FIRST..=0x7e` and is none of `A`, `B` and `C`.
///
/// Takes eight bytes at a time; the classic tests for "a byte less than n" and "a byte equal to
/// n" are exact as long as only "any or none" is asked.
#[inline]
fn is_plain<const FIRST: u8, const A: u8, const B: u8, const C: u8>(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| is_plain_word::<FIRST, A, B, C>(u64::from_le_bytes(*word)))
        && rest.iter().all(|&byte| (FIRST..0x7f).contains(&byte) && ![A, B, C].contains(&byte))
}

#[inline(always)]
fn is_plain_word<const FIRST: u8, const A: u8, const B: u8, const C: u8>(word: u64) -> bool {
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    // Above 0x7e: the high bit, or what adding one carries into it.
    let above = word | word.wrapping_add(ONES);
    (below(word, FIRST) | equal(A) | equal(B) | equal(C) | above) & HIGH == 0
}

/// Appends `text` as the inside of a JSON string.
#[inline]
pub(super) fn json(out: &mut Vec<u8>, text: &str) {
    if is_plain::<0x20, b'"', b'\\', b'\\'>(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape(out, text, Quoting::Json);
    }
}

/// Appends `text` as a part of the event's text in the text format.
#[inline]
pub(super) fn message(out: &mut Vec<u8>, text: &str) {
    if is_plain::<0x20, 0, 0, 0>(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape(out, text, Quoting::None);
    }
}

/// Appends `text` as the inside of a parameter's value in structured data of RFC 5424.
#[inline]
pub(super) fn parameter(out: &mut Vec<u8>, text: &str) {
    if is_plain::<0x20, b'"', b'\\', b']'>(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape(out, text, Quoting::Parameter);
    }
}

/// Appends `text` as a name or a value in the text format: bare where that is unmistakable,
/// else in quotes. `cut` adds the ellipsis.
#[inline]
pub(super) fn bare_or_quoted(out: &mut Vec<u8>, text: &str, cut: bool) {
    if !cut && !text.is_empty() && is_plain::<0x21, b'"', b'=', b'='>(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        bare_or_quoted_slow(out, text, cut);
    }
}

#[cold]
fn bare_or_quoted_slow(out: &mut Vec<u8>, text: &str, cut: bool) {
    let end = if cut { ELLIPSIS } else { "" };
    let needs_quotes = |character: char| {
        matches!(character, '"' | '=') || character.is_whitespace() || is_dangerous(character)
    };
    if text.contains(needs_quotes) || (text.is_empty() && !cut) {
        quoted(out, text, cut);
    } else {
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(end.as_bytes());
    }
}

/// Appends `text` as a value of logfmt: bare where that is unmistakable, else as a JSON string.
/// `cut` adds the ellipsis.
#[inline]
pub(super) fn logfmt(out: &mut Vec<u8>, text: &str, cut: bool) {
    let bare = !cut && !matches!(text, "" | "null");
    if bare && is_plain::<0x21, b'"', b'=', b'='>(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        logfmt_slow(out, text, cut);
    }
}

#[cold]
fn logfmt_slow(out: &mut Vec<u8>, text: &str, cut: bool) {
    let end = if cut { ELLIPSIS } else { "" };
    let needs_quotes = |c: char| is_special_in_logfmt(c) || is_dangerous(c);
    let quotes = text.contains(needs_quotes) || !cut && matches!(text, "" | "null");
    if quotes {
        out.push(b'"');
        json(out, text);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(end.as_bytes());
    if quotes {
        out.push(b'"');
    }
}

/// Characters that a bare word of logfmt cannot hold, besides the dangerous ones: those that end
/// it, and the one that readers take for a sign of invalid UTF-8.
pub(super) fn is_special_in_logfmt(character: char) -> bool {
    matches!(character, '"' | '=' | '\u{fffd}') || character.is_whitespace()
}

/// Appends `text` in quotes, as the text format writes it.
pub(super) fn quoted(out: &mut Vec<u8>, text: &str, cut: bool) {
    out.push(b'"');
    escape(out, text, Quoting::Text);
    if cut {
        out.extend_from_slice(ELLIPSIS.as_bytes());
    }
    out.push(b'"');
}

/// What stands around a text that is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Nothing: quotes and backslashes stay as they are.
    None,
    /// The quotes of the text format.
    Text,
    /// The quotes of JSON.
    Json,
    /// Those of a parameter's value in RFC 5424, where a bracket is escaped, too.
    Parameter,
}

/// Bytes that [`escape`] has to look at: all those that begin a dangerous character, the quote,
/// the backslash and the closing bracket.
const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[0x7f] = true;
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[b']' as usize] = true;
    // C1 is C2 80..9F; the separators and the overrides are E2 80 A8..AE and E2 81 A6..A9.
    table[0xc2] = true;
    table[0xe2] = true;
    table
};

#[cold]
fn escape(out: &mut Vec<u8>, text: &str, quoting: Quoting) {
    let bytes = text.as_bytes();
    let (mut kept, mut at) = (0, 0);
    while at < bytes.len() {
        if !SUSPECT[usize::from(bytes[at])] {
            at += 1;
            continue;
        }
        let Some(character) = text[at..].chars().next() else { break };
        let next = at + character.len_utf8();
        let quote = match character {
            '"' | '\\' => quoting != Quoting::None,
            ']' => quoting == Quoting::Parameter,
            _ => false,
        };
        if quote || is_dangerous(character) {
            out.extend_from_slice(&bytes[kept..at]);
            escape_character(out, character, quoting);
            kept = next;
        }
        at = next;
    }
    out.extend_from_slice(&bytes[kept..]);
}

fn escape_character(out: &mut Vec<u8>, character: char, quoting: Quoting) {
    if quoting == Quoting::Parameter && is_dangerous(character) {
        out.push(b'\\');
    }
    let short = match character {
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '"' => b'"',
        '\\' => b'\\',
        ']' => b']',
        _ => {
            // Every dangerous character lies in the basic plane: one escape of four digits.
            let code = u32::from(character);
            let escaped = match quoting {
                Quoting::Json => format!("\\u{code:04x}"),
                Quoting::None | Quoting::Text | Quoting::Parameter => format!("\\u{{{code:x}}}"),
            };
            out.extend_from_slice(escaped.as_bytes());
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_fast_test_agrees_with_the_plain_one_for_every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for length in 1..=17 {
                for at in 0..length {
                    let mut bytes = vec![b'~'; length];
                    bytes[at] = byte;
                    let json = (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
                    let bare = (0x21..0x7f).contains(&byte) && byte != b'"' && byte != b'=';
                    let parameter = json && byte != b']';
                    assert_eq!(
                        is_plain::<0x20, b'"', b'\\', b'\\'>(&bytes),
                        json,
                        "{byte} at {at}"
                    );
                    assert_eq!(
                        is_plain::<0x20, b'"', b'\\', b']'>(&bytes),
                        parameter,
                        "{byte} at {at}"
                    );
                    assert_eq!(is_plain::<0x21, b'"', b'=', b'='>(&bytes), bare, "{byte} at {at}");
                    let any = (0x20..0x7f).contains(&byte);
                    assert_eq!(is_plain::<0x20, 0, 0, 0>(&bytes), any, "{byte} at {at}");
                }
            }
        }
    }

    #[test]
    fn every_dangerous_character_is_escaped_in_every_format() {
        let dangerous = (0..=0x2100).filter_map(char::from_u32).filter(|c| is_dangerous(*c));
        for character in dangerous {
            let text = format!("a{character}é…");
            for line in [
                written(|out| json(out, &text)),
                written(|out| message(out, &text)),
                written(|out| parameter(out, &text)),
                written(|out| bare_or_quoted(out, &text, false)),
            ] {
                assert!(!line.contains(is_dangerous) && line.contains("é…"), "{line:?}");
            }
            let read: String =
                serde_json::from_str(&written(|out| quoted_json(out, &text))).unwrap();
            assert_eq!(read, text);
        }
    }

    fn quoted_json(out: &mut Vec<u8>, text: &str) {
        out.push(b'"');
        json(out, text);
        out.push(b'"');
    }

    #[test]
    fn escapes_look_as_documented() {
        let text = "a\"b\\c\n\r\t\u{1b}\u{85}\u{2028}\u{202e}é€";
        assert_eq!(written(|out| json(out, text)), r#"a\"b\\c\n\r\t\u001b\u0085\u2028\u202eé€"#);
        assert_eq!(
            written(|out| message(out, text)),
            r#"a"b\c\n\r\t\u{1b}\u{85}\u{2028}\u{202e}é€"#
        );
        assert_eq!(
            written(|out| parameter(out, &format!("[{text}]"))),
            r#"[a\"b\\c\\n\\r\\t\\u{1b}\\u{85}\\u{2028}\\u{202e}é€\]"#
        );
        assert_eq!(
            written(|out| quoted(out, text, true)),
            r#""a\"b\\c\n\r\t\u{1b}\u{85}\u{2028}\u{202e}é€…""#
        );
    }

    #[test]
    fn values_are_bare_only_where_that_is_unmistakable() {
        let cases = [
            ("", "\"\""),
            ("BTCUSDT", "BTCUSDT"),
            (r"C:\x", r"C:\x"),
            ("two words", "\"two words\""),
            ("no\u{a0}break", "\"no\u{a0}break\""),
            ("a=b", "\"a=b\""),
            ("say \"hi\"", r#""say \"hi\"""#),
            ("naïve→", "naïve→"),
            ("tab\there", r#""tab\there""#),
        ];
        for (text, expected) in cases {
            assert_eq!(written(|out| bare_or_quoted(out, text, false)), expected);
        }
        assert_eq!(written(|out| bare_or_quoted(out, "", true)), "…");
        assert_eq!(written(|out| bare_or_quoted(out, "cut", true)), "cut…");
        assert_eq!(written(|out| bare_or_quoted(out, "cut off", true)), "\"cut off…\"");
    }
}
