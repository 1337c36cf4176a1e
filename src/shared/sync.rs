//! Bringing what is written onto the disk, at the caller's word and on the caller's thread.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::control::Unfinished;
use super::core::Core;
use crate::journal::SegmentIndex;

/// Why entries are not known to be on the disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The entries are not all written yet.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
    /// The logger has been shut down, and its files are closed.
    #[error("the logger has been shut down: sync before that")]
    Closed,
    /// A log could not be synced.
    #[error("{reason}: check the disk and its file system")]
    Log {
        /// Which one, and why.
        reason: String,
    },
    /// A file of the journal could not be synced: what was written to it may be lost at a power cut.
    #[error("cannot sync {}: check the disk and its file system", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl Core {
    /// Waits until everything accepted so far is written, then syncs the files it is in.
    pub(crate) fn sync(&self, timeout: Duration) -> Result<(), SyncError> {
        let before = self.control.journal_synced();
        self.control.flush(timeout)?;
        let progress = self.control.progress();
        let configuration = &self.configuration;
        if !configuration.log_to_file {
            return Ok(());
        }
        if !self.control.in_files() {
            let reason = "nothing is on the disk: the engine runs without files".to_owned();
            return Err(SyncError::Log { reason });
        }
        let journal = configuration.log_dir.join("journal");
        let index = SegmentIndex::directory(&journal);
        let sequences =
            index.sequences().map_err(|error| SyncError::Log { reason: error.to_string() })?;
        for sequence in sequences.into_iter().filter(|sequence| *sequence >= before) {
            // A segment that goes away meanwhile is recycled: its entries are gone with it.
            sync_if_there(&index.path(sequence))?;
        }
        sync_if_there(&journal)?;
        self.control.sync_logs(timeout)?;
        self.control.set_journal_synced(progress.journal.sequence);
        Ok(())
    }
}

fn sync_if_there(path: &Path) -> Result<(), SyncError> {
    let synced = File::open(path).and_then(|file| file.sync_data());
    match synced {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(SyncError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
