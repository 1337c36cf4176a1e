//! What processors have changed of an entry.

use smallvec::SmallVec;

use super::mask::{MASK, NameMask, Treatment, shortened};
use crate::definition::strip_raw;
use crate::entry::Entry;
use crate::level::Level;
use crate::record::{Encode, Fields, Sink, TypeCode, Value};

/// A field of the entry as it is to be shown: those of the call first, then those of the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) name: Name,
    pub(super) code: TypeCode,
    pub(super) place: Place,
    /// The call's field that placeholders show it for; `u16::MAX` for none.
    pub(super) shown_for: u16,
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// It is that of the call's field with this index.
    Call(u16),
    /// It is that of the context's field with this index.
    Context(u16),
    /// It was given by a processor: start and end in [`Draft::names`].
    Added(u32, u32),
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Start and end in the call's arguments.
    Call(u32, u32),
    /// The context's field with this index. Slots of this kind form the context; others the call.
    Context(u16),
    /// Start and end in [`Draft::own`].
    Own(u32, u32),
}

/// The changes of one entry. The buffers are used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Whether `slots` counts, and not the entry's own fields.
    pub(super) loaded: bool,
    /// Set when it is not the entry's own.
    pub(super) level: Option<Level>,
    pub(super) slots: Vec<Slot>,
    pub(super) names: String,
    pub(super) own: Vec<u8>,
}

/// The state of a draft, to come back to.
#[derive(Debug, Default)]
pub(super) struct Backup {
    loaded: bool,
    level: Option<Level>,
    slots: Vec<Slot>,
}

impl Draft {
    /// Begins with the next entry.
    pub(super) fn clear(&mut self) {
        self.loaded = false;
        self.level = None;
    }

    /// Whether anything was changed.
    pub(super) fn is_changed(&self) -> bool {
        self.loaded || self.level.is_some()
    }

    pub(super) fn save(&self, backup: &mut Backup) {
        (backup.loaded, backup.level) = (self.loaded, self.level);
        if self.loaded {
            backup.slots.clone_from(&self.slots);
        }
    }

    pub(super) fn restore(&mut self, backup: &Backup) {
        (self.loaded, self.level) = (backup.loaded, backup.level);
        if self.loaded {
            self.slots.clone_from(&backup.slots);
        }
    }

    /// Takes the fields of the entry in, so that they can be changed.
    fn load(&mut self, entry: &Entry<'_>) {
        if std::mem::replace(&mut self.loaded, true) {
            return;
        }
        self.slots.clear();
        self.names.clear();
        self.own.clear();
        let mut values = Fields::new(entry.arguments);
        for (field, index) in entry.site.fields.iter().zip(0_u16..) {
            let start = entry.arguments.len() - values.rest().len();
            if values.next(field.code).is_err() {
                break;
            }
            let end = entry.arguments.len() - values.rest().len();
            self.slots.push(Slot {
                name: Name::Call(index),
                code: field.code,
                place: Place::Call(start as u32, end as u32),
                shown_for: index,
            });
        }
        let fields = entry.context.into_iter().flat_map(|context| context.raw_fields());
        self.slots.extend(fields.zip(0_u16..).map(|(field, index)| Slot {
            name: Name::Context(index),
            code: field.code(),
            place: Place::Context(index),
            shown_for: u16::MAX,
        }));
    }

    /// A slot's name.
    pub(super) fn name<'a>(&'a self, entry: &Entry<'a>, slot: &Slot) -> &'a str {
        let named = match slot.name {
            Name::Call(index) => {
                entry.site().fields.get(usize::from(index)).map(|field| &*field.name)
            }
            Name::Context(index) => entry.context_field(index).map(|field| field.name),
            Name::Added(start, end) => self.names.get(start as usize..end as usize),
        };
        named.unwrap_or_default()
    }

    /// A slot's value in its stored form.
    pub(super) fn stored<'a>(&'a self, entry: &Entry<'a>, slot: &Slot) -> &'a [u8] {
        let bytes = match slot.place {
            Place::Call(start, end) => entry.arguments.get(start as usize..end as usize),
            Place::Context(index) => entry.context_field(index).map(|field| field.stored()),
            Place::Own(start, end) => self.own.get(start as usize..end as usize),
        };
        bytes.unwrap_or_default()
    }

