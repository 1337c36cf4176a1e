//! Bringing what is written onto the disk, at the caller's word and on the caller's thread.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::core::Core;
use super::file_error::FileError;
use super::outage::Part;
use super::progress::{Progress, Unfinished};
use crate::config::SyncPolicy;
use crate::files;
use crate::handlers::HandlerError;
use crate::journal::{JournalError, SegmentIndex, sync_segment};

/// Why entries are not known to be on the disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The entries are not all written yet.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
    /// Nothing is synced without being asked: `sync` is `none`.
    #[error("sync = none: nobody syncs; set `interval` or `critical`, or call `sync()`")]
    NoPolicy,
    /// Some of what is waited for came into no file of the journal: the disk took none then, or somebody has
    /// removed or renamed it. Told once: by the calls that wait at that time, or the next one.
    #[error(
        "entries of this run are in no file of the journal ({records} so far), because the disk took none, \
         or somebody has taken it: see logger.journal_gap in the logs; what comes later is not concerned"
    )]
    NoFile {
        /// How many records of this run that are in all, as far as counted.
        records: u64,
    },
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

impl SyncError {
    fn of_journal(error: JournalError) -> Self {
        match error {
            JournalError::Io { path, source, .. } => Self::Io { path, source },
            other => Self::Log { reason: other.to_string() },
        }
    }

    /// A log that cannot be synced.
    pub(crate) fn of_log(error: HandlerError) -> Self {
        match error {
            HandlerError::Io { path, source, .. } | HandlerError::NoDirectory { path, source } => {
                Self::Io { path, source }
            }
            HandlerError::Refused { .. } => Self::Log { reason: error.to_string() },
        }
    }
}

impl Core {
    /// Waits until everything accepted so far is written, then syncs the files it is in.
    pub(crate) fn sync(&self, timeout: Duration) -> Result<(), SyncError> {
        let told = self.control.unfiled_told();
        self.control.flush(timeout)?;
        if !self.is_on_disk()? {
            return Ok(());
        }
        let outcome = self.sync_journal().and_then(|()| self.control.sync_logs(timeout));
        self.note_sync(&outcome, "a power cut may take what is not synced; call `sync()` again");
        outcome.and_then(|()| self.control.check_unfiled(told))
    }

    /// Counts a failure to sync, which stands in the stats until syncing works again; `risk` is told
    /// with it.
    pub(crate) fn note_sync(&self, outcome: &Result<(), SyncError>, risk: &str) {
        match outcome {
            Ok(()) => self.control.outage().works(Part::Syncing, 0),
            Err(SyncError::Io { path, source }) => {
                let error = FileError::new("sync", path, source);
                self.control.sync_failed(error.to_string());
                self.control.outage().failed(Part::Syncing, error, risk);
            }
            // Nothing has failed.
            Err(SyncError::Unfinished(_) | SyncError::Closed | SyncError::NoFile { .. }) => {}
            // What is in memory alone has failed elsewhere.
            Err(error) => self.control.sync_failed(error.to_string()),
        }
    }

    /// Waits until everything accepted so far is in the journal, and that on the disk, where the
    /// policy's thread brings it.
    pub(crate) fn wait_synced(&self, timeout: Duration) -> Result<(), SyncError> {
        if !self.is_on_disk()? {
            return Ok(());
        }
        if self.configuration.sync == SyncPolicy::None {
            return Err(SyncError::NoPolicy);
        }
        self.control.wait_synced(timeout)
    }

    /// Whether there are files; an error where there should be.
    fn is_on_disk(&self) -> Result<bool, SyncError> {
        if self.configuration.log_to_file && !self.control.in_files() {
            let reason = "nothing is on the disk: the engine runs without files".to_owned();
            return Err(SyncError::Log { reason });
        }
        Ok(self.configuration.log_to_file)
    }

    /// Brings the journal to the disk as far as it is published.
    pub(crate) fn sync_journal(&self) -> Result<(), SyncError> {
        let mut again = self.control.sync_again();
        let progress = self.control.progress();
        if progress.journal_in_memory {
            let why = self.control.degraded().unwrap_or_default();
            return Err(SyncError::Log { reason: format!("the journal is in memory: {why}") });
        }
        let outcome = self.sync_segments(&progress, *again);
        *again = outcome.is_err();
        outcome?;
        self.control.set_journal_synced(progress.journal.sequence);
        self.control.note_durable(&progress);
        Ok(())
    }

    /// Brings the segments to the disk, after a failure all that may be concerned by it `again`.
    fn sync_segments(&self, progress: &Progress, again: bool) -> Result<(), SyncError> {
        let (before, last) = (self.control.journal_synced(), progress.journal.sequence);
        let log_dir = &self.configuration.log_dir;
        let journal = log_dir.join("journal");
        let index = SegmentIndex::directory(&journal);
        let sequences = index.sequences().map_err(SyncError::of_journal)?;
        if !sequences.contains(&last) && last > 0 {
            let source = io::Error::new(io::ErrorKind::NotFound, "it was removed or renamed");
            return Err(SyncError::Io { path: index.path(last), source });
        }
        for sequence in sequences.into_iter().filter(|known| (before..=last).contains(known)) {
            let path = index.path(sequence);
            let end = (sequence == last).then_some(progress.journal.offset);
            match sync_segment(&path, end, again) {
                // One that goes away meanwhile is recycled: its entries are gone with it.
                Err(source) if source.kind() != io::ErrorKind::NotFound || sequence == last => {
                    return Err(SyncError::Io { path, source });
                }
                _ => {}
            }
        }
        if before != last {
            // New names; the first time, those of the directories, too.
            sync_directory(&journal)?;
        }
        if before == 0 {
            sync_directory(log_dir)?;
            let absolute = std::path::absolute(log_dir).unwrap_or_else(|_| log_dir.clone());
            absolute.parent().map_or(Ok(()), sync_directory)?;
        }
        Ok(())
    }
}

fn sync_directory(path: &Path) -> Result<(), SyncError> {
    files::sync_directory(path).map_err(|source| SyncError::Io { path: path.to_owned(), source })
}
