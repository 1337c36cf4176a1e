//! Reads the frames of one segment with `pread` into a buffer of its own.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::bytes::get_u64;
use super::frame::{FRAME_HEADER_BYTES, Fault, FrameHeader};
use super::layout::{
    CURSOR_OFFSET, FIRST_OFFSET, HEADER_PAGE_BYTES, HeaderPage, INDEX_ENTRIES, IndexEntry,
    OpeningLine, SegmentHeader, cursor_of,
};
use crate::clock::Calibration;
use crate::files::read_up_to;

/// Frames are read in pieces of about this size.
const CHUNK_BYTES: usize = 256 << 10;
/// Definitions are read in pieces of this size when they are looked up from the last to the first.
const SMALL_CHUNK_BYTES: usize = 4 << 10;

/// A read position in one segment.
#[derive(Debug)]
pub(super) struct SegmentReader {
    pub(super) sequence: u64,
    pub(super) use_id: u64,
    /// The writer's ring and the opening calibration, from the header page.
    pub(super) opening: Option<(u64, Calibration)>,
    file: Arc<File>,
    pub(super) offset: u64,
    /// The published end, as last looked up.
    pub(super) cursor: u64,
    /// How far frames are accepted: the cursor, or the file's end once nobody writes any more.
    pub(super) limit: u64,
    tail_accepted: bool,
    chunk_bytes: usize,
    buffer: Vec<u8>,
    buffer_start: u64,
    /// Why the file could not be read the last time, until somebody takes it.
    failure: Option<io::Error>,
}

/// What the first page of a segment says to a reader.
#[derive(Debug)]
pub(super) enum Opened {
    /// It can be read.
    Reader(SegmentReader),
    /// The file holds another segment by now.
    Recycled,
    /// The header is unreadable, and so is the first frame.
    Damaged,
    /// A later format.
    Unsupported { version: u16, features: u64 },
}

impl SegmentReader {
    /// Opens `file` as segment `sequence`; `buffer` is reused. The flag tells that the header is
    /// damaged and was pieced together from the first frame.
    ///
    /// # Errors
    /// The file cannot be read: that says nothing of what it holds.
    pub(super) fn open(
        sequence: u64,
        file: Arc<File>,
        buffer: Vec<u8>,
    ) -> io::Result<(Opened, bool)> {
        let mut page = [0; HEADER_PAGE_BYTES];
        let length = read_up_to(&file, &mut page, 0)?;
        let (use_id, writer, damaged) = match SegmentHeader::read(&page[..length]) {
            HeaderPage::Header(header) if header.sequence == sequence => {
                (header.use_id, Some(header.writer), length < page.len())
            }
            HeaderPage::Header(_) => return Ok((Opened::Recycled, false)),
            HeaderPage::Unsupported { version, features } => {
                return Ok((Opened::Unsupported { version, features }, false));
            }
            HeaderPage::Damaged | HeaderPage::Foreign => match first_use_id(&file)? {
                Some(use_id) => (use_id, None, true),
                None => return Ok((Opened::Damaged, true)),
            },
        };
        let mut reader = SegmentReader {
            sequence,
            use_id,
            opening: writer.zip(OpeningLine::read(&page[..length], use_id)),
            file,
            offset: FIRST_OFFSET.into(),
            cursor: FIRST_OFFSET.into(),
            limit: FIRST_OFFSET.into(),
            tail_accepted: false,
            chunk_bytes: CHUNK_BYTES,
            buffer,
            buffer_start: 0,
            failure: None,
        };
        reader.buffer.clear();
        reader.refresh();
        Ok((Opened::Reader(reader), damaged))
    }

    /// Reads from the file: how many bytes there were. A failure is noted, and gives none.
    fn read(&mut self, bytes: &mut [u8], offset: u64) -> usize {
        read_up_to(&self.file, bytes, offset).unwrap_or_else(|error| {
            self.failure = Some(error);
            0
        })
    }

    /// Why something could not be read since this was asked last: then what was looked for may be
    /// there all the same.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Looks the cursor up anew.
    pub(super) fn refresh(&mut self) {
        let mut bytes = [0; 8];
        if self.read(&mut bytes, CURSOR_OFFSET as u64) == bytes.len() {
            let cursor = cursor_of(&bytes).clamp(FIRST_OFFSET.into(), u32::MAX.into());
            // A cursor never goes back during a use; the file may have been recycled.
            self.cursor = self.cursor.max(cursor);
        }
        self.limit = self.limit.max(self.cursor);
    }

