//! The smallest ring that a load needs.

use std::time::Duration;

use serde::Serialize;
use tapelog::testing::{RingShape, ring_shape};

use super::load::{Burst, Load, Stretch};
use super::model::Model;

/// What the configuration accepts.
const RING_BYTES_MIN: u64 = 256 << 10;
const RING_BYTES_MAX: u64 = 1 << 30;
const RING_BLOCKS_MIN: u64 = 16;
const BLOCK_BYTES_MIN: u32 = 4 << 10;
const BLOCK_BYTES_MAX: u32 = 1 << 20;
/// A block that holds fewer records of the usual size is changed too often: each change costs as
/// much as several calls.
const RECORDS_PER_BLOCK: u64 = 64;
/// The journal's defaults: less is advised never.
const SEGMENT_BYTES_MIN: u64 = 16 << 20;
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
const SEGMENTS_MIN: u64 = 8;
/// How long the views may take longer than the load.
pub(super) const VIEWS_BEHIND: Duration = Duration::from_secs(10);

/// What the user asks of the ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    /// How long the drain may be away.
    pub(super) stall: Duration,
    /// How many times the worst that was seen must fit.
    pub(super) headroom: f64,
    /// Threads that log: each keeps a block, however little it logs.
    pub(super) threads: u32,
    /// How long the views may take longer than the load.
    pub(super) views_behind: Duration,
}

impl Demand {
    /// What the ring must hold of a load, in bytes of records.
    pub(super) fn bytes(&self, worst: &Stretch) -> u64 {
        (worst.bytes as f64 * self.headroom).ceil() as u64
    }
}

/// The parameters to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Advice {
    pub(super) ring_bytes: u64,
    pub(super) block_bytes: u32,
    pub(super) reserve_blocks: u32,
    pub(super) journal_segment_bytes: u64,
    pub(super) journal_segments: u64,
}

/// No ring is large enough.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRing {
    #[error(
        "no ring up to 1 GiB takes {} MiB, what this load brings while the drain is away, with the \
         asked headroom: ask for less (--stall, --headroom, --level), or spread the load",
         .bytes >> 20
    )]
    TooMuch { bytes: u64 },
    #[error("the load has no records: nothing is to be tuned")]
    Empty,
}

impl Advice {
    /// The smallest ring that takes the worst stretch of `load` with the asked headroom, while
    /// nothing is drained.
    ///
    /// # Errors
    /// [`NoRing`] if there is none.
    pub(super) fn find(load: &Load, worst: &Stretch, demand: &Demand) -> Result<Advice, NoRing> {
        let mean = load.bytes().checked_div(load.records.len() as u64).ok_or(NoRing::Empty)?;
        let bytes = demand.bytes(worst);
        let burst = Burst::new(load, *worst, bytes);
        let reserved = load.worst_privileged_bytes(demand.stall) as f64 * demand.headroom;
        let least = u64::from(load.longest()) * 4;
        let least = least.max(mean * RECORDS_PER_BLOCK).next_power_of_two();
        let mut found: Option<Advice> = None;
        let mut block_bytes = BLOCK_BYTES_MIN.max(u32::try_from(least).unwrap_or(u32::MAX));
        while block_bytes <= BLOCK_BYTES_MAX {
            let ring = smallest_ring(&burst, block_bytes, reserved as u64, demand.threads);
            if let Some((ring_bytes, reserve_blocks)) = ring
                && found.is_none_or(|found| ring_bytes <= found.ring_bytes)
            {
                let (journal_segment_bytes, journal_segments) = journal(load, demand);
                found = Some(Advice {
                    ring_bytes,
                    block_bytes,
                    reserve_blocks,
                    journal_segment_bytes,
                    journal_segments,
                });
            }
            block_bytes *= 2;
        }
        found.ok_or(NoRing::TooMuch { bytes })
    }

    /// A ring of so many bytes or a few more, with smaller blocks if it would have too few; `None`
    /// if the configuration takes no such ring for records up to `longest` bytes.
    pub(super) fn shrunk_to(&self, ring_bytes: u64, longest: u32) -> Option<Advice> {
        let mut block_bytes = self.block_bytes;
        while ring_bytes / u64::from(block_bytes) < RING_BLOCKS_MIN {
            block_bytes /= 2;
        }
        let ring_bytes = ring_bytes.next_multiple_of(u64::from(block_bytes));
        let reserve_blocks = self.reserve_blocks.min(reserve_most(ring_bytes, block_bytes));
        let is_legal = ring_bytes >= RING_BYTES_MIN
            && block_bytes >= BLOCK_BYTES_MIN.max(longest * 4)
            && ring_shape(ring_bytes, block_bytes, reserve_blocks).is_some();
        is_legal.then_some(Advice { ring_bytes, block_bytes, reserve_blocks, ..*self })
    }

    /// The ring as the library cuts it; `None` if it refuses the sizes.
    pub(super) fn shape(&self) -> Option<RingShape> {
        ring_shape(self.ring_bytes, self.block_bytes, self.reserve_blocks)
    }
}

