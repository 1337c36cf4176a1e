//! Frames: what stands behind the first page of a segment, one after the other.
//!
//! ```text
//!  0         4        8      10      12      16        24                    28       32
//! ┌─────────┬────────┬──────┬───────┬───────┬─────────┬─────────────────────┬────────┬──────
//! │ crc32c  │ length │ kind │ flags │ count │ use id  │ previous definition │ offset │ body …
//! │ u32     │ u32    │ u16  │ u16   │ u32   │ u64     │ u32                 │ u32    │
//! └─────────┴────────┴──────┴───────┴───────┴─────────┴─────────────────────┴────────┴──────
//!           └──────────────────────── covered by the CRC ──────────────────────────────…
//! ```
//!
//! `length` covers the whole frame and is a multiple of 8; `offset` is where the frame stands, so
//! that bytes which look like a frame are one only in their own place.

use super::bytes::{crc32c, get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use crate::clock::Calibration;
use crate::record::TimeKind;

/// Bytes in front of a frame's body.
pub(super) const FRAME_HEADER_BYTES: usize = 32;
/// No frame is longer.
pub(super) const FRAME_BYTES_MAX: usize = 2 << 20;
/// No frame with a definition is longer.
pub(super) const DEFINITION_FRAME_BYTES_MAX: usize = 128 << 10;
/// The fixed part of a frame with records, frame header included.
pub(super) const RECORDS_HEADER_BYTES: usize = 104;
/// The fixed part of a frame with a definition, frame header included.
pub(super) const DEFINITION_HEADER_BYTES: usize = 48;
pub(super) const CALIBRATION_BYTES: usize = 64;
pub(super) const BARRIER_BYTES: usize = 64;
pub(super) const END_BYTES: usize = 40;

const _: () = assert!(RECORDS_HEADER_BYTES.is_multiple_of(8));
const _: () = assert!(DEFINITION_HEADER_BYTES.is_multiple_of(8));

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(pub(super) u16);

impl Kind {
    /// One lane's run of records.
    pub(super) const RECORDS: Kind = Kind(1);
    /// A call site's definition.
    pub(super) const SITE: Kind = Kind(2);
    /// A bound context's definition.
    pub(super) const CONTEXT: Kind = Kind(3);
    /// The line that turns ticks into UTC from here on.
    pub(super) const CALIBRATION: Kind = Kind(4);
    /// A gap record made by the drain for a silent lane.
    pub(super) const GAP: Kind = Kind(5);
    /// Everything in front of it is to be given out.
    pub(super) const BARRIER: Kind = Kind(6);
    /// The segment ends here.
    pub(super) const END: Kind = Kind(7);

    /// Whether frames of this kind belong to the chain of definitions.
    pub(super) fn is_definition(self) -> bool {
        matches!(self, Kind::SITE | Kind::CONTEXT | Kind::CALIBRATION)
    }
}

/// In a calibration's flags: UTC jumped here.
pub(super) const STEPPED: u16 = 1;
/// In an end frame's flags: the writer ended cleanly.
pub(super) const CLEAN_END: u16 = 1;

/// The part that all frames share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) length: u32,
    pub(super) kind: Kind,
    pub(super) flags: u16,
    pub(super) count: u32,
    pub(super) use_id: u64,
    /// The last definition frame in front of this one, 0 for none.
    pub(super) previous_definition: u32,
    pub(super) offset: u32,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The file ends inside the frame.
    #[error("the file is cut short")]
    Short,
    /// The length is impossible.
    #[error("a frame's length is impossible")]
    Length,
    /// The bytes belong to an earlier use of the file, or to none.
    #[error("no frame stands there")]
    OtherUse,
    /// The frame was written for another place.
    #[error("a frame stands in the wrong place")]
    Place,
    /// The checksum does not match.
    #[error("a frame's checksum does not match")]
    Checksum,
    /// The segment's header is unreadable.
    #[error("the segment's header is damaged")]
    Header,
}

