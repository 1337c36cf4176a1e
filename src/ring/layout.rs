//! Where everything lies in the arena.
//!
//! ```text
//! 0            ring header (64 KiB block or blocks, rounded up)
//! ├─ 0         header page, 4096 B: see below
//! ├─ 4096      free-block bitmap: one u64 for each 64 data blocks, a set bit is a free block
//! └─ …         lane table, 256 B for each lane, 256-aligned; the last lane is the shared one
//! definitions  definition area, a multiple of block_bytes
//! ├─ sites     index (u64 each: heap offset << 32 | length, 0 = undefined), then their bytes
//! └─ contexts  free bitmap, retired bitmap, tags (u64 each), slots of 512 B
//! data         data blocks, block_bytes each, to the end
//!
//! tag of a context slot: generation << 32 | length << 1 | 1 if the slot holds a context
//!
//! header page                                 data block
//!    0  magic "TAPERING"                         0  u64 committed: records << 32 | end offset
//!    8  u32 version = 1                          8  u32 next block + 1, 0 = none
//!   12  u32 bytes of the header page            12  u32 lane
//!   16  u64 ring_bytes                          16  u32 generation of the lane
//!   24  u32 block_bytes                         20  u32 0
//!   28  u32 data blocks                         24  u64 serial: counts the lane's blocks from 1
//!   32  u32 lanes (with the shared one)         32  … 64 zero
//!   36  u32 reserve blocks, the last ones       64  records, each 8-aligned, length first
//!   40  u64 offset of the bitmap
//!   48  u64 offset of the lane table         lane
//!   56  u64 offset of the definitions            0  u64 state: generation << 32 | 0 free, 1 active,
//!   64  u64 offset of the data blocks                  2 closed
//!   72  u64 ring id                              8  u32 first block + 1, 0 = none
//!   80  u32 pid                                 12  u32 0
//!   84  u32 uid                                 16  u64 drained: offset << 32 | block + 1
//!   88  u64 created, UTC ns                     24  … 128 zero
//!   96  boot id, 36 characters                 128  6 × u64 lost, by reason
//!  132  u32 length of the owner's path         176  u64 how many of these were trade events
//!  136  u32 sites                              184  u64 ticks of the first unreported loss
//!  140  u32 context slots                      192  u64 ticks of the last loss
//!  144  u32 bytes of a context slot            200  u64 lost in all
//!  148  u32 0                                  208  u64 how many of these gap records told
//!  152  u64 offset of the site heap            216  … 256 zero
//!  160  u64 bytes of the site heap
//!  168  u64 offset of the context bitmaps
//!  176  u64 offset of the tags
//!  184  u64 offset of the context slots
//! 1024  owner: path of the log directory
//! 2048  u64 bytes of the site heap in use
//! 2056  u64 records that were drained to memory alone, because the disk gave no segment
//! 2064  u64 how many of these were told
//! 2072  … 4096 zero
//! ```
//!
//! All numbers are little endian. The magic is written last, and then the file gets its name.
//! Magic, version, what stands from 72 to 136, and the owner's path keep their places in all versions.

#![expect(unsafe_code, reason = "declares which types are valid in zeroed, shared memory")]

use super::error::RingError;
use super::sampling::SAMPLED_ONE_IN;
use crate::sync::{ArenaItem, AtomicU32, AtomicU64, MAPPED, Plain32, Plain64};

/// Bytes of the header page.
pub(crate) const HEADER_BYTES: usize = 4096;
/// Where the shared words of the header page begin.
pub(crate) const CONTROL_OFFSET: usize = 2048;
/// Where the counts of what is in memory alone stand.
pub(crate) const IN_MEMORY_OFFSET: usize = 2056;
/// Where the owner's path stands in the header page.
pub(crate) const OWNER_OFFSET: usize = 1024;
/// The longest path of an owner.
pub(crate) const OWNER_BYTES_MAX: usize = 1024;
/// Bytes of a block's header; the first record stands behind it.
pub(crate) const BLOCK_HEADER_BYTES: u32 = 64;
/// Bytes of a context slot.
pub(crate) const CONTEXT_SLOT_BYTES: u32 = 512;
/// Most context slots: `slot + 1` fits 16 bits and no id is `u32::MAX`.
const CONTEXT_SLOTS_MAX: usize = 65_534;
/// Bytes of the definition area's first half for each entry of the site index.
const BYTES_PER_SITE: usize = 128;

