//! Parts of an entry as strings of their own, for who looks at entries instead of lines.

use super::escape;
use super::plan::UNDECODABLE;
use super::values::Values;
use crate::definition::Piece;
use crate::entry::Entry;
use crate::record::Value;

/// The event's text with its placeholders filled in.
pub(crate) fn event_text(entry: &Entry<'_>) -> String {
    let fields: Vec<_> = entry.fields().map_while(Result::ok).collect();
    let mut out = Vec::new();
    for piece in entry.template() {
        match piece {
            Piece::Text(text) => escape::message(&mut out, text),
            Piece::Field(index) => {
                let value =
                    fields.get(*index).map_or(Value::from(UNDECODABLE), |(_, value)| *value);
                Values::new().message(&mut out, &value, entry.calibration);
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A value as a placeholder shows it.
pub(crate) fn value_text(entry: &Entry<'_>, value: &Value<'_>) -> String {
    let mut out = Vec::new();
    Values::new().message(&mut out, value, entry.calibration);
    String::from_utf8_lossy(&out).into_owned()
}
