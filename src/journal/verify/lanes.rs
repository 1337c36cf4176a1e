//! How lanes and passes go on from frame to frame.

use std::collections::HashMap;

use super::problem::Problem;
use crate::journal::frame::{LanePosition, RunHeader};
use crate::record::Gap;

/// Lanes that are followed; one more, and all are taken for new.
const LANES_MAX: usize = 64 << 10;
/// Where the first record of a block stands.
const BLOCK_START: u32 = 64;
/// The number of a lane's first block.
const FIRST_BLOCK: u64 = 1;

#[derive(Debug, Clone, Copy)]
struct Lane {
    generation: u32,
    /// Where it goes on: block and byte; unknown in a generation that has only gaps so far.
    next: Option<(u64, u32)>,
    lost: [u64; 6],
}

/// Where each lane goes on.
#[derive(Debug)]
pub(super) struct Lanes {
    known: HashMap<(u64, u32), Lane>,
    /// Whether a lane that is not known must begin at its beginning.
    complete: bool,
}

impl Lanes {
    /// `complete`: nothing was written before what will be seen.
    pub(super) fn new(complete: bool) -> Self {
        Self { known: HashMap::new(), complete }
    }

    /// What comes next does not follow what was seen.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.complete = false;
    }

    /// Takes a run of `bytes` bytes of records in that stands at `from` in its segment.
    pub(super) fn run(&mut self, run: &LanePosition, bytes: u32, from: u64) -> Option<Problem> {
        let LanePosition { ring_id: ring, lane, generation, serial, offset } = *run;
        let known = self.enter(ring, lane, generation);
        let found = (serial, offset);
        let expected = known.next.replace((serial, offset.saturating_add(bytes)))?;
        // A block may end anywhere, but none is left without a record.
        let next_block = (expected.0.saturating_add(1), BLOCK_START);
        if found == expected || found == next_block && expected.1 > BLOCK_START {
            None
        } else if found < expected {
            Some(Problem::Repeated { from, ring, lane, generation, expected, found })
        } else {
            Some(Problem::Missing { from, ring, lane, generation, expected, found })
        }
    }

    /// What a gap record adds to what was told of its lane, by reason.
    pub(super) fn gap(&mut self, ring: u64, gap: &Gap) -> [u64; 6] {
        let lane = self.enter(ring, gap.lane, gap.generation);
        let mut added = [0; 6];
        for ((added, told), total) in added.iter_mut().zip(&mut lane.lost).zip(gap.by_reason) {
            *added = total.saturating_sub(*told);
            *told = total.max(*told);
        }
        added
    }

    /// What is known of a generation of a lane; each begins at the first block.
    fn enter(&mut self, ring: u64, lane: u32, generation: u32) -> &mut Lane {
        if self.known.len() >= LANES_MAX && !self.known.contains_key(&(ring, lane)) {
            self.forget();
        }
        let start = Some((FIRST_BLOCK, BLOCK_START));
        let first = if self.complete { start } else { None };
        let fresh = Lane { generation, next: first, lost: [0; 6] };
        let known = self.known.entry((ring, lane)).or_insert(fresh);
        if known.generation != generation {
            *known = Lane { next: start, ..fresh };
        }
        known
    }
}

/// The passes of one writer: their numbers, *T* and *B* never fall.
#[derive(Debug, Default)]
pub(super) struct Passes {
    writer: u64,
    last: (u64, u64, u64),
}

impl Passes {
    /// Takes the pass of a frame in; whether it can follow the one before.
    pub(super) fn follows(&mut self, writer: u64, pass: (u64, u64, u64)) -> bool {
        if self.writer != writer {
            *self = Passes { writer, last: (0, 0, 0) };
        }
        let follows = pass.0 >= self.last.0 && pass.1 >= self.last.1 && pass.2 >= self.last.2;
        self.last = pass;
        follows
    }
}

/// Number, *T* and *B* of a run's pass.
pub(super) fn pass_of(run: &RunHeader) -> (u64, u64, u64) {
    (run.pass, run.pass_ticks, run.boundary)
}
