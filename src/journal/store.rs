//! The segments of a journal: names, room on the disk, preparation ahead, recycling.

mod make;
mod recycle;
mod scan;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{make_directory, mappable};
use super::error::JournalError;
use super::guard::Guard;
use super::index::SegmentIndex;
use super::position::Position;
use super::segment::{Cutting, Populate, Prepared, Segment};
use crate::files;
use crate::record::UnixNanos;

/// The smallest segment: a block of records and its definitions fit.
pub(crate) const SEGMENT_BYTES_MIN: u64 = 256 << 10;
/// The largest segment: offsets are 32 bits.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// How many segments are of use while a part of them is unpopulated: the one that is written, one for the
/// drain to take, one in the janitor's hand.
const UNPOPULATED_MAX: usize = 3;

/// So many segments a run can have had in memory behind its last file: that is terabytes.
const AHEAD_MAX: u64 = 1 << 20;

/// Segments in memory are kept small and few: nothing but the views reads them.
pub(crate) const MEMORY_SEGMENT_BYTES: u64 = 4 << 20;
pub(crate) const MEMORY_SEGMENTS: u32 = 4;
/// So many numbers that others have taken are passed by at once.
const TAKEN_MAX: u32 = 16;

/// Where a journal lives.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In files.
    Directory {
        /// The directory, made when missing; its parent is somebody else's to make.
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
    /// Bytes of the file system that fresh segments leave free.
    pub(crate) reserve_bytes: u64,
    /// Whether its mappings are left out of core dumps.
    pub(crate) hidden: bool,
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
///
/// Where the disk gives no segment, for whatever reason, one in anonymous memory takes its place, and
/// everything behind it is unchanged: that is console-only mode. Such a segment has a number like
/// any other, which is simply missing in the directory.
#[derive(Debug)]
pub(crate) struct SegmentStore {
    options: JournalOptions,
    index: SegmentIndex,
    /// Whether the directory was looked at: what it holds is known, and more can be put there.
    attached: bool,
    mapped: bool,
    /// Set where files are mapped.
    guard: Option<Arc<Guard>>,
    next_sequence: u64,
    /// The newest segment that an earlier run has left.
    newest_before: u64,
    /// Written segments in files, in the order in which they are used again: the oldest first.
    idle: VecDeque<Idle>,
    /// Segments in files that are prepared or being written.
    outside: BTreeMap<u64, Cutting>,
    /// Files of earlier runs in which nothing was written. They keep their names, without their room,
    /// until the number is used again or nobody asks for it any more: whoever dies meanwhile leaves to
    /// the next start that nothing is missing there.
    empty: BTreeSet<u64>,
    memory: Memory,
    /// Segments with records whose names were taken while they were written, until somebody takes these.
    taken: Vec<Taken>,
    /// Why the disk gave no segment the last time; none: it did.
    trouble: Option<JournalError>,
    /// Why the oldest segment was recycled although there may be more, until somebody takes it.
    made_up_for: Option<JournalError>,
    /// Segments that the directory does not have any more, and views may still read.
    orphans: Vec<u64>,
    /// Whether files are not to be asked for, because a disk that takes none of what is written
    /// would give them.
    refusing: bool,
    /// What [`SegmentStore::prepare`] has left unpopulated.
    rest: VecDeque<Populate>,
}

#[derive(Debug)]
struct Idle {
    sequence: u64,
    /// The segment, if it was written by this process and is still open.
    segment: Option<Segment>,
    /// Whether nothing was published in it.
    void: bool,
}

/// A segment whose file somebody has removed, renamed or cut off while it was written.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) sequence: u64,
    /// Where it was.
    pub(crate) path: PathBuf,
    /// When it was prepared.
    pub(crate) since: UnixNanos,
    /// How many records it has.
    pub(crate) records: u64,
}

/// The segments in memory.
#[derive(Debug)]
struct Memory {
    segments: usize,
    segment_bytes: u64,
    idle: VecDeque<Segment>,
    outside: usize,
}

impl SegmentStore {
    /// Opens the journal, keeping what earlier runs wrote as the oldest segments. A directory that
    /// cannot be made or read now is looked at again by each [`SegmentStore::prepare_file`].
    ///
    /// # Errors
    /// [`JournalError::Parameter`] if a parameter is out of range, [`JournalError::NotADirectory`]
    /// if something else stands in the directory's place.
    pub(crate) fn open(options: JournalOptions) -> Result<(Self, SegmentIndex), JournalError> {
        let (mut store, index) = Self::detached(options)?;
        match store.attach() {
            Err(error @ JournalError::NotADirectory(_)) => return Err(error),
            outcome => store.trouble = outcome.err(),
        }
        Ok((store, index))
    }

