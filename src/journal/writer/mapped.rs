//! Stores into a mapped segment: as fast as memory, no system call for a pass.

#![expect(unsafe_code, reason = "frames are written through a shared file mapping")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Release};

use super::SegmentWriter;
use crate::journal::layout::{CURSOR_OFFSET, HEADER_PAGE_BYTES};
use crate::journal::mapping::Mapping;

/// Writes frames into a mapping that the janitor has populated.
#[derive(Debug)]
pub(in crate::journal) struct MappedWriter {
    mapping: Arc<Mapping>,
}

impl MappedWriter {
    /// A writer onto a mapping of the whole segment. No other writer may use the mapping; others
    /// may only give advice about it.
    pub(in crate::journal) fn new(mapping: Arc<Mapping>) -> Self {
        assert!(mapping.len() >= HEADER_PAGE_BYTES, "a segment has at least its header");
        Self { mapping }
    }

    fn slice(&mut self, offset: usize, bytes: usize) -> io::Result<&mut [u8]> {
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= self.mapping.len());
        if !inside {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let place = self.mapping.as_mut_ptr().wrapping_add(offset);
        // SAFETY: `offset + bytes` lies inside the mapping (checked above), which lives as long as
        // `self`. Nothing else in this process makes references into it: `new` demands that
        // this is the only writer, and readers use `pread`. The bytes have no invalid values.
        Ok(unsafe { std::slice::from_raw_parts_mut(place, bytes) })
    }

    /// Fails if anything was stored into a hole: it is in memory alone.
    fn refuse_holes(&self) -> io::Result<()> {
        match self.mapping.holes() {
            0 => Ok(()),
            _ => Err(io::Error::other(
                "the file has a hole: it was truncated, or the disk has no room for it",
            )),
        }
    }
}

impl SegmentWriter for MappedWriter {
    fn room(&mut self, offset: u32, bytes: usize) -> io::Result<&mut [u8]> {
        self.slice(offset as usize, bytes)
    }

    fn put_header(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.slice(at, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn publish(&mut self, cursor: u64) -> io::Result<()> {
        self.refuse_holes()?;
        let place = self.mapping.as_mut_ptr().wrapping_add(CURSOR_OFFSET).cast::<u64>();
        // SAFETY: inside the mapping, whose length `new` has checked, and aligned: mappings begin
        // at a page and CURSOR_OFFSET is a multiple of 8. This process accesses it only here.
        let shared = unsafe { AtomicU64::from_ptr(place) };
        // ORDERING: Release, publishes the frames and index entries stored above.
        // PAIRS WITH: the kernel's copy in a reader's `pread` of the cursor
        //   (`SegmentReader::refresh`), which reads frames by a later system call.
        // IF WEAKENED: a reader may find a cursor in front of frames that are not there yet.
        shared.store(cursor.to_le(), Release);
        // The cursor itself may have met the first hole.
        self.refuse_holes()
    }

    fn reset(&mut self) {}
}
