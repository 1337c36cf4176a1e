//! Renaming, taking out and hiding fields.

use super::mask::MASK;
use super::{Event, Processor, Verdict};

/// Gives fields other names.
#[derive(Debug, Clone)]
pub struct Rename(Vec<(String, String)>);

impl Rename {
    /// From each first name to the second one. A field that has the second name already goes.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(names.into_iter().map(|(from, to)| (from.into(), to.into())).collect())
    }
}

impl Processor for Rename {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        for (from, to) in &self.0 {
            event.rename(from, to);
        }
        Verdict::Keep
    }
}

/// Takes fields out of the lines. Where the text shows one, `{name}` stands instead.
#[derive(Debug, Clone)]
pub struct Remove(Vec<String>);

impl Remove {
    /// The fields of these names.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }
}

impl Processor for Remove {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        for name in &self.0 {
            event.remove(name);
        }
        Verdict::Keep
    }
}

/// Shows `***` in place of the values of fields, in the lines and in their texts.
///
/// The journal holds the values: what must not reach the disk belongs into `mask_keys`.
#[doc(alias = "mask")]
#[derive(Debug, Clone)]
pub struct Hide(Vec<String>);

impl Hide {
    /// The fields of these names, whatever their case and however their words are joined:
    /// `client_name` is `clientName`, too.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }

    fn hides(&self, name: &str) -> bool {
        self.0.iter().any(|hidden| letters(hidden).eq(letters(name)))
    }
}

/// A name's characters in lower case, without what joins its words.
fn letters(name: &str) -> impl Iterator<Item = char> {
    let kept = name.chars().filter(|char| !matches!(char, '_' | '-' | ' '));
    kept.flat_map(char::to_lowercase)
}

impl Processor for Hide {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        if !event.any_name(|name| self.hides(name)) {
            return Verdict::Keep;
        }
        let found: Vec<_> = event.fields().map(|(name, _)| name.to_owned()).collect();
        for name in found.iter().filter(|name| self.hides(name)) {
            event.set(name, MASK);
        }
        Verdict::Keep
    }
}
