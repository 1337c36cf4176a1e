//! The ring on paper: what it loses while the drain is away.
//!
//! The same rules as in the ring, record by record: a block is filled to the end, an ordinary block
//! is taken before one of the reserve, only the privileged may take the reserve, and after a loss
//! the next record carries a gap record before it. So the losses of one thread are foretold
//! exactly.

use tapelog::testing::RingShape;

use super::load::Record;

/// One thread's blocks.
#[derive(Debug, Clone)]
pub(super) struct Model {
    shape: RingShape,
    ordinary_free: u32,
    reserve_free: u32,
    /// How far the current block is filled, and whether it is of the reserve.
    fill: Option<(u32, bool)>,
    untold: bool,
}

impl Model {
    /// A thread that has no block yet, in a ring in which `taken` blocks are other threads'.
    pub(super) fn new(shape: RingShape, taken: u32) -> Model {
        let ordinary = shape.blocks - shape.reserve_blocks;
        Model {
            shape,
            ordinary_free: ordinary.saturating_sub(taken),
            reserve_free: shape.reserve_blocks,
            fill: None,
            untold: false,
        }
    }

    /// How many of the records find no room.
    pub(super) fn losses<'a>(mut self, records: impl IntoIterator<Item = &'a Record>) -> u64 {
        records.into_iter().map(|record| u64::from(!self.takes(record))).sum()
    }

    /// Whether the ring takes the record.
    fn takes(&mut self, record: &Record) -> bool {
        let gap = if self.untold { self.shape.gap_bytes } else { 0 };
        let bytes = gap + record.bytes;
        let taken = record.bytes <= self.shape.record_bytes_max && self.finds_room(bytes, record);
        self.untold = !taken;
        if let (true, Some((fill, _))) = (taken, &mut self.fill) {
            *fill += bytes;
        }
        taken
    }

    fn finds_room(&mut self, bytes: u32, record: &Record) -> bool {
        let stays = self.fill.filter(|(fill, _)| fill + bytes <= self.shape.block_bytes);
        if let Some((_, false)) = stays {
            return true;
        }
        if let Some(rest) = self.ordinary_free.checked_sub(1) {
            self.ordinary_free = rest;
            self.fill = Some((self.shape.head_bytes, false));
            return true;
        }
        if !record.privileged || stays.is_some() {
            return record.privileged;
        }
        let Some(rest) = self.reserve_free.checked_sub(1) else { return false };
        self.reserve_free = rest;
        self.fill = Some((self.shape.head_bytes, true));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> RingShape {
        tapelog::testing::ring_shape(256 << 10, 4096, 2).unwrap()
    }

    fn records(count: usize, bytes: u32, privileged: bool) -> Vec<Record> {
        vec![Record { at_ns: 0, bytes, privileged, detail: false }; count]
    }

    #[test]
    fn ordinary_records_fill_all_but_the_reserve() {
        let shape = shape();
        // Four of 1,000 bytes fit behind a block's head; the rest stays empty.
        let room = 4 * (shape.blocks - shape.reserve_blocks) as usize;
        for (count, lost) in [(room, 0), (room + 1, 1), (room + 100, 100)] {
            assert_eq!(Model::new(shape, 0).losses(&records(count, 1_000, false)), lost);
        }
        assert_eq!(Model::new(shape, 3).losses(&records(room, 1_000, false)), 12);
    }

    #[test]
    fn privileged_records_go_on_in_the_reserve_behind_a_gap_record() {
        let shape = shape();
        let room = 4 * (shape.blocks - shape.reserve_blocks) as usize;
        let mut load = records(room + 1, 1_000, false);
        // Two blocks of the reserve: the first record has a gap record of 104 bytes before it, and
        // so only three more fit into its block.
        load.extend(records(8, 960, true));
        assert_eq!(Model::new(shape, 0).losses(&load), 1);
        load.extend(records(1, 960, true));
        assert_eq!(Model::new(shape, 0).losses(&load), 2);
    }

    #[test]
    fn what_is_too_long_for_any_block_is_lost_alone() {
        let mut load = records(3, 1_000, false);
        load[1].bytes = shape().record_bytes_max + 8;
        assert_eq!(Model::new(shape(), 0).losses(&load), 1);
    }
}
