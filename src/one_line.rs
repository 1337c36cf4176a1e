//! Text from elsewhere that must stay one line and must not command a terminal.

use std::fmt::{self, Write};

/// Whether `character` may not reach a file or a terminal as it is: a control character (C0, DEL, C1), a
/// line separator (U+2028, U+2029), or one that reorders what is shown (U+202A–202E, U+2066–2069).
pub(crate) fn is_dangerous(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// Shows a text with the escapes of Rust in place of what is dangerous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match is_dangerous(character) {
                true => write!(f, "{}", character.escape_default())?,
                false => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dangerous_is_escaped_and_nothing_else() {
        let text = "a \"b\"\\\té\n\r\u{1b}[31m\u{85}\u{2028}\u{202e}\u{2066}…";
        let shown = r#"a "b"\\té\n\r\u{1b}[31m\u{85}\u{2028}\u{202e}\u{2066}…"#;
        assert_eq!(OneLine(text).to_string(), shown);
    }
}
