//! Entries that the reader makes itself: losses, and records that cannot be read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::definition::{ContextDefinition, Field, Piece, SiteDefinition, encode_context};
use crate::level::Level;
use crate::record::{Gap, REASONS, TypeCode};

/// The target of the entries that the reader makes itself.
pub(crate) const TARGET: &str = "tapelog::journal";

/// Contexts without a definition that are kept.
const UNDEFINED_KEPT_MAX: usize = 256;

/// The call sites of the reader's own entries, made when first needed.
#[derive(Debug, Default)]
pub(super) struct System {
    undecodable: Option<Arc<SiteDefinition>>,
    /// By the set of fields, so that equal ones share a definition.
    gaps: HashMap<u8, Arc<SiteDefinition>>,
    undefined: HashMap<u32, Arc<ContextDefinition>>,
    no_context: Arc<ContextDefinition>,
}

impl System {
    /// `logger.undecodable`: fields `site`, `length`.
    pub(super) fn undecodable(&mut self) -> Arc<SiteDefinition> {
        let made = self.undecodable.get_or_insert_with(|| {
            let fields = [("site", TypeCode::U32), ("length", TypeCode::U32)];
            Arc::new(site("logger.undecodable", Level::Error, false, &fields))
        });
        Arc::clone(made)
    }

    /// A context without fields.
    pub(super) fn no_context(&self) -> Arc<ContextDefinition> {
        Arc::clone(&self.no_context)
    }

    /// A context that says that it is not defined.
    pub(super) fn undefined_context(&mut self, id: u32) -> Option<Arc<ContextDefinition>> {
        if self.undefined.len() > UNDEFINED_KEPT_MAX {
            self.undefined.clear();
        }
        if let Some(made) = self.undefined.get(&id) {
            return Some(Arc::clone(made));
        }
        let bytes = encode_context(&["undefined_context"], &((), id));
        let made = Arc::new(ContextDefinition::decode(&bytes).ok()?);
        self.undefined.insert(id, Arc::clone(&made));
        Some(made)
    }

    /// `logger.gap` with its arguments: `lost`, one field for each reason that occurred, `trade`
    /// (how many of them were trade events), `first` and `last` (when).
    pub(super) fn gap(&mut self, delta: &Gap) -> (Arc<SiteDefinition>, Vec<u8>) {
        let mut arguments = Vec::with_capacity(88);
        arguments.extend_from_slice(&delta.total().to_le_bytes());
        let mut mask = u8::from(delta.trade > 0) << 7;
        for (at, lost) in delta.by_reason.iter().enumerate().filter(|(_, lost)| **lost > 0) {
            mask |= 1 << at;
            arguments.extend_from_slice(&lost.to_le_bytes());
        }
        for value in [delta.trade, delta.first_ticks, delta.last_ticks] {
            arguments.extend_from_slice(&value.to_le_bytes());
        }
        let definition = self.gaps.entry(mask).or_insert_with(|| {
            let reasons = REASONS.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
            let mut fields = vec![("lost", TypeCode::U64)];
            fields.extend(reasons.map(|(_, name)| (*name, TypeCode::U64)));
            fields.push(("trade", TypeCode::U64));
            fields.extend([("first", TypeCode::TICKS), ("last", TypeCode::TICKS)]);
            Arc::new(site("logger.gap", Level::Warning, mask >> 7 != 0, &fields))
        });
        (Arc::clone(definition), arguments)
    }
}

fn site(text: &str, level: Level, trade: bool, fields: &[(&str, TypeCode)]) -> SiteDefinition {
    SiteDefinition {
        level,
        trade,
        line: 0,
        text: text.into(),
        template: vec![Piece::Text(text.into())],
        target: TARGET.into(),
        file: "".into(),
        fields: fields.iter().map(|&(name, code)| Field { name: name.into(), code }).collect(),
        has_category: false,
        has_backtrace: false,
    }
}
