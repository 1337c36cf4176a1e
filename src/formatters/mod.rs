//! From a decoded entry to one line of text.
//!
//! A line is mostly constant: what stands between its values depends on the call site and the
//! bound context alone. Each formatter composes these constants once for every pair of the two
//! (`plan`) and afterwards copies them, writing only the time stamp and the values (`values`,
//! `number`, `digits`, `time`, `escape`).
//!
//! Rules that all formats share:
//!
//! - One entry is one line, and holds no control character, line separator or bidirectional
//!   override (`escape` says how they are shown).
//! - The fields of the call stand first, then those of the context. No name stands twice: the
//!   call wins over the context, and within each of them the first one wins.
//! - A text, bytes or list that was cut to fit into its record ends with `…`.
//! - Values that cannot be decoded are shown as `<undecodable>`: the line is written all the same.

mod digits;
mod escape;
mod json;
mod logfmt;
mod names;
mod number;
mod plain;
mod plan;
mod rfc5424;
mod text;
mod time;
mod values;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_support;

pub(crate) use json::{Identity, JsonFormatter};
pub(crate) use logfmt::LogfmtFormatter;
pub(crate) use plain::{event_text, value_text};
pub(crate) use rfc5424::Rfc5424Formatter;
pub(crate) use text::{TextFormatter, TextStyle};

use crate::entry::Entry;

/// Renders entries as lines.
pub(crate) trait Formatter: std::fmt::Debug + Send {
    /// Appends one entry as one line, without the newline behind it.
    fn line(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>);
}
