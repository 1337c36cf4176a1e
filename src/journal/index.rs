//! Where the segments of a journal are found, by their sequence numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::error::JournalError;
use super::layout::{HEADER_PAGE_BYTES, HeaderPage, SegmentHeader};
use crate::files::{self, FileCall};

/// The suffix of segment files.
const SUFFIX: &str = ".tape";
/// Digits of a sequence number in a file's name.
const DIGITS: usize = 20;
/// The highest number of a segment: no engine counts so far, and whoever counts on from what a name
/// says stays far from the end of the numbers.
pub(super) const SEQUENCE_MAX: u64 = 1 << 60;

/// Finds segments for readers; cheap to clone.
///
/// Segments that this process has open are found without their names: what others do to the files'
/// names, and what a disk does that gives no descriptor, does not keep the views from them.
#[derive(Debug, Clone)]
pub(crate) struct SegmentIndex {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Open segments of this process, those in anonymous memory among them.
    held: Mutex<BTreeMap<u64, Arc<File>>>,
    /// Numbers of segments in which nothing was published before they were given up, by this process or
    /// by the death of an earlier one.
    void: Mutex<BTreeSet<u64>>,
    /// Where the others are.
    directory: OnceLock<Directory>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// The first segment that is looked for there.
    first: u64,
    /// Whether it is an engine's: files of other users are not read then.
    own: bool,
}

impl SegmentIndex {
    /// The journal in `directory`.
    pub(crate) fn directory(directory: impl Into<PathBuf>) -> Self {
        let index = Self::memory();
        index.set_directory(Directory { path: directory.into(), first: 0, own: false });
        index
    }

    /// The same as an engine sees it that owns the directory: what belongs to another user is refused.
    pub(crate) fn own_directory(directory: impl Into<PathBuf>) -> Self {
        let index = Self::memory();
        index.attach(directory, 0);
        index
    }

    /// A journal of anonymous memory files.
    pub(super) fn memory() -> Self {
        Self { shared: Arc::default() }
    }

    /// Looks for segments in this engine's `directory`, too, from number `first` on. Can be told once.
    pub(super) fn attach(&self, directory: impl Into<PathBuf>, first: u64) {
        self.set_directory(Directory { path: directory.into(), first, own: true });
    }

    fn set_directory(&self, directory: Directory) {
        // Whoever attaches a second time attaches the same one.
        let _kept = self.shared.directory.set(directory);
    }

    /// Whether it is that of an engine.
    pub(super) fn is_own(&self) -> bool {
        self.shared.directory.get().is_some_and(|directory| directory.own)
    }

    /// Where segment `sequence` is, for messages.
    pub(crate) fn path(&self, sequence: u64) -> PathBuf {
        match self.shared.directory.get() {
            Some(directory) => directory.path.join(file_name(sequence)),
            None => PathBuf::from(format!("memory:{}", file_name(sequence))),
        }
    }

