//! A file that the engine fails at: which, why, and since when.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock::Source;
use crate::handlers::{HandlerError, advice};
use crate::journal::JournalError;
use crate::record::UnixNanos;

/// A file that could not be used; see [`Stats::file_error`](crate::Stats::file_error).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileError {
    /// The file or directory.
    pub path: PathBuf,
    /// What was tried, as a verb: `write to`, `sync`.
    pub action: &'static str,
    /// The system's number of the reason; none: the engine itself refused, a symbolic link for example.
    pub errno: Option<i32>,
    /// The reason in words, and what to do about it.
    pub message: String,
    /// How often that failed since `since`; `action`, `errno` and `message` are of the last time.
    pub count: u64,
    /// When it failed first.
    pub since: UnixNanos,
    /// When it worked again; none: it does not.
    pub until: Option<UnixNanos>,
}

impl FileError {
    /// A failure of now.
    pub(crate) fn new(action: &'static str, path: &Path, source: &io::Error) -> Self {
        let mut message = source.to_string();
        if let Some(advice) = advice(source) {
            message = format!("{message}: {advice}");
        }
        let errno = source.raw_os_error();
        Self { errno, ..Self::refused(action, path, message) }
    }

    /// The same where the system has nothing to do with it.
    pub(crate) fn refused(action: &'static str, path: &Path, message: String) -> Self {
        let (path, since) = (path.to_owned(), utc_now());
        Self { path, action, errno: None, message, count: 1, since, until: None }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.message)
    }
}

impl From<&HandlerError> for FileError {
    fn from(error: &HandlerError) -> Self {
        match error {
            HandlerError::Refused { path, refusal } => {
                Self::refused("use", path, refusal.to_string())
            }
            HandlerError::NoDirectory { path, source } => Self::new("open", path, source),
            HandlerError::Io { action, path, source } => Self::new(action, path, source),
        }
    }
}

impl From<&JournalError> for FileError {
    fn from(error: &JournalError) -> Self {
        match error {
            JournalError::Io { action, path, source } => Self::new(action, path, source),
            JournalError::NotADirectory(path) | JournalError::Unsupported { path, .. } => {
                Self::refused("use", path, error.to_string())
            }
            JournalError::Parameter { .. } => {
                Self::refused("make", Path::new("journal"), error.to_string())
            }
        }
    }
}

/// The time on the wall.
pub(crate) fn utc_now() -> UnixNanos {
    UnixNanos((Source::SYSTEM.unix_nanos)())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_the_systems_number() {
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        let error = FileError::new("write to", Path::new("a"), &full);
        assert_eq!((error.errno, error.count, error.until), (Some(libc::ENOSPC), 1, None));
        let text = "cannot write to a: No space left on device (os error 28): the disk is full; free \
                    some space on it";
        assert_eq!(error.to_string(), text);
    }
}
