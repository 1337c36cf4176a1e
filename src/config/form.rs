//! How the value of a parameter is read, shown and bounded.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::kinds::Words;
use super::raw::Raw;
use super::units::{read_bytes, read_duration, show_bytes, show_duration};

/// What kind of values a parameter takes; for who makes a form or a schema of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Words(Vec<&'static str>),
    /// Any text.
    Text,
    /// A path.
    Path,
    /// A whole number between these.
    Number {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A size between these, in bytes or with a unit: `"10MiB"`.
    Bytes {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A duration with its unit: `"250ms"`.
    Duration {
        /// The least, besides 0.
        min: Duration,
        /// The greatest.
        max: Duration,
        /// Whether 0, which is less than the least, is accepted, too.
        or_zero: bool,
    },
    /// Permissions between these and `0o777`: `0o640` or `"0640"`.
    Mode {
        /// The least: what the owner needs.
        min: u32,
    },
    /// One of these words, or one with a duration in brackets: `"block(2ms)"`.
    WordsOrSpans {
        /// The words that stand alone.
        words: Vec<&'static str>,
        /// The words before a duration.
        spans: Vec<&'static str>,
    },
    /// A list of texts.
    List,
    /// `"none"`, or a value of this kind.
    Optional(Box<Shape>),
    /// One of these words, or a number between 0 and the greatest.
    WordsOrNumber {
        /// The words.
        words: Vec<&'static str>,
        /// The greatest number.
        max: u64,
    },
}

/// How a value is read, shown and bounded.
pub(super) trait Form<T> {
    /// The value, if it is one.
    fn read(&self, raw: &Raw) -> Option<T>;
    /// How a file says the value.
    fn show(&self, value: &T) -> Raw;
    /// Whether the value is within the form's bounds.
    fn fits(&self, _value: &T) -> bool {
        true
    }
    /// What the form accepts.
    fn shape(&self) -> Shape;
}

/// `true` or `false`, and what variables say instead.
#[derive(Debug)]
pub(super) struct Flag;

impl Form<bool> for Flag {
    fn read(&self, raw: &Raw) -> Option<bool> {
        let Raw::Text(text) = raw else {
            return if let Raw::Flag(flag) = raw { Some(*flag) } else { None };
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn show(&self, value: &bool) -> Raw {
        Raw::Flag(*value)
    }

    fn shape(&self) -> Shape {
        Shape::Flag
    }
}

/// One of a type's words, in any letter case.
#[derive(Debug)]
pub(super) struct Word;

impl<T: Words> Form<T> for Word {
    fn read(&self, raw: &Raw) -> Option<T> {
        let text = raw.trimmed()?;
        let mut known = T::WORDS.iter().chain(T::OTHER_WORDS);
        known.find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
    }

    fn show(&self, value: &T) -> Raw {
        let known = T::WORDS.iter().find(|(_, known)| known == value);
        Raw::text(known.map_or("", |(word, _)| *word))
    }

    fn shape(&self) -> Shape {
        Shape::Words(T::WORDS.iter().map(|(word, _)| *word).collect())
    }
}

/// A text as it stands.
#[derive(Debug)]
pub(super) struct Text;

impl Form<String> for Text {
    fn read(&self, raw: &Raw) -> Option<String> {
        if let Raw::Text(text) = raw { Some(text.clone()) } else { None }
    }

    fn show(&self, value: &String) -> Raw {
        Raw::text(value)
    }

    fn shape(&self) -> Shape {
        Shape::Text
    }
}

impl Form<PathBuf> for Text {
    fn read(&self, raw: &Raw) -> Option<PathBuf> {
        if let Raw::Text(text) = raw { Some(text.into()) } else { None }
    }

    fn show(&self, value: &PathBuf) -> Raw {
        Raw::text(value.to_string_lossy())
    }

    fn shape(&self) -> Shape {
        Shape::Path
    }
}

/// A text, or the word `none` for the empty one.
#[derive(Debug)]
pub(super) struct TextOrNone;

impl Form<String> for TextOrNone {
    fn read(&self, raw: &Raw) -> Option<String> {
        let none = raw.trimmed().is_some_and(|text| text.eq_ignore_ascii_case(NONE));
        if none { Some(String::new()) } else { Text.read(raw) }
    }

    fn show(&self, value: &String) -> Raw {
        Raw::text(if value.is_empty() { NONE } else { value })
    }

    fn shape(&self) -> Shape {
        Shape::Optional(Box::new(Shape::Text))
    }
}

/// The word for no value.
pub(super) const NONE: &str = "none";

/// A value, or the word `none`.
#[derive(Debug)]
pub(super) struct OrNone<F>(pub(super) F);

impl<T, F: Form<T>> Form<Option<T>> for OrNone<F> {
    fn read(&self, raw: &Raw) -> Option<Option<T>> {
        let none = raw.trimmed().is_some_and(|text| text.eq_ignore_ascii_case(NONE));
        if none { Some(None) } else { self.0.read(raw).map(Some) }
    }

    fn show(&self, value: &Option<T>) -> Raw {
        value.as_ref().map_or_else(|| Raw::text(NONE), |value| self.0.show(value))
    }

    fn fits(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.0.fits(value))
    }

    fn shape(&self) -> Shape {
        Shape::Optional(Box::new(self.0.shape()))
    }
}

/// A whole number within bounds.
#[derive(Debug)]
pub(super) struct Number(pub(super) RangeInclusive<u64>);

impl<T: TryFrom<i128> + Into<u64> + Copy> Form<T> for Number {
    fn read(&self, raw: &Raw) -> Option<T> {
        let number: i128 = match raw {
            Raw::Integer(number) | Raw::Octal(number) => *number,
            Raw::Text(text) => text.trim().replace('_', "").parse().ok()?,
            _ => return None,
        };
        T::try_from(number).ok()
    }

    fn show(&self, value: &T) -> Raw {
        let number: u64 = (*value).into();
        Raw::Integer(number.into())
    }

    fn fits(&self, value: &T) -> bool {
        self.0.contains(&(*value).into())
    }

    fn shape(&self) -> Shape {
        Shape::Number { min: *self.0.start(), max: *self.0.end() }
    }
}

/// A size in bytes within bounds.
#[derive(Debug)]
pub(super) struct Bytes(pub(super) RangeInclusive<u64>);

impl<T: TryFrom<u64> + Into<u64> + Copy> Form<T> for Bytes {
    fn read(&self, raw: &Raw) -> Option<T> {
        let bytes = match raw {
            Raw::Integer(bytes) => u64::try_from(*bytes).ok()?,
            Raw::Text(text) => read_bytes(text)?,
            _ => return None,
        };
        T::try_from(bytes).ok()
    }

    fn show(&self, value: &T) -> Raw {
        let bytes: u64 = (*value).into();
        show_bytes(bytes).map_or_else(|| Raw::Integer(bytes.into()), Raw::Text)
    }

    fn fits(&self, value: &T) -> bool {
        self.0.contains(&(*value).into())
    }

    fn shape(&self) -> Shape {
        Shape::Bytes { min: *self.0.start(), max: *self.0.end() }
    }
}

/// A duration within bounds.
#[derive(Debug)]
pub(super) struct Span {
    /// The bounds.
    pub(super) range: RangeInclusive<Duration>,
    /// Whether 0 is accepted, too: never.
    pub(super) or_zero: bool,
}

/// A duration between these.
pub(super) const fn span(min: Duration, max: Duration) -> Span {
    Span { range: min..=max, or_zero: false }
}

/// A duration between these, or 0.
pub(super) const fn span_or_zero(min: Duration, max: Duration) -> Span {
    Span { range: min..=max, or_zero: true }
}

impl Form<Duration> for Span {
    fn read(&self, raw: &Raw) -> Option<Duration> {
        match raw {
            Raw::Integer(0) => Some(Duration::ZERO),
            Raw::Text(text) => read_duration(text),
            _ => None,
        }
    }

    fn show(&self, value: &Duration) -> Raw {
        Raw::Text(show_duration(*value))
    }

    fn fits(&self, value: &Duration) -> bool {
        self.range.contains(value) || (self.or_zero && value.is_zero())
    }

    fn shape(&self) -> Shape {
        let (min, max) = (*self.range.start(), *self.range.end());
        Shape::Duration { min, max, or_zero: self.or_zero }
    }
}
