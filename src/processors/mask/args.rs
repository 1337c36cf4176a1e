//! A call's arguments with what stands under sensitive names replaced.

use smallvec::SmallVec;

use super::MASK;
use super::names::Treatment;
use crate::record::{Fields, Sink, Stored, TypeCode, Value, Values};

/// Values of which the end is kept are looked at up to here; what is longer is hidden.
const KEPT_BYTES_MAX: usize = 256;

/// The arguments of a call with its secrets masked.
#[derive(Clone, Copy)]
pub(crate) struct Masked<'a> {
    values: &'a dyn Values,
    treatments: &'a [Treatment],
}

impl<'a> Masked<'a> {
    /// `treatments` has one for each value.
    pub(crate) fn new(values: &'a dyn Values, treatments: &'a [Treatment]) -> Self {
        Self { values, treatments }
    }

    /// How many values are masked.
    pub(crate) fn count(&self) -> u64 {
        let masked = self.treatments.iter().filter(|treatment| **treatment != Treatment::Show);
        masked.count() as u64
    }
}

impl Values for Masked<'_> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        let mut treatments = self.treatments.iter();
        self.values.tell(&mut |code, value| match treatments.next() {
            Some(Treatment::Show) => tell(code, value),
            Some(Treatment::Keep(chars)) => {
                let mut stored = SmallVec::<[u8; KEPT_BYTES_MAX]>::new();
                stored.resize(value.bytes(KEPT_BYTES_MAX), 0);
                value.put_stored(&mut Sink::new(&mut stored), KEPT_BYTES_MAX);
                let value = Fields::new(&stored).next(code).unwrap_or(Value::None);
                tell(TypeCode::STR, &shortened(value, *chars).as_str());
            }
            // A value that no treatment stands for is hidden, to be on the safe side.
            Some(Treatment::Hide) | None => tell(TypeCode::STR, &MASK),
        });
    }
}

/// A mask and the value's last characters, if there are more of them.
pub(in crate::processors) fn shortened(value: Value<'_>, kept_chars: u8) -> Short {
    let mut text = Short::from(MASK);
    let mut number = itoa::Buffer::new();
    let whole = match value {
        Value::Str(text) if !text.cut => text.content,
        Value::Unsigned(value) => number.format(value),
        Value::Signed(value) => number.format(value),
        _ => "",
    };
    let chars = whole.chars().count();
    if chars > usize::from(kept_chars) {
        whole.chars().skip(chars - usize::from(kept_chars)).for_each(|char| text.push(char));
    }
    text
}

/// A short text that stays on the stack.
#[derive(Debug, Default)]
pub(in crate::processors) struct Short(pub(super) SmallVec<[u8; 64]>);

impl Short {
    fn from(text: &str) -> Self {
        Self(SmallVec::from_slice(text.as_bytes()))
    }

    pub(super) fn push(&mut self, char: char) {
        self.0.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }

    pub(in crate::processors) fn as_str(&self) -> &str {
        // Only whole characters are pushed.
        std::str::from_utf8(&self.0).unwrap_or(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_of_what_is_longer_and_nothing_of_what_is_not() {
        let kept = |value: Value<'_>, chars| shortened(value, chars).as_str().to_owned();
        assert_eq!(kept(Value::from("A-4711"), 3), "***711");
        assert_eq!(kept(Value::from("äöüß"), 3), "***öüß");
        for whole in ["711", "11", ""] {
            assert_eq!(kept(Value::from(whole), 3), "***", "{whole:?} would be shown as a whole");
        }
        assert_eq!(
            [kept(Value::Unsigned(4711), 3), kept(Value::Signed(-4711), 2)],
            ["***711", "***11"]
        );
        assert_eq!([kept(Value::Unsigned(711), 3), kept(Value::Bool(true), 2)], ["***", "***"]);
        assert_eq!(kept(Value::from("A-4711"), 0), "***");
    }
}
