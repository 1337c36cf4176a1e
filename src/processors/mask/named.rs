//! `name=value`, `"name": "value"` and their like inside a text: the names are those that are masked
//! as fields.

use std::ops::Range;

use memchr::memchr2_iter;

use super::ends::HEADERS;
use super::names::{NameMask, Treatment};
use super::texts::Spans;

/// Names are looked at up to here.
const NAME_BYTES_MAX: usize = 64;

/// What stands in front of the secret in a header's value.
const SCHEMES: [&str; 6] = ["bearer", "basic", "digest", "hmac", "token", "apikey"];

/// What is no secret, whatever name it stands under.
const NOTHING: [&str; 6] = ["none", "null", "nil", "true", "false", "undefined"];

/// The words of a mnemonic: as many follow the first one at most.
const MNEMONIC_WORDS_MAX: usize = 23;

/// Finds the values of sensitive names, and passwords in URLs.
#[cold]
pub(super) fn named(
    names: &NameMask,
    text: &[u8],
    is_field: &dyn Fn(&str) -> bool,
    found: &mut Spans,
) {
    let mut done = 0;
    for sign in memchr2_iter(b'=', b':', text) {
        if sign < done {
            continue;
        }
        let span = match text[sign + 1..] {
            [b'/', b'/', ..] if text[sign] == b':' => url_password(text, sign + 3),
            [b':', ..] if text[sign] == b':' => None,
            _ if text[sign] == b':' && sign > 0 && text[sign - 1] == b':' => None,
            _ => value_of_name(names, text, sign, is_field),
        };
        if let Some(span) = span {
            done = span.end;
            found.push(span);
        }
    }
}

/// The value behind the sign, if the name in front of it is a sensitive one.
fn value_of_name(
    names: &NameMask,
    text: &[u8],
    sign: usize,
    is_field: &dyn Fn(&str) -> bool,
) -> Option<Range<usize>> {
    let (treatment, name) = treatment_before(names, text, sign);
    if treatment == Treatment::Show {
        return None;
    }
    let value = value_behind(text, sign + 1)?;
    let content = std::str::from_utf8(&text[value.place.clone()]).unwrap_or_default();
    if NOTHING.iter().any(|nothing| content.eq_ignore_ascii_case(nothing)) {
        return None;
    }
    if value.braced && is_field(content) {
        // A placeholder: its value is a field, and masked as one.
        return None;
    }
    let Range { start, mut end } = value.place;
    if value.bare && name.eq_ignore_ascii_case("mnemonic") {
        end = end_of_words(text, end);
    }
    match treatment {
        Treatment::Keep(chars) if !value.braced => {
            let kept = content.chars().rev().take(chars.into()).map(char::len_utf8).sum::<usize>();
            let kept = if kept < content.len() { kept } else { 0 };
            Some(start..end - kept)
        }
        _ => Some(start..end),
    }
}

/// What is done to the value of the name in front of `sign`, and the name.
fn treatment_before<'a>(names: &NameMask, text: &'a [u8], sign: usize) -> (Treatment, &'a str) {
    let end = end_of_name(text, sign);
    let start = start_of_name(text, end);
    let Ok(name) = std::str::from_utf8(&text[start..end]) else { return (Treatment::Show, "") };
    if name.is_empty() {
        return (Treatment::Show, name);
    }
    let mut treatment = names.treatment(name);
    if treatment == Treatment::Show && HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name))
    {
        treatment = Treatment::Hide;
    }
    if treatment == Treatment::Show && start > 1 && text[start - 1] == b' ' {
        // "API key: …"
        let start = start_of_name(text, start - 1);
        if let Ok(two_words) = std::str::from_utf8(&text[start..end]) {
            treatment = names.treatment(two_words);
        }
    }
    (treatment, name)
}

/// Where the name ends that stands in front of `sign`: in front of blanks and a quote.
pub(super) fn end_of_name(text: &[u8], sign: usize) -> usize {
    let mut end = sign;
    while end > 0 && text[end - 1] == b' ' && sign - end < 2 {
        end -= 1;
    }
    if end > 0 && is_quote(text[end - 1]) {
        end -= 1;
        end -= text[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
    }
    end
}

/// Where a name begins that ends at `end`.
fn start_of_name(text: &[u8], end: usize) -> usize {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) || byte >= 0x80;
    let front = &text[end.saturating_sub(NAME_BYTES_MAX)..end];
    end - front.iter().rev().take_while(|byte| is_name(**byte)).count()
}

/// Where a value stands.
struct Place {
    place: Range<usize>,
    /// Between brackets, with or without a word in front of them.
    braced: bool,
    /// Neither between brackets nor in quotes.
    bare: bool,
}

