//! What earlier runs have left in the directory.

use std::collections::{BTreeSet, VecDeque};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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
        let mut empty = BTreeSet::new();
        let mut known = VecDeque::new();
        let mut newest = 0;
        // On the way back, those in use may be there, too.
        let misplaced: Vec<_> =
            self.outside.iter().copied().filter(|&it| self.is_misplaced(it)).collect();
        self.outside.retain(|sequence| !misplaced.contains(sequence));
        for sequence in directory.sequences()?.into_iter().filter(|it| !self.outside.contains(it)) {
            match inspect(directory, sequence) {
                Content::Data => {
                    newest = sequence;
                    known.push_back(Idle { sequence, segment: None, void: false });
                }
                Content::Empty => {
                    empty.insert(sequence);
                }
                Content::Foreign => newest = sequence,
            }
        }
        // A segment that was prepared and never written says nothing: its number is used again.
        for &sequence in &empty {
            let path = directory.path(sequence);
            give_room_back(&path)
                .or_else(|_| files::call(FileCall::Remove, || std::fs::remove_file(&path)))
                .map_err(JournalError::io("remove", &path))?;
            // Unless the number is that of one of ours, whose name was taken.
            if self.index.held(sequence).is_none() {
                self.index.set_void(sequence);
            }
        }
        self.empty = empty;
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
    Data,
    Empty,
    Foreign,
}
