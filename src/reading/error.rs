//! What can go wrong with reading a journal, and what is told and passed over.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a journal was not read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such directory, or it may not be looked into.
    #[error(
        "cannot open {}: give the log directory of a program that logs with tapelog, or the \
         journal directory inside it",
        path.display()
    )]
    Io {
        /// What was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a directory was given.
    #[error(
        "{} is no directory: give the log directory, or the journal directory inside it",
        path.display()
    )]
    NotADirectory {
        /// What was given.
        path: PathBuf,
    },
    /// The directory holds no segment of a journal.
    #[error(
        "{} holds no journal: there are no {}/*.{} files in it. Is it the log directory (log_dir) \
         of a program that ran with log_to_file = true?",
        path.display(), super::SUBDIRECTORY, super::EXTENSION
    )]
    Empty {
        /// What was given.
        path: PathBuf,
    },
    /// The journal's directory cannot be listed.
    #[error("the journal cannot be read")]
    Journal {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The output takes no more lines.
    #[error("the lines cannot be written")]
    Output {
        /// What the system said.
        source: io::Error,
    },
}

impl ReadError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// Whether whoever took the lines has closed the pipe, as `head` does.
    #[must_use]
    pub fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// A part of a journal that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Bytes of a segment are damaged.
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the damage begins.
        from: u64,
        /// Where reading goes on.
        to: u64,
        /// What is wrong.
        reason: String,
    },
    /// A segment cannot be opened, or is of a later format.
    Unreadable {
        /// Which one, why, and what to do.
        reason: String,
    },
    /// Segments were recycled before they were read: a journal keeps its newest ones.
    Expired {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
}

impl Note {
    /// Whether it tells of damage.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Expired { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { path, from, to, reason } => {
                let path = path.display();
                write!(
                    f,
                    "{path} is damaged from byte {from} to {to} ({reason}); what was there is missing"
                )
            }
            Self::Unreadable { reason } => write!(f, "{reason}; its entries are missing"),
            Self::Expired { first, last } if first == last => {
                write!(
                    f,
                    "segment {first} was recycled while it was read: some entries are missing"
                )
            }
            Self::Expired { first, last } => {
                write!(f, "segments {first} to {last} were recycled before they were read")
            }
        }
    }
}
