//! The values of one call as a bridge collects them, and their way to the logger.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use smallvec::SmallVec;

use crate::call::Stamp;
use crate::definition::{CATEGORY, SiteSpec};
use crate::level::Level;
use crate::logger::MetaLogger;
use crate::record::{Bytes, CutStr, Encode, ErrorChain, LogValue, Stored, Text, TypeCode, Values};

/// Fields beyond this many are left out.
const FIELDS_MAX: usize = 64;

/// The field that tells how many were.
const LEFT_OUT: &str = "fields_left_out";

/// Bytes that are kept of text that is given, not formatted.
const GIVEN_BYTES_MAX: usize = 16 << 10;

/// Bytes of an event's text; a definition would cut what is longer (`definition::TEXT_BYTES_MAX`).
const EVENT_BYTES_MAX: usize = 1000;

/// The field that has the whole text where that is longer.
pub(super) const MESSAGE: &str = "message";

/// A value, kept until all of the call are known.
#[derive(Debug)]
enum Given {
    None,
    Bool(bool),
    Char(char),
    Unsigned(u64),
    Signed(i64),
    Wide(u128),
    WideSigned(i128),
    Float(f64),
    Text(Part),
    Bytes(Vec<u8>),
    Errors(Box<ErrorChain>),
}

/// A part of the texts, and whether more of it was given.
#[derive(Debug, Clone)]
struct Part {
    place: Range<usize>,
    cut: bool,
}

macro_rules! given {
    ($($method:ident: $type:ty => $variant:ident),* $(,)?) => {$(
        pub(super) fn $method(&mut self, name: N, value: $type) {
            self.add(name, |_| Given::$variant(value));
        }
    )*};
}

/// The fields of one call, and its message. Formatting them is over before anything of the logger is
/// touched: a value may log itself when it is shown.
#[derive(Debug)]
pub(super) struct Fields<N> {
    names: SmallVec<[N; 16]>,
    values: SmallVec<[Given; 16]>,
    left_out: u64,
    message: Option<Part>,
    /// All the texts, one behind the other.
    texts: String,
}

impl<N> Default for Fields<N> {
    fn default() -> Self {
        let (names, values) = (SmallVec::new(), SmallVec::new());
        Self { names, values, left_out: 0, message: None, texts: String::new() }
    }
}

impl<N: AsRef<str>> Fields<N> {
    given!(
        bool: bool => Bool,
        unsigned: u64 => Unsigned,
        signed: i64 => Signed,
        wide: u128 => Wide,
        wide_signed: i128 => WideSigned,
        float: f64 => Float,
        char: char => Char,
    );

    pub(super) fn none(&mut self, name: N) {
        self.add(name, |_| Given::None);
    }

    pub(super) fn str(&mut self, name: N, value: &str) {
        self.add(name, |fields| Given::Text(fields.keep(value)));
    }

    /// A value of whatever type, by its `Display` or `Debug` form.
    pub(super) fn formatted(&mut self, name: N, value: fmt::Arguments<'_>) {
        self.add(name, |fields| Given::Text(fields.format(value)));
    }

    pub(super) fn bytes(&mut self, name: N, value: &[u8]) {
        let kept = &value[..value.len().min(GIVEN_BYTES_MAX)];
        self.add(name, |_| Given::Bytes(kept.to_vec()));
    }

    /// An error with its chain of sources.
    pub(super) fn error(&mut self, name: N, error: &dyn std::error::Error) {
        self.add(name, |_| Given::Errors(Box::new(ErrorChain::new(error))));
    }

    /// The event's text.
    pub(super) fn message(&mut self, text: fmt::Arguments<'_>) {
        self.message = Some(match text.as_str() {
            Some(text) => self.keep(text),
            None => self.format(text),
        });
    }

    fn add(&mut self, name: N, value: impl FnOnce(&mut Self) -> Given) {
        if self.names.len() == FIELDS_MAX {
            self.left_out += 1;
            return;
        }
        let value = value(self);
        self.names.push(name);
        self.values.push(value);
    }

    fn keep(&mut self, text: &str) -> Part {
        let kept = &text[..text.floor_char_boundary(GIVEN_BYTES_MAX)];
        self.append(kept, kept.len() < text.len())
    }

    fn format(&mut self, value: fmt::Arguments<'_>) -> Part {
        let text = Text::display(&value);
        let (text, cut) = text.stored().parts();
        self.append(text, cut)
    }

    fn append(&mut self, text: &str, cut: bool) -> Part {
        let start = self.texts.len();
        self.texts.push_str(text);
        Part { place: start..self.texts.len(), cut }
    }

