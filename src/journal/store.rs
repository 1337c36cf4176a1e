//! The segments of a journal: names, room on the disk, preparation ahead, recycling.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, Mode};

use super::disk::{
    allocate, file_bytes_max, make_directory, mappable, random_id, refuse_beyond_limit,
};
use super::error::JournalError;
use super::guard::Guard;
use super::index::SegmentIndex;
use super::layout::cursor_of;
use super::layout::{CURSOR_OFFSET, FIRST_OFFSET, HEADER_PAGE_BYTES, HeaderPage, SegmentHeader};
use super::segment::{Populate, Prepared, Retired, Segment};
use super::segment_reader::has_first_frame;
use crate::files::{self, FileCall};

/// The smallest segment: a block of records and its definitions fit.
pub(crate) const SEGMENT_BYTES_MIN: u64 = 256 << 10;
/// The largest segment: offsets are 32 bits.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// How many segments are ready at most: one for the drain to take, one in the janitor's hand.
const PREPARED_MAX: usize = 2;

/// What a segment is called while its header is not written yet.
const UNFINISHED_NAME: &str = "next.tape.new";

/// Where a journal lives.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In files.
    Directory {
        /// The directory, made when missing.
        path: PathBuf,
        /// The files' permission bits, whatever the umask.
        file_mode: u32,
        /// The directory's permission bits, whatever the umask.
        dir_mode: u32,
    },
    /// In anonymous memory, when there is no disk to write to.
    Memory,
}

/// How a journal is kept.
#[derive(Debug, Clone)]
pub(crate) struct JournalOptions {
    /// Where it lives.
    pub(crate) place: Place,
    /// Bytes of one segment, a multiple of 4096.
    pub(crate) segment_bytes: u64,
    /// How many segments there are at most, prepared ones included.
    pub(crate) segments: u32,
    /// Whether segments are mapped, where the file system allows it.
    pub(crate) mapped: bool,
    /// Whether a SIGBUS in a mapped file is caught; if not, files are not mapped.
    pub(crate) guarded: bool,
    /// Bytes of a segment that are populated before it is handed over.
    pub(crate) prepare_bytes: u64,
    /// The ring whose engine writes.
    pub(crate) ring_id: u64,
    /// How far apart records may arrive and still be sorted.
    pub(crate) order_window_nanos: u64,
    /// The machine's name.
    pub(crate) host: String,
    /// The program's name.
    pub(crate) program: String,
    /// Its syslog facility.
    pub(crate) facility: u8,
}

/// Makes and recycles segments; lives on the janitor's thread.
#[derive(Debug)]
pub(crate) struct SegmentStore {
    options: JournalOptions,
    index: SegmentIndex,
    mapped: bool,
    /// Set where files are mapped.
    guard: Option<Arc<Guard>>,
    next_sequence: u64,
    /// Written segments, oldest first.
    idle: VecDeque<Idle>,
    /// Segments that are prepared or being written.
    outside: usize,
    /// What [`SegmentStore::prepare`] has left unpopulated.
    rest: VecDeque<Populate>,
}

#[derive(Debug)]
struct Idle {
    sequence: u64,
    /// The segment, if it was written by this process and is still open.
    segment: Option<Segment>,
}

impl SegmentStore {
    /// Opens the journal, keeping what earlier runs wrote as the oldest segments.
    ///
    /// # Errors
    /// [`JournalError`] if a parameter is out of range, or the directory cannot be made or read.
    pub(crate) fn open(mut options: JournalOptions) -> Result<(Self, SegmentIndex), JournalError> {
        check(&options)?;
        let (index, mapped, guard) = match &options.place {
            // Nobody else can take its pages away.
            Place::Memory => {
                // RLIMIT_FSIZE holds for memory files, too.
                let allowed = file_bytes_max() / 4096 * 4096;
                if allowed >= SEGMENT_BYTES_MIN {
                    options.segment_bytes = options.segment_bytes.min(allowed);
                }
                (SegmentIndex::memory(), options.mapped, None)
            }
            Place::Directory { path, dir_mode, .. } => {
                make_directory(path, *dir_mode)?;
                let mapped = options.mapped && options.guarded && mappable(path);
                // Where the handler cannot be installed, plain writes need none.
                let guard = if mapped { Guard::install().ok() } else { None };
                (SegmentIndex::directory(path), guard.is_some(), guard)
            }
        };
        let mut store = Self {
            options,
            index: index.clone(),
            mapped,
            guard,
            next_sequence: 1,
            idle: VecDeque::new(),
            outside: 0,
            rest: VecDeque::new(),
        };
        store.scan()?;
        Ok((store, index))
    }