    /// Opens segment `sequence` for reading; `None` if there is no such segment.
    ///
    /// # Errors
    /// [`JournalError::Io`] if it is there and cannot be opened, or is no regular file; an engine
    /// refuses another user's, too.
    pub(super) fn open(&self, sequence: u64) -> Result<Option<Arc<File>>, JournalError> {
        if let Some(held) = self.held(sequence) {
            return Ok(Some(held));
        }
        if self.shared.directory.get().is_none_or(|directory| sequence < directory.first) {
            return Ok(None);
        }
        let path = self.path(sequence);
        let opened = open_regular(&path, OpenOptions::new().read(true));
        let refused = |file: File| if self.is_own() { refuse_others(file) } else { Ok(file) };
        match opened.and_then(refused) {
            Ok(file) => Ok(Some(Arc::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(JournalError::io("open", &path)(source)),
        }
    }

    /// The numbers of all segments, smallest first.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the directory cannot be listed and no segment is held open; a missing
    /// one holds no segment.
    pub(crate) fn sequences(&self) -> Result<Vec<u64>, JournalError> {
        let mut sequences: Vec<u64> = self.shared.held.lock().keys().copied().collect();
        match self.listed() {
            Ok(listed) => sequences.extend(listed),
            Err(error) if sequences.is_empty() => return Err(error),
            // Those that matter now are the ones that are held.
            Err(_) => {}
        }
        sequences.sort_unstable();
        sequences.dedup();
        Ok(sequences)
    }

    fn listed(&self) -> Result<Vec<u64>, JournalError> {
        let Some(directory) = self.shared.directory.get() else { return Ok(Vec::new()) };
        let failed = |error| JournalError::io::<io::Error>("list", &directory.path)(error);
        let entries = match files::call(FileCall::List, || std::fs::read_dir(&directory.path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut sequences = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            sequences.extend(name.to_str().and_then(parse_name));
        }
        sequences.retain(|&sequence| sequence >= directory.first);
        Ok(sequences)
    }

    /// A segment that this process has open.
    pub(super) fn held(&self, sequence: u64) -> Option<Arc<File>> {
        self.shared.held.lock().get(&sequence).cloned()
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

    /// Lets readers find a segment that this process has open.
    pub(super) fn insert(&self, sequence: u64, file: &Arc<File>) {
        // The number may be used again.
        self.shared.void.lock().remove(&sequence);
        self.shared.held.lock().insert(sequence, Arc::clone(file));
    }

    /// Hides such a segment from readers that do not have it open yet.
    pub(super) fn remove(&self, sequence: u64) {
        self.shared.held.lock().remove(&sequence);
    }

    /// Notes that nothing was ever published in a segment.
    pub(super) fn set_void(&self, sequence: u64) {
        self.shared.void.lock().insert(sequence);
    }

    /// Whether nothing was ever published in a segment, so that nobody misses it.
    pub(super) fn is_void(&self, sequence: u64) -> bool {
        self.shared.void.lock().contains(&sequence)
    }

    /// Forgets such segments that nobody asks for any more.
    pub(super) fn forget_void_before(&self, sequence: u64) {
        self.shared.void.lock().retain(|&void| void >= sequence);
    }
}

/// The name of segment `sequence`.
pub(super) fn file_name(sequence: u64) -> String {
    format!("{sequence:020}{SUFFIX}")
}

/// The sequence number in a segment's file name; `None` for any other name, and for a number that
/// no engine gives.
pub(super) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let well_formed = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit());
    let sequence = if well_formed { digits.parse().ok()? } else { 0 };
    (1..=SEQUENCE_MAX).contains(&sequence).then_some(sequence)
}

/// Opens a regular file, following no link and never waiting on a pipe.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits() as i32);
    let file = files::open(FileCall::Open, options, path)?;
    if !files::call(FileCall::Stat, || file.metadata())?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

/// Refuses a file of another user. Other names of a file of ours do no harm: it is only read, and not
/// made new as long as it has them.
fn refuse_others(file: File) -> io::Result<File> {
    let (owner, user) = (file.metadata()?.uid(), rustix::process::geteuid().as_raw());
    if owner == user {
        return Ok(file);
    }
    let text = format!("it belongs to user {owner}, this process runs as user {user}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_twenty_digits_are_segments() {
        assert_eq!(file_name(1), "00000000000000000001.tape");
        assert_eq!(parse_name(&file_name(SEQUENCE_MAX)), Some(SEQUENCE_MAX));
        for foreign in [
            "1.tape",
            "00000000000000000000.tape",
            "0000000000000000001a.tape",
            "00000000000000000001.tape.new",
            "99999999999999999999.tape",
            "18446744073709551615.tape",
            "18446744073709551614.tape",
            "+0000000000000000001.tape",
        ] {
            assert_eq!(parse_name(foreign), None, "{foreign}");
        }
    }
}
