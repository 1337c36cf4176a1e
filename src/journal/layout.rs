//! The first page of a segment file.
//!
//! ```text
//!    0 ┌────────────┬───────┬──────────┬───┬───────────────┬───────────────┬──────────┬────────┐
//!      │ "TAPELOG\0"│version│fixed size│ 0 │required bits  │optional bits  │ sequence │ use id │
//!   48 ├────────────┼───────┴──────────┼───┴───────────────┼───────────────┼─────┬────┴────────┤
//!      │ writer id  │ segment bytes    │ created, unix ns  │ order window  │ pid │ host length │
//!   88 ├────────────┴──────────────────┴────┬──────────────┼───────────────┴─────┴─────────────┘
//!      │ host, 64 bytes, zero padded        │ facility u8  │ program length u8 │ 0 u16         │
//!  156 ├────────────────────────────────────┼──────────────┴──────────┬────────┴───────────────┘
//!      │ program, 48 bytes, zero padded     │ after u64 │ 0 u64│ crc32c │
//!  224 └────────────────────────────────────┴──────────────┴──────────┘
//!  256   opening line: { ticks u64 │ unix ns i64 │ ns per tick u64 │ crc32c u32 │ 0 u32 }
//!  512   cursor u64: the end of what is published, on a cache line of its own
//! 1024   time index: 128 × { unix ns i64 │ offset u32 │ last definition u32 │ crc32c u32 │ 0 u32 }
//! 4096   frames
//! ```
//!
//! Everything is little endian. `docs/format.md` says the same for readers in other languages.

use super::bytes::{crc32c, get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use crate::clock::Calibration;

/// Bytes in front of the first frame.
pub(crate) const HEADER_PAGE_BYTES: usize = 4096;
/// Where the first frame begins.
pub(super) const FIRST_OFFSET: u32 = HEADER_PAGE_BYTES as u32;
/// Where the live cursor stands.
pub(super) const CURSOR_OFFSET: usize = 512;
/// Entries of the time index, each for an equal part of the segment.
pub(super) const INDEX_ENTRIES: usize = 128;

const MAGIC: [u8; 8] = *b"TAPELOG\0";
const VERSION: u16 = 1;
/// The part of it that is fixed, its CRC included.
pub(super) const FIXED_BYTES: usize = 224;
const USE_ID_OFFSET: usize = 40;
const CRC_OFFSET: usize = FIXED_BYTES - 4;
const HOST_BYTES_MAX: usize = 64;
const PROGRAM_BYTES_MAX: usize = 48;
const INDEX_OFFSET: usize = 1024;
const INDEX_ENTRY_BYTES: usize = 24;
/// Features that a reader must know to read a segment: none so far.
const KNOWN_FEATURES: u64 = 0;

const _: () = assert!(FIXED_BYTES <= CURSOR_OFFSET);
const _: () = assert!(CURSOR_OFFSET.is_multiple_of(128) && CURSOR_OFFSET + 8 <= INDEX_OFFSET);
const _: () = assert!(INDEX_OFFSET + INDEX_ENTRIES * INDEX_ENTRY_BYTES == HEADER_PAGE_BYTES);

/// The fixed part of a segment's header, checked by its CRC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The number in the file's name.
    pub(crate) sequence: u64,
    /// Random for each use of the file, and repeated in every frame of that use.
    pub(crate) use_id: u64,
    /// The ring of the engine that writes: another one means another run.
    pub(crate) writer: u64,
    /// Bytes of the file while it is written.
    pub(crate) segment_bytes: u64,
    /// When the segment was prepared.
    pub(crate) created_unix_nanos: i64,
    /// How far apart records may arrive and still be sorted.
    pub(crate) order_window_nanos: u64,
    /// The writing process.
    pub(crate) pid: u32,
    /// The writing machine.
    pub(crate) host: String,
    /// The writing program: `log_name`.
    pub(crate) program: String,
    /// Its syslog facility.
    pub(crate) facility: u8,
    /// The segment in front of it that was kept in a file: those in between lay in memory alone, or
    /// hold nothing. 0: it follows the one before it by its number.
    pub(crate) after: u64,
}