impl FrameHeader {
    /// Writes the header into `frame`, whose body is complete, and seals both with the CRC.
    pub(super) fn seal(&self, frame: &mut [u8]) {
        debug_assert_eq!(frame.len(), self.length as usize);
        put_u32(frame, 4, self.length);
        put_u16(frame, 8, self.kind.0);
        put_u16(frame, 10, self.flags);
        put_u32(frame, 12, self.count);
        put_u64(frame, 16, self.use_id);
        put_u32(frame, 24, self.previous_definition);
        put_u32(frame, 28, self.offset);
        let crc = crc32c(&frame[4..]);
        put_u32(frame, 0, crc);
    }

    /// Reads a header and checks what can be checked without the body.
    ///
    /// # Errors
    /// A [`Fault`] if no frame of the use `use_id` can begin at `offset`.
    pub(super) fn read(bytes: &[u8], use_id: u64, offset: u64) -> Result<FrameHeader, Fault> {
        if bytes.len() < FRAME_HEADER_BYTES {
            return Err(Fault::Short);
        }
        let header = FrameHeader {
            length: get_u32(bytes, 4),
            kind: Kind(get_u16(bytes, 8)),
            flags: get_u16(bytes, 10),
            count: get_u32(bytes, 12),
            use_id: get_u64(bytes, 16),
            previous_definition: get_u32(bytes, 24),
            offset: get_u32(bytes, 28),
        };
        if header.use_id != use_id {
            return Err(Fault::OtherUse);
        }
        if u64::from(header.offset) != offset {
            return Err(Fault::Place);
        }
        let longest = match header.kind {
            Kind::SITE | Kind::CONTEXT => DEFINITION_FRAME_BYTES_MAX,
            _ => FRAME_BYTES_MAX,
        };
        let length = header.length as usize;
        let possible = header.fixed_bytes()..=longest;
        if !possible.contains(&length) || !length.is_multiple_of(8) {
            return Err(Fault::Length);
        }
        Ok(header)
    }

    /// Checks a whole frame against its CRC.
    ///
    /// # Errors
    /// [`Fault::Checksum`] if they disagree.
    pub(super) fn verify(frame: &[u8]) -> Result<(), Fault> {
        let matches = frame.len() > 4 && crc32c(&frame[4..]) == get_u32(frame, 0);
        if matches { Ok(()) } else { Err(Fault::Checksum) }
    }

    /// Bytes that a frame of this kind has at least.
    fn fixed_bytes(&self) -> usize {
        match self.kind {
            Kind::RECORDS | Kind::GAP => RECORDS_HEADER_BYTES,
            Kind::SITE | Kind::CONTEXT => DEFINITION_HEADER_BYTES,
            Kind::CALIBRATION => CALIBRATION_BYTES,
            Kind::BARRIER => BARRIER_BYTES,
            Kind::END => END_BYTES,
            _ => FRAME_HEADER_BYTES,
        }
    }
}

/// Where a run of records stood in its ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LanePosition {
    /// The ring.
    pub(crate) ring_id: u64,
    /// The lane in it.
    pub(crate) lane: u32,
    /// Which of the lane's users it was.
    pub(crate) generation: u32,
    /// The lane's block, counted over the lane's life.
    pub(crate) serial: u64,
    /// Where the run began in the block.
    pub(crate) offset: u32,
}

/// The fixed part of a frame with records or a gap.
///
/// ```text
/// 32 ring id u64 │ 40 pass u64 │ 48 pass ticks u64 │ 56 boundary u64 │ 64 lane u32
/// │ 68 generation u32 │ 72 block serial u64 │ 80 block offset u32 │ 84 0 u32
/// │ 88 first time u64 │ 96 last time u64 │ 104 records …
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RunHeader {
    /// Where the records come from.
    pub(crate) position: LanePosition,
    /// The number of the pass, counted by each appender.
    pub(crate) pass: u64,
    /// When the pass began, in ticks.
    pub(crate) pass_ticks: u64,
    /// The boundary of the pass: entries with smaller keys come first, none gets a smaller one.
    pub(crate) boundary: u64,
    /// The first record's stamp as stored.
    pub(crate) first_time: u64,
    /// The last record's stamp as stored.
    pub(crate) last_time: u64,
}

