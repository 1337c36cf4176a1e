//! The record that tells how many records of a lane were lost.

use super::decode::Malformed;
use super::encode::Sink;
use super::header::{Flags, RECORD_HEADER_BYTES, RecordHeader, TimeKind};

/// The site id of gap records.
pub(crate) const GAP_SITE: u32 = 0;

/// Bytes of a gap record.
pub(crate) const GAP_RECORD_BYTES: u32 = 104;

/// The names of the reasons for a loss, in their stored order.
pub(crate) const REASONS: [&str; 6] = ["full", "lane", "reentrant", "closed", "view_lag", "disk"];

/// What a lane has lost since it was opened: totals, so that a repeated report does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Gap {
    /// When the report was made, in ticks.
    pub(crate) ticks: u64,
    /// The lane and its generation.
    pub(crate) lane: u32,
    pub(crate) generation: u32,
    /// Records lost, by [`REASONS`].
    pub(crate) by_reason: [u64; 6],
    /// How many of them were trade events.
    pub(crate) trade: u64,
    /// When the first record since the last report of this lane was lost, in ticks.
    pub(crate) first_ticks: u64,
    /// When the last one was lost, in ticks.
    pub(crate) last_ticks: u64,
}

impl Gap {
    /// Writes the whole record.
    ///
    /// ```text
    /// 0 header │ 24 lane u32 │ 28 generation u32 │ 32 six totals u64 │ 80 trade u64
    /// │ 88 first u64 │ 96 last u64 │ 104
    /// ```
    pub(crate) fn write(&self, out: &mut [u8; GAP_RECORD_BYTES as usize]) {
        let header = RecordHeader {
            length: GAP_RECORD_BYTES,
            site: GAP_SITE,
            context: 0,
            flags: Flags::of_time(TimeKind::OwnTicks),
            time: self.ticks,
        };
        let (fixed, rest) = out.split_at_mut(RECORD_HEADER_BYTES);
        let mut head = [0; RECORD_HEADER_BYTES];
        header.write(&mut head);
        fixed.copy_from_slice(&head);
        let mut sink = Sink::new(rest);
        sink.put(&self.lane.to_le_bytes());
        sink.put(&self.generation.to_le_bytes());
        for total in self.by_reason {
            sink.put(&total.to_le_bytes());
        }
        sink.put(&self.trade.to_le_bytes());
        sink.put(&self.first_ticks.to_le_bytes());
        sink.put(&self.last_ticks.to_le_bytes());
    }

    /// Reads the arguments of a gap record stamped `ticks`.
    ///
    /// # Errors
    /// [`Malformed`] if there are not exactly as many bytes as a gap record has.
    pub(crate) fn read(ticks: u64, arguments: &[u8]) -> Result<Gap, Malformed> {
        const WORDS: usize = (GAP_RECORD_BYTES as usize - RECORD_HEADER_BYTES) / 8;
        let (words, []) = arguments.as_chunks::<8>() else { return Err(Malformed) };
        let words: &[[u8; 8]; WORDS] = words.try_into().map_err(|_| Malformed)?;
        let [ids, totals @ .., trade, first, last] = words.map(u64::from_le_bytes);
        Ok(Gap {
            ticks,
            lane: ids as u32,
            generation: (ids >> 32) as u32,
            by_reason: totals,
            trade,
            first_ticks: first,
            last_ticks: last,
        })
    }

    /// All losses together.
    pub(crate) fn total(&self) -> u64 {
        // Saturating: a reader must not trust what it reads.
        self.by_reason.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_reads_back_as_written() {
        let gap = Gap {
            ticks: 99,
            lane: 3,
            generation: 7,
            by_reason: [1, 2, 3, 4, 5, 6],
            trade: 8,
            first_ticks: 10,
            last_ticks: 20,
        };
        let mut bytes = [0; GAP_RECORD_BYTES as usize];
        gap.write(&mut bytes);
        let header = RecordHeader::read(&bytes).expect("a whole record");
        assert_eq!((header.site, header.length), (GAP_SITE, GAP_RECORD_BYTES));
        assert_eq!(Gap::read(99, &bytes[RECORD_HEADER_BYTES..]), Ok(gap));
        assert_eq!(Gap::read(99, &bytes[RECORD_HEADER_BYTES..96]), Err(Malformed));
        assert_eq!(gap.total(), 21);
    }
}