/// Bytes of a lane's entry in the table.
pub(crate) const LANE_BYTES: usize = 256;

/// As long as a record is taken to be before the lane knows better.
const RECORD_BYTES_USUAL: u32 = 48;

const BLOCK_BYTES_MIN: u32 = 4 << 10;
const BLOCK_BYTES_MAX: u32 = 1 << 20;
const RING_BYTES_MAX: usize = 1 << 30;
const BLOCKS_MIN: u32 = 4;
const LANES_DEFAULT: u32 = 64;
const LANES_MAX: u32 = 4096;

/// The head of a data block.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct BlockHeader {
    /// Records that the lane has committed so far (mod 2^32) << 32 | end offset in this block.
    pub(crate) committed: AtomicU64,
    /// The lane's next block + 1.
    pub(crate) next: AtomicU32,
    /// The lane that owns the block.
    pub(crate) lane: Plain32,
    /// The generation of that lane.
    pub(crate) generation: Plain32,
    _unused: u32,
    /// Which of the lane's blocks this is, from 1.
    pub(crate) serial: Plain64,
}

// SAFETY: atomics, words that have one owner, and an unused integer.
unsafe impl ArenaItem for BlockHeader {}

const _: () = {
    // Under loom the types are larger and lie in boxes: there is nothing to pin.
    assert!(!MAPPED || size_of::<BlockHeader>() == BLOCK_HEADER_BYTES as usize);
    assert!(!MAPPED || std::mem::offset_of!(BlockHeader, committed) == 0);
    assert!(!MAPPED || std::mem::offset_of!(BlockHeader, next) == 8);
    assert!(!MAPPED || std::mem::offset_of!(BlockHeader, lane) == 12);
    assert!(!MAPPED || std::mem::offset_of!(BlockHeader, generation) == 16);
    assert!(!MAPPED || std::mem::offset_of!(BlockHeader, serial) == 24);
};

/// Joins the two halves of a `committed`, `drained`, index or state word.
#[inline(always)]
pub(crate) const fn join(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// The upper half of such a word.
#[inline(always)]
pub(crate) const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// The lower half of such a word.
#[inline(always)]
pub(crate) const fn low(word: u64) -> u32 {
    (word & 0xFFFF_FFFF) as u32
}

/// The sizes and offsets of one arena, all in bytes unless named otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The whole arena.
    pub(crate) ring_bytes: usize,
    /// One block.
    pub(crate) block_bytes: u32,
    /// Number of data blocks.
    pub(crate) blocks: u32,
    /// How many of them, the last ones, are the reserve.
    pub(crate) reserve: u32,
    /// Number of lanes, the shared one included.
    pub(crate) lanes: u32,
    /// The longest record.
    pub(crate) record_bytes_max: u32,
    /// How far apart the sample points of a new lane are, in bytes of its stream.
    pub(crate) sample_bytes: u32,
    /// Where the bitmap of free blocks begins.
    pub(crate) bitmap_offset: usize,
    /// Where the lane table begins.
    pub(crate) lanes_offset: usize,
    /// The definition area.
    pub(crate) definitions: DefinitionGeometry,
    /// Where the data blocks begin.
    pub(crate) data_offset: usize,
}

/// The sizes and offsets of the definition area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DefinitionGeometry {
    /// Where the area, and in it the index of sites, begins.
    pub(crate) offset: usize,
    /// Entries of the index of sites.
    pub(crate) sites: u32,
    /// Where the heap of the sites begins.
    pub(crate) heap_offset: usize,
    /// Size of that heap.
    pub(crate) heap_bytes: usize,
    /// Where the bitmaps of the contexts begin, the free one and behind it the retired one.
    pub(crate) bitmap_offset: usize,
    /// Words of each of these bitmaps.
    pub(crate) bitmap_words: usize,
    /// Where the tags of the context slots begin.
    pub(crate) tags_offset: usize,
    /// Where the context slots begin.
    pub(crate) slots_offset: usize,
    /// Number of context slots.
    pub(crate) slots: u32,
    /// Size of one slot.
    pub(crate) slot_bytes: u32,
}