    /// Finds what earlier runs left. Files that are not ours stay as they are; their numbers are
    /// not used again.
    fn scan(&mut self) -> Result<(), JournalError> {
        let mut empty = Vec::new();
        for sequence in self.index.sequences()? {
            match self.inspect(sequence) {
                Content::Data => {
                    self.next_sequence = sequence.saturating_add(1);
                    self.idle.push_back(Idle { sequence, segment: None });
                }
                Content::Empty => empty.push(sequence),
                Content::Foreign => self.next_sequence = sequence.saturating_add(1),
            }
        }
        // A segment that was prepared and never written says nothing: its number is used again.
        for sequence in empty {
            let path = self.index.path(sequence);
            files::call(FileCall::Remove, || std::fs::remove_file(&path))
                .map_err(JournalError::io("remove", &path))?;
        }
        Ok(())
    }

    fn inspect(&self, sequence: u64) -> Content {
        let Ok(Some(file)) = self.index.open(sequence) else { return Content::Foreign };
        let mut page = vec![0; HEADER_PAGE_BYTES];
        let length = files::read_up_to(&file, &mut page, 0).unwrap_or(0);
        match SegmentHeader::read(&page[..length]) {
            HeaderPage::Foreign => Content::Foreign,
            HeaderPage::Unsupported { .. } | HeaderPage::Damaged => Content::Data,
            HeaderPage::Header(header) => {
                let published = cursor_of(&page[CURSOR_OFFSET..]) > FIRST_OFFSET.into();
                let written = published || has_first_frame(&file, &header).unwrap_or(true);
                if written { Content::Data } else { Content::Empty }
            }
        }
    }

    /// Prepares the next segment: a fresh file while there are fewer than `segments`, else the
    /// oldest one, if no reader needs it: `oldest_needed` is the number of the segment that the
    /// slowest view still reads, `u64::MAX` if there is none. `None` means that all segments are
    /// in use or needed.
    ///
    /// Takes milliseconds. It populates no more than `prepare_bytes`, so that a drain that waits can
    /// go on; [`SegmentStore::populate_more`] does the rest.
    ///
    /// # Errors
    /// [`JournalError::Io`] if a file system call fails. No partial file is left.
    pub(crate) fn prepare(&mut self, oldest_needed: u64) -> Result<Option<Prepared>, JournalError> {
        self.trim(oldest_needed)?;
        let made = if self.count() < self.options.segments as usize {
            match self.fresh() {
                // A full disk still has room in what is recycled.
                Err(error) if error.is_full() => match self.recycled(oldest_needed)? {
                    Some(segment) => segment,
                    None => return Err(error),
                },
                made => made?,
            }
        } else {
            match self.recycled(oldest_needed)? {
                Some(segment) => segment,
                None => return Ok(None),
            }
        };
        self.next_sequence += 1;
        self.outside += 1;
        self.rest.extend(made.populate(self.options.prepare_bytes));
        // An older one is full already, or will be.
        while self.rest.len() > PREPARED_MAX {
            self.rest.pop_front();
        }
        Ok(Some(Prepared { segment: made }))
    }

    /// Populates `prepare_bytes` more of what was prepared, the oldest first; false when nothing is
    /// left. Takes milliseconds.
    pub(crate) fn populate_more(&mut self) -> bool {
        let Some(rest) = self.rest.pop_front() else { return false };
        if let Some(rest) = rest.step(self.options.prepare_bytes) {
            self.rest.push_front(rest);
        }
        true
    }

