//! What earlier runs have left in the directory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::{Idle, SegmentStore};
use crate::files::{self, FileCall};
use crate::handlers::notice;
use crate::journal::error::JournalError;
use crate::journal::index::{SegmentIndex, open_regular};
use crate::journal::layout::{
    CURSOR_OFFSET, FIRST_OFFSET, HEADER_PAGE_BYTES, HeaderPage, SegmentHeader, cursor_of,
};
use crate::journal::segment_reader::has_first_frame;

impl SegmentStore {
    /// Finds what earlier runs left. Files that are not ours stay as they are; their numbers are
    /// not used again.
    pub(super) fn scan(&mut self, directory: &SegmentIndex) -> Result<(), JournalError> {
        let mut unwritten = Vec::new();
        let mut known = VecDeque::new();
        let mut newest = 0;
        // On the way back, those in use may be there, too.
        let misplaced: Vec<_> =
            self.outside.keys().copied().filter(|&it| self.is_misplaced(it)).collect();
        self.outside.retain(|sequence, _| !misplaced.contains(sequence));
        for sequence in
            directory.sequences()?.into_iter().filter(|it| !self.outside.contains_key(it))
        {
            match inspect(directory, sequence) {
                Content::Data => {
                    newest = sequence;
                    known.push_back(Idle { sequence, segment: None, void: false });
                }
                Content::Empty { headed } => unwritten.push((sequence, headed)),
                Content::Foreign => newest = sequence,
            }
        }
        self.empty.clear();
        // A segment that was prepared and never written says nothing: its number is used again.
        for (sequence, headed) in unwritten {
            let path = directory.path(sequence);
            // Readers would take one without a header for a damaged one.
            if headed && give_room_back(&path).is_ok() {
                self.empty.insert(sequence);
            } else if let Err(error) = files::call(FileCall::Remove, || std::fs::remove_file(&path))
            {
                let error = JournalError::io("remove", &path)(error);
                notice(&format!("{error}: it is empty, and its number is passed over"));
                newest = newest.max(sequence);
                continue;
            }
            // Unless the number is that of one of ours, whose name was taken.
            if self.index.held(sequence).is_none() {
                self.index.set_void(sequence);
            }
        }
        let before = std::mem::replace(&mut self.idle, known);
        self.orphans.extend(before.into_iter().map(|idle| idle.sequence));
        self.newest_before = newest;
        self.next_sequence = self.next_sequence.max(newest.saturating_add(1));
        Ok(())
    }

    /// Removes files in which nothing was written. One that stays is met by the next start again.
    pub(super) fn remove_empty(&mut self, is_done: impl Fn(u64) -> bool) {
        let index = &self.index;
        self.empty.retain(|&empty| {
            let done = is_done(empty);
            if done {
                let _ = std::fs::remove_file(index.path(empty));
            }
            !done
        });
    }
}

fn inspect(directory: &SegmentIndex, sequence: u64) -> Content {
    let file = match directory.open(sequence) {
        Ok(Some(file)) => file,
        Ok(None) => return Content::Foreign,
        Err(error) => {
            if error.is_refusal() {
                notice(&format!("{error}: it is left alone, and its number is passed over"));
            }
            return Content::Foreign;
        }
    };
    let mut page = vec![0; HEADER_PAGE_BYTES];
    let Ok(length) = files::read_up_to(&file, &mut page, 0) else { return Content::Foreign };
    match SegmentHeader::read(&page[..length]) {
        HeaderPage::Foreign if page[..length].iter().all(|&byte| byte == 0) => headless(&file),
        HeaderPage::Foreign => Content::Foreign,
        HeaderPage::Unsupported { .. } | HeaderPage::Damaged => Content::Data,
        HeaderPage::Header(header) => {
            let published = cursor_of(&page[CURSOR_OFFSET..]) > FIRST_OFFSET.into();
            let written = published || has_first_frame(&file, &header).unwrap_or(true);
            if written { Content::Data } else { Content::Empty { headed: true } }
        }
    }
}

/// What a file is whose first page is not there, or holds nothing: a power cut took it, or somebody has cut
/// the file off. Where it holds data behind it, that is read by nobody, and it is recycled in its turn.
fn headless(file: &File) -> Content {
    let Ok(found) = file.metadata() else { return Content::Foreign };
    if found.nlink() > 1 {
        // It is somebody's copy.
        return Content::Foreign;
    }
    match rustix::fs::seek(file, SeekFrom::Data(0)) {
        Err(Errno::NXIO) => Content::Empty { headed: false },
        // What the file system does not tell may be data.
        _ => Content::Data,
    }
}

/// Leaves nothing of an empty segment's file but its header. One with another name is somebody's copy,
/// and stays as it is.
fn give_room_back(path: &Path) -> io::Result<()> {
    let file = open_regular(path, OpenOptions::new().write(true))?;
    if file.metadata()?.nlink() > 1 {
        return Ok(());
    }
    files::call(FileCall::SetLength, || file.set_len(FIRST_OFFSET.into()))
}

/// What a file with a segment's name holds.
enum Content {
    /// Frames, or what cannot be told from them.
    Data,
    /// Nothing but a header, or not even that.
    Empty { headed: bool },
    /// Nothing of ours.
    Foreign,
}