impl Geometry {
    /// Cuts `ring_bytes` into its parts, or says which parameter makes that impossible.
    pub(crate) fn plan(
        ring_bytes: usize,
        block_bytes: u32,
        reserve: u32,
        lanes: Option<u32>,
    ) -> Result<Geometry, RingError> {
        if !block_bytes.is_power_of_two()
            || !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&block_bytes)
        {
            return Err(RingError::BlockBytes { block_bytes });
        }
        let block = block_bytes as usize;
        let wrong_size = || RingError::RingBytes { ring_bytes, block_bytes };
        if ring_bytes > RING_BYTES_MAX || !ring_bytes.is_multiple_of(block) {
            return Err(wrong_size());
        }
        let definition_bytes = (ring_bytes / 8 / block).max(1) * block;
        // The head is measured for more blocks than there will be, and for the lanes these allow.
        let blocks_most = u32::try_from(ring_bytes / block).map_err(|_| wrong_size())?;
        let lanes_most = lanes.unwrap_or(LANES_DEFAULT).min(blocks_most / 2);
        let bitmap_offset = HEADER_BYTES;
        let bitmap_bytes = blocks_most.div_ceil(64) as usize * 8;
        let lanes_offset = (bitmap_offset + bitmap_bytes).next_multiple_of(256);
        let lane_bytes = lanes_most.min(LANES_MAX) as usize * LANE_BYTES;
        let head_bytes = (lanes_offset + lane_bytes).next_multiple_of(block);
        let data_offset = head_bytes + definition_bytes;
        let blocks = ring_bytes.saturating_sub(data_offset) / block;
        let blocks = u32::try_from(blocks).map_err(|_| wrong_size())?;
        if blocks < BLOCKS_MIN {
            return Err(wrong_size());
        }
        let lanes = lanes.unwrap_or(lanes_most.min(blocks / 2));
        if lanes < 2 || lanes > blocks / 2 || lanes > LANES_MAX {
            return Err(RingError::Lanes { lanes, blocks, ring_bytes, block_bytes });
        }
        if reserve >= blocks - lanes || reserve >= blocks.div_ceil(2) {
            return Err(RingError::Reserve { reserve, blocks, lanes, ring_bytes, block_bytes });
        }
        Ok(Geometry {
            ring_bytes,
            block_bytes,
            blocks,
            reserve,
            lanes,
            record_bytes_max: block_bytes / 4,
            sample_bytes: RECORD_BYTES_USUAL * SAMPLED_ONE_IN,
            bitmap_offset,
            lanes_offset,
            definitions: DefinitionGeometry::plan(head_bytes, definition_bytes),
            data_offset,
        })
    }
}

impl DefinitionGeometry {
    /// Halves the area: sites first, contexts behind them.
    fn plan(offset: usize, bytes: usize) -> DefinitionGeometry {
        let half = bytes / 2;
        let sites = half / BYTES_PER_SITE;
        let heap_offset = offset + sites * 8;
        let bitmap_offset = offset + half;
        let slot_bytes = CONTEXT_SLOT_BYTES as usize;
        let bitmap_words = (half / slot_bytes).min(CONTEXT_SLOTS_MAX).div_ceil(64);
        let tags_offset = bitmap_offset + 2 * 8 * bitmap_words;
        let slots_offset = (tags_offset + 8 * 64 * bitmap_words).next_multiple_of(slot_bytes);
        let slots = ((offset + bytes - slots_offset) / slot_bytes).min(CONTEXT_SLOTS_MAX);
        DefinitionGeometry {
            offset,
            sites: u32::try_from(sites).unwrap_or(u32::MAX),
            heap_offset,
            heap_bytes: half - sites * 8,
            bitmap_offset,
            bitmap_words,
            tags_offset,
            slots_offset,
            slots: u32::try_from(slots).unwrap_or(0),
            slot_bytes: CONTEXT_SLOT_BYTES,
        }
    }
}
