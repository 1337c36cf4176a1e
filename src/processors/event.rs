//! An entry as processors see it.

use std::fmt;
use std::sync::Arc;

use super::draft::Draft;
use super::value::FieldValue;
use crate::definition::{CATEGORY, RawField, SiteDefinition, category_of};
use crate::entry::Entry;
use crate::level::{Category, Level};
use crate::record::{LogValue, UnixNanos, Value};

/// Names of fields longer than this are cut.
const NAME_BYTES_MAX: usize = 1024;

/// An entry on its way to the lines, which a [`Processor`](super::Processor) may change.
///
/// Fields are those of the call, then those of the bound context and of scopes, by their names; of
/// two with one name the call's is the one that is there.
pub struct Event<'a> {
    entry: Entry<'a>,
    draft: &'a mut Draft,
}

impl<'a> Event<'a> {
    pub(super) fn new(entry: Entry<'a>, draft: &'a mut Draft) -> Self {
        Self { entry, draft }
    }

    /// When it happened.
    #[must_use]
    pub fn time(&self) -> UnixNanos {
        self.entry.time()
    }

    /// How severe it is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.draft.level.unwrap_or(self.entry.level())
    }

    /// Makes it more or less severe. From ERROR up it is in `errors.log`.
    pub fn set_level(&mut self, level: Level) {
        self.draft.level = (level != self.entry.level()).then_some(level);
    }

    /// Whether it is a trade event: by its macro, or by its field `category`.
    #[must_use]
    pub fn category(&self) -> Category {
        if !self.draft.loaded {
            return self.entry.category();
        }
        match self.find(CATEGORY) {
            _ if self.entry.site.trade => Category::Trade,
            Some(value) => category_of(&value),
            None => Category::General,
        }
    }

    /// The text as it stands at the call, with its placeholders.
    #[must_use]
    pub fn text(&self) -> &'a str {
        &self.entry.site().text
    }

    /// The module that it comes from, as `my_bot::risk`; empty for dynamic calls.
    #[must_use]
    pub fn target(&self) -> &'a str {
        &self.entry.site().target
    }

    /// The source file that it comes from; empty for dynamic calls.
    #[must_use]
    pub fn file(&self) -> &'a str {
        &self.entry.site().file
    }

    /// The line of the call in its file; 0 for dynamic calls.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.entry.site.line
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldValue<'_>> {
        self.find(name).map(|value| FieldValue::new(value, self.entry))
    }

    /// The names and values of all fields, in the order of the line.
    pub fn fields(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        let mut shown = Vec::new();
        let mut show = |(name, value)| {
            if !shown.iter().any(|(known, _)| *known == name) {
                shown.push((name, FieldValue::new(value, self.entry)));
            }
        };
        if self.draft.loaded {
            let (draft, entry) = (&*self.draft, &self.entry);
            let field = |slot| (draft.name(entry, slot), draft.value(entry, slot));
            draft.slots.iter().map(field).for_each(&mut show);
        } else {
            self.entry.fields().map_while(Result::ok).for_each(&mut show);
            self.entry.context().for_each(&mut show);
        }
        shown.into_iter()
    }

    fn find(&self, name: &str) -> Option<Value<'_>> {
        if self.draft.loaded {
            let at = self.draft.position(&self.entry, name)?;
            return Some(self.draft.value(&self.entry, &self.draft.slots[at]));
        }
        let own = self.entry.fields().map_while(Result::ok).find(|(known, _)| *known == name);
        let found = own.or_else(|| self.entry.context().find(|(known, _)| *known == name));
        found.map(|(_, value)| value)
    }

    /// Whether there is a field of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.any_name(|known| known == name)
    }

    /// Whether this holds for the name of any field.
    pub(super) fn any_name(&self, holds: impl Fn(&str) -> bool) -> bool {
        if self.draft.loaded {
            let mut slots = self.draft.slots.iter();
            return slots.any(|slot| holds(self.draft.name(&self.entry, slot)));
        }
        let mut names = self.entry.site().fields.iter().map(|field| &*field.name);
        names.any(&holds) || self.entry.context_names().any(holds)
    }

    /// Gives a field a value: in its place if there is one of the name, and also where the text
    /// shows it; otherwise behind the call's other fields. Under a sensitive name it is masked when
    /// the last processor is done; secrets inside texts are looked for before processors only.
    pub fn set(&mut self, name: &str, value: impl LogValue) {
        self.draft.set(&self.entry, cut(name), value.stored());
    }

    /// The same with a field of an encoded context.
    pub(super) fn set_raw(&mut self, field: &RawField<'_>) {
        self.draft.set_stored(&self.entry, field.name, field.code(), field.stored());
    }

    /// Gives a field another name, in place of one that has it; whether there was such a field. The
    /// text goes on showing its value.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        let found = self.has(from);
        if found && from != to {
            self.draft.rename(&self.entry, from, cut(to));
        }
        found
    }

    /// Takes a field out; whether there was one. Where the text shows it, `{name}` stands instead.
    pub fn remove(&mut self, name: &str) -> bool {
        let found = self.has(name);
        if found {
            self.draft.remove(&self.entry, name);
        }
        found
    }

    /// The call site, which is one for all its entries in a segment of the journal.
    pub(super) fn site(&self) -> &'a Arc<SiteDefinition> {
        self.entry.site
    }
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES_MAX)]
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Event");
        shown.field("time", &self.time()).field("level", &self.level()).field("text", &self.text());
        shown.field("fields", &self.fields().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
