//! Values in each of the formats, and in the texts of events.

use super::digits::{signed, unsigned};
use super::escape::{self, ELLIPSIS};
use super::number;
use super::plan::{StoredValue, whole_text};
use super::time::TimeValues;
use crate::clock::Calibration;
use crate::config::BigInts;
use crate::record::{Cuttable, List, TypeCode, Value};

/// Writes values. Keeps what makes the next one cheaper.
#[derive(Debug)]
pub(super) struct Values {
    times: TimeValues,
    scratch: Vec<u8>,
    /// Whether integers beyond 2^53 are strings in JSON.
    big_ints_as_strings: bool,
}

impl Values {
    pub(super) fn new() -> Self {
        Self { times: TimeValues::new(), scratch: Vec::new(), big_ints_as_strings: false }
    }

    /// The same, with integers beyond 2^53 shown so in JSON.
    pub(super) fn with(big_ints: BigInts) -> Self {
        Self { big_ints_as_strings: big_ints == BigInts::String, ..Self::new() }
    }

    /// Appends a stored value as [`Self::text`] does.
    #[inline]
    pub(super) fn stored_text(
        &mut self,
        out: &mut Vec<u8>,
        value: StoredValue<'_>,
        line: Calibration,
    ) {
        if !usual(out, value, |out, text| escape::bare_or_quoted(out, text, false)) {
            self.text(out, &value.decode(), line);
        }
    }

    /// Appends a stored value as [`Self::message`] does.
    #[inline]
    pub(super) fn stored_message(
        &mut self,
        out: &mut Vec<u8>,
        value: StoredValue<'_>,
        line: Calibration,
    ) {
        if !usual(out, value, escape::message) {
            self.message(out, &value.decode(), line);
        }
    }

    /// Appends a stored value as [`Self::json`] does.
    #[inline]
    pub(super) fn stored_json(
        &mut self,
        out: &mut Vec<u8>,
        value: StoredValue<'_>,
        line: Calibration,
    ) {
        let exact = self.big_ints_as_strings;
        if exact || !usual(out, value, |out, text| json_string(out, text, false)) {
            self.json(out, &value.decode(), line);
        }
    }

    /// Appends a stored value as [`Self::json_message`] does.
    #[inline]
    pub(super) fn stored_json_message(
        &mut self,
        out: &mut Vec<u8>,
        value: StoredValue<'_>,
        line: Calibration,
    ) {
        if !usual(out, value, escape::json) {
            self.json_message(out, &value.decode(), line);
        }
    }

    /// Appends a stored value as [`Self::logfmt`] does.
    #[inline]
    pub(super) fn stored_logfmt(
        &mut self,
        out: &mut Vec<u8>,
        value: StoredValue<'_>,
        line: Calibration,
    ) {
        if !usual(out, value, |out, text| escape::logfmt(out, text, false)) {
            self.logfmt(out, &value.decode(), line);
        }
    }

    /// Appends a value as logfmt shows it behind `key=`.
    pub(super) fn logfmt(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        match value {
            Value::Str(Cuttable { content, cut }) => escape::logfmt(out, content, *cut),
            Value::Char(character) => {
                escape::logfmt(out, character.encode_utf8(&mut [0; 4]), false);
            }
            Value::Bytes(bytes) if bytes.content.is_empty() => {
                escape::logfmt(out, "", bytes.cut);
            }
            Value::List(list) => {
                self.escaped_list(out, list, line, |out, text| escape::logfmt(out, text, false));
            }
            other => self.text(out, other, line),
        }
    }

    /// Appends a stored value as [`Self::parameter`] does.
    #[inline]
    pub(super) fn stored_parameter(
        &mut self,
        out: &mut Vec<u8>,
        value: StoredValue<'_>,
        line: Calibration,
    ) {
        if !usual(out, value, escape::parameter) {
            self.parameter(out, &value.decode(), line);
        }
    }

    /// Appends a value as the text format shows it behind `key=`.
    #[inline]
    pub(super) fn text(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        if number::common(out, value) {
            return;
        }
        match value {
            Value::Str(Cuttable { content, cut }) => escape::bare_or_quoted(out, content, *cut),
            other => self.text_other(out, other, line),
        }
    }

    fn text_other(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        match value {
            Value::Char(character) => {
                escape::bare_or_quoted(out, character.encode_utf8(&mut [0; 4]), false);
            }
            Value::Bytes(bytes) if bytes.content.is_empty() => {
                escape::bare_or_quoted(out, "", bytes.cut);
            }
            Value::F32(value) => {
                out.extend_from_slice(number::not_finite(f64::from(*value)).as_bytes())
            }
            Value::F64(value) => out.extend_from_slice(number::not_finite(*value).as_bytes()),
            Value::List(list) => self.text_list(out, list, line),
            other => self.plain(out, other, line),
        }
    }

    /// What is the same in both formats but for the quotes of JSON, and needs no escapes.
    fn plain(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        match value {
            Value::Bytes(bytes) => {
                number::hexadecimal(out, bytes.content);
                ellipsis(out, bytes.cut);
            }
            Value::Time(time) => self.times.write(out, *time),
            Value::Ticks(ticks) => self.times.write(out, line.to_unix(ticks.0)),
            Value::Uuid(bytes) => number::uuid(out, *bytes),
            _ => {}
        }
    }

