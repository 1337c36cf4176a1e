//! How failures are told: on stderr, with everything that led to them; and how foreign text is shown.

use std::error::Error;
use std::fmt::Write;

use clap::error::{ContextKind, ContextValue};
use serde::Serialize;
use tapelog::recovery::RecoverError;
use tapelog::{ConfigError, StartError};

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

/// Writes an error and its causes to stderr: in one line, but for the problems of a configuration.
pub(crate) fn tell(error: &(dyn Error + 'static)) {
    eprintln!("tapelog: {}", told(error));
}

fn told(error: &(dyn Error + 'static)) -> String {
    let text = with_causes(error);
    let problems =
        std::iter::successors(Some(error), |&error| error.source()).find_map(problems_of);
    let problems = problems.map(ToString::to_string).unwrap_or_default();
    let Some(before) = text.strip_suffix(&problems) else { return escaped(&text) };
    // Each problem escapes itself, so the line feeds here are those between them.
    let problems: Vec<_> = problems.split('\n').map(escaped).collect();
    escaped(before) + &problems.join("\n")
}

/// What is wrong with the configuration, if the error is that.
fn problems_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a ConfigError> {
    let start = match error.downcast_ref() {
        Some(RecoverError::Start(start)) => Some(start),
        _ => error.downcast_ref(),
    };
    match start {
        Some(StartError::Configuration(problems)) => Some(problems),
        _ => error.downcast_ref(),
    }
}

/// Text from a file, a name or a path, such that it stays one line and moves no cursor.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_dangerous(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character ends a line or may command a terminal: what the logs escape, too.
pub(crate) fn is_dangerous(character: char) -> bool {
    let formats = matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || formats
}

/// A value as JSON in several lines, whose texts have none of these characters, either.
pub(crate) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // A line feed in a text is escaped already: these stand between the lines.
        if is_dangerous(character) && character != '\n' {
            // Infallible: a String takes whatever comes.
            let _written = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    Ok(shown)
}

/// What is said of wrong arguments, such that none of them forges a line.
pub(crate) fn of_arguments(mut error: clap::Error) -> clap::Error {
    let harmless: Vec<_> = (error.context())
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(escaped(text)))),
            ContextValue::Strings(texts) => {
                let texts = texts.iter().map(|text| escaped(text)).collect();
                Some((kind, ContextValue::Strings(texts)))
            }
            _ => None,
        })
        .filter(|(kind, value)| error.get(*kind) != Some(value))
        .collect();
    if !harmless.is_empty() {
        // They repeat the argument as it is.
        error.insert(ContextKind::Suggested, ContextValue::None);
    }
    for (kind, value) in harmless {
        error.insert(kind, value);
    }
    error
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
