//! A field's value, as processors see it.

use std::fmt;

use crate::DynamicValue;
use crate::entry::Entry;
use crate::formatters::value_text;
use crate::record::{UnixNanos, Value};

/// The value of a field. `to_string` gives what a placeholder in the event's text shows.
#[derive(Clone, Copy)]
pub struct FieldValue<'a> {
    value: Value<'a>,
    entry: Entry<'a>,
}

impl<'a> FieldValue<'a> {
    pub(super) fn new(value: Value<'a>, entry: Entry<'a>) -> Self {
        Self { value, entry }
    }

    /// Whether it is an absent `Option`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self.value, Value::None)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self.value {
            Value::Str(text) => Some(text.content),
            _ => None,
        }
    }

    /// The integer, if it is one, of whatever width.
    #[must_use]
    pub fn as_i128(&self) -> Option<i128> {
        match self.value {
            Value::Unsigned(value) => Some(value.into()),
            Value::Signed(value) => Some(value.into()),
            Value::I128(value) => Some(value),
            Value::U128(value) => value.try_into().ok(),
            _ => None,
        }
    }

    /// The integer as a `u64`, if it is one and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i128()?.try_into().ok()
    }

    /// The integer as an `i64`, if it is one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_i128()?.try_into().ok()
    }

    /// The number as a float, if it is a float or an integer; a large integer is rounded.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self.value {
            Value::F32(value) => Some(value.into()),
            Value::F64(value) => Some(value),
            _ => self.as_i128().map(|value| value as f64),
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The point in time, if it is one.
    #[must_use]
    pub fn as_time(&self) -> Option<UnixNanos> {
        match self.value {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }

    /// Whether it is this value: integers by their number, whatever their widths.
    pub(super) fn is(&self, other: &DynamicValue<'_>) -> bool {
        match *other {
            DynamicValue::Bool(other) => self.as_bool() == Some(other),
            DynamicValue::Unsigned(other) => self.as_i128() == Some(other.into()),
            DynamicValue::Signed(other) => self.as_i128() == Some(other.into()),
            DynamicValue::Float(other) => self.as_f64() == Some(other),
            DynamicValue::Str(other) => self.as_str() == Some(other),
        }
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&value_text(&self.entry, &self.value))
    }
}

impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldValue({self})")
    }
}