/// What the first page of a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HeaderPage {
    /// A header that this version reads.
    Header(SegmentHeader),
    /// One of ours, of a later format.
    Unsupported { version: u16, features: u64 },
    /// One of ours, damaged.
    Damaged,
    /// Not one of ours.
    Foreign,
}

impl SegmentHeader {
    /// The segment in front of it that was kept in a file, as it says; 0 for none.
    pub(super) fn predecessor(&self) -> u64 {
        if self.after == 0 { self.sequence.saturating_sub(1) } else { self.after }
    }

    /// What a header has to say of the segment in front of it.
    pub(super) fn after(sequence: u64, predecessor: u64) -> u64 {
        if predecessor.saturating_add(1) == sequence { 0 } else { predecessor }
    }

    /// The whole first page, with an empty index and the cursor at the first frame.
    pub(super) fn page(&self) -> Box<[u8]> {
        let mut page = vec![0; HEADER_PAGE_BYTES].into_boxed_slice();
        page[..8].copy_from_slice(&MAGIC);
        put_u16(&mut page, 8, VERSION);
        put_u16(&mut page, 10, FIXED_BYTES as u16);
        put_u64(&mut page, 16, KNOWN_FEATURES);
        put_u64(&mut page, 32, self.sequence);
        put_u64(&mut page, USE_ID_OFFSET, self.use_id);
        put_u64(&mut page, 48, self.writer);
        put_u64(&mut page, 56, self.segment_bytes);
        put_u64(&mut page, 64, self.created_unix_nanos as u64);
        put_u64(&mut page, 72, self.order_window_nanos);
        put_u32(&mut page, 80, self.pid);
        let host = &self.host.as_bytes()[..self.host.floor_char_boundary(HOST_BYTES_MAX)];
        put_u32(&mut page, 84, host.len() as u32);
        page[88..88 + host.len()].copy_from_slice(host);
        let program =
            &self.program.as_bytes()[..self.program.floor_char_boundary(PROGRAM_BYTES_MAX)];
        page[152] = self.facility;
        page[153] = program.len() as u8;
        page[156..156 + program.len()].copy_from_slice(program);
        put_u64(&mut page, 204, self.after);
        let crc = crc32c(&page[..CRC_OFFSET]);
        put_u32(&mut page, CRC_OFFSET, crc);
        put_u64(&mut page, CURSOR_OFFSET, FIRST_OFFSET.into());
        page
    }

    /// Reads the fixed part from the front of a page, which may be cut short.
    pub(super) fn read(page: &[u8]) -> HeaderPage {
        if page.get(..8) != Some(&MAGIC) {
            return HeaderPage::Foreign;
        }
        let fixed = usize::from(get_u16(page, 10));
        if !(FIXED_BYTES..=CURSOR_OFFSET).contains(&fixed) || page.len() < fixed {
            return HeaderPage::Damaged;
        }
        if crc32c(&page[..fixed - 4]) != get_u32(page, fixed - 4) {
            return HeaderPage::Damaged;
        }
        let (version, features) = (get_u16(page, 8), get_u64(page, 16));
        if version != VERSION || features & !KNOWN_FEATURES != 0 {
            return HeaderPage::Unsupported { version, features };
        }
        let program_end = 156 + usize::from(page[153]).min(PROGRAM_BYTES_MAX);
        let host_end = 88 + (get_u32(page, 84) as usize).min(HOST_BYTES_MAX);
        HeaderPage::Header(SegmentHeader {
            sequence: get_u64(page, 32),
            use_id: get_u64(page, 40),
            writer: get_u64(page, 48),
            segment_bytes: get_u64(page, 56),
            created_unix_nanos: get_u64(page, 64) as i64,
            order_window_nanos: get_u64(page, 72),
            pid: get_u32(page, 80),
            host: String::from_utf8_lossy(&page[88..host_end]).into_owned(),
            program: String::from_utf8_lossy(&page[156..program_end]).into_owned(),
            facility: page[152],
            after: get_u64(page, 204),
        })
    }
}

