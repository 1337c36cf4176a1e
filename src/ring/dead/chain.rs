//! A lane of a dead ring and the chain of its blocks.

use std::io;
use std::os::unix::fs::FileExt;

use super::DeadRing;
use crate::ring::header::{get_u32, get_u64};
use crate::ring::layout::{BLOCK_HEADER_BYTES, LANE_BYTES, high, low};
use crate::ring::loss::Losses;

/// A place in a lane's chain, inside one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The block.
    pub(crate) block: u32,
    /// Which of the lane's blocks it is, from 1.
    pub(crate) serial: u64,
    /// Where in the block.
    pub(crate) offset: u32,
    /// The end of what is committed in the block.
    pub(crate) end: u32,
    /// The next block + 1, 0 for none.
    next: u32,
}

/// What a lane's entry says, and how far the lane has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadLane {
    /// The lane.
    pub(crate) lane: u32,
    /// Its generation.
    pub(crate) generation: u32,
    /// What comes next; `None` at the end of the chain.
    pub(crate) place: Option<Place>,
    /// What it lost.
    pub(crate) losses: Losses,
    /// How many of these gap records have told.
    pub(crate) reported: u64,
    /// Places where the chain cannot be believed.
    pub(crate) damaged: u64,
    /// Blocks that were read: a chain has no more than the ring.
    read_blocks: u32,
}

impl DeadRing {
    /// A lane, at the first record that is not safe elsewhere by what the ring itself says.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn lane(&self, lane: u32) -> io::Result<DeadLane> {
        let mut entry = [0; LANE_BYTES];
        self.file().read_exact_at(&mut entry, self.lane_offset(lane))?;
        let word = |offset| get_u64(&entry, offset).unwrap_or(0);
        let losses = Losses {
            by_reason: std::array::from_fn(|reason| word(128 + 8 * reason)),
            trade: word(176),
            first_ticks: word(184),
            last_ticks: word(192),
        };
        let mut found = DeadLane {
            lane,
            generation: high(word(0)),
            place: None,
            losses,
            reported: word(208),
            damaged: 0,
            read_blocks: 0,
        };
        // Without a first block the lane is empty, whatever else stands there.
        let first = get_u32(&entry, 8).unwrap_or(0);
        if first != 0 {
            let drained = word(16);
            let (block, offset) = match low(drained) {
                0 => (first, BLOCK_HEADER_BYTES),
                block => (block, high(drained)),
            };
            let serial = if low(drained) == 0 { Some(1) } else { None };
            self.enter(&mut found, block, serial)?;
            match &mut found.place {
                Some(place)
                    if (place.offset..=place.end).contains(&offset) && offset.is_multiple_of(8) =>
                {
                    place.offset = offset;
                }
                // Where to begin is not known: what the journal has may come again, so nothing does.
                Some(place) if place.end > place.offset => {
                    place.offset = place.end;
                    found.damaged += 1;
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Moves to the next block, if there is one; whether there is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn next_block(&self, lane: &mut DeadLane) -> io::Result<bool> {
        let Some(place) = lane.place else { return Ok(false) };
        if place.next == 0 {
            return Ok(false);
        }
        self.enter(lane, place.next, Some(place.serial.wrapping_add(1)))?;
        Ok(lane.place.is_some())
    }

    /// Goes over what is known to be in the journal: up to `end` in the block `serial`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn pass_over(&self, lane: &mut DeadLane, serial: u64, end: u32) -> io::Result<()> {
        while lane.place.is_some_and(|place| place.serial < serial) {
            if !self.next_block(lane)? {
                // The journal has more than the ring: all of it.
                if let Some(place) = &mut lane.place {
                    place.offset = place.end;
                }
                return Ok(());
            }
        }
        if let Some(place) = lane.place.as_mut().filter(|place| place.serial == serial) {
            place.offset = place.offset.max(end.min(place.end));
        }
        Ok(())
    }

    /// Makes `block`, which counts from 1, the lane's current one, if its header agrees.
    fn enter(&self, lane: &mut DeadLane, block: u32, serial: Option<u64>) -> io::Result<()> {
        lane.place = None;
        lane.read_blocks += 1;
        let inside = (1..=self.geometry.blocks).contains(&block);
        if !inside || lane.read_blocks > self.geometry.blocks {
            lane.damaged += 1;
            return Ok(());
        }
        let block = block - 1;
        let mut head = [0; BLOCK_HEADER_BYTES as usize];
        self.file().read_exact_at(&mut head, self.block_offset(block))?;
        let half = |offset| get_u32(&head, offset).unwrap_or(0);
        let found = get_u64(&head, 24).unwrap_or(0);
        let agrees = half(12) == lane.lane
            && half(16) == lane.generation
            && serial.is_none_or(|serial| serial == found);
        if !agrees {
            lane.damaged += 1;
            return Ok(());
        }
        let committed = half(0);
        let sane = (BLOCK_HEADER_BYTES..=self.geometry.block_bytes).contains(&committed)
            && committed.is_multiple_of(8);
        lane.damaged += u64::from(!sane);
        lane.place = Some(Place {
            block,
            serial: found,
            offset: BLOCK_HEADER_BYTES,
            end: if sane { committed } else { BLOCK_HEADER_BYTES },
            next: half(8),
        });
        Ok(())
    }
}
