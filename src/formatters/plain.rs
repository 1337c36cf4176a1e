//! Parts of an entry as strings of their own, for who looks at entries instead of lines.

use super::escape;
use super::plan::{StoredValue, starts};
use super::values::Values;
use crate::definition::Piece;
use crate::entry::Entry;
use crate::record::{TypeCode, Value};

/// The event's text with its placeholders filled in.
pub(crate) fn event_text(entry: &Entry<'_>) -> String {
    let starts = starts(entry);
    let mut out = Vec::new();
    for piece in entry.template() {
        match piece {
            Piece::Text(text) => escape::message(&mut out, text),
            Piece::Field(index) => {
                let start = starts.get(*index).map_or(usize::MAX, |start| *start as usize);
                let bytes = entry.arguments.get(start..).unwrap_or_default();
                let code = entry.site.fields.get(*index).map_or(TypeCode::STR, |field| field.code);
                let value = entry.resolve(StoredValue { code, bytes }.decode());
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
