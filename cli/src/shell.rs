//! Words as a shell takes them.

use std::borrow::Cow;
use std::fmt::Write;

use crate::failure::is_dangerous;

/// A word, quoted where a shell needs it; it stays one line and moves no cursor.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into();
    }
    if !text.contains(is_dangerous) {
        return format!("'{}'", text.replace('\'', r"'\''")).into();
    }
    let mut quoted = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if is_dangerous(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Infallible: a String takes whatever comes.
                    let _written = write!(quoted, "\\{byte:03o}");
                }
            }
            c => quoted.push(c),
        }
    }
    (quoted + "'").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(word("--only"), "--only");
        assert_eq!(word("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }

    #[test]
    fn a_shell_takes_what_no_line_may_hold_for_what_it_is() {
        let hostile = "it's\n\u{1b}[2J\\n \u{2028}1";
        let quoted = word(hostile);
        assert_eq!(quoted, r"$'it\'s\012\033[2J\\n \342\200\2501'");
        let mut shell = std::process::Command::new("bash");
        let printed = shell.args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
        assert_eq!(printed.stdout, hostile.as_bytes());
    }
}
