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
const SCHEMES: [&str; 7] = ["bearer", "basic", "digest", "hmac", "token", "apikey", "negotiate"];

/// Names of which all that stands behind them on the line is the value.
const WHOLE_LINES: [&str; 2] = ["cookie", "set-cookie"];

/// The name of a header whose value may have a scheme in front that is none of [`SCHEMES`].
const AUTHORIZATION: &str = "authorization";

/// What `Debug` shows in front of a value that is shown with its name.
const WRAPPERS: [&str; 3] = ["Some", "Ok", "Err"];

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
    each_named(names, text, is_field, &mut |span, _| found.push(span));
}

/// As [`named`], with what is to be done to each.
pub(super) fn each_named(
    names: &NameMask,
    text: &[u8],
    is_field: &dyn Fn(&str) -> bool,
    found: &mut dyn FnMut(Range<usize>, Treatment),
) {
    let mut done = 0;
    for sign in memchr2_iter(b'=', b':', text) {
        if sign < done {
            continue;
        }
        let secret = match text[sign + 1..] {
            [b'/', b'/', ..] if text[sign] == b':' => {
                url_password(text, sign + 3).map(|span| (span, Treatment::Hide))
            }
            [b':', ..] if text[sign] == b':' => None,
            _ if text[sign] == b':' && sign > 0 && text[sign - 1] == b':' => None,
            _ => value_of_name(names, text, sign, is_field),
        };
        // A placeholder's value is a field, and masked as one.
        let is_place = |value: &[u8]| match value {
            [b'{', name @ .., b'}'] => std::str::from_utf8(name).is_ok_and(is_field),
            _ => false,
        };
        if let Some((span, treatment)) = secret.filter(|(span, _)| !is_place(&text[span.clone()])) {
            done = span.end;
            found(span, treatment);
        }
    }
}

/// The value behind the sign, if the name in front of it is a sensitive one.
fn value_of_name(
    names: &NameMask,
    text: &[u8],
    sign: usize,
    is_field: &dyn Fn(&str) -> bool,
) -> Option<(Range<usize>, Treatment)> {
    let (treatment, name) = treatment_before(names, text, sign);
    if treatment == Treatment::Show {
        return None;
    }
    let value = value_behind(text, sign + 1)?;
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    let content = std::str::from_utf8(&text[value.place.clone()]).unwrap_or_default();
    if NOTHING.iter().any(|nothing| content.eq_ignore_ascii_case(nothing)) {
        return None;
    }
    if value.braced && is_field(content) {
        // A placeholder: its value is a field, and masked as one.
        return None;
    }
    let Range { start, mut end } = value.place;
    if value.bare && is(&"mnemonic") {
        end = end_of_words(text, end);
    } else if value.bare && WHOLE_LINES.iter().any(is) {
        end = end_of_line(text, start, is_quote);
    } else if is_digest(text, start) {
        end = end_of_line(text, start, |_| false);
    } else if value.bare && value.first && is(&AUTHORIZATION) {
        end = end_of_credentials(text, end);
    }
    if let Treatment::Keep(chars) = treatment
        && !value.braced
    {
        let kept = content.chars().rev().take(chars.into()).map(char::len_utf8).sum::<usize>();
        end -= if kept < content.len() { kept } else { 0 };
    }
    Some((start..end, treatment))
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
    /// With nothing in front of it, such as a scheme.
    first: bool,
}

