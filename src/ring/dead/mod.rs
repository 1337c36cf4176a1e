//! Reading the ring of a process that is dead.
//!
//! The file is untrusted input: it is read with `pread` into the reader's own memory, never mapped,
//! and every number in it is checked before it is used. A lane's chain cannot lead round in a circle,
//! because each of its blocks must have the serial that follows the one before.
//!
//! Nothing in the file is changed but the words that say how far a lane is taken and how many of
//! its losses are told: what a drain notes there, too.

mod chain;
mod definitions;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub(crate) use chain::{DeadLane, Place};

use super::header::{self, Identity};
use super::layout::{Geometry, HEADER_BYTES, IN_MEMORY_OFFSET, LANE_BYTES, join};
use super::loss::LOSS_REASONS;
use crate::sync::ParentsFile;

/// Where the word `drained` stands in a lane's entry, and where `reported` does.
const DRAINED_OFFSET: u64 = 16;
const REPORTED_OFFSET: u64 = 208;

const _: () = assert!(REPORTED_OFFSET as usize == 128 + 8 * (LOSS_REASONS + 4));

/// The ring of a dead process.
#[derive(Debug)]
pub(crate) struct DeadRing {
    file: ParentsFile,
    geometry: Geometry,
    identity: Identity,
    in_memory: u64,
}

impl DeadRing {
    /// Takes a ring's file, which nobody else changes any more; `None` if its numbers are not those
    /// of a ring of this version, or the file has another size than they say.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn open(file: ParentsFile, identity: Identity) -> io::Result<Option<DeadRing>> {
        let mut page = [0; HEADER_BYTES];
        file.file().read_exact_at(&mut page, 0)?;
        let Some(geometry) = header::geometry_of(&page) else { return Ok(None) };
        let whole = file.file().metadata()?.len() == geometry.ring_bytes as u64;
        let word =
            |at: usize| header::get_u64(&page, IN_MEMORY_OFFSET + 8 * at).unwrap_or_default();
        let in_memory = word(0).saturating_sub(word(1));
        Ok(whole.then_some(DeadRing { file, geometry, identity, in_memory }))
    }

    /// Whose ring it was.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Records that it had drained to memory alone, and had not told of.
    pub(crate) fn in_memory(&self) -> u64 {
        self.in_memory
    }

    fn file(&self) -> &File {
        self.file.file()
    }

    /// Number of lanes.
    pub(crate) fn lanes(&self) -> u32 {
        self.geometry.lanes
    }

    /// The whole ring, in bytes.
    pub(crate) fn ring_bytes(&self) -> u64 {
        self.geometry.ring_bytes as u64
    }

    /// Reads committed bytes from `place` on: as many as `out` has room for, at most up to the end
    /// of what is committed in the block.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read<'a>(&self, place: &Place, out: &'a mut [u8]) -> io::Result<&'a mut [u8]> {
        let bytes = (place.end - place.offset) as usize;
        let length = bytes.min(out.len());
        let out = &mut out[..length];
        self.file().read_exact_at(out, self.block_offset(place.block) + u64::from(place.offset))?;
        Ok(out)
    }

    /// Notes that a lane is taken up to `place`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn note_taken(&self, lane: u32, place: &Place) -> io::Result<()> {
        let word = join(place.offset, place.block + 1).to_le_bytes();
        self.file().write_all_at(&word, self.lane_offset(lane) + DRAINED_OFFSET)
    }

    /// Notes that so many losses of a lane are told.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn note_told(&self, lane: u32, total: u64) -> io::Result<()> {
        self.file().write_all_at(&total.to_le_bytes(), self.lane_offset(lane) + REPORTED_OFFSET)
    }

    fn block_offset(&self, block: u32) -> u64 {
        let data = self.geometry.data_offset as u64;
        data + u64::from(block) * u64::from(self.geometry.block_bytes)
    }

    fn lane_offset(&self, lane: u32) -> u64 {
        self.geometry.lanes_offset as u64 + u64::from(lane) * LANE_BYTES as u64
    }
}
