//! Where the segments of a journal are found, by their sequence numbers.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::error::JournalError;
use super::layout::{HEADER_PAGE_BYTES, HeaderPage, SegmentHeader};
use crate::files::{self, FileCall};

/// The suffix of segment files.
const SUFFIX: &str = ".tape";
/// Digits of a sequence number in a file's name.
const DIGITS: usize = 20;

/// Finds segments for readers; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SegmentIndex {
    place: Found,
}

#[derive(Debug, Clone)]
enum Found {
    Directory(PathBuf),
    Memory(Arc<Mutex<BTreeMap<u64, Arc<File>>>>),
}

impl SegmentIndex {
    /// The journal in `directory`.
    pub(crate) fn directory(directory: impl Into<PathBuf>) -> Self {
        Self { place: Found::Directory(directory.into()) }
    }

    /// A journal of anonymous memory files.
    pub(super) fn memory() -> Self {
        Self { place: Found::Memory(Arc::default()) }
    }

    /// Where segment `sequence` is, for messages.
    pub(crate) fn path(&self, sequence: u64) -> PathBuf {
        match &self.place {
            Found::Directory(directory) => directory.join(file_name(sequence)),
            Found::Memory(_) => PathBuf::from(format!("memory:{}", file_name(sequence))),
        }
    }

    /// Opens segment `sequence` for reading; `None` if there is no such segment.
    ///
    /// # Errors
    /// [`JournalError::Io`] if it is there and cannot be opened, or is no regular file.
    pub(super) fn open(&self, sequence: u64) -> Result<Option<Arc<File>>, JournalError> {
        match &self.place {
            Found::Memory(files) => Ok(files.lock().get(&sequence).cloned()),
            Found::Directory(_) => {
                let path = self.path(sequence);
                let file = open_regular(&path, OpenOptions::new().read(true));
                match file {
                    Ok(file) => Ok(Some(Arc::new(file))),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(JournalError::io("open", &path)(source)),
                }
            }
        }
    }

    /// The numbers of all segments, smallest first.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the directory cannot be listed; a missing one holds no segment.
    pub(crate) fn sequences(&self) -> Result<Vec<u64>, JournalError> {
        let directory = match &self.place {
            Found::Memory(files) => return Ok(files.lock().keys().copied().collect()),
            Found::Directory(directory) => directory,
        };
        let failed = |error| JournalError::io::<io::Error>("list", directory)(error);
        let entries = match files::call(FileCall::List, || std::fs::read_dir(directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut sequences = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            sequences.extend(name.to_str().and_then(parse_name));
        }
        sequences.sort_unstable();
        Ok(sequences)
    }

    /// Whether the segments lie in anonymous memory.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.place, Found::Memory(_))
    }

    /// The header of a segment, if there is one and it can be read.
    pub(crate) fn header(&self, sequence: u64) -> Option<SegmentHeader> {
        let file = self.open(sequence).ok()??;
        let mut page = [0; HEADER_PAGE_BYTES];
        file.read_exact_at(&mut page, 0).ok()?;
        match SegmentHeader::read(&page) {
            HeaderPage::Header(header) => Some(header),
            _ => None,
        }
    }

    /// Lets readers find a memory segment.
    pub(super) fn insert(&self, sequence: u64, file: &Arc<File>) {
        if let Found::Memory(files) = &self.place {
            files.lock().insert(sequence, Arc::clone(file));
        }
    }

    /// Hides a memory segment from readers that do not have it open yet.
    pub(super) fn remove(&self, sequence: u64) {
        if let Found::Memory(files) = &self.place {
            files.lock().remove(&sequence);
        }
    }
}

/// The name of segment `sequence`.
pub(super) fn file_name(sequence: u64) -> String {
    format!("{sequence:020}{SUFFIX}")
}

/// The sequence number in a segment's file name; `None` for any other name.
pub(super) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let well_formed = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit());
    let sequence = if well_formed { digits.parse().ok()? } else { 0 };
    (sequence > 0).then_some(sequence)
}

/// Opens a regular file, following no link and never waiting on a pipe.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits() as i32);
    let file = files::call(FileCall::Open, || options.open(path))?;
    if !files::call(FileCall::Stat, || file.metadata())?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_twenty_digits_are_segments() {
        assert_eq!(file_name(1), "00000000000000000001.tape");
        assert_eq!(parse_name(&file_name(u64::MAX)), Some(u64::MAX));
        for foreign in [
            "1.tape",
            "00000000000000000000.tape",
            "0000000000000000001a.tape",
            "00000000000000000001.tape.new",
            "99999999999999999999.tape",
            "+0000000000000000001.tape",
        ] {
            assert_eq!(parse_name(foreign), None, "{foreign}");
        }
    }
}