    /// Takes a written segment back, to be recycled as the youngest.
    pub(crate) fn recycle(&mut self, retired: impl Into<Retired>) {
        let mut segment = retired.into().segment;
        segment.writer.reset();
        self.outside = self.outside.saturating_sub(1);
        let sequence = segment.header.sequence;
        let place = self.idle.partition_point(|idle| idle.sequence < sequence);
        // One with holes is made anew.
        let segment = (segment.holes() == 0).then_some(segment);
        self.idle.insert(place, Idle { sequence, segment });
    }

    /// Removes a prepared segment that will not be written.
    pub(crate) fn discard(&mut self, prepared: Prepared) {
        let sequence = prepared.sequence();
        drop(prepared);
        self.outside = self.outside.saturating_sub(1);
        // What cannot be removed says nothing, and is removed by the next start.
        let _ = self.remove(sequence);
    }

    fn count(&self) -> usize {
        self.idle.len() + self.outside
    }

    /// Removes segments that are too many, because the configuration has changed.
    fn trim(&mut self, oldest_needed: u64) -> Result<(), JournalError> {
        while self.count() > self.options.segments as usize {
            let Some(oldest) = self.idle.front() else { break };
            if oldest.sequence >= oldest_needed {
                break;
            }
            self.remove(oldest.sequence)?;
            self.idle.pop_front();
        }
        Ok(())
    }

