//! Segments made of any bytes, and what holds of every reader of them. For the fuzzer and its
//! corpus.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::MemfdFlags;

use super::bytes::{crc32c, get_u16, get_u32, put_u64};
use super::frame::{FRAME_HEADER_BYTES, FrameHeader, Kind};
use super::index::SegmentIndex;
use super::layout::{CURSOR_OFFSET, FIRST_OFFSET, HEADER_PAGE_BYTES, OpeningLine, SegmentHeader};
use super::position::Position;
use super::reader::{JournalReader, Liveness, Step};
use crate::clock::Calibration;

/// The bytes are frames that are to be sealed.
pub(crate) const SEALED: u8 = 1;
/// Their writer is at work.
const LIVE: u8 = 2;
/// Nothing is published.
const UNPUBLISHED: u8 = 4;
/// The header has no opening line.
const UNOPENED: u8 = 8;

/// No more segments are made of one input.
const SEGMENTS_MAX: u64 = 4;
/// The same in every segment that is made.
const USE_ID: u64 = 0x7573_6500;
/// The ring of the segments' writer.
pub(crate) const WRITER: u64 = 0x7269_6e67;

/// Segments in memory.
#[derive(Debug)]
pub(crate) struct Made {
    index: SegmentIndex,
    liveness: Liveness,
    files: Vec<Arc<File>>,
}

impl Made {
    /// The segments that `form` makes of `bytes`.
    pub(crate) fn of(form: u8, bytes: &[u8]) -> Self {
        let liveness = if form & LIVE != 0 { Liveness::Live } else { Liveness::Ended };
        let mut made = Made { index: SegmentIndex::memory(), liveness, files: Vec::new() };
        if form & SEALED == 0 {
            made.insert(1, bytes);
            return made;
        }
        let mut rest = bytes;
        for sequence in 1..=SEGMENTS_MAX {
            if sequence > 1 && rest.is_empty() {
                break;
            }
            let segment = sealed(form, sequence, &mut rest);
            made.insert(sequence, &segment);
        }
        made
    }

    /// Where readers find them.
    pub(crate) fn index(&self) -> SegmentIndex {
        self.index.clone()
    }

    fn insert(&mut self, sequence: u64, bytes: &[u8]) {
        let Ok(file) = rustix::fs::memfd_create("tapelog-fuzz", MemfdFlags::CLOEXEC) else {
            panic!("no memory for a segment")
        };
        let file = Arc::new(File::from(file));
        assert!(file.write_all_at(bytes, 0).is_ok());
        self.index.insert(sequence, &file);
        self.files.push(file);
    }

    /// The bytes of the frame between two positions.
    fn bytes(&self, from: Position, end: Position) -> Vec<u8> {
        let mut bytes = vec![0; (end.offset - from.offset) as usize];
        let file = &self.files[from.sequence as usize - 1];
        assert!(file.read_exact_at(&mut bytes, from.offset).is_ok(), "a frame lies in its file");
        bytes
    }

    fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.metadata().map_or(0, |found| found.len())).sum()
    }
}

/// One segment of the frames at the front of `rest`, up to the first end frame. Their lengths are
/// bounded, their use, their place and their checksum are put right.
pub(super) fn sealed(form: u8, sequence: u64, rest: &mut &[u8]) -> Vec<u8> {
    let header = SegmentHeader {
        sequence,
        use_id: USE_ID,
        writer: WRITER,
        segment_bytes: 1 << 20,
        created_unix_nanos: 0,
        order_window_nanos: 1_000,
        pid: if form & LIVE != 0 { std::process::id() } else { 0 },
        host: "host".to_owned(),
        program: "program".to_owned(),
        after: 0,
        facility: 16,
    };
    let mut segment = header.page().into_vec();
    let line = Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };
    if form & UNOPENED == 0 {
        let opening = OpeningLine::encode(line, USE_ID);
        segment[OpeningLine::OFFSET..][..opening.len()].copy_from_slice(&opening);
    }
    while rest.len() >= FRAME_HEADER_BYTES {
        let length = (get_u32(rest, 4) as usize).clamp(FRAME_HEADER_BYTES, rest.len()) & !7;
        let (frame, behind) = rest.split_at(length);
        let kind = Kind(get_u16(frame, 8));
        let header = FrameHeader {
            length: length as u32,
            kind,
            flags: get_u16(frame, 10),
            count: get_u32(frame, 12),
            use_id: USE_ID,
            previous_definition: get_u32(frame, 24),
            offset: segment.len() as u32,
        };
        let start = segment.len();
        segment.extend_from_slice(frame);
        header.seal(&mut segment[start..]);
        *rest = behind;
        if kind == Kind::END {
            break;
        }
    }
    if rest.len() < FRAME_HEADER_BYTES {
        *rest = &[];
    }
    let published = if form & UNPUBLISHED == 0 { segment.len() } else { HEADER_PAGE_BYTES };
    put_u64(&mut segment, CURSOR_OFFSET, published as u64);
    segment
}

/// Reads all frames from the beginning, and again from the one in the middle: each has the checksum
/// that its bytes have, there are no more than there is room for, and both readers agree.
pub(crate) fn walk(made: &Made) {
    let frames = frames(made, None);
    for &(from, end) in &frames {
        let bytes = made.bytes(from, end);
        assert_eq!(get_u32(&bytes, 0), crc32c(&bytes[4..]), "a frame that is none at {from:?}");
        assert_eq!(u64::from(get_u32(&bytes, 28)), from.offset, "a frame of another place");
    }
    let middle = &frames[frames.len() / 2..];
    if let Some(&(from, _)) = middle.first() {
        assert!(self::frames(made, Some(from)) == middle, "two readers differ from {from:?} on");
    }
}

/// Where each frame that is told begins and ends.
fn frames(made: &Made, from: Option<Position>) -> Vec<(Position, Position)> {
    let mut reader = JournalReader::new(made.index(), from, made.liveness);
    let mut frames = Vec::new();
    let steps_max = made.file_bytes() / 8 + u64::from(FIRST_OFFSET);
    for _ in 0..steps_max {
        match reader.next_frame() {
            Ok(Step::Frame(frame)) => frames.push((frame.position, frame.end)),
            Ok(Step::EndOfData) | Err(_) => return frames,
            Ok(Step::Damaged { from, to, .. }) => assert!(from < to, "damage takes room"),
            Ok(Step::Expired { first, last }) => assert!(first <= last),
        }
    }
    panic!("reading does not end");
}
