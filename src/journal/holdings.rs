//! What the journal holds of rings whose process is dead: how far each lane came, which losses were
//! told, and how its ticks are turned into UTC.
//!
//! The ring itself says how far its lanes are safe in the journal, but a process may die between
//! the journal and that word. So the journal is asked as well: its newest frames say which
//! records they hold. A poll of the drain spans at most two segments, so those of the ring's own
//! engine that come last are enough, and all of those who tried to bring the ring home after it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;

use super::error::JournalError;
use super::frame::{FrameHeader, Kind, RECORDS_HEADER_BYTES, RunHeader, read_calibration};
use super::index::SegmentIndex;
use super::layout::{CURSOR_OFFSET, FIRST_OFFSET, cursor_of};
use super::segment_reader::{Opened, SegmentReader};
use crate::clock::Calibration;
use crate::files::read_up_to;
use crate::record::{Gap, RECORD_HEADER_BYTES, RecordHeader};

/// So many segments of a ring's own engine are looked at, not counting those that were prepared or
/// just begun.
const OWN_SEGMENTS: usize = 3;
/// More segments than this are never looked at.
const SEGMENTS_MAX: usize = 256;

/// A ring, and how many bytes it has.
pub(crate) type RingSize = (u64, u64);

/// The newest segments, held open: they can be read after the store has removed them.
#[derive(Debug)]
pub(crate) struct Tail {
    rings: Vec<RingSize>,
    /// Newest first.
    segments: Vec<Written>,
    /// What of it could not be opened although it is ours, and why.
    failure: Option<JournalError>,
}

#[derive(Debug)]
struct Written {
    sequence: u64,
    path: PathBuf,
    file: Arc<File>,
    /// The ring of the engine that wrote it, if that can be read.
    writer: Option<u64>,
}

/// No ring has more lanes. What a journal says of others, which nobody but a forger writes, takes no memory.
const LANES_MAX: u32 = 4096;

/// How far a lane came in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Reached {
    /// The generation that the rest is about.
    pub(crate) generation: u32,
    /// The lane's block.
    pub(crate) serial: u64,
    /// The end of what the journal has of it.
    pub(crate) end: u32,
}

/// What the journal holds of some rings.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    lanes: HashMap<(u64, u32), Reached>,
    /// The losses that gap frames of a lane's last generation told, in all, behind that generation.
    told: HashMap<(u64, u32), (u32, u64)>,
    lines: HashMap<u64, Calibration>,
}

impl Tail {
    /// Opens what is to be read for these rings. What is no segment of ours is left out.
    pub(crate) fn open(index: &SegmentIndex, rings: Vec<RingSize>) -> Tail {
        let mut left: HashMap<u64, usize> =
            rings.iter().map(|&(ring, _)| (ring, OWN_SEGMENTS)).collect();
        let (mut segments, mut failure) = (Vec::new(), None);
        let sequences = index.sequences().unwrap_or_else(|error| {
            failure = Some(error);
            Vec::new()
        });
        for sequence in sequences.into_iter().rev() {
            if left.values().all(|left| *left == 0) || segments.len() >= SEGMENTS_MAX {
                break;
            }
            let file = match index.open(sequence) {
                Ok(Some(file)) => file,
                Err(error) if may_pass(&error) => {
                    failure = Some(error);
                    break;
                }
                Ok(None) | Err(_) => continue,
            };
            let writer = index.header(sequence).map(|header| header.writer);
            if is_published(&file)
                && let Some(left) = writer.and_then(|writer| left.get_mut(&writer))
            {
                *left = left.saturating_sub(1);
            }
            segments.push(Written { sequence, path: index.path(sequence), file, writer });
        }
        Tail { rings, segments, failure }
    }

    /// Reads it all.
    ///
    /// # Errors
    /// A part of it cannot be read now: what the rings hold may be in it.
    pub(crate) fn read(self) -> Result<Holdings, JournalError> {
        self.failure.map_or(Ok(()), Err)?;
        let mut holdings = Holdings::default();
        let mut buffer = Vec::new();
        // Of rings whose last own segments were long enough.
        let mut enough: Vec<u64> = Vec::new();
        for Written { sequence, path, file, writer } in self.segments {
            let own = self.rings.iter().find(|(ring, _)| Some(*ring) == writer);
            if writer.is_some_and(|writer| enough.contains(&writer)) {
                continue;
            }
            let opened = SegmentReader::open(sequence, file, std::mem::take(&mut buffer));
            let failed = JournalError::io::<io::Error>("read", &path);
            let (Opened::Reader(mut segment), _) = opened.map_err(failed)? else { continue };
            // Nobody writes it any more: its writer is dead, or has ended.
            segment.accept_tail();
            if let Some(&(ring, bytes)) = own
                && let Some(definition) = segment.start_near_end(2 * bytes)
            {
                enough.push(ring);
                holdings.find_line(&mut segment, ring, definition);
            }
            holdings.read(&mut segment, &self.rings);
            if let Some(error) = segment.take_failure() {
                return Err(JournalError::io("read", &path)(error));
            }
            buffer = segment.into_buffer();
        }
        Ok(holdings)
    }
}

