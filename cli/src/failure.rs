//! How failures are told: on stderr, with everything that led to them.

use std::error::Error;

/// What any command may fail with.
pub(crate) type Failure = Box<dyn Error>;

/// Writes a line to stdout. Whoever takes the lines may have seen enough, as `head` has: what does not
/// get there is left out, and the exit code tells the rest.
macro_rules! outln {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _closed = writeln!(std::io::stdout(), $($line)*);
    }};
}
pub(crate) use outln;

/// Writes an error and its causes to stderr, in one line.
pub(crate) fn tell(error: &(dyn Error + 'static)) {
    // Several problems stand in lines of their own.
    let lines: Vec<_> = with_causes(error).split('\n').map(escaped).collect();
    eprintln!("tapelog: {}", lines.join("\n"));
}

/// Text from a file, a name or a path, such that it stays one line and moves no cursor.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// An error and its causes in one line. A cause that a message ends with already is not repeated.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        let cause = cause.to_string();
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the order cannot be sent: {0}")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("no connection")]
    struct Inner(#[source] std::num::ParseIntError);

    #[test]
    fn a_path_cannot_forge_a_line_or_command_a_terminal() {
        assert_eq!(escaped("a\n\u{1b}[2Jb\u{2028}ü"), "a\\n\\u{1b}[2Jb\\u{2028}ü");
    }

    #[test]
    fn each_cause_stands_once_in_the_line() {
        let cause = "x".parse::<u8>().unwrap_err();
        let line = with_causes(&Outer(Inner(cause.clone())));
        assert_eq!(line, format!("the order cannot be sent: no connection: {cause}"));
    }
}
