//! The definitions of changed entries, kept so that their lines are composed once.

use std::sync::Arc;

use super::draft::{Draft, Name, Place, Slot};
use crate::definition::{ContextDefinition, DefinitionBytes, Field, Piece, SiteDefinition};
use crate::entry::Entry;

/// How many are kept.
const PLACES: usize = 1024;

/// The definitions of changed entries that were made last, by call site, context, and what was
/// changed. Every combination has one place, so that the table stays bounded.
pub(super) struct Rebuilt {
    kept: Box<[Option<Box<Kept>>]>,
    shape: Vec<u8>,
    arguments: Vec<u8>,
}

/// A changed definition beside what it was made of: as long as that is kept, its address stands
/// for it.
#[derive(Debug)]
struct Kept {
    from: (Arc<SiteDefinition>, Option<Arc<ContextDefinition>>),
    shape: Box<[u8]>,
    site: Arc<SiteDefinition>,
    context: Option<Arc<ContextDefinition>>,
}

impl std::fmt::Debug for Rebuilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.kept.iter().flatten().count();
        f.debug_struct("Rebuilt").field("kept", &kept).finish_non_exhaustive()
    }
}

impl Rebuilt {
    pub(super) fn new() -> Self {
        let kept = std::iter::repeat_with(|| None).take(PLACES).collect();
        Self { kept, shape: Vec::new(), arguments: Vec::new() }
    }

    /// The entry with the draft's changes.
    pub(super) fn entry<'a>(&'a mut self, entry: &Entry<'a>, draft: &Draft) -> Entry<'a> {
        let Self { kept, shape, arguments } = self;
        describe(draft, shape);
        let place = &mut kept[place_of(entry, shape)];
        if !place.as_ref().is_some_and(|kept| kept.serves(entry, shape)) {
            *place = None;
        }
        let kept = place.get_or_insert_with(|| Kept::new(entry, draft, shape));
        let mut changed = Entry { site: &kept.site, context: kept.context.as_ref(), ..*entry };
        if draft.loaded {
            arguments.clear();
            for slot in draft.slots.iter().filter(|slot| !slot.is_context()) {
                arguments.extend_from_slice(draft.stored(entry, slot));
            }
            changed.arguments = arguments;
        }
        changed
    }
}

/// Puts down what was changed; the values, which are no part of a definition, are left out.
fn describe(draft: &Draft, shape: &mut Vec<u8>) {
    shape.clear();
    shape.push(draft.level.map_or(u8::MAX, |level| level as u8));
    shape.push(u8::from(draft.loaded));
    let slots = if draft.loaded { &draft.slots[..] } else { &[] };
    for Slot { name, code, place, shown_for } in slots {
        let (kind, value) = match place {
            Place::Call(..) => (0, *shown_for),
            Place::Own(..) => (1, *shown_for),
            Place::Context(index) => (2, *index),
        };
        let (origin, index) = match name {
            Name::Call(index) => (0, *index),
            Name::Context(index) => (4, *index),
            Name::Added(start, end) => (8, (end - start) as u16),
        };
        let ([v0, v1], [i0, i1]) = (value.to_le_bytes(), index.to_le_bytes());
        shape.extend_from_slice(&[kind | origin, code.0, v0, v1, i0, i1]);
        if let Name::Added(start, end) = name {
            shape.extend_from_slice(&draft.names.as_bytes()[*start as usize..*end as usize]);
        }
    }
}

/// A hash of the two addresses and the shape.
fn place_of(entry: &Entry<'_>, shape: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let site = Arc::as_ptr(entry.site).addr() as u64;
    let context = entry.context.map_or(0, |context| Arc::as_ptr(context).addr()) as u64;
    let seed = (site ^ context.rotate_left(32)).wrapping_mul(FACTOR);
    let mixed = shape.chunks(8).fold(seed, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR)
    });
    (mixed >> (u64::BITS - PLACES.ilog2())) as usize
}

impl Kept {
    #[cold]
    fn new(entry: &Entry<'_>, draft: &Draft, shape: &[u8]) -> Box<Self> {
        let mut site = entry.site().clone();
        site.level = draft.level.unwrap_or(site.level);
        let mut context = entry.context.cloned();
        if draft.loaded {
            change_fields(&mut site, entry, draft);
            if !has_whole_context(entry, draft) {
                context = changed_context(entry, draft).map(Arc::new);
            }
        }
        let from = (Arc::clone(entry.site), entry.context.cloned());
        Box::new(Self { from, shape: shape.into(), site: Arc::new(site), context })
    }

    fn serves(&self, entry: &Entry<'_>, shape: &[u8]) -> bool {
        let (site, context) = &self.from;
        let same_context = match (context, entry.context) {
            (Some(kept), Some(asked)) => Arc::ptr_eq(kept, asked),
            (None, None) => true,
            _ => false,
        };
        same_context && Arc::ptr_eq(site, entry.site) && *self.shape == *shape
    }
}

/// Gives the site the fields of the draft. A placeholder whose field is gone shows its name.
fn change_fields(site: &mut SiteDefinition, entry: &Entry<'_>, draft: &Draft) {
    let calls = || draft.slots.iter().filter(|slot| !slot.is_context());
    let field = |slot: &Slot| Field { name: draft.name(entry, slot).into(), code: slot.code };
    site.fields = calls().map(field).collect();
    for piece in &mut site.template {
        let Piece::Field(index) = piece else { continue };
        let now = calls().position(|slot| usize::from(slot.shown_for) == *index);
        *piece = match (now, entry.site().fields.get(*index)) {
            (Some(now), _) => Piece::Field(now),
            (None, Some(field)) => Piece::Text(format!("{{{}}}", field.name).into()),
            (None, None) => Piece::Text("".into()),
        };
    }
    site.note_category();
}

/// Whether the draft's context is the entry's.
fn has_whole_context(entry: &Entry<'_>, draft: &Draft) -> bool {
    let count = entry.context.map_or(0, |context| context.raw_fields().count());
    let slots = draft.slots.iter().filter(|slot| slot.is_context());
    let unchanged = slots.zip(0_u16..).filter(|(slot, index)| {
        slot.name == Name::Context(*index) && slot.place == Place::Context(*index)
    });
    unchanged.count() == count
}

fn changed_context(entry: &Entry<'_>, draft: &Draft) -> Option<ContextDefinition> {
    let mut bytes = DefinitionBytes::from_slice(&[0, 0]);
    let mut count = 0_u16;
    for slot in draft.slots.iter().filter(|slot| slot.is_context()) {
        let name = draft.name(entry, slot);
        bytes.push(slot.code.0);
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(draft.stored(entry, slot));
        count += 1;
    }
    bytes[..2].copy_from_slice(&count.to_le_bytes());
    if count == 0 { None } else { ContextDefinition::decode(&bytes).ok() }
}