    fn text_list(&mut self, out: &mut Vec<u8>, list: &List<'_>, line: Calibration) {
        out.push(b'[');
        for (index, value) in list.iter().map_while(Result::ok).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match value {
                Value::Str(text) if text.content.contains(['[', ',', ']']) => {
                    escape::quoted(out, text.content, text.cut);
                }
                Value::Char(character @ ('[' | ',' | ']')) => {
                    escape::quoted(out, character.encode_utf8(&mut [0; 4]), false);
                }
                other => self.text(out, &other, line),
            }
        }
        if list.is_cut() {
            if !list.is_empty() {
                out.push(b',');
            }
            ellipsis(out, true);
        }
        out.push(b']');
    }

    /// Appends a value inside the event's text, in the text format: texts stand without quotes.
    #[inline]
    pub(super) fn message(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        match value {
            Value::Str(Cuttable { content, cut }) => {
                escape::message(out, content);
                ellipsis(out, *cut);
            }
            Value::Char(character) => escape::message(out, character.encode_utf8(&mut [0; 4])),
            Value::Bytes(_) => self.plain(out, value, line),
            other => self.text(out, other, line),
        }
    }

    /// Appends a value inside the event's text, in JSON: read back, it is what the text format
    /// shows, with the texts as they were.
    #[inline]
    pub(super) fn json_message(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        match value {
            Value::Str(Cuttable { content, cut }) => {
                escape::json(out, content);
                ellipsis(out, *cut);
            }
            Value::Char(character) => escape::json(out, character.encode_utf8(&mut [0; 4])),
            Value::List(list) => self.escaped_list(out, list, line, escape::json),
            other => self.message(out, other, line),
        }
    }

    /// Appends a value inside the quotes of a parameter of RFC 5424: read back, it is what the
    /// text format shows inside the event's text.
    #[inline]
    pub(super) fn parameter(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        match value {
            Value::Str(Cuttable { content, cut }) => {
                escape::parameter(out, content);
                ellipsis(out, *cut);
            }
            Value::Char(character) => escape::parameter(out, character.encode_utf8(&mut [0; 4])),
            Value::List(list) => self.escaped_list(out, list, line, escape::parameter),
            other => self.message(out, other, line),
        }
    }

    #[cold]
    fn escaped_list(
        &mut self,
        out: &mut Vec<u8>,
        list: &List<'_>,
        line: Calibration,
        escape: impl Fn(&mut Vec<u8>, &str),
    ) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        self.text_list(&mut text, list, line);
        // Whole characters of UTF-8 were written, and nothing else.
        escape(out, &String::from_utf8_lossy(&text));
        self.scratch = text;
    }

    /// Appends a value as JSON.
    #[inline]
    pub(super) fn json(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        let quoted = self.big_ints_as_strings && number::is_big_int(value);
        if quoted {
            out.push(b'"');
        }
        if number::common(out, value) {
            if quoted {
                out.push(b'"');
            }
            return;
        }
        match value {
            Value::Str(Cuttable { content, cut }) => json_string(out, content, *cut),
            other => self.json_other(out, other, line),
        }
    }

    fn json_other(&mut self, out: &mut Vec<u8>, value: &Value<'_>, line: Calibration) {
        match value {
            Value::Char(character) => json_string(out, character.encode_utf8(&mut [0; 4]), false),
            Value::F32(value) => {
                out.extend_from_slice(number::not_finite_json(f64::from(*value)).as_bytes());
            }
            Value::F64(value) => out.extend_from_slice(number::not_finite_json(*value).as_bytes()),
            Value::List(list) => self.json_list(out, list, line),
            other => {
                out.push(b'"');
                self.plain(out, other, line);
                out.push(b'"');
            }
        }
    }

    fn json_list(&mut self, out: &mut Vec<u8>, list: &List<'_>, line: Calibration) {
        out.push(b'[');
        for (index, value) in list.iter().map_while(Result::ok).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.json(out, &value, line);
        }
        if list.is_cut() {
            if !list.is_empty() {
                out.push(b',');
            }
            json_string(out, "", true);
        }
        out.push(b']');
    }
}

/// Appends a value of the types that most fields have, without a detour over [`Value`]: integers,
/// finite floats and, through `write`, whole texts. `false`, and nothing is appended, for others.
#[inline(always)]
fn usual(
    out: &mut Vec<u8>,
    StoredValue { code, bytes }: StoredValue<'_>,
    write: impl FnOnce(&mut Vec<u8>, &str),
) -> bool {
    if let Some(word) = bytes.first_chunk() {
        match code {
            TypeCode::U64 => unsigned(out, u64::from_le_bytes(*word)),
            TypeCode::I64 => signed(out, i64::from_le_bytes(*word)),
            TypeCode::F64 => return number::float(out, f64::from_le_bytes(*word)),
            _ => return usual_other(out, StoredValue { code, bytes }, write),
        }
        return true;
    }
    usual_other(out, StoredValue { code, bytes }, write)
}

#[inline(always)]
fn usual_other(
    out: &mut Vec<u8>,
    StoredValue { code, bytes }: StoredValue<'_>,
    write: impl FnOnce(&mut Vec<u8>, &str),
) -> bool {
    let Some((word, _)) = bytes.split_first_chunk() else { return false };
    match code {
        TypeCode::U32 => unsigned(out, u32::from_le_bytes(*word).into()),
        TypeCode::I32 => signed(out, i32::from_le_bytes(*word).into()),
        TypeCode::STR => {
            let text = whole_text(bytes).and_then(|(text, _)| std::str::from_utf8(text).ok());
            return text.map(|text| write(out, text)).is_some();
        }
        _ => return false,
    }
    true
}

#[inline]
fn ellipsis(out: &mut Vec<u8>, cut: bool) {
    if cut {
        out.extend_from_slice(ELLIPSIS.as_bytes());
    }
}

/// Appends a JSON string.
#[inline]
pub(super) fn json_string(out: &mut Vec<u8>, text: &str, cut: bool) {
    out.push(b'"');
    escape::json(out, text);
    ellipsis(out, cut);
    out.push(b'"');
}
