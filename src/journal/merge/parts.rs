//! What a record is made of: its definitions, where it carries them, and its arguments.

use std::ops::Range;

use crate::definition::SiteDefinition;
use crate::journal::bytes::get_u32;
use crate::record::{Fields, Flags, INLINE, RECORD_HEADER_BYTES, RecordHeader};

/// One record on its way.
pub(crate) struct Parts<'a> {
    pub(crate) header: RecordHeader,
    /// Where the arguments begin in the run.
    pub(crate) start: usize,
    pub(crate) arguments: &'a [u8],
    pub(crate) site_inline: Option<&'a [u8]>,
    pub(crate) context_inline: Option<&'a [u8]>,
}

/// Finds the inline definitions and the arguments of a record that begins at `at`.
#[inline]
pub(crate) fn split(header: RecordHeader, at: usize, record: &[u8]) -> Option<Parts<'_>> {
    let mut parts = Parts {
        header,
        start: at + RECORD_HEADER_BYTES,
        arguments: &record[RECORD_HEADER_BYTES..],
        site_inline: None,
        context_inline: None,
    };
    if header.flags.contains(Flags::SITE_INLINE) {
        parts.site_inline = Some(parts.take_inline()?);
    } else if header.site == INLINE {
        return None;
    }
    if header.flags.contains(Flags::CONTEXT_INLINE) {
        parts.context_inline = Some(parts.take_inline()?);
    }
    Some(parts)
}

impl<'a> Parts<'a> {
    /// Where the inline definition of the context stands in the run.
    pub(crate) fn context_at(&self) -> Range<usize> {
        self.start - self.context_inline.map_or(0, <[u8]>::len)..self.start
    }

    /// Where the inline definition of the site stands in the run.
    pub(crate) fn site_at(&self) -> Range<usize> {
        let end = match self.context_inline {
            Some(context) => self.start - context.len() - 4,
            None => self.start,
        };
        end - self.site_inline.map_or(0, <[u8]>::len)..end
    }

    fn take_inline(&mut self) -> Option<&'a [u8]> {
        let rest = self.arguments.get(4..)?;
        let length = get_u32(self.arguments, 0) as usize;
        let (inline, arguments) = rest.split_at_checked(length)?;
        self.start += 4 + length;
        self.arguments = arguments;
        Some(inline)
    }
}

/// Whether the arguments decode as the site says; up to 7 bytes of padding may follow, or any
/// number where a secret was masked.
#[inline]
pub(crate) fn arguments_match(
    site: &SiteDefinition,
    shape: Option<u32>,
    parts: &Parts<'_>,
) -> bool {
    let arguments = parts.arguments;
    let rest = match shape {
        Some(fixed) => arguments.len().checked_sub(fixed as usize),
        None => {
            let mut values = Fields::new(arguments);
            let sound = site.fields.iter().all(|field| values.next(field.code).is_ok());
            sound.then(|| values.rest().len())
        }
    };
    rest.is_some_and(|rest| rest < 8 || parts.header.flags.contains(Flags::MASKED))
}
