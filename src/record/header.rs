//! The fixed part of a record.

/// Bytes of a record before its arguments.
pub(crate) const RECORD_HEADER_BYTES: usize = 24;

/// Where the flags stand in a record.
pub(crate) const FLAGS_OFFSET: usize = 12;

/// In place of a site or context id: the definition stands in the record itself.
pub(crate) const INLINE: u32 = u32::MAX;

/// Whose clock stamped a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum TimeKind {
    /// Ticks read by the log call itself.
    OwnTicks = 0,
    /// Ticks that the caller brought.
    CallerTicks = 1,
    /// Nanoseconds since 1970-01-01T00:00:00Z that the caller brought.
    CallerUnixNanos = 2,
}

/// The flag bits of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Flags(pub u16);

impl Flags {
    const TIME_KIND: u16 = 0b11;
    /// The site's definition stands in the record.
    pub(crate) const SITE_INLINE: Flags = Flags(1 << 2);
    /// The context's definition stands in the record.
    pub(crate) const CONTEXT_INLINE: Flags = Flags(1 << 3);
    /// At least one string was cut to fit.
    pub(crate) const CUT: Flags = Flags(1 << 4);
    /// A secret in a text was masked: the padding may be longer than 7 bytes.
    pub(crate) const MASKED: Flags = Flags(1 << 5);

    /// The flags of a record stamped by `kind`.
    #[inline]
    #[must_use]
    pub(crate) const fn of_time(kind: TimeKind) -> Flags {
        Flags(kind as u16)
    }

    /// Both sets of flags together.
    #[inline]
    #[must_use]
    pub(crate) const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether every bit of `other` is set.
    #[inline]
    #[must_use]
    pub(crate) const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whose clock stamped the record; `None` for a code of a later version.
    #[inline]
    #[must_use]
    pub(crate) const fn time_kind(self) -> Option<TimeKind> {
        match self.0 & Self::TIME_KIND {
            0 => Some(TimeKind::OwnTicks),
            1 => Some(TimeKind::CallerTicks),
            2 => Some(TimeKind::CallerUnixNanos),
            _ => None,
        }
    }
}

/// The decoded fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    /// Bytes of the whole record, a multiple of 8.
    pub length: u32,
    /// The call site: 0 for a gap record, [`INLINE`] when defined in the record.
    pub site: u32,
    /// The bound context: 0 for none, [`INLINE`] when defined in the record.
    pub context: u32,
    /// Time kind and inline definitions.
    pub flags: Flags,
    /// The time stamp, in the unit that the flags name.
    pub time: u64,
}

impl RecordHeader {
    /// Writes the header to the front of `out`.
    #[inline(always)]
    pub(crate) fn write(&self, out: &mut [u8; RECORD_HEADER_BYTES]) {
        // Two fields to a word: the number of stores is what a push takes (PERF.md, "stores").
        let first = u64::from(self.length) | u64::from(self.site) << 32;
        let second = u64::from(self.context) | u64::from(self.flags.0) << 32;
        out[0..8].copy_from_slice(&first.to_le_bytes());
        out[8..16].copy_from_slice(&second.to_le_bytes());
        out[16..24].copy_from_slice(&self.time.to_le_bytes());
    }

    /// Reads the header of the record at the front of `bytes`; `None` where the bytes hold no
    /// whole record (too short, or a length that is not a multiple of 8 or runs past the end).
    #[inline]
    #[must_use]
    pub(crate) fn read(bytes: &[u8]) -> Option<RecordHeader> {
        let (fixed, _) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>()?;
        let header = Self::read_fixed(fixed);
        let length = header.length as usize;
        let whole =
            length >= RECORD_HEADER_BYTES && length.is_multiple_of(8) && length <= bytes.len();
        whole.then_some(header)
    }

    /// Reads the header of a record, whose length may be wrong.
    #[inline]
    #[must_use]
    pub(crate) fn read_fixed(fixed: &[u8; RECORD_HEADER_BYTES]) -> RecordHeader {
        let [l0, l1, l2, l3, s0, s1, s2, s3, c0, c1, c2, c3, f0, f1, _, _, time @ ..] = *fixed;
        RecordHeader {
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            site: u32::from_le_bytes([s0, s1, s2, s3]),
            context: u32::from_le_bytes([c0, c1, c2, c3]),
            flags: Flags(u16::from_le_bytes([f0, f1])),
            time: u64::from_le_bytes(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_as_written_and_bad_lengths_are_refused() {
        let header = RecordHeader {
            length: 32,
            site: 7,
            context: INLINE,
            flags: Flags::of_time(TimeKind::CallerUnixNanos).with(Flags::CONTEXT_INLINE),
            time: 0x0102_0304_0506_0708,
        };
        let mut fixed = [0; RECORD_HEADER_BYTES];
        header.write(&mut fixed);
        assert_eq!(fixed[FLAGS_OFFSET..FLAGS_OFFSET + 2], header.flags.0.to_le_bytes());
        let mut bytes = [0_u8; 32];
        bytes[..RECORD_HEADER_BYTES].copy_from_slice(&fixed);
        assert_eq!(RecordHeader::read(&bytes), Some(header));
        assert_eq!(RecordHeader::read(&bytes[..31]), None);
        bytes[0] = 31;
        assert_eq!(RecordHeader::read(&bytes), None);
        assert_eq!(header.flags.time_kind(), Some(TimeKind::CallerUnixNanos));
        assert!(header.flags.contains(Flags::CONTEXT_INLINE));
        assert!(!header.flags.contains(Flags::SITE_INLINE));
    }
}