/// The value that begins behind a sign.
fn value_behind(text: &[u8], from: usize) -> Option<Place> {
    let rest = text.get(from..)?;
    let skipped = rest.iter().take_while(|byte| b"=> \t".contains(byte)).count();
    let start = from + skipped;
    let (bare_value, braced) = (true, true);
    let place = |place: Range<usize>, braced, bare| {
        let first = place.start == start;
        (!place.is_empty()).then_some(Place { place, braced, bare, first })
    };
    match text[start..] {
        [b'\\', ..] => {
            // A quote that is itself quoted, any number of times: its partner looks the same.
            let slashes = text[start..].iter().take_while(|byte| **byte == b'\\').count();
            let from = start + slashes + 1;
            let quote = text.get(start..from)?;
            let end = memchr::memmem::find(&text[from..], quote);
            place(from..end.map_or(text.len(), |end| from + end), !braced, !bare_value)
        }
        [quote, ..] if is_quote(quote) => {
            place(start + 1..end_of_quoted(text, start + 1, quote), !braced, !bare_value)
        }
        _ => {
            let found = bare(text, start);
            let (word, behind) = (&text[found.clone()], &text[found.end..]);
            match behind {
                [b'(' | b'[' | b'{', ..] if word.is_empty() || is_one_of(&WRAPPERS, word) => {
                    place(inside(text, found.end), braced, !bare_value)
                }
                [b' ', b'{', ..] if is_one_of(&SCHEMES, word) => {
                    place(inside(text, found.end + 1), braced, !bare_value)
                }
                // A value's type and what is in it, or a value with brackets in it.
                [b'(' | b'[' | b'{', ..] => {
                    place(start..end_of_bracketed(text, found.end), !braced, !bare_value)
                }
                [b' ', b'{', ..] if word.first().is_some_and(u8::is_ascii_uppercase) => {
                    place(start..end_of_bracketed(text, found.end + 1), !braced, !bare_value)
                }
                [b' ', ..] if is_one_of(&SCHEMES, word) => {
                    let blanks = behind.iter().take_while(|byte| **byte == b' ').count();
                    place(bare(text, found.end + blanks), !braced, bare_value)
                }
                _ => place(found, !braced, bare_value),
            }
        }
    }
}

/// Where a value ends that has a bracket at `open`: behind what adjoins its partner.
fn end_of_bracketed(text: &[u8], open: usize) -> usize {
    let mut end = open;
    while let Some(b'(' | b'[' | b'{') = text.get(end) {
        end = (inside(text, end).end + 1).min(text.len());
        end = bare(text, end).end;
    }
    end
}

/// Whether the value is one of parts: `Digest username="ann", response="…"`.
fn is_digest(text: &[u8], start: usize) -> bool {
    text[..start].trim_ascii_end().to_ascii_lowercase().ends_with(b"digest")
}

/// Where the line ends, or what ends it before.
fn end_of_line(text: &[u8], start: usize, or: impl Fn(u8) -> bool) -> usize {
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r') || or(*byte);
    text[start..].iter().position(ends).map_or(text.len(), |length| start + length)
}

/// Where credentials end whose first word ends at `end`: behind the next one, if the first may have
/// been a scheme.
fn end_of_credentials(text: &[u8], end: usize) -> usize {
    let Some([b' ', rest @ ..]) = text.get(end..) else { return end };
    let next = bare(rest, 0).end;
    let is_name = next == 0 || rest[..next].iter().any(|byte| b"=:".contains(byte));
    if is_name { end } else { end + 1 + next }
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

fn is_one_of(words: &[&str], word: &[u8]) -> bool {
    words.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
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
            ("secret: A([1, (2), {3}], 4) end", "secret: *** end"),
            (r#"secret: Key { id: [7, (8)], raw: "}" } end"#, "secret: *** end"),
            ("secret: Some([1, (2), {3}], 4) end", "secret: Some(***) end"),
            (r#"token: Token { id: [7, (8)], raw: "}" } end"#, "token: Token {***} end"),
            ("token=//host/abc x", "token=*** x"),
            ("token=:abc x", "token=*** x"),
            (r#"password=hunter2 {"code":401}"#, r#"password=*** {"code":401}"#),
            ("password=Tr0ub4dor(3) x", "password=*** x"),
            ("token=abc123[expired]z(1 x", "token=***"),
            ("token=a{b}c(d)e f", "token=*** f"),
            ("Cookie: theme=dark; sessionid=q1 w\nx: 1", "Cookie: ***\nx: 1"),
            (r#""set-cookie": "a=1; b=2", "x": 1"#, r#""set-cookie": "***", "x": 1"#),
            ("Authorization: Bot MTk4.x user=bob", "Authorization: *** user=bob"),
            ("Authorization: s3cret", "Authorization: ***"),
            ("Authorization: Negotiate YII= x", "Authorization: Negotiate *** x"),
            (
                r#"Authorization: Digest username="ann", response="6629""#,
                "Authorization: Digest ***",
            ),
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
        for text in
            ["password={p} ", "token='{p}' ", "ws://u:{p}@h/ ", "Authorization: Bearer {p} "]
        {
            let text = format!("{text}token={{hunter2}}");
            texts.find(&names, text.as_bytes(), &|name| name == "p", &mut found);
            assert_eq!((found.len(), &text[found[0].clone()]), (1, "hunter2"), "{text}");
        }
    }
}
