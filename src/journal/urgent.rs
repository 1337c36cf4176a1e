//! Which records are to be synced at once: CRITICAL entries and trade events.

use super::defined::Needed;
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::level::{Category, Level};
use crate::record::{Flags, RECORD_HEADER_BYTES, RecordHeader};

/// Whether the records of what is defined here are urgent. A site with a field `category` counts as
/// one of trade events, whatever its calls say there.
pub(super) fn is_urgent(defines: Needed, bytes: &[u8]) -> bool {
    match defines {
        Needed::Site(_) => site_is_urgent(bytes),
        Needed::Context(_) => context_is_urgent(bytes),
    }
}

/// Whether a record that carries definitions itself is urgent by them.
pub(super) fn is_urgent_inline(header: &RecordHeader, record: &[u8]) -> bool {
    let mut rest = record.get(RECORD_HEADER_BYTES..).unwrap_or_default();
    let mut part = |flag| header.flags.contains(flag).then(|| take_part(&mut rest)).flatten();
    part(Flags::SITE_INLINE).is_some_and(site_is_urgent)
        || part(Flags::CONTEXT_INLINE).is_some_and(context_is_urgent)
}

/// A definition with its length in front of it.
fn take_part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let (part, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = behind;
    Some(part)
}

fn site_is_urgent(bytes: &[u8]) -> bool {
    SiteDefinition::decode(bytes)
        .is_ok_and(|site| site.level == Level::Critical || site.trade || site.has_category)
}

fn context_is_urgent(bytes: &[u8]) -> bool {
    ContextDefinition::decode(bytes).is_ok_and(|context| context.category() == Category::Trade)
}