/// One entry of the time index: a place where a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// When the last pass in front of `offset` began; later own stamps lie behind it.
    pub(super) unix_nanos: i64,
    /// Where the next pass' first frame stands or will stand.
    pub(super) offset: u32,
    /// The last definition frame in front of `offset`.
    pub(super) last_definition: u32,
}

impl IndexEntry {
    /// Where entry `number` stands in the page.
    pub(super) fn place(number: usize) -> usize {
        INDEX_OFFSET + number.min(INDEX_ENTRIES - 1) * INDEX_ENTRY_BYTES
    }

    /// The number of the entry that covers `offset`.
    pub(super) fn number(offset: u32, segment_bytes: u64) -> usize {
        let number = u64::from(offset) * INDEX_ENTRIES as u64 / segment_bytes.max(1);
        (number as usize).min(INDEX_ENTRIES - 1)
    }

    /// The entry's bytes in the use `use_id`.
    pub(super) fn encode(&self, use_id: u64) -> [u8; INDEX_ENTRY_BYTES] {
        let mut bytes = [0; INDEX_ENTRY_BYTES];
        put_u64(&mut bytes, 0, self.unix_nanos as u64);
        put_u32(&mut bytes, 8, self.offset);
        put_u32(&mut bytes, 12, self.last_definition);
        let crc = Self::crc(&bytes, use_id);
        put_u32(&mut bytes, 16, crc);
        bytes
    }

    /// Entry `number` of a header page; `None` where it was not filled in this use.
    pub(super) fn read(page: &[u8], number: usize, use_id: u64) -> Option<IndexEntry> {
        let place = Self::place(number);
        let bytes = page.get(place..place + INDEX_ENTRY_BYTES)?;
        let entry = IndexEntry {
            unix_nanos: get_u64(bytes, 0) as i64,
            offset: get_u32(bytes, 8),
            last_definition: get_u32(bytes, 12),
        };
        let filled = entry.offset >= FIRST_OFFSET && get_u32(bytes, 16) == Self::crc(bytes, use_id);
        filled.then_some(entry)
    }

    /// Over the use id and the first 16 bytes.
    fn crc(bytes: &[u8], use_id: u64) -> u32 {
        let mut covered = [0; 24];
        put_u64(&mut covered, 0, use_id);
        covered[8..].copy_from_slice(&bytes[..16]);
        crc32c(&covered)
    }
}

/// A copy of the calibration that opens the segment, for when the first frame is damaged.
#[derive(Debug)]
pub(super) struct OpeningLine;

impl OpeningLine {
    /// Where it stands.
    pub(super) const OFFSET: usize = 256;
    const BYTES: usize = 32;

    /// The line's bytes in the use `use_id`.
    pub(super) fn encode(line: Calibration, use_id: u64) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        put_u64(&mut bytes, 0, line.ticks);
        put_u64(&mut bytes, 8, line.unix_nanos as u64);
        put_u64(&mut bytes, 16, line.nanos_per_tick);
        let crc = Self::crc(&bytes, use_id);
        put_u32(&mut bytes, 24, crc);
        bytes
    }

    /// The line in a header page; `None` where it was not written in this use.
    pub(super) fn read(page: &[u8], use_id: u64) -> Option<Calibration> {
        let bytes = page.get(Self::OFFSET..Self::OFFSET + Self::BYTES)?;
        let line = Calibration {
            ticks: get_u64(bytes, 0),
            unix_nanos: get_u64(bytes, 8) as i64,
            nanos_per_tick: get_u64(bytes, 16),
            stepped: false,
        };
        (get_u32(bytes, 24) == Self::crc(bytes, use_id)).then_some(line)
    }

    /// Over the use id and the first 24 bytes.
    fn crc(bytes: &[u8], use_id: u64) -> u32 {
        let mut covered = [0; 32];
        put_u64(&mut covered, 0, use_id);
        covered[8..].copy_from_slice(&bytes[..24]);
        crc32c(&covered)
    }
}

