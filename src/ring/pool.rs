//! The free blocks: a bitmap.

use super::layout::Geometry;
use crate::sync::{AtomicU32, AtomicU64, Ordering, Table};

/// Which blocks are free: a set bit is a free block.
///
/// A set bit is cleared by compare-and-swap: what is claimed depends on nothing but the word itself,
/// so there is no ABA problem. A lane goes round the ring, so a block rests for as long as can be
/// before it is written again: until then the drain's core has let go of the lines it has read
/// (PERF.md, "round the ring").
#[derive(Debug)]
pub(crate) struct Pool {
    words: Table<AtomicU64>,
    blocks: u32,
    /// The first block of the reserve.
    reserve_from: u32,
    /// The most blocks that were ever in use.
    used_max: AtomicU32,
}

impl Pool {
    /// Takes the zeroed bitmap and sets all blocks free.
    pub(crate) fn new(words: Table<AtomicU64>, geometry: &Geometry) -> Pool {
        for (index, word) in words.iter().enumerate() {
            let before = u32::try_from(index * 64).unwrap_or(u32::MAX);
            let bits = mask_below(geometry.blocks.saturating_sub(before));
            // ORDERING: Relaxed, nobody else sees the ring yet.
            // PAIRS WITH: the exchange in `clear_lowest`, of who was handed the ring.
            // IF WEAKENED: it is the weakest already.
            word.store(bits, Ordering::Relaxed);
        }
        Pool {
            words,
            blocks: geometry.blocks,
            reserve_from: geometry.blocks - geometry.reserve,
            used_max: AtomicU32::new(0),
        }
    }

    /// Whether a block belongs to the reserve.
    pub(crate) fn is_reserve(&self, block: u32) -> bool {
        block >= self.reserve_from
    }

    /// Claims a free block that is not in the reserve: the first one from `from` on, round the ring.
    pub(crate) fn claim(&self, from: u32) -> Option<u32> {
        self.claim_below(self.reserve_from, from)
    }

    /// Claims a free block as [`claim`](Pool::claim) does, the reserve included.
    pub(crate) fn claim_reserve(&self, from: u32) -> Option<u32> {
        self.claim_below(self.blocks, from)
    }

    fn claim_below(&self, end: u32, from: u32) -> Option<u32> {
        let (words, first) = (end.div_ceil(64).max(1), from / 64);
        // The word with `from` comes first, without what lies below, and once more at the end.
        for turn in 0..=words {
            let index = (first + turn) % words;
            let below = if turn == 0 && first < words { mask_below(from % 64) } else { 0 };
            let admitted = mask_below(end - index * 64) & !below;
            if let Some(bit) = self.clear_lowest(index, admitted) {
                return Some(index * 64 + bit);
            }
        }
        None
    }

    /// Clears the lowest of the admitted bits that are set in a word.
    fn clear_lowest(&self, index: u32, admitted: u64) -> Option<u32> {
        let word = &self.words[index as usize];
        // ORDERING: Relaxed, only a guess that the exchange below confirms.
        // PAIRS WITH: the Release addition in `give_back`.
        // IF WEAKENED: it is the weakest already; a free block that is not seen yet is passed by.
        let mut bits = word.load(Ordering::Relaxed);
        while bits & admitted != 0 {
            let bit = (bits & admitted).trailing_zeros();
            let rest = bits & !(1 << bit);
            // ORDERING: Acquire, the claimer will overwrite the block.
            // PAIRS WITH: the Release addition in `give_back`.
            // IF WEAKENED: a producer overwrites what the drain still reads
            //   (loom-tests: `a_block_changes_hands_once`).
            match word.compare_exchange(bits, rest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(bit),
                Err(now) => bits = now,
            }
        }
        None
    }

    /// Sets a block free; only the drain calls it, for a block that it has emptied.
    pub(crate) fn give_back(&self, block: u32) {
        let (index, bit) = ((block / 64) as usize, block % 64);
        // ORDERING: Release, the drain has read all of the block and moved `drained` past it.
        // PAIRS WITH: the Acquire exchange in `clear_lowest`.
        // IF WEAKENED: see there.
        let before = self.words[index].fetch_or(1 << bit, Ordering::Release);
        debug_assert!(before & (1 << bit) == 0, "block {block} was given back twice");
    }

    /// Number of free blocks, the reserve included.
    pub(crate) fn free(&self) -> u32 {
        // ORDERING: Relaxed, a statistic; and a hint to who waits, and looks again.
        // PAIRS WITH: the exchange in `clear_lowest` and the addition in `give_back`.
        // IF WEAKENED: it is the weakest already.
        self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum()
    }

    /// Number of blocks.
    pub(crate) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Notes how many blocks are in use. Use only grows between two give-backs, so a look just
    /// before each of them sees every peak and costs the producers nothing.
    pub(crate) fn note_used(&self) {
        // ORDERING: Relaxed, a statistic.
        // PAIRS WITH: the load in `used_max`.
        // IF WEAKENED: it is the weakest already.
        self.used_max.fetch_max(self.blocks - self.free(), Ordering::Relaxed);
    }

    /// The most blocks that were ever in use.
    pub(crate) fn used_max(&self) -> u32 {
        self.note_used();
        // ORDERING: Relaxed, a statistic.
        // PAIRS WITH: the maximum in `note_used`.
        // IF WEAKENED: it is the weakest already.
        self.used_max.load(Ordering::Relaxed)
    }
}

/// The lowest `count` bits, all of them from 64.
fn mask_below(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}