impl RunHeader {
    /// Writes the fixed part behind the frame header.
    pub(super) fn write(&self, frame: &mut [u8]) {
        put_u64(frame, 32, self.position.ring_id);
        put_u64(frame, 40, self.pass);
        put_u64(frame, 48, self.pass_ticks);
        put_u64(frame, 56, self.boundary);
        put_u32(frame, 64, self.position.lane);
        put_u32(frame, 68, self.position.generation);
        put_u64(frame, 72, self.position.serial);
        put_u32(frame, 80, self.position.offset);
        put_u32(frame, 84, 0);
        put_u64(frame, 88, self.first_time);
        put_u64(frame, 96, self.last_time);
    }

    /// Reads the fixed part of a checked frame.
    pub(super) fn read(frame: &[u8]) -> RunHeader {
        RunHeader {
            position: LanePosition {
                ring_id: get_u64(frame, 32),
                lane: get_u32(frame, 64),
                generation: get_u32(frame, 68),
                serial: get_u64(frame, 72),
                offset: get_u32(frame, 80),
            },
            pass: get_u64(frame, 40),
            pass_ticks: get_u64(frame, 48),
            boundary: get_u64(frame, 56),
            first_time: get_u64(frame, 88),
            last_time: get_u64(frame, 96),
        }
    }
}

/// The flags of a frame with records: bits 0-1 the first stamp's kind, bits 2-3 the last one's.
pub(super) fn run_flags(first: Option<TimeKind>, last: Option<TimeKind>) -> u16 {
    let code = |kind: Option<TimeKind>| kind.map_or(3, |kind| kind as u16);
    code(first) | code(last) << 2
}

/// Writes a calibration's body.
///
/// ```text
/// 32 ticks u64 │ 40 unix ns i64 │ 48 ns per tick, 32.32 u64 │ 56 writer id u64
/// ```
pub(super) fn write_calibration(frame: &mut [u8], line: Calibration, writer: u64) {
    put_u64(frame, 32, line.ticks);
    put_u64(frame, 40, line.unix_nanos as u64);
    put_u64(frame, 48, line.nanos_per_tick);
    put_u64(frame, 56, writer);
}

/// Reads a calibration and the writer's id from a checked frame.
pub(super) fn read_calibration(frame: &[u8], flags: u16) -> (Calibration, u64) {
    let line = Calibration {
        ticks: get_u64(frame, 32),
        unix_nanos: get_u64(frame, 40) as i64,
        nanos_per_tick: get_u64(frame, 48),
        stepped: flags & STEPPED != 0,
    };
    (line, get_u64(frame, 56))
}

/// The ring, the id and the bytes of a definition in a checked frame.
pub(super) fn read_definition(frame: &[u8]) -> Option<(u64, u32, &[u8])> {
    let length = get_u32(frame, 44) as usize;
    let bytes = frame.get(DEFINITION_HEADER_BYTES..)?.get(..length)?;
    Some((get_u64(frame, 32), get_u32(frame, 40), bytes))
}

/// Bytes of the frame that defines something in `length` bytes.
pub(super) fn definition_frame_bytes(length: usize) -> usize {
    (DEFINITION_HEADER_BYTES + length).next_multiple_of(8)
}

/// Writes a definition's body:
/// `32 ring id u64 │ 40 id u32 │ 44 length u32 │ 48 bytes, zero padded`.
pub(super) fn write_definition(frame: &mut [u8], ring_id: u64, id: u32, bytes: &[u8]) {
    put_u64(frame, 32, ring_id);
    put_u32(frame, 40, id);
    put_u32(frame, 44, bytes.len() as u32);
    let (body, padding) = frame[DEFINITION_HEADER_BYTES..].split_at_mut(bytes.len());
    body.copy_from_slice(bytes);
    padding.fill(0);
}
