//! What becomes of segments that were written, or that nobody needs.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{Idle, Place, SegmentStore, Taken};
use crate::files::{self, FileCall};
use crate::journal::error::JournalError;
use crate::journal::layout::FIRST_OFFSET;
use crate::journal::segment::{Cutting, Prepared, Retired, Segment};
use crate::record::UnixNanos;

impl SegmentStore {
    /// Gives the memory back that took the place of the disk, as far as no view needs it any more.
    pub(crate) fn release_memory(&mut self, oldest_needed: u64) {
        let index = &self.index;
        self.memory.idle.retain(|segment| {
            let needed = segment.header.sequence >= oldest_needed;
            if !needed {
                index.remove(segment.header.sequence);
            }
            needed
        });
    }

    /// Takes a written segment back, to be recycled as the youngest. One that was given up before
    /// anything was published in it is the next to be used again: a disk that takes no write must
    /// not cost what it has taken before. Until [`SegmentStore::prepare_file`] has success, segments
    /// are made in memory then.
    pub(crate) fn recycle(&mut self, retired: impl Into<Retired>) {
        let retired = retired.into();
        self.note_if_taken(&retired);
        let Retired { mut segment, published, failure, .. } = retired;
        segment.writer.reset();
        let sequence = segment.header.sequence;
        if segment.in_memory {
            self.memory.outside = self.memory.outside.saturating_sub(1);
            self.memory.idle.push_back(segment);
            return;
        }
        if self.outside.remove(&sequence).is_none() {
            // Its name was another engine's in the meantime.
            return self.orphans.push(sequence);
        }
        let sound = segment.holes() == 0;
        let void = published == FIRST_OFFSET && failure.is_some();
        if let Some(source) = failure.filter(|_| sound) {
            self.trouble = Some(JournalError::io("write", &self.index.path(sequence))(source));
            self.refusing = true;
        }
        // One with holes is made anew.
        let idle = Idle { sequence, segment: sound.then_some(segment), void };
        if void {
            self.index.set_void(sequence);
            return self.idle.push_front(idle);
        }
        self.idle.push_back(idle);
        // Those that are void take their places again, too, now that the disk takes what is written.
        self.idle.make_contiguous().sort_unstable_by_key(|idle| idle.sequence);
    }

    /// Notes that somebody has taken a segment with records while it was written.
    pub(crate) fn note_if_taken(&mut self, retired: &Retired) {
        let Retired { segment, published, records, found, .. } = retired;
        if *records == 0 || segment.in_memory {
            return;
        }
        let sequence = segment.header.sequence;
        let length = found.or_else(|| segment.file.metadata().ok().map(|found| found.len()));
        // A write makes a file that somebody has cut off longer again, a store into a mapping does not.
        let whole = match segment.mapping {
            Some(_) => u64::from(*published),
            None => self.options.segment_bytes,
        };
        let cut = length.is_some_and(|length| length < whole);
        // A name that is not known was another engine's in the meantime.
        if cut || !self.outside.contains_key(&sequence) || self.is_misplaced(sequence) {
            let (path, since) = (self.index.path(sequence), segment.header.created_unix_nanos);
            let since = UnixNanos(since);
            self.taken.push(Taken { sequence, path, since, records: *records });
        }
    }

    /// Removes a prepared segment that will not be written.
    pub(crate) fn discard(&mut self, prepared: Prepared) {
        let sequence = prepared.sequence();
        let named = if prepared.is_in_memory() {
            self.memory.outside = self.memory.outside.saturating_sub(1);
            true
        } else {
            self.outside.remove(&sequence).is_some() && !self.is_misplaced(sequence)
        };
        drop(prepared);
        self.index.set_void(sequence);
        if self.refusing || !named {
            // The directory, or the name, may be another engine's.
            return self.index.remove(sequence);
        }
        // What cannot be removed says nothing, and is removed by the next start.
        let _ = self.remove(sequence);
    }

    /// Segments that are prepared or being written whose names lead to other files by now, or to none,
    /// or which somebody has cut off, and where they should be, the newest first: what is written there is
    /// found by nobody.
    pub(crate) fn misplaced(&self) -> impl Iterator<Item = (u64, PathBuf)> {
        let outside = self.outside.iter().rev();
        let taken = outside.filter(|(sequence, cutting)| {
            self.is_misplaced(**sequence) || self.is_cut(**sequence, cutting)
        });
        taken.map(|(&sequence, _)| (sequence, self.index.path(sequence)))
    }

    /// Whether somebody has cut an open segment off.
    fn is_cut(&self, sequence: u64, cutting: &Cutting) -> bool {
        let found = self.index.held(sequence).and_then(|file| file.metadata().ok());
        let short = found.is_some_and(|found| found.len() < self.options.segment_bytes);
        short && !cutting.has_begun()
    }

    /// Whether an open segment's name leads to another file, or to none.
    pub(super) fn is_misplaced(&self, sequence: u64) -> bool {
        let Some(held) = self.index.held(sequence).and_then(|file| file.metadata().ok()) else {
            return false;
        };
        match std::fs::symlink_metadata(self.index.path(sequence)) {
            Ok(named) => (named.dev(), named.ino()) != (held.dev(), held.ino()),
            Err(error) => {
                matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
        }
    }

    fn is_gone(&self, sequence: u64) -> bool {
        let found = std::fs::symlink_metadata(self.index.path(sequence));
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Removes segments that are too many, because the configuration has changed.
    pub(super) fn trim(&mut self, oldest_needed: u64) -> Result<(), JournalError> {
        while self.idle.len() + self.outside.len() > self.options.segments as usize {
            let Some(oldest) = self.idle.front() else { break };
            if oldest.sequence >= oldest_needed {
                break;
            }
            self.remove(oldest.sequence)?;
            self.idle.pop_front();
        }
        Ok(())
    }

    pub(super) fn remove(&self, sequence: u64) -> Result<(), JournalError> {
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

    /// A segment in memory, if they are not too many.
    pub(super) fn memory_segment(
        &mut self,
        oldest_needed: u64,
    ) -> Result<Option<Segment>, JournalError> {
        if self.memory.idle.len() + self.memory.outside < self.memory.segments {
            return self.fresh_memory().map(Some);
        }
        let oldest = self.memory.idle.front().map(|segment| segment.header.sequence);
        if oldest.is_none_or(|oldest| oldest >= oldest_needed) {
            return Ok(None);
        }
        let Some(segment) = self.memory.idle.pop_front() else { return Ok(None) };
        self.index.remove(segment.header.sequence);
        self.renew_memory(segment).map(Some)
    }

    /// The oldest segment made new, if it is not needed. One that others do not let go of (an
    /// immutable file) is passed over.
    pub(super) fn recycled(&mut self, oldest_needed: u64) -> Result<Option<Segment>, JournalError> {
        let mut first_error = None;
        for at in 0..self.idle.len() {
            // A void one in front may still be passed by the views.
            if self.idle[at].sequence >= oldest_needed {
                continue;
            }
            let segment = self.idle[at].segment.take();
            let sequence = self.idle[at].sequence;
            match self.renew(sequence, segment) {
                Ok(renewed) => {
                    self.idle.remove(at);
                    return Ok(Some(renewed));
                }
                // The others would find the new name taken, too.
                Err(error) if error.is_taken() => return Err(error),
                // Its entries are gone: no other segment's are to go the same way. The next call finds
                // nothing to remove here.
                Err(error) if self.is_gone(sequence) => return Err(error),
                // Its name is still there: the next call tries again.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(None), Err)
    }
}
