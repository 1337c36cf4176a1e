//! Where a view can go on after a restart so that each entry is given out exactly once.

use super::state::{LaneState, State};
use crate::journal::bytes::{get_u32, get_u64};
use crate::journal::index::SEQUENCE_MAX;
use crate::journal::position::Position;

/// A place in the journal and what the order behind it depends on.
///
/// ```text
/// 0 version u8 │ 1 flags u8 (bit 0: writer known) │ 2 0 u16 │ 4 lanes u32 │ 8 sequence u64
/// │ 16 offset u64 │ 24 skip u64 │ 32 writer u64 │ 40 boundary u64 │ 48 pass ticks u64 │ 56 lanes …
/// lane: ring id u64 │ lane u32 │ generation u32 │ last key u64 │ six losses u64 │ trade u64
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The first frame to read again.
    pub(crate) position: Position,
    /// So many entries from there on were given out.
    pub(crate) skip: u64,
    pub(super) state: State,
}

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 56;
const LANE_BYTES: usize = 80;

impl Checkpoint {
    /// The beginning of a journal, or any frame from which nothing was given out.
    pub(crate) fn at(position: Position) -> Self {
        Self { position, skip: 0, state: State::default() }
    }

    /// Appends the checkpoint's bytes, a few dozen for each lane that is at work.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let state = &self.state;
        // A lane that has lost nothing and whose keys lie below the boundary is like a new one.
        let lanes = state.lanes.iter().filter(|(_, lane)| {
            lane.last_key > state.boundary || lane.lost != [0; 6] || lane.lost_trade != 0
        });
        let mut lanes: Vec<_> = lanes.collect();
        lanes.sort_unstable_by_key(|(key, _)| **key);
        out.extend_from_slice(&[VERSION, u8::from(state.writer.is_some()), 0, 0]);
        out.extend_from_slice(&(lanes.len() as u32).to_le_bytes());
        for word in [
            self.position.sequence,
            self.position.offset,
            self.skip,
            state.writer.unwrap_or(0),
            state.boundary,
            state.pass_ticks,
        ] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for ((ring_id, number), lane) in lanes {
            out.extend_from_slice(&ring_id.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&lane.generation.to_le_bytes());
            out.extend_from_slice(&lane.last_key.to_le_bytes());
            for lost in lane.lost.iter().chain([&lane.lost_trade]) {
                out.extend_from_slice(&lost.to_le_bytes());
            }
        }
    }

    /// Reads a checkpoint back; `None` if the bytes are none, or name a place that no journal has.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let lanes = bytes.get(FIXED_BYTES..)?;
        let count = get_u32(bytes, 4) as usize;
        if bytes[0] != VERSION || count.checked_mul(LANE_BYTES)? != lanes.len() {
            return None;
        }
        let position = Position { sequence: get_u64(bytes, 8), offset: get_u64(bytes, 16) };
        if position.sequence > SEQUENCE_MAX || position.offset > u32::MAX.into() {
            return None;
        }
        let lane = |lane: &[u8]| {
            let key = (get_u64(lane, 0), get_u32(lane, 8));
            let state = LaneState {
                generation: get_u32(lane, 12),
                last_key: get_u64(lane, 16),
                lost: std::array::from_fn(|at| get_u64(lane, 24 + 8 * at)),
                lost_trade: get_u64(lane, 72),
            };
            (key, state)
        };
        Some(Self {
            position,
            skip: get_u64(bytes, 24),
            state: State {
                writer: (bytes[1] & 1 != 0).then(|| get_u64(bytes, 32)),
                boundary: get_u64(bytes, 40),
                pass_ticks: get_u64(bytes, 48),
                lanes: lanes.chunks_exact(LANE_BYTES).map(lane).collect(),
            },
        })
    }
}