    /// The same without a look at the directory, which may be somebody else's. Until
    /// [`SegmentStore::attach`] is called, all segments are in memory.
    ///
    /// # Errors
    /// [`JournalError::Parameter`] if a parameter is out of range.
    pub(crate) fn detached(options: JournalOptions) -> Result<(Self, SegmentIndex), JournalError> {
        check(&options)?;
        let index = SegmentIndex::memory();
        let (segments, most) = match options.place {
            Place::Memory => (options.segments, options.segment_bytes),
            Place::Directory { .. } => (MEMORY_SEGMENTS, MEMORY_SEGMENT_BYTES),
        };
        // RLIMIT_FSIZE holds for memory files, too.
        let allowed = (files::file_bytes_max() / 4096 * 4096).max(SEGMENT_BYTES_MIN);
        let memory = Memory {
            segments: segments as usize,
            segment_bytes: options.segment_bytes.min(most).min(allowed),
            idle: VecDeque::new(),
            outside: 0,
        };
        let store = Self {
            index: index.clone(),
            attached: false,
            mapped: options.mapped,
            guard: None,
            next_sequence: 1,
            newest_before: 0,
            idle: VecDeque::new(),
            outside: BTreeMap::new(),
            empty: BTreeSet::new(),
            memory,
            taken: Vec::new(),
            trouble: None,
            made_up_for: None,
            orphans: Vec::new(),
            refusing: false,
            rest: VecDeque::new(),
            options,
        };
        Ok((store, index))
    }

    /// Looks at the directory, which is made when missing, if that was not done yet.
    ///
    /// # Errors
    /// It cannot be made or read, or something else stands in its place.
    pub(crate) fn attach(&mut self) -> Result<(), JournalError> {
        let Place::Directory { path, dir_mode, .. } = &self.options.place else { return Ok(()) };
        if self.attached {
            return Ok(());
        }
        make_directory(path, *dir_mode)?;
        let path = path.clone();
        let mapped = self.options.mapped && self.options.guarded && mappable(&path);
        // Where the handler cannot be installed, plain writes need none.
        self.guard =
            if mapped { self.guard.take().or_else(|| Guard::install().ok()) } else { None };
        self.mapped = self.guard.is_some();
        self.scan(&SegmentIndex::own_directory(&path))?;
        // Views that have begun read on in what this run makes.
        let first = if self.memory.outside > 0 { self.next_sequence } else { 0 };
        self.index.attach(path, first);
        self.attached = true;
        Ok(())
    }

    /// Makes no file until [`SegmentStore::prepare_file`] is called, and looks at the directory anew
    /// then: it is not this engine's now. Gives the first number that is behind all segments in files.
    pub(crate) fn hold_off(&mut self, why: String) -> u64 {
        let path = match &self.options.place {
            Place::Directory { path, .. } => path.clone(),
            Place::Memory => PathBuf::new(),
        };
        self.trouble = Some(JournalError::io("use", &path)(io::Error::other(why)));
        (self.attached, self.refusing) = (false, true);
        self.empty.clear();
        self.outside.last_key_value().map_or(0, |(newest, _)| newest.saturating_add(1))
    }

    /// Begins behind the segment of the place at which the views of an earlier run were, which it may
    /// have had in memory alone; or with that segment, if the views were at its beginning and nothing was
    /// written in it: nobody misses it. False where no run can have come to the place from what the
    /// directory holds: it is not heeded.
    pub(crate) fn begin_behind(&mut self, place: Position) -> bool {
        let sequence = place.sequence;
        let ahead = sequence.saturating_sub(self.next_sequence);
        let believed = !self.attached || ahead <= AHEAD_MAX;
        if believed {
            let again = !place.is_inside() && self.index.is_void(sequence);
            let next = sequence.saturating_add(u64::from(!again));
            if !again {
                // Of what they had read in it nothing is there any more: it is to be missed.
                self.remove_empty(|empty| empty == sequence);
            }
            self.next_sequence = self.next_sequence.max(next);
        }
        believed
    }