impl Holdings {
    /// How far a lane came, if the journal has anything of its generation.
    pub(crate) fn reached(&self, ring: u64, lane: u32, generation: u32) -> Option<Reached> {
        let reached = self.lanes.get(&(ring, lane)).copied();
        reached.filter(|reached| reached.generation == generation)
    }

    /// How many losses of a lane's generation gap frames have told.
    pub(crate) fn told(&self, ring: u64, lane: u32, generation: u32) -> u64 {
        let told = self.told.get(&(ring, lane)).filter(|told| told.0 == generation);
        told.map_or(0, |told| told.1)
    }

    /// The last line of a ring's own engine.
    pub(crate) fn line(&self, ring: u64) -> Option<Calibration> {
        self.lines.get(&ring).copied()
    }

    /// Finds the last calibration at `place` or in front of it, along the chain of definitions.
    fn find_line(&mut self, segment: &mut SegmentReader, ring: u64, mut place: u64) {
        segment.read_small(true);
        while let Ok(header) = segment.frame_at(place) {
            if header.kind == Kind::CALIBRATION {
                let (line, _) = read_calibration(segment.bytes(&header), header.flags);
                self.lines.entry(ring).or_insert(line);
                break;
            }
            let before = u64::from(header.previous_definition);
            if before >= place {
                break;
            }
            place = before;
        }
        segment.read_small(false);
    }

    fn read(&mut self, segment: &mut SegmentReader, rings: &[RingSize]) {
        let mut lines = HashMap::new();
        loop {
            match segment.frame() {
                Ok(header) => {
                    self.take(&header, segment.bytes(&header), rings, &mut lines);
                    segment.offset += u64::from(header.length);
                }
                // Behind the cursor at most the last frame is torn.
                Err(_) if segment.offset >= segment.cursor => break,
                Err(_) => match segment.resync(segment.offset + 8) {
                    Some(next) => segment.offset = next,
                    None => break,
                },
            }
        }
        for (ring, line) in lines {
            self.lines.entry(ring).and_modify(|known| *known = newer(*known, line)).or_insert(line);
        }
    }

    fn take(
        &mut self,
        header: &FrameHeader,
        frame: &[u8],
        rings: &[RingSize],
        lines: &mut HashMap<u64, Calibration>,
    ) {
        let wanted = |ring: u64| rings.iter().any(|(known, _)| *known == ring);
        match header.kind {
            Kind::CALIBRATION => {
                let (line, writer) = read_calibration(frame, header.flags);
                if wanted(writer) {
                    lines.insert(writer, line);
                }
            }
            Kind::RECORDS | Kind::GAP => {
                let position = RunHeader::read(frame).position;
                let records = frame.get(RECORDS_HEADER_BYTES..).unwrap_or_default();
                let (ring, lane, generation) =
                    (position.ring_id, position.lane, position.generation);
                if !wanted(ring) || lane >= LANES_MAX {
                    return;
                }
                if header.kind == Kind::GAP {
                    if let Some(total) = total_of(records) {
                        let told = self.told.entry((ring, lane)).or_default();
                        *told = (generation, total).max(*told);
                    }
                    return;
                }
                let end = position.offset.saturating_add(records.len() as u32);
                let reached = Reached { generation, serial: position.serial, end };
                let known = self.lanes.entry((ring, lane)).or_default();
                *known = reached.max(*known);
            }
            _ => {}
        }
    }
}

/// Whether a segment may be opened another time: what stands at its name is not known to be something
/// else than a segment.
fn may_pass(error: &JournalError) -> bool {
    let JournalError::Io { source, .. } = error else { return false };
    let errno = source.raw_os_error().map(Errno::from_raw_os_error);
    errno.is_some_and(|errno| {
        !matches!(errno, Errno::LOOP | Errno::NXIO | Errno::ISDIR | Errno::NODEV)
    })
}

/// Whether a segment's cursor tells of frames.
fn is_published(file: &File) -> bool {
    let mut cursor = [0; 8];
    let read = read_up_to(file, &mut cursor, CURSOR_OFFSET as u64);
    read.is_ok_and(|bytes| bytes == cursor.len()) && cursor_of(&cursor) > FIRST_OFFSET.into()
}

/// The line that begins later: those of one engine follow each other.
fn newer(one: Calibration, other: Calibration) -> Calibration {
    if other.ticks > one.ticks { other } else { one }
}

/// The losses that a gap record tells.
fn total_of(record: &[u8]) -> Option<u64> {
    let header = RecordHeader::read(record)?;
    let gap = Gap::read(header.time, record.get(RECORD_HEADER_BYTES..)?).ok()?;
    Some(gap.total())
}