    /// Nobody writes this use of the file any more: accepts whole frames behind the cursor, too.
    pub(super) fn accept_tail(&mut self) {
        let length = self.file.metadata().map_or(0, |found| found.len());
        self.limit = self.limit.max(length.min(u32::MAX.into()));
        // What was buffered may be older than what its writer left.
        self.buffer.clear();
        self.tail_accepted = true;
    }

    /// Whether [`SegmentReader::accept_tail`] was called.
    pub(super) fn is_tail_accepted(&self) -> bool {
        self.tail_accepted
    }

    /// No frame follows: the rest of the file is of an earlier use.
    pub(super) fn end_tail(&mut self) {
        self.limit = self.offset;
    }

    /// Whether only little is read at once, for a walk to and fro.
    pub(super) fn read_small(&mut self, small: bool) {
        self.chunk_bytes = if small { SMALL_CHUNK_BYTES } else { CHUNK_BYTES };
    }

    /// Whether the file still holds the segment that was opened. What was read before this was
    /// asked is valid if it is true, and if a frame's CRC matches in any case.
    pub(super) fn is_current(&self) -> bool {
        let mut page = [0; CURSOR_OFFSET];
        let length = read_up_to(&self.file, &mut page, 0).unwrap_or(0);
        match SegmentHeader::read(&page[..length]) {
            HeaderPage::Header(header) => {
                header.sequence == self.sequence && header.use_id == self.use_id
            }
            // Damaged before it was opened, or since, or it cannot be read: not known to be
            // recycled, which would have made it good.
            _ => true,
        }
    }

    /// Reads the frame at the current offset into the buffer.
    ///
    /// # Errors
    /// A [`Fault`] if there is no whole frame in front of the limit.
    pub(super) fn frame(&mut self) -> Result<FrameHeader, Fault> {
        self.frame_at(self.offset)
    }

    /// The bytes of the frame that [`SegmentReader::frame_at`] has read.
    pub(super) fn bytes(&self, header: &FrameHeader) -> &[u8] {
        let start = (u64::from(header.offset) - self.buffer_start) as usize;
        &self.buffer[start..start + header.length as usize]
    }

    /// Reads the frame at `offset`.
    ///
    /// # Errors
    /// As [`SegmentReader::frame`].
    pub(super) fn frame_at(&mut self, offset: u64) -> Result<FrameHeader, Fault> {
        let use_id = self.use_id;
        let head = self.buffered(offset, FRAME_HEADER_BYTES).ok_or(Fault::Short)?;
        let header = FrameHeader::read(head, use_id, offset)?;
        let frame = self.buffered(offset, header.length as usize).ok_or(Fault::Short)?;
        FrameHeader::verify(frame)?;
        Ok(header)
    }

    /// `bytes` bytes at `offset`, if they lie in front of the limit and the file has them.
    fn buffered(&mut self, offset: u64, bytes: usize) -> Option<&[u8]> {
        let end = offset + bytes as u64;
        if end > self.limit {
            return None;
        }
        let buffered_end = self.buffer_start + self.buffer.len() as u64;
        if offset < self.buffer_start || end > buffered_end {
            let wanted = (bytes.max(self.chunk_bytes) as u64).min(self.limit - offset) as usize;
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(wanted, 0);
            let length = self.read(&mut buffer, offset);
            buffer.truncate(length);
            (self.buffer, self.buffer_start) = (buffer, offset);
        }
        let start = (offset - self.buffer_start) as usize;
        self.buffer.get(start..start + bytes)
    }

    /// The offset of the next whole frame at or behind `from`. The work is bounded: a file made to
    /// look like frames everywhere is given up.
    pub(super) fn resync(&mut self, from: u64) -> Option<u64> {
        let mut offset = from.next_multiple_of(8);
        let mut checked_bytes = 0;
        let use_id = self.use_id;
        while offset + FRAME_HEADER_BYTES as u64 <= self.limit {
            let head = self.buffered(offset, FRAME_HEADER_BYTES)?;
            // Cheap for nearly every place: the use id does not match.
            if let Ok(header) = FrameHeader::read(head, use_id, offset) {
                checked_bytes += u64::from(header.length);
                if self.frame_at(offset).is_ok() {
                    return Some(offset);
                }
                if checked_bytes > 4 * self.limit {
                    return None;
                }
            }
            offset += 8;
        }
        None
    }