    fn text_of(&self, part: &Part) -> &str {
        &self.texts[part.place.clone()]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What the call's own `category` says, if it has one.
    fn is_trade(&self) -> Option<bool> {
        let place = self.names.iter().position(|name| name.as_ref() == CATEGORY)?;
        let value = self.values.get(place);
        Some(matches!(value, Some(Given::Text(part)) if self.text_of(part) == "trade"))
    }

    /// The names, as a record has them.
    pub(super) fn names(&self) -> SmallVec<[&str; 16]> {
        let left_out = (self.left_out > 0).then_some(LEFT_OUT);
        self.names.iter().map(AsRef::as_ref).chain(left_out).collect()
    }

    /// Hands the call over, if it is kept. `unnamed` is the text of an event without a message.
    pub(super) fn submit(&self, log: &MetaLogger, stamp: Stamp, place: Place<'_>, unnamed: &str) {
        let Place { level, target, file, line } = place;
        let trade = self.is_trade().unwrap_or(log.is_trade());
        if !log.keeps(level, target, trade) {
            return;
        }
        let message = self.message.as_ref();
        let (text, whole) = event_text(message.map_or(unnamed, |part| self.text_of(part)));
        let long = message.filter(|part| part.cut || !whole);
        let mut names = self.names();
        names.extend(long.map(|_| MESSAGE));
        let values = WithMessage { fields: self, message: long };
        let spec = SiteSpec { level, trade, line, text: &text, target, file, fields: &names };
        // A record that is refused has been counted; a library has nobody to tell.
        let _counted = log.submit_dynamic(stamp, spec, &values);
    }
}

/// Where a call stands, and how severe it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) file: &'a str,
    pub(super) line: u32,
}

/// What stands as the event's text for a message, and whether that is all of it. Braces are doubled:
/// what was written at run time names no fields. Cut between words, so that no part of a secret is
/// left that cannot be known as one.
fn event_text(message: &str) -> (Cow<'_, str>, bool) {
    let mut text = Cow::Borrowed(message);
    if message.contains(['{', '}']) {
        text = message.replace('{', "{{").replace('}', "}}").into();
    }
    if text.len() <= EVENT_BYTES_MAX {
        return (text, true);
    }
    let head = &text[..text.floor_char_boundary(EVENT_BYTES_MAX)];
    let words = head.rfind(char::is_whitespace).map_or("", |end| &head[..end]);
    (format!("{words} …").into(), false)
}

fn tell_as<E: Encode>(value: E, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
    tell(E::TYPE, &value);
}

impl<N: AsRef<str>> Values for Fields<N> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        for value in &self.values {
            match value {
                Given::None => tell_as(None::<u64>, tell),
                Given::Bool(value) => tell_as(*value, tell),
                Given::Char(value) => tell_as(*value, tell),
                Given::Unsigned(value) => tell_as(*value, tell),
                Given::Signed(value) => tell_as(*value, tell),
                Given::Wide(value) => tell_as(*value, tell),
                Given::WideSigned(value) => tell_as(*value, tell),
                Given::Float(value) => tell_as(*value, tell),
                Given::Text(part) => tell_as(CutStr::new(self.text_of(part), part.cut), tell),
                Given::Bytes(value) => tell_as(Bytes(value), tell),
                Given::Errors(chain) => tell_as(&**chain, tell),
            }
        }
        if self.left_out > 0 {
            tell_as(self.left_out, tell);
        }
    }
}

/// Fields, and behind them the whole message if the event's text is not all of it.
struct WithMessage<'a, N> {
    fields: &'a Fields<N>,
    message: Option<&'a Part>,
}

impl<N: AsRef<str>> Values for WithMessage<'_, N> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.fields.tell(tell);
        if let Some(part) = self.message {
            tell_as(CutStr::new(self.fields.text_of(part), part.cut), tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_words_and_its_braces_name_nothing() {
        assert_eq!(event_text("plain"), ("plain".into(), true));
        assert_eq!(event_text("{a} and }"), ("{{a}} and }}".into(), true));
        let long = "word ".repeat(300);
        let (text, whole) = event_text(&long);
        assert!(text.len() <= EVENT_BYTES_MAX + 4 && text.ends_with("word …") && !whole);
        assert_eq!(event_text(&"ä".repeat(600)), (" …".into(), false));
    }

    #[test]
    fn fields_have_a_limit_and_what_is_left_out_is_told() {
        let mut fields = Fields::default();
        for number in 0..FIELDS_MAX as u64 + 3 {
            fields.unsigned(format!("n{number}"), number);
        }
        let mut told = 0;
        fields.tell(&mut |_, _| told += 1);
        assert_eq!((told, fields.names().len()), (FIELDS_MAX + 1, FIELDS_MAX + 1));
        assert_eq!((fields.left_out, fields.names()[FIELDS_MAX]), (3, LEFT_OUT));
    }

    #[test]
    fn text_that_is_given_is_cut_at_a_character() {
        let mut fields = Fields::default();
        fields.str("long", &"ä".repeat(GIVEN_BYTES_MAX));
        fields.str("category", "trade");
        let Given::Text(part) = &fields.values[0] else { panic!("a text") };
        assert!(part.cut && part.place.len() == GIVEN_BYTES_MAX);
        assert_eq!(fields.is_trade(), Some(true));
    }
}