/// The value that begins behind a sign.
fn value_behind(text: &[u8], from: usize) -> Option<Place> {
    let rest = text.get(from..)?;
    let skipped = rest.iter().take_while(|byte| b"=> \t".contains(byte)).count();
    let start = from + skipped;
    let place = |place: Range<usize>, braced, bare| {
        (!place.is_empty()).then_some(Place { place, braced, bare })
    };
    match text[start..] {
        [b'\\', ..] => {
            // A quote that is itself quoted, any number of times: its partner looks the same.
            let slashes = text[start..].iter().take_while(|byte| **byte == b'\\').count();
            let from = start + slashes + 1;
            let quote = text.get(start..from)?;
            let end = memchr::memmem::find(&text[from..], quote);
            place(from..end.map_or(text.len(), |end| from + end), false, false)
        }
        [quote, ..] if is_quote(quote) => {
            place(start + 1..end_of_quoted(text, start + 1, quote), false, false)
        }
        _ => {
            let word = bare(text, start);
            let behind = &text[word.end..];
            match behind {
                [b'(' | b'[' | b'{', ..] => place(inside(text, word.end), true, false),
                [b' ', b'{', ..] if !word.is_empty() => {
                    place(inside(text, word.end + 1), true, false)
                }
                [b' ', ..] if is_scheme(&text[word.clone()]) => {
                    let blanks = behind.iter().take_while(|byte| **byte == b' ').count();
                    place(bare(text, word.end + blanks), false, true)
                }
                _ => place(word, false, true),
            }
        }
    }
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

fn is_scheme(word: &[u8]) -> bool {
    SCHEMES.iter().any(|scheme| scheme.as_bytes().eq_ignore_ascii_case(word))
}

/// A value without quotes: up to a blank or a sign that values in URLs, lists and headers end with.
fn bare(text: &[u8], start: usize) -> Range<usize> {
    let ends = |byte: &u8| *byte <= b' ' || b",;&()[]{}\"'<>|\\`".contains(byte);
    let length = text[start..].iter().position(ends).unwrap_or(text.len() - start);
    start..start + length
}

/// Where a quoted value ends: in front of its closing quote, or with the text.
fn end_of_quoted(text: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at.min(text.len())
}

/// What stands between the bracket at `open` and its partner; up to the text's end if it has none.
fn inside(text: &[u8], open: usize) -> Range<usize> {
    let (mut depth, mut at) = (0_usize, open);
    while at < text.len() {
        match text[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 1 => return open + 1..at,
            b')' | b']' | b'}' => depth -= 1,
            quote if is_quote(quote) => at = end_of_quoted(text, at + 1, quote),
            _ => {}
        }
        at += 1;
    }
    open + 1..text.len()
}

/// Where the words end of which the first one ended at `end`: small letters alone, and no value of
/// another name.
fn end_of_words(text: &[u8], mut end: usize) -> usize {
    for _ in 0..MNEMONIC_WORDS_MAX {
        let Some([b' ', rest @ ..]) = text.get(end..) else { break };
        let length = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let followed = rest.get(length).is_none_or(|byte| !matches!(byte, b'=' | b':' | b'_'));
        if length < 3 || !followed {
            break;
        }
        end += 1 + length;
    }
    end
}

/// The password of a URL that has one: `https://user:password@host`.
fn url_password(text: &[u8], start: usize) -> Option<Range<usize>> {
    let ends = |byte: &u8| *byte <= b' ' || b"/?#\"'<>".contains(byte);
    let authority = text.get(start..)?.split(ends).next()?;
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', &authority[..at])?;
    Some(start + colon + 1..start + at)
}

#[cfg(test)]
mod tests {
    use super::super::texts::{Texts, masked};
    use super::*;

    fn shown(text: &str) -> String {
        masked(&Texts::new([]), &NameMask::new([]), text)
    }

    #[test]
    fn values_behind_sensitive_names_are_masked_in_every_notation() {
        for (text, expected) in [
            ("login password=hunter2 ok", "login password=*** ok"),
            ("apiKey: abc, user: bob", "apiKey: ***, user: bob"),
            (r#"{"api_secret": "x\"y", "qty": 3}"#, r#"{"api_secret": "***", "qty": 3}"#),
            (r#"{\"token\":\"t-1\",\"a\":1}"#, r#"{\"token\":\"***\",\"a\":1}"#),
            (r#"Some("{\\\"token\\\":\\\"t-1\\\"}")"#, r#"Some("{\\\"token\\\":\\\"***\\\"}")"#),
            ("GET /o?symbol=X&signature=c0ff&x=1", "GET /o?symbol=X&signature=***&x=1"),
            ("/v5/order?api_key=K1x&sign=2", "/v5/order?api_key=***&sign=2"),
            (
                r#"Credentials { api_key: "k", passphrase: "p q", account_id: "ACC-12345" }"#,
                r#"Credentials { api_key: "*", passphrase: "***", account_id: "***345" }"#,
            ),
            (r#"secret: Some("abc"), n: 1"#, "secret: Some(***), n: 1"),
            (r#"token: Token { id: 7, raw: "}" } end"#, "token: Token {***} end"),
            ("Authorization: Basic dXNlcjpw end", "Authorization: Basic *** end"),
            ("X-MBX-APIKEY: vmPUZE6mv9", "X-MBX-APIKEY: ***"),
            ("private key = abc123", "private key = ***"),
            ("mnemonic: abandon ability able x=1", "mnemonic: *** x=1"),
            ("wss://ann:s3cret@host:9443/ws", "wss://ann:***@host:9443/ws"),
            ("'passwd' => 'pw1'", "'passwd' => '***'"),
            ("pässword=1 token=ключ", "pässword=1 token=***"),
            ("secret: A([1, (2), {3}], 4) end", "secret: A(***) end"),
            (r#"token: Token { id: [7, (8)], raw: "}" } end"#, "token: Token {***} end"),
            ("token=//host/abc x", "token=*** x"),
            ("token=:abc x", "token=*** x"),
            ("mnemonic: abandon ability ab zoo", "mnemonic: *** ab zoo"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "my_bot::token::count took 12:30:05",
            "tokens=3 secretary: Joe signature_ok=true",
            "token=None secret: null password=",
            "http://host:8080/path?limit=5",
            "http://ann@host:80/a",
            "http://a/b:c@d",
            "order-id: O-51 price=70000.5 side=\"BUY\"",
            "token=*** at 12:00",
            "a == b, c != d, e => f",
            ":=:=::==",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_placeholder_is_no_value() {
        let (names, texts) = (NameMask::new([]), Texts::new([]));
        let mut found = Spans::default();
        texts.find(&names, b"password={p} token={hunter2}", &|name| name == "p", &mut found);
        assert_eq!((found.len(), found[0].clone()), (1, 20..27));
    }
}