    fn remove(&self, sequence: u64) -> Result<(), JournalError> {
        self.index.remove(sequence);
        if let Place::Directory { .. } = self.options.place {
            let path = self.index.path(sequence);
            match files::call(FileCall::Remove, || std::fs::remove_file(&path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(JournalError::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn fresh(&self) -> Result<Segment, JournalError> {
        let Place::Directory { path: directory, file_mode, .. } = &self.options.place else {
            return self.fresh_memory();
        };
        let path = directory.join(UNFINISHED_NAME);
        let made = self.fresh_file(&path, *file_mode).and_then(|(file, mapped)| {
            let header = self.header()?;
            self.finish(header, Arc::new(file), &path, mapped)
        });
        if made.is_err() {
            // A failed fallocate leaves what it got; the first error is the one to report.
            let _ = std::fs::remove_file(&path);
        }
        made
    }

    /// Makes the file with all its room; says whether it may be mapped.
    fn fresh_file(&self, path: &Path, mode: u32) -> Result<(File, bool), JournalError> {
        match files::call(FileCall::Remove, || std::fs::remove_file(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(JournalError::io("remove", path)(error));
            }
            _ => {}
        }
        let mut how = OpenOptions::new();
        how.read(true).write(true).create_new(true).mode(mode);
        let file = files::call(FileCall::Create, || how.open(path))
            .map_err(JournalError::io("create", path))?;
        files::call(FileCall::SetMode, || rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)))
            .map_err(JournalError::io("set the mode of", path))?;
        let has_room = allocate(&file, self.options.segment_bytes)
            .map_err(JournalError::io("allocate", path))?;
        Ok((file, self.mapped && has_room))
    }

    fn fresh_memory(&self) -> Result<Segment, JournalError> {
        let path = self.index.path(self.next_sequence);
        let file = rustix::fs::memfd_create("tapelog-journal", MemfdFlags::CLOEXEC)
            .map_err(JournalError::io("create", &path))?;
        let file = File::from(file);
        refuse_beyond_limit(self.options.segment_bytes).map_err(JournalError::io("size", &path))?;
        file.set_len(self.options.segment_bytes).map_err(JournalError::io("size", &path))?;
        let header = self.header()?;
        self.finish(header, Arc::new(file), &path, self.mapped)
    }

    /// The oldest segment made new, if it is not needed; segments that cannot be used again are
    /// removed on the way.
    fn recycled(&mut self, oldest_needed: u64) -> Result<Option<Segment>, JournalError> {
        let Some(oldest) = self.idle.front() else { return Ok(None) };
        let sequence = oldest.sequence;
        if sequence >= oldest_needed {
            return Ok(None);
        }
        let Some(idle) = self.idle.pop_front() else { return Ok(None) };
        let renewed = self.renew(idle);
        if renewed.is_err() {
            // It stays the oldest: if its name is still there, the next call tries again.
            self.idle.push_front(Idle { sequence, segment: None });
        }
        renewed.map(Some)
    }

    fn renew(&self, idle: Idle) -> Result<Segment, JournalError> {
        let header = self.header()?;
        self.index.remove(idle.sequence);
        let Place::Directory { path: directory, file_mode, .. } = &self.options.place else {
            return match idle.segment {
                Some(segment) => self.finish_open(header, segment),
                None => self.fresh_memory(),
            };
        };
        let old = self.index.path(idle.sequence);
        let path = directory.join(UNFINISHED_NAME);
        let fits = |file: &File| {
            file.metadata().is_ok_and(|found| found.len() == self.options.segment_bytes)
        };
        match idle.segment {
            Some(mut segment) if fits(&segment.file) => {
                files::call(FileCall::Rename, || std::fs::rename(&old, &path))
                    .map_err(JournalError::io("rename", &old))?;
                segment.header = header.clone();
                self.name(&header, &segment.file, &path)?;
                Ok(segment)
            }
            _ => {
                // Of another run or another size: a new file costs the same.
                self.remove(idle.sequence)?;
                let (file, mapped) = self.fresh_file(&path, *file_mode)?;
                self.finish(header, Arc::new(file), &path, mapped)
            }
        }
    }

    fn finish_open(
        &self,
        header: SegmentHeader,
        mut segment: Segment,
    ) -> Result<Segment, JournalError> {
        let path = self.index.path(header.sequence);
        self.name(&header, &segment.file, &path)?;
        segment.header = header;
        Ok(segment)
    }

    fn finish(
        &self,
        header: SegmentHeader,
        file: Arc<File>,
        path: &Path,
        mapped: bool,
    ) -> Result<Segment, JournalError> {
        let segment = Segment::new(header.clone(), file, mapped, self.guard.as_ref())
            .map_err(JournalError::io("map", path))?;
        self.name(&header, &segment.file, path)?;
        Ok(segment)
    }

    /// Writes the header page, then gives the file its name: a name never belies its header.
    fn name(
        &self,
        header: &SegmentHeader,
        file: &Arc<File>,
        path: &Path,
    ) -> Result<(), JournalError> {
        files::write_all_at(file, &header.page(), 0).map_err(JournalError::io("write", path))?;
        if let Place::Directory { .. } = self.options.place {
            let name = self.index.path(header.sequence);
            files::call(FileCall::Rename, || std::fs::rename(path, &name))
                .map_err(JournalError::io("rename", path))?;
        }
        self.index.insert(header.sequence, file);
        Ok(())
    }

    fn header(&self) -> Result<SegmentHeader, JournalError> {
        let created = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Ok(SegmentHeader {
            sequence: self.next_sequence,
            use_id: random_id()
                .map_err(JournalError::io("draw a random id for", Path::new("a segment")))?,
            writer: self.options.ring_id,
            segment_bytes: self.options.segment_bytes,
            created_unix_nanos: created.map_or(0, |since| since.as_nanos() as i64),
            order_window_nanos: self.options.order_window_nanos,
            pid: std::process::id(),
            host: self.options.host.clone(),
            program: self.options.program.clone(),
            facility: self.options.facility,
        })
    }
}

/// What a file with a segment's name holds.
enum Content {
    Data,
    Empty,
    Foreign,
}

fn check(options: &JournalOptions) -> Result<(), JournalError> {
    let bytes = options.segment_bytes;
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(4096) {
        return Err(JournalError::Parameter {
            key: "journal_segment_bytes",
            value: bytes,
            expected: "a multiple of 4096 from 256 KiB to 1 GiB",
        });
    }
    if options.segments < 2 {
        return Err(JournalError::Parameter {
            key: "journal_segments",
            value: options.segments.into(),
            expected: "at least 2: one is written while the next is prepared",
        });
    }
    Ok(())
}
