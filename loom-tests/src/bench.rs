//! What the models have in common: a tiny ring, records of two words, a reader. `shuttle-tests`
//! compiles it, too.

use std::sync::Arc;

use crate::ring::{
    Class, DefinitionGeometry, GapInfo, GapRecord, Geometry, LaneHandle, Pages, PushError, Ring,
    RingConfig, RingDrain,
};

/// A record: length and mark, number.
const RECORD_BYTES: u32 = 16;
/// A gap record: length and mark, lost, of these trade events.
const GAP_BYTES: u32 = 24;
const GAP_MARK: u64 = u32::MAX as u64;

pub(crate) const ORDINARY: Class = Class { privileged: false, trade: false };
pub(crate) const TRADE: Class = Class { privileged: false, trade: true };

/// The shape of a model's ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) blocks: u32,
    /// How many records of two words a block holds.
    pub(crate) records: u32,
    /// The shared one included.
    pub(crate) lanes: u32,
}

/// One drained record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Record { mark: u64, number: u64 },
    Gap { lost: u64, trade: u64 },
}

fn write_gap(bytes: &mut [u8], info: &GapInfo) {
    let head = GAP_MARK << 32 | u64::from(GAP_BYTES);
    for (at, word) in [head, info.losses.total(), info.losses.trade].into_iter().enumerate() {
        bytes[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
    }
}

/// Makes a ring that the checker can exhaust; no call is a sample.
pub(crate) fn ring(shape: Shape) -> (Arc<Ring>, RingDrain) {
    ring_with_samples(shape, u32::MAX)
}

/// The same with sample points so many bytes apart.
pub(crate) fn ring_with_samples(shape: Shape, sample_bytes: u32) -> (Arc<Ring>, RingDrain) {
    let geometry = Geometry {
        ring_bytes: 0,
        block_bytes: 64 + shape.records * RECORD_BYTES,
        blocks: shape.blocks,
        reserve: 0,
        lanes: shape.lanes,
        record_bytes_max: RECORD_BYTES,
        sample_bytes,
        bitmap_offset: 0,
        lanes_offset: 0,
        definitions: DefinitionGeometry {
            offset: 0,
            sites: 1,
            heap_offset: 0,
            heap_bytes: 64,
            bitmap_offset: 0,
            bitmap_words: 1,
            tags_offset: 0,
            slots_offset: 0,
            slots: 1,
            slot_bytes: 8,
        },
        data_offset: 0,
    };
    let config = RingConfig {
        ring_bytes: 0,
        block_bytes: 0,
        reserve_blocks: 0,
        lanes: None,
        dir: None,
        pages: Pages::default(),
        owner: Vec::new(),
        gap: GapRecord { bytes: GAP_BYTES, write: write_gap },
        clock: || 1,
    };
    Ring::with_geometry(geometry, config).expect("boxes are always to be had")
}

/// Pushes one record; `mark` says whose it is.
pub(crate) fn push(handle: &LaneHandle, mark: u64, number: u64) -> Result<(), PushError> {
    push_around(handle, mark, number, || ())
}

/// The same, with something that happens inside the push, as a signal may.
pub(crate) fn push_around(
    handle: &LaneHandle,
    mark: u64,
    number: u64,
    inside: impl FnOnce(),
) -> Result<(), PushError> {
    let mut inside = Some(inside);
    handle.push(RECORD_BYTES, ORDINARY, |mut slot| {
        if let Some(inside) = inside.take() {
            inside();
        }
        slot.write_u64(0, mark << 32 | u64::from(RECORD_BYTES));
        slot.write_u64(8, number);
    })
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at * 8..][..8]);
    u64::from_le_bytes(word)
}

/// Takes everything that a lane holds.
pub(crate) fn take_lane(drain: &RingDrain, lane: u32) -> Vec<Entry> {
    let mut found = Vec::new();
    while let Some(run) = drain.peek(lane) {
        let mut rest = &run.bytes[..];
        while !rest.is_empty() {
            let (len, mark) = ((word(rest, 0) & 0xFFFF_FFFF) as usize, word(rest, 0) >> 32);
            found.push(if mark == GAP_MARK {
                Entry::Gap { lost: word(rest, 1), trade: word(rest, 2) }
            } else {
                Entry::Record { mark, number: word(rest, 1) }
            });
            rest = &rest[len..];
        }
        let taken = u32::try_from(run.bytes.len()).unwrap_or(u32::MAX);
        drain.take(lane, taken);
    }
    found
}

/// One whole pass over all lanes, with the gap records that the drain makes.
pub(crate) fn pass(drain: &mut RingDrain) -> Vec<Entry> {
    let mut found = Vec::new();
    drain.begin_pass();
    for lane in 0..drain.lanes() {
        found.extend(take_lane(drain, lane));
        if let Some(info) = drain.unreported_losses(lane) {
            found.push(Entry::Gap { lost: info.losses.total(), trade: info.losses.trade });
            drain.mark_reported(lane, &info);
        }
    }
    drain.commit();
    found
}

/// The numbers of one producer's records, in the order in which they were drained.
pub(crate) fn numbers(found: &[Entry], whose: u64) -> Vec<u64> {
    let number = |entry: &Entry| match *entry {
        Entry::Record { mark, number } if mark == whose => Some(number),
        Entry::Record { .. } | Entry::Gap { .. } => None,
    };
    found.iter().filter_map(number).collect()
}