const _: () = assert!(OpeningLine::OFFSET >= FIXED_BYTES);
const _: () = assert!(OpeningLine::OFFSET + OpeningLine::BYTES <= CURSOR_OFFSET);

/// Makes the header page one of a segment that ends at `end`: the cursor stands there, and the time index
/// has no entry that points behind it, or is damaged.
pub(crate) fn cut(page: &mut [u8; HEADER_PAGE_BYTES], end: u64) {
    let use_id = get_u64(page, USE_ID_OFFSET);
    for at in 1..INDEX_ENTRIES {
        let sound = IndexEntry::read(page, at, use_id);
        if sound.is_none_or(|entry| u64::from(entry.offset) >= end) {
            page[IndexEntry::place(at)..][..INDEX_ENTRY_BYTES].fill(0);
        }
    }
    put_u64(page, CURSOR_OFFSET, end);
}

/// The published end in a header page, rounded to where a frame can stand.
pub(super) fn cursor_of(bytes: &[u8]) -> u64 {
    get_u64(bytes, 0) & !7
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            sequence: 7,
            use_id: 0x0123_4567_89ab_cdef,
            writer: 9,
            segment_bytes: 1 << 24,
            created_unix_nanos: -5,
            order_window_nanos: 10_000_000,
            pid: 42,
            host: "büro".repeat(30),
            program: "metaexpert".into(),
            facility: 16,
            after: 4,
        }
    }

    #[test]
    fn a_header_reads_back_and_every_flipped_byte_is_noticed() {
        let mut page = header().page();
        let HeaderPage::Header(read) = SegmentHeader::read(&page) else { panic!("refused") };
        assert!(header().host.starts_with(&read.host) && read.host.len() <= 64);
        assert_eq!(SegmentHeader { host: header().host, ..read }, header());
        assert_eq!(cursor_of(&page[CURSOR_OFFSET..]), 4096);
        for at in 0..FIXED_BYTES {
            page[at] ^= 0x10;
            assert!(!matches!(SegmentHeader::read(&page), HeaderPage::Header(_)), "byte {at}");
            page[at] ^= 0x10;
        }
        for end in 0..FIXED_BYTES {
            assert!(!matches!(SegmentHeader::read(&page[..end]), HeaderPage::Header(_)));
        }
    }

    #[test]
    fn a_later_version_and_an_unknown_required_feature_are_told_apart_from_damage() {
        for (at, version, features) in [(8, 3, 0), (16, 1, 2)] {
            let mut page = header().page();
            page[at] = (page[at] & 1) | 2;
            let crc = crc32c(&page[..CRC_OFFSET]);
            put_u32(&mut page, CRC_OFFSET, crc);
            assert_eq!(SegmentHeader::read(&page), HeaderPage::Unsupported { version, features });
        }
        assert_eq!(SegmentHeader::read(b"not ours at all"), HeaderPage::Foreign);
    }

    #[test]
    fn an_index_entry_of_another_use_counts_as_empty() {
        let entry = IndexEntry { unix_nanos: 5, offset: 8192, last_definition: 4096 };
        let mut page = header().page();
        let number = IndexEntry::number(8192, 1 << 20);
        page[IndexEntry::place(number)..][..24].copy_from_slice(&entry.encode(1));
        assert_eq!(IndexEntry::read(&page, number, 1), Some(entry));
        assert_eq!(IndexEntry::read(&page, number, 2), None);
        assert_eq!(IndexEntry::read(&page, number + 1, 1), None);
    }
}