/// The smallest ring with blocks of this size that loses nothing of the burst, and its reserve.
///
/// A thread may begin with its block just filled, and each of the others keeps one.
fn smallest_ring(
    burst: &Burst<'_>,
    block_bytes: u32,
    reserved_bytes: u64,
    threads: u32,
) -> Option<(u64, u32)> {
    let block = u64::from(block_bytes);
    let ring = |blocks: u64| {
        let ring_bytes = blocks * block;
        // A block holds the less the longer the records are; at most a quarter stays empty.
        let reserve = reserved_bytes.div_ceil(block * 3 / 4).max(2);
        let reserve = u32::try_from(reserve).unwrap_or(u32::MAX);
        (ring_bytes, reserve.min(reserve_most(ring_bytes, block_bytes)))
    };
    let holds = |blocks: u64| {
        let (ring_bytes, reserve) = ring(blocks);
        ring_shape(ring_bytes, block_bytes, reserve)
            .is_some_and(|shape| Model::new(shape, threads).losses(burst.records()) == 0)
    };
    let mut low = RING_BLOCKS_MIN.max(RING_BYTES_MIN.div_ceil(block));
    let mut high = RING_BYTES_MAX / block;
    if low > high || !holds(high) {
        return None;
    }
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(ring(low))
}

/// The configuration keeps at most a quarter of the blocks in reserve.
fn reserve_most(ring_bytes: u64, block_bytes: u32) -> u32 {
    u32::try_from(ring_bytes / u64::from(block_bytes) / 4).unwrap_or(u32::MAX)
}

/// A segment for each second at most, and as many as the views may be behind.
fn journal(load: &Load, demand: &Demand) -> (u64, u64) {
    let second = load.worst(Duration::from_secs(1)).bytes;
    let segment = second.next_power_of_two().clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
    let span = demand.views_behind;
    let mut behind = load.worst(span).bytes as f64 * demand.headroom;
    if load.endless && load.duration() < span && !load.duration().is_zero() {
        behind *= span.as_secs_f64() / load.duration().as_secs_f64();
    }
    let behind = behind as u64;
    // One is being written, and one prepared.
    (segment, (behind.div_ceil(segment) + 2).clamp(SEGMENTS_MIN, 4096))
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::load;
    use super::*;

    fn demand(headroom: f64) -> Demand {
        let stall = Duration::from_millis(30);
        Demand { stall, headroom, threads: 1, views_behind: VIEWS_BEHIND }
    }

    #[test]
    fn the_advised_ring_is_the_smallest_that_loses_nothing() {
        let load = load(&vec![(0, 96); 40_000]);
        let worst = load.worst(Duration::from_millis(30));
        let advice = Advice::find(&load, &worst, &demand(2.0)).unwrap();
        let burst = Burst::new(&load, worst, 2 * 96 * 40_000);
        let losses = |ring_bytes| {
            let shape = ring_shape(ring_bytes, advice.block_bytes, advice.reserve_blocks).unwrap();
            Model::new(shape, 1).losses(burst.records())
        };
        assert_eq!(losses(advice.ring_bytes), 0);
        assert!(losses(advice.ring_bytes - u64::from(advice.block_bytes)) > 0, "{advice:?}");
        let more = Advice::find(&load, &worst, &demand(4.0)).unwrap();
        assert!(more.ring_bytes > advice.ring_bytes * 19 / 10, "{more:?}");
        let threads = Demand { threads: 9, ..demand(2.0) };
        assert!(Advice::find(&load, &worst, &threads).unwrap().ring_bytes > advice.ring_bytes);
    }

    #[test]
    fn a_quarter_of_the_ring_has_smaller_blocks_if_need_be() {
        let load = load(&vec![(0, 96); 40_000]);
        let worst = load.worst(Duration::ZERO);
        let advice = Advice::find(&load, &worst, &demand(2.0)).unwrap();
        let quarter = advice.shrunk_to(advice.ring_bytes / 4, load.longest()).unwrap();
        assert!(
            quarter.ring_bytes.abs_diff(advice.ring_bytes / 4) < u64::from(quarter.block_bytes)
        );
        assert!(quarter.ring_bytes / u64::from(quarter.block_bytes) >= 16);
        assert_eq!(advice.shrunk_to(RING_BYTES_MIN / 4, 96), None);
        assert_eq!(advice.shrunk_to(RING_BYTES_MIN, 100_000), None, "a block holds four records");
    }

    #[test]
    fn a_load_without_records_and_one_beyond_all_rings_are_refused() {
        let load = load(&[(0, 1 << 17), (0, 1 << 17)]);
        let worst = load.worst(Duration::ZERO);
        let error = Advice::find(&load, &worst, &demand(10_000.0)).unwrap_err();
        assert!(error.to_string().contains("--stall"), "{error}");
        let empty = Load::default();
        let error = Advice::find(&empty, &Stretch::default(), &demand(1.0)).unwrap_err();
        assert!(matches!(error, NoRing::Empty));
    }

    #[test]
    fn the_journal_takes_what_the_views_may_be_behind() {
        let calm = load(&[(0, 96), (500, 96)]);
        assert_eq!(journal(&calm, &demand(2.0)), (SEGMENT_BYTES_MIN, SEGMENTS_MIN));
        let busy: Vec<_> = (0..20_000).map(|at| (at, 100 << 10)).collect();
        let (segment, segments) = journal(&load(&busy), &demand(2.0));
        assert_eq!(segment, 128 << 20);
        assert_eq!(segments, (2 * 10_000 * (100_u64 << 10)).div_ceil(segment) + 2);
    }
}