    /// A slot's value.
    pub(super) fn value<'a>(&'a self, entry: &Entry<'a>, slot: &Slot) -> Value<'a> {
        let value = Fields::new(self.stored(entry, slot)).next(slot.code);
        entry.resolve(value.unwrap_or(Value::from("<undecodable>")))
    }

    /// The first slot of this name: the one that is shown.
    pub(super) fn position(&self, entry: &Entry<'_>, name: &str) -> Option<usize> {
        self.slots.iter().position(|slot| self.name(entry, slot) == name)
    }

    /// Takes every field of this name out.
    pub(super) fn remove(&mut self, entry: &Entry<'_>, name: &str) {
        self.load(entry);
        let mut slots = std::mem::take(&mut self.slots);
        slots.retain(|slot| self.name(entry, slot) != name);
        self.slots = slots;
    }

    /// Gives a field, which there is, another name; fields that had that name go.
    pub(super) fn rename(&mut self, entry: &Entry<'_>, from: &str, to: &str) {
        self.load(entry);
        let to = strip_raw(to);
        if from == to {
            return;
        }
        self.remove(entry, to);
        let Some(at) = self.position(entry, from) else { return };
        self.slots[at].name = self.add_name(to);
        // Others of its name were hidden by it, and stay hidden.
        self.remove(entry, from);
    }

    fn add_name(&mut self, name: &str) -> Name {
        let start = self.names.len() as u32;
        self.names.push_str(name);
        Name::Added(start, self.names.len() as u32)
    }

    /// Gives a field a value; adds it behind the call's others if there is none of the name.
    pub(super) fn set<V: Encode>(&mut self, entry: &Entry<'_>, name: &str, value: V) {
        self.load(entry);
        let start = self.own.len();
        self.own.resize(start + V::FIXED + value.extra(usize::MAX), 0);
        value.put(&mut Sink::new(&mut self.own[start..]), usize::MAX);
        self.put(entry, name, V::TYPE, start);
    }

    /// As [`Draft::set`], with a value in its stored form.
    pub(super) fn set_stored(
        &mut self,
        entry: &Entry<'_>,
        name: &str,
        code: TypeCode,
        value: &[u8],
    ) {
        self.load(entry);
        let start = self.own.len();
        self.own.extend_from_slice(value);
        self.put(entry, name, code, start);
    }

    /// Masks what processors have put under sensitive names, or given such a name; how many values.
    pub(super) fn mask(&mut self, entry: &Entry<'_>, names: &NameMask) -> u64 {
        if !self.loaded {
            return 0;
        }
        let put_in = |slot: &&Slot| {
            matches!(slot.name, Name::Added(..)) || matches!(slot.place, Place::Own(..))
        };
        let found = self.slots.iter().filter(put_in).map(|slot| self.name(entry, slot));
        let found = found.map(|name| (name, names.treatment(name)));
        let found = found.filter(|(_, treatment)| *treatment != Treatment::Show);
        let found: SmallVec<[(String, Treatment); 2]> =
            found.map(|(name, treatment)| (name.to_owned(), treatment)).collect();
        for (name, treatment) in &found {
            let value = self.position(entry, name).map(|at| self.value(entry, &self.slots[at]));
            let masked = match (treatment, value) {
                (Treatment::Keep(chars), Some(value)) => {
                    shortened(value, *chars).as_str().to_owned()
                }
                _ => MASK.to_owned(),
            };
            self.set(entry, name, &*masked);
        }
        found.len() as u64
    }

    /// Gives a field the value that begins at `start` in [`Draft::own`].
    fn put(&mut self, entry: &Entry<'_>, name: &str, code: TypeCode, start: usize) {
        let name = strip_raw(name);
        let place = Place::Own(start as u32, self.own.len() as u32);
        let calls = self.slots.iter().take_while(|slot| !slot.is_context()).count();
        match self.position(entry, name) {
            Some(at) if at < calls => {
                self.slots[at] = Slot { code, place, ..self.slots[at] };
            }
            Some(at) => {
                let old = self.slots[at];
                self.remove(entry, name);
                self.slots.insert(calls, Slot { code, place, ..old });
            }
            None => {
                let name = self.add_name(name);
                self.slots.insert(calls, Slot { name, code, place, shown_for: u16::MAX });
            }
        }
    }
}

impl Slot {
    /// Whether it is part of the context.
    pub(super) fn is_context(&self) -> bool {
        matches!(self.place, Place::Context(_))
    }
}
