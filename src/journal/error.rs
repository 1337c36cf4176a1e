//! What can go wrong with the journal's files.

use std::io;
use std::path::{Path, PathBuf};

/// Why the journal could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum JournalError {
    /// A file system call failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A parameter is outside its range.
    #[error("{key} = {value} is not possible: {expected}")]
    Parameter {
        /// The parameter's name.
        key: &'static str,
        /// What was given.
        value: u64,
        /// What would be accepted.
        expected: &'static str,
    },
    /// Something that is no directory, or a link to one, stands where the journal should be.
    #[error("{} is not a directory of its own: remove it or choose another log_dir", .0.display())]
    NotADirectory(PathBuf),
    /// The segment was written by a later version, in a format this one does not read.
    #[error(
        "{} has format version {version} and required features {features:#x}, which this \
         version of tapelog does not know: read it with the version that wrote it",
        path.display()
    )]
    Unsupported {
        /// The segment.
        path: PathBuf,
        /// The version in its header.
        version: u16,
        /// The required features in its header.
        features: u64,
    },
}

impl JournalError {
    /// Turns a failed call into an error that names the file.
    pub(super) fn io<E: Into<io::Error>>(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> JournalError {
        move |source| JournalError::Io { action, path: path.to_owned(), source: source.into() }
    }

    /// Whether the medium had no room.
    pub(crate) fn is_full(&self) -> bool {
        let JournalError::Io { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether something stands there that is never read: a link, no plain file, another user's.
    pub(super) fn is_refusal(&self) -> bool {
        let JournalError::Io { source, .. } = self else { return false };
        let is_link = source.raw_os_error() == Some(libc::ELOOP);
        is_link || source.raw_os_error().is_none() && source.kind() == io::ErrorKind::InvalidInput
    }

    /// Whether something stands at a name that was to be free.
    pub(super) fn is_taken(&self) -> bool {
        let JournalError::Io { source, .. } = self else { return false };
        source.kind() == io::ErrorKind::AlreadyExists
    }
}

/// Why records could not be appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AppendError {
    /// The segment has no room: nothing was written; roll and try again.
    #[error("the segment is full")]
    Full,
    /// One record and its definitions do not fit into an empty segment.
    #[error(
        "a record of {bytes} bytes does not fit into an empty segment: raise journal_segment_bytes"
    )]
    TooLarge {
        /// Bytes of the record, to be skipped by the caller.
        bytes: u32,
    },
    /// The bytes do not begin with a whole record.
    #[error("the run does not begin with a whole record")]
    Malformed,
    /// Writing failed, now or earlier in this segment: see [`super::Appender::abandon`].
    #[error("the segment cannot be written: {0}")]
    Failed(#[source] io::Error),
}
