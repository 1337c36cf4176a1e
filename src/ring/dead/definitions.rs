//! What the ids in a dead ring's records mean.

use std::io;
use std::os::unix::fs::FileExt;

use super::DeadRing;
use crate::ring::header::get_u64;
use crate::ring::layout::{high, low};

/// No call site's definition is longer: a frame of the journal has room for it.
const SITE_BYTES_MAX: usize = (128 << 10) - 64;

impl DeadRing {
    /// The bytes that define a call site, whatever they are worth; `None` if there are none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn site(&self, id: u32) -> io::Result<Option<Vec<u8>>> {
        let area = &self.geometry.definitions;
        let Some(index) = id.checked_sub(1).filter(|index| *index < area.sites) else {
            return Ok(None);
        };
        let entry = self.word(area.offset as u64 + 8 * u64::from(index))?;
        let (offset, length) = (high(entry) as usize, low(entry) as usize);
        let inside = offset.checked_add(length).is_some_and(|end| end <= area.heap_bytes);
        if length == 0 || length > SITE_BYTES_MAX || !inside {
            return Ok(None);
        }
        self.bytes(area.heap_offset + offset, length).map(Some)
    }

    /// The same for a bound context.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn context(&self, id: u32) -> io::Result<Option<Vec<u8>>> {
        let area = &self.geometry.definitions;
        let Some(slot) = (id & 0xFFFF).checked_sub(1).filter(|slot| *slot < area.slots) else {
            return Ok(None);
        };
        let tag = self.word(area.tags_offset as u64 + 8 * u64::from(slot))?;
        let length = (low(tag) >> 1) as usize;
        let known = low(tag) & 1 == 1 && high(tag) == id >> 16;
        if !known || length > area.slot_bytes as usize {
            return Ok(None);
        }
        let start = area.slots_offset + slot as usize * area.slot_bytes as usize;
        self.bytes(start, length).map(Some)
    }

    fn word(&self, offset: u64) -> io::Result<u64> {
        let mut word = [0; 8];
        self.file().read_exact_at(&mut word, offset)?;
        Ok(get_u64(&word, 0).unwrap_or(0))
    }

    fn bytes(&self, offset: usize, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file().read_exact_at(&mut bytes, offset as u64)?;
        Ok(bytes)
    }
}
