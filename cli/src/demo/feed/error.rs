//! What can be wrong with a feed.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::LINE_BYTES_MAX;
use crate::demo::decimal::DecimalError;

/// The most characters of a line that a report shows.
const EXCERPT_CHARS_MAX: usize = 60;
/// The most characters of a JSON parser's message, which may quote the line.
const MESSAGE_CHARS_MAX: usize = 120;

/// The feed cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open the feed {path}: give a recording, plain or gzip, or - for stdin",
    path = .path.display()
)]
pub(crate) struct OpenError {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

/// One line that gave no tick: its number, what is wrong with it, and a piece of it.
///
/// The feed goes on behind it, unless [`is_fatal`](LineError::is_fatal).
#[derive(Debug)]
pub(crate) struct LineError {
    line: u64,
    fault: LineFault,
    excerpt: String,
}

impl LineError {
    pub(super) fn new(line: u64, fault: LineFault, bytes: &[u8]) -> Self {
        let excerpt = excerpt(bytes, fault.position());
        LineError { line, fault, excerpt }
    }

    /// The line's number, counted from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The feed ends here: nothing behind this line can be read.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.fault, LineFault::Empty | LineFault::CutShort | LineFault::Read { .. })
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)?;
        if self.excerpt.is_empty() {
            return Ok(());
        }
        write!(f, " (at: {})", self.excerpt)
    }
}

impl Error for LineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LineFault {
    #[error("the feed is empty")]
    Empty,
    #[error("the gzip data stop before their end: the file was cut short")]
    CutShort,
    #[error("the feed cannot be read any further")]
    Read { source: io::Error },
    #[error("the line is blank")]
    Blank,
    #[error("the line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    #[error("byte {at} is not UTF-8")]
    NotUtf8 { at: usize },
    #[error("a line is `<receive time, ns> <JSON>`; this one has no space")]
    NoSpace,
    #[error("the receive time is not a count of nanoseconds")]
    BadTime,
    #[error("column {column}: {message}")]
    Json { column: usize, message: String },
    #[error("neither a stream message nor a snapshot of the order book")]
    NotAMessage,
    #[error("messages of kind `{kind}` are unknown; known: depthUpdate, bookTicker, trade")]
    UnknownKind { kind: String },
    #[error("the {message} lacks `{key}`")]
    Missing { message: &'static str, key: &'static str },
    #[error("`{key}` {reason}: {value}")]
    BadNumber { key: &'static str, value: String, reason: DecimalError },
    #[error("`{key}` is a list where a number should stand, or the other way round")]
    BadShape { key: &'static str },
    #[error("update ids run backwards: U is {first}, u is {last}")]
    Backwards { first: u64, last: u64 },
    #[error("the symbol is {found}, but the feed began with {expected}; one feed, one symbol")]
    OtherSymbol { expected: String, found: String },
}

impl LineFault {
    /// Where in the line the fault lies, in bytes; 0 when it has no place.
    fn position(&self) -> usize {
        match self {
            LineFault::Json { column, .. } => column.saturating_sub(1),
            LineFault::NotUtf8 { at } => at.saturating_sub(1),
            _ => 0,
        }
    }
}

/// A piece of foreign text that is safe to print: short, and nothing in it moves the cursor.
pub(super) fn printable(text: &str) -> String {
    printable_within(text, EXCERPT_CHARS_MAX)
}

/// The same for a JSON parser's message.
pub(super) fn printable_message(text: &str) -> String {
    printable_within(text, MESSAGE_CHARS_MAX)
}

fn printable_within(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == chars_max {
            out.push('…');
            break;
        }
        match c {
            // `escape_debug` would escape these too, although they are harmless.
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

/// The surroundings of byte `position`, printable.
fn excerpt(bytes: &[u8], position: usize) -> String {
    let start = position.saturating_sub(EXCERPT_CHARS_MAX / 2).min(bytes.len());
    // A character has at most four bytes: this window holds more than can be shown.
    let end = bytes.len().min(start + 4 * (EXCERPT_CHARS_MAX + 1));
    let mut window = bytes.get(start..end).unwrap_or_default();
    while start > 0 && window.first().is_some_and(|byte| byte & 0xc0 == 0x80) {
        window = window.get(1..).unwrap_or_default();
    }
    let shown = printable(String::from_utf8_lossy(window).trim_end());
    if start > 0 { format!("…{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_has_no_control_characters() {
        let line = format!("a\u{1b}[2J\u{202e}\u{85}\"{}", "x".repeat(500));
        let shown = excerpt(line.as_bytes(), 0);
        assert!(shown.starts_with("a\\u{1b}[2J\\u{202e}\\u{85}\"xxx"), "{shown}");
        assert!(shown.ends_with('…') && shown.chars().count() < 90, "{shown}");
    }

    #[test]
    fn an_excerpt_begins_at_a_character_boundary_near_the_fault() {
        let line = "é".repeat(100);
        let shown = excerpt(line.as_bytes(), 101);
        assert!(shown.starts_with("…éé") && !shown.contains('\u{fffd}'), "{shown}");
        assert_eq!(excerpt(b"abc", 1_000), "…");
        assert_eq!(excerpt(b"", 0), "");
    }
}