    /// Prepares the next segment: a fresh file while there are fewer than `segments`, else the
    /// oldest one, if no reader needs it: `oldest_needed` is the number of the segment that the
    /// slowest view still reads, `u64::MAX` if there is none. Where the disk gives none, one in
    /// memory, and [`SegmentStore::trouble`] says why. `None` means that all segments are in use or
    /// needed.
    ///
    /// Takes milliseconds. It populates no more than `prepare_bytes`, so that a drain that waits can
    /// go on; [`SegmentStore::populate_more`] does the rest.
    ///
    /// # Errors
    /// [`JournalError::Io`] if there is not even memory.
    pub(crate) fn prepare(&mut self, oldest_needed: u64) -> Result<Option<Prepared>, JournalError> {
        let in_files = matches!(self.options.place, Place::Directory { .. });
        if in_files && !self.refusing {
            match self.prepare_file(oldest_needed) {
                Err(error) => self.trouble = Some(error),
                made => return made,
            }
        }
        let made = self.memory_segment(oldest_needed)?;
        Ok(made.map(|made| self.hand_out(made, oldest_needed)))
    }

    /// As [`SegmentStore::prepare`], but in a file or not at all.
    ///
    /// # Errors
    /// [`JournalError::Io`] if a file system call fails. No partial file is left.
    pub(crate) fn prepare_file(
        &mut self,
        oldest_needed: u64,
    ) -> Result<Option<Prepared>, JournalError> {
        self.attach()?;
        self.trim(oldest_needed)?;
        let mut made = self.make(oldest_needed);
        for _ in 0..TAKEN_MAX {
            if !made.as_ref().is_err_and(JournalError::is_taken) {
                break;
            }
            // A panic has left one of ours, or somebody else's file has got the number.
            let taken = self.index.header(self.next_sequence);
            let ours = taken.is_some_and(|header| header.writer == self.options.ring_id);
            if !ours || self.remove(self.next_sequence).is_err() {
                self.next_sequence = self.next_sequence.saturating_add(1);
            }
            made = self.make(oldest_needed);
        }
        let Some(made) = made? else { return Ok(None) };
        (self.trouble, self.refusing) = (None, false);
        Ok(Some(self.hand_out(made, oldest_needed)))
    }

    /// A fresh file, or the oldest segment made new.
    fn make(&mut self, oldest_needed: u64) -> Result<Option<Segment>, JournalError> {
        if self.idle.len() + self.outside.len() >= self.options.segments as usize {
            return self.recycled(oldest_needed);
        }
        match self.fresh() {
            // A full disk still has room in what is recycled.
            Err(error) if error.is_full() => match self.recycled(oldest_needed)? {
                Some(segment) => {
                    self.made_up_for = Some(error);
                    Ok(Some(segment))
                }
                None => Err(error),
            },
            made => made.map(Some),
        }
    }

    fn hand_out(&mut self, mut made: Segment, oldest_needed: u64) -> Prepared {
        self.index.forget_void_before(oldest_needed.min(self.next_sequence));
        let index = &self.index;
        self.orphans.retain(|&orphan| {
            let needed = orphan >= oldest_needed;
            if !needed {
                index.remove(orphan);
            }
            needed
        });
        if made.in_memory {
            self.memory.outside += 1;
            // What will be in it is gone with the process: no file is to say that it was nothing.
            self.remove_empty(|empty| empty == made.header.sequence);
        } else {
            made.cutting = Cutting::default();
            self.outside.insert(self.next_sequence, made.cutting.clone());
            self.empty.remove(&self.next_sequence);
        }
        self.remove_empty(|empty| empty < oldest_needed);
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.rest.extend(made.populate(self.options.prepare_bytes));
        // An older one is full already, or will be.
        while self.rest.len() > UNPOPULATED_MAX {
            self.rest.pop_front();
        }
        Prepared { segment: made }
    }

    /// The newest segment in a file, void ones not counted; 0: there is none.
    fn newest_file(&self) -> u64 {
        let idle = self.idle.iter().filter(|idle| !idle.void).map(|idle| idle.sequence);
        let outside = self.outside.keys().copied();
        idle.chain(outside).max().unwrap_or_default().max(self.newest_before)
    }

    /// Why the disk gives no segment; none: it does.
    pub(crate) fn trouble(&self) -> Option<&JournalError> {
        self.trouble.as_ref()
    }

    /// Segments whose files were taken away while they were written, since this was asked last.
    pub(crate) fn take_taken(&mut self) -> Vec<Taken> {
        std::mem::take(&mut self.taken)
    }

    /// Why the oldest segment was recycled although there may be more, if that was done since this was
    /// asked last.
    pub(crate) fn take_made_up_for(&mut self) -> Option<JournalError> {
        self.made_up_for.take()
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
