//! What a file handler refuses or fails at.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::file::Written;

/// Why a log file cannot be opened, written or rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum HandlerError {
    /// What stands at the path is not a file that a log may be written to, or moved over.
    #[error(
        "{}: {refusal}; it was left untouched: move it away or choose another file name",
        .path.display()
    )]
    Refused {
        /// The path in question: the log's or one of its backups'.
        path: PathBuf,
        /// What stands there.
        refusal: Refusal,
    },
    /// The directory that should hold the log is missing.
    #[error(
        "{}: its directory does not exist; create it or choose another `log_dir`",
        .path.display()
    )]
    NoDirectory {
        /// The log's path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file system call failed.
    #[error(
        "cannot {action} {}: {}",
        .path.display(),
        advice(.source).unwrap_or("the system refused it")
    )]
    Io {
        /// What was tried, as a verb: "write to", "rename".
        action: &'static str,
        /// The file that it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl HandlerError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> HandlerError {
        HandlerError::Io { action, path: path.into(), source }
    }

    pub(super) fn refused(path: &Path, refusal: Refusal) -> HandlerError {
        HandlerError::Refused { path: path.into(), refusal }
    }

    /// An error of a call that opened or created `path`: a missing file means a missing directory.
    pub(super) fn opening(action: &'static str, path: &Path, source: io::Error) -> HandlerError {
        if source.kind() == io::ErrorKind::NotFound {
            return HandlerError::NoDirectory { path: path.into(), source };
        }
        if Errno::from_io_error(&source) == Some(Errno::LOOP) {
            return HandlerError::refused(path, Refusal::Symlink);
        }
        HandlerError::io(action, path, source)
    }
}

/// What to do about a failed call; the cause itself is in `source()`.
pub(crate) fn advice(source: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(source) {
        Some(Errno::NOSPC) => "the disk is full; free some space on it",
        Some(Errno::DQUOT) => "the disk quota is used up; free some space or raise it",
        Some(Errno::FBIG) => "the file size limit is reached; raise `ulimit -f`",
        Some(Errno::ROFS) => "the file system is read-only; remount it or move `log_dir`",
        Some(Errno::ACCESS | Errno::PERM) => {
            "not permitted; check the owner, mode and attributes of the file and its directory"
        }
        Some(Errno::MFILE | Errno::NFILE) => "too many open files; raise `ulimit -n`",
        Some(Errno::IO) => "the disk reports an error; check the kernel's log",
        _ => return None,
    })
}

/// What stands where a log file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// A symbolic link, which might lead anywhere.
    #[error("a symbolic link stands there")]
    Symlink,
    /// A directory.
    #[error("a directory stands there")]
    Directory,
    /// A named pipe.
    #[error("a named pipe stands there")]
    Fifo,
    /// A socket or a device.
    #[error("a socket or device stands there")]
    Special,
    /// A file that has other names, too.
    #[error("the file has {names} names (hard links)")]
    HardLinks {
        /// How many names the file has.
        names: u64,
    },
    /// Another user's file.
    #[error("the file belongs to user {owner}, this process runs as user {user}")]
    ForeignOwner {
        /// Whose file it is.
        owner: u32,
        /// As whom we run.
        user: u32,
    },
}

/// A batch was not written to its end: how far it came, and what stopped it.
///
/// The lines counted in `written` are whole in the log, no byte of the next one is, and
/// [`FileHandler::write_from`](super::FileHandler::write_from) can go on with
/// line `first + written.lines`.
#[derive(Debug, thiserror::Error)]
#[error("{} lines of a batch were written before a failure", .written.lines)]
pub(crate) struct WriteError {
    /// What was written before.
    pub(crate) written: Written,
    /// What stopped it.
    pub(crate) source: HandlerError,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn a_message_names_the_file_and_says_what_to_do() {
        let full = io::Error::from(Errno::NOSPC);
        let error = HandlerError::opening("write to", Path::new("logs/expert.log"), full);
        assert_eq!(
            error.to_string(),
            "cannot write to logs/expert.log: the disk is full; free some space on it"
        );
        assert!(error.source().expect("the cause").to_string().contains("No space left"));
    }

    #[test]
    fn a_missing_directory_and_a_link_have_their_own_words() {
        let path = Path::new("logs/expert.log");
        let missing = HandlerError::opening("create", path, io::Error::from(Errno::NOENT));
        assert!(missing.to_string().starts_with("logs/expert.log: its directory does not exist"));
        let link = HandlerError::opening("open", path, io::Error::from(Errno::LOOP));
        assert!(link.to_string().starts_with("logs/expert.log: a symbolic link stands there;"));
    }
}
