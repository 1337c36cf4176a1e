//! Shortening a message that is too long for its datagram.
//!
//! ```text
//! <134>1 TIME HOST APP PROCID MSGID [meta …][ctx@PEN a="1" b="2"] text
//! └───────────── head ────────────┘└──────── elements ──────────┘ └ cut first
//! ```
//!
//! The text goes first, from its end; then parameters, from the last one on, as wholes. So the
//! message stays one that a receiver can read. A shortened one ends with a mark: `…`, or `...`
//! where the text is ASCII.

/// What stands behind a text that was cut.
const MARK: &[u8] = "…".as_bytes();
const ASCII_MARK: &[u8] = b"...";

/// The mark of texts in UTF-8, at their beginning.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Elements of the header, the PRI and version among them.
const HEAD_ELEMENTS: usize = 6;

/// Writes a message into `out` in at most `limit` bytes; `false` if its header alone is longer, or
/// it is no message.
pub(super) fn shorten(frame: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
    out.clear();
    let Some(parts) = Parts::of(frame) else { return false };
    let text = frame.get(parts.elements_end + 1..).unwrap_or_default();
    let wide = text.starts_with(BYTE_ORDER_MARK);
    let mark = if wide { MARK } else { ASCII_MARK };
    // Behind the elements: a space, the text that fits, the mark.
    let least = 1 + if wide { BYTE_ORDER_MARK.len() } else { 0 } + mark.len();
    if parts.elements_end + least <= limit {
        let room = limit - parts.elements_end - 1 - mark.len();
        out.extend_from_slice(&frame[..parts.elements_end]);
        out.push(b' ');
        out.extend_from_slice(&text[..character_boundary(text, room)]);
        out.extend_from_slice(mark);
        return true;
    }
    // Without a text, the mark tells of the parameters.
    let least = 1 + ASCII_MARK.len();
    let fits = |start: &&usize| **start + 1 + least <= limit;
    let Some(end) = parts.parameters.iter().rev().find(fits) else { return false };
    out.extend_from_slice(&frame[..*end]);
    out.extend_from_slice(b"] ");
    out.extend_from_slice(ASCII_MARK);
    true
}

/// The last boundary between two characters up to `at`.
fn character_boundary(text: &[u8], at: usize) -> usize {
    let continues =
        |at: &usize| text.get(*at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    (0..=at.min(text.len())).rev().find(|at| !continues(at)).unwrap_or(0)
}

/// Where the parts of a message are.
struct Parts {
    /// Where a parameter of the last element begins: at the space in front of it.
    parameters: Vec<usize>,
    elements_end: usize,
}

impl Parts {
    fn of(frame: &[u8]) -> Option<Self> {
        let spaces = frame.iter().enumerate().filter(|(_, byte)| **byte == b' ');
        let mut at = spaces.map(|(at, _)| at).nth(HEAD_ELEMENTS - 1)? + 1;
        let mut parameters = Vec::new();
        if frame.get(at) == Some(&b'-') {
            return Some(Self { parameters, elements_end: at + 1 });
        }
        if frame.get(at) != Some(&b'[') {
            return None;
        }
        while frame.get(at) == Some(&b'[') {
            parameters.clear();
            let mut quoted = false;
            loop {
                at += 1;
                match *frame.get(at)? {
                    b'\\' if quoted => at += 1,
                    b'"' => quoted = !quoted,
                    b' ' if !quoted => parameters.push(at),
                    b']' if !quoted => break,
                    _ => {}
                }
            }
            at += 1;
        }
        Some(Self { parameters, elements_end: at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<134>1 2026-01-02T03:04:05.123456Z desk7 metaexpert 4711 -";

    /// What is left of a message in that many bytes behind the head.
    fn shortened(rest: &str, limit: usize) -> Option<String> {
        let mut out = Vec::new();
        let frame = format!("{HEAD} {rest}");
        let cut = shorten(frame.as_bytes(), HEAD.len() + limit, &mut out);
        assert!(!cut || out.len() <= HEAD.len() + limit);
        let text = String::from_utf8(out).expect("whole characters");
        cut.then(|| text.strip_prefix(HEAD).expect("the head stays").to_owned())
    }

    #[test]
    fn a_text_is_cut_at_its_end_between_characters_and_as_little_as_possible() {
        let elements = r#"[meta sequenceId="1"][ctx@32473 a="]\"\]\\ [" b="x y"]"#;
        for (order_mark, text, mark) in
            [("", "0123456789 abc", "..."), ("\u{feff}", "aé€😀é€ 😀xyz", "…")]
        {
            let whole = format!(" {elements} {order_mark}{text}");
            let least = whole.len() - text.len() + mark.len();
            for limit in least..whole.len() {
                let cut = shortened(&whole[1..], limit).expect("room for the elements");
                let kept = cut.strip_prefix(&whole[..whole.len() - text.len()]).unwrap();
                let kept = kept.strip_suffix(mark).unwrap();
                let next = text.strip_prefix(kept).expect("the beginning").chars().next().unwrap();
                assert!(cut.len() + next.len_utf8() > limit, "{cut:?} in {limit}");
            }
        }
        assert_eq!(shortened("- 0123456789", 9).unwrap(), " - 012...");
    }

    #[test]
    fn parameters_go_as_wholes_where_there_is_no_room_for_them() {
        let whole = r#"[meta sequenceId="1"][ctx@32473 a="]\"\]\\ [" b="x y"] text"#;
        let both = r#" [meta sequenceId="1"][ctx@32473 a="]\"\]\\ [" b="x y"] ..."#;
        let one = r#" [meta sequenceId="1"][ctx@32473 a="]\"\]\\ ["] ..."#;
        let none = r#" [meta sequenceId="1"][ctx@32473] ..."#;
        for limit in 0..both.len() {
            let expected = [one, none].into_iter().find(|left| left.len() <= limit);
            assert_eq!(shortened(whole, limit).as_deref(), expected, "{limit}");
        }
        assert_eq!(shortened(whole, both.len()).unwrap(), both);
    }

    #[test]
    fn what_is_no_message_is_not_sent_in_part() {
        for text in [
            "",
            "a b c",
            "<1>1 - - - - -",
            "<1>1 - - - - - text",
            "<1>1 - - - - - [x y=\"",
            "<1>1 - - - - - [x",
        ] {
            assert!(!shorten(text.as_bytes(), 4, &mut Vec::new()), "{text}");
        }
    }
}