    /// The last index entry whose pass began before `unix_nanos`.
    pub(super) fn index_entry(&self, unix_nanos: i64) -> Option<IndexEntry> {
        let mut page = [0; HEADER_PAGE_BYTES];
        if read_up_to(&self.file, &mut page, 0).unwrap_or(0) < page.len() {
            return None;
        }
        let entries = (1..INDEX_ENTRIES).filter_map(|at| IndexEntry::read(&page, at, self.use_id));
        entries.take_while(|entry| entry.unix_nanos < unix_nanos).last()
    }

    /// The filled entries of the time index; an error in the place of one that is damaged.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn time_index(&self) -> io::Result<Vec<(usize, Result<IndexEntry, ()>)>> {
        let mut page = [0; HEADER_PAGE_BYTES];
        if read_up_to(&self.file, &mut page, 0)? < page.len() {
            return Ok(Vec::new());
        }
        let found = (1..INDEX_ENTRIES).filter_map(|at| {
            let place = IndexEntry::place(at);
            match IndexEntry::read(&page, at, self.use_id) {
                Some(entry) => Some((at, Ok(entry))),
                None if page[place..].iter().take(16).all(|&byte| byte == 0) => None,
                None => Some((at, Err(()))),
            }
        });
        Ok(found.collect())
    }

    /// Whether a frame of this use was begun at `offset` and not finished: its length, which may be
    /// half written, too.
    pub(super) fn unfinished_at(&mut self, offset: u64) -> Option<u32> {
        let use_id = self.use_id;
        let left = self.limit.saturating_sub(offset) as usize;
        if left < FRAME_HEADER_BYTES {
            // Every segment keeps room for its last frame, so the file was cut inside a header.
            let begun = self.buffered(offset, left)?.iter().any(|&byte| byte != 0);
            return begun.then_some(0);
        }
        let head = self.buffered(offset, FRAME_HEADER_BYTES)?;
        match FrameHeader::read(head, use_id, offset) {
            Ok(header) => Some(header.length),
            Err(Fault::Length) => Some(0),
            Err(_) => None,
        }
    }

    /// Goes to the last indexed frame that has `bytes` of published frames behind it, and tells
    /// where the definition in front of it stands; `None` if there is no such frame.
    pub(super) fn start_near_end(&mut self, bytes: u64) -> Option<u64> {
        let mut page = [0; HEADER_PAGE_BYTES];
        if read_up_to(&self.file, &mut page, 0).unwrap_or(0) < page.len() {
            return None;
        }
        let numbers = (1..INDEX_ENTRIES).rev();
        let mut entries = numbers.filter_map(|at| IndexEntry::read(&page, at, self.use_id));
        let near = |entry: &IndexEntry| {
            u64::from(entry.offset).checked_add(bytes).is_some_and(|end| end <= self.cursor)
        };
        let entry = entries.find(near)?;
        self.offset = entry.offset.into();
        Some(entry.last_definition.into())
    }

    /// Takes the buffer back for the next segment.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

/// The use id of the first frame, if that is whole: stands in for a damaged header.
fn first_use_id(file: &File) -> io::Result<Option<u64>> {
    let mut head = [0; FRAME_HEADER_BYTES];
    if read_up_to(file, &mut head, FIRST_OFFSET.into())? < head.len() {
        return Ok(None);
    }
    let use_id = get_u64(&head, 16);
    Ok(first_frame_of(file, use_id)?.then_some(use_id))
}

/// Whether a whole frame of the header's use stands in the first place.
pub(super) fn has_first_frame(file: &File, header: &SegmentHeader) -> io::Result<bool> {
    first_frame_of(file, header.use_id)
}

fn first_frame_of(file: &File, use_id: u64) -> io::Result<bool> {
    let mut frame = [0; super::frame::CALIBRATION_BYTES];
    if read_up_to(file, &mut frame, FIRST_OFFSET.into())? < frame.len() {
        return Ok(false);
    }
    // Every segment opens with a calibration, whose length is known.
    let whole = FrameHeader::read(&frame, use_id, FIRST_OFFSET.into())
        .is_ok_and(|header| header.length as usize == frame.len());
    Ok(whole && FrameHeader::verify(&frame).is_ok())
}
