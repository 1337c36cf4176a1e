//! A log file that is appended to in whole lines and rotated by size.
//!
//! # What a reader sees
//!
//! The file has its exact length at every moment and holds no NUL bytes: it is appended to, never
//! preallocated or mapped. While a write is on its way, the file may end inside a line, because the
//! kernel publishes a write page by page; only a line feed completes a line, and `tail -F` waits
//! for it. A write that stops early is taken back to the last whole line.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::batch::Batch;
use super::error::{HandlerError, WriteError};
use super::live::{Identity, Live, OPEN_FLAGS};
use super::rotation;
use super::stderr::notice;
use crate::files::{self, FileCall};

/// Where a log stands and how it is kept.
#[derive(Debug, Clone)]
pub(crate) struct FileOptions {
    /// The log's path; its directory must exist.
    pub(crate) path: PathBuf,
    /// The size at which it is rotated. A longer single line has a file of its own.
    pub(crate) max_bytes: u64,
    /// How many rotated files are kept, as `.1` to `.N`.
    pub(crate) backups: u32,
    /// The mode of a new file, whatever the umask.
    pub(crate) mode: u32,
    /// The group of a new file; `None` leaves it to the system.
    pub(crate) group: Option<u32>,
}

/// How much of a batch is in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Whole lines.
    pub(crate) lines: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Rotations on the way.
    pub(crate) rotations: u32,
    /// Whether a rotation found that somebody has moved the file away: the log was opened anew.
    pub(crate) moved: bool,
}

/// A size-rotated log file.
#[derive(Debug)]
pub(crate) struct FileHandler {
    options: FileOptions,
    /// `None` while the path cannot be opened; each write tries again.
    live: Option<Live>,
    rotations: u64,
    /// Rotations since the last [`FileHandler::sync`], which covers those files, too.
    rotations_unsynced: u32,
    /// The backup that the last rotation removed, until somebody takes it.
    removed: Option<File>,
    /// Whether the file was found to have no name any more, until somebody asks.
    vanished: bool,
    /// What the last write has written, or the one under way.
    written: Written,
}

/// Refuses a file that was opened, or would be, unless it is a regular one of our own with a single
/// name: what is written to it could else be written to something of somebody else's.
///
/// # Errors
/// [`HandlerError::Refused`], with what stands at `path`.
pub(crate) fn refuse_foreign(path: &Path, found: &fs::Metadata) -> Result<(), HandlerError> {
    match rotation::refuse_log(found) {
        Some(refusal) => Err(HandlerError::refused(path, refusal)),
        None => Ok(()),
    }
}

impl FileHandler {
    /// Looks whether the log at `path` could be opened or created, by what stands there now.
    ///
    /// # Errors
    /// [`HandlerError::Refused`] as in [`FileHandler::open`]; other trouble shows there.
    pub(crate) fn look_at(path: &Path) -> Result<(), HandlerError> {
        fs::symlink_metadata(path).map_or(Ok(()), |found| refuse_foreign(path, &found))
    }

    /// Removes backups that are too many, because fewer are to be kept than before, and tells how many
    /// that were; where it fails, that is told, and the log works all the same.
    pub(crate) fn remove_surplus(options: &FileOptions) {
        let (path, backups) = (options.path.display(), options.backups);
        match rotation::remove_beyond(&options.path, backups) {
            Ok(0) => {}
            Ok(removed) => notice(&format!(
                "removed {removed} old files of {path}: log_backup_count = {backups} keeps no more"
            )),
            Err(error) => notice(&format!("{error}; it is more than log_backup_count = {backups}")),
        }
    }

    /// Opens the log for appending, or creates it.
    ///
    /// A torn last line, left by a crash, is completed with a line feed.
    ///
    /// # Errors
    /// [`HandlerError::Refused`] for anything but a regular file of our own with a single name;
    /// [`HandlerError::NoDirectory`]; [`HandlerError::Io`].
    pub(crate) fn open(mut options: FileOptions) -> Result<FileHandler, HandlerError> {
        // The host may change its working directory later.
        options.path = std::path::absolute(&options.path)
            .map_err(|error| HandlerError::io("find", &options.path, error))?;
        let live = Some(Live::open(&options)?);
        let written = Written::default();
        Ok(FileHandler {
            options,
            live,
            rotations: 0,
            rotations_unsynced: 0,
            removed: None,
            vanished: false,
            written,
        })
    }

    /// Appends all lines of a batch.
    #[cfg(test)]
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<Written, WriteError> {
        let mut all = Written::default();
        while all.lines < batch.lines() {
            let (written, failure) = match self.write_from(batch, all.lines) {
                Ok(written) => (written, None),
                Err(error) => (error.written, Some(error.source)),
            };
            all.lines += written.lines;
            all.bytes += written.bytes;
            all.rotations += written.rotations;
            all.moved |= written.moved;
            if let Some(source) = failure {
                return Err(WriteError { written: all, source });
            }
        }
        Ok(all)
    }

    /// Appends the lines from number `first` on: one `write` for what fits into the file. Where there is
    /// more, the log is rotated, and the rest is the next call's: in between it can be noted which
    /// file the log is in.
    ///
    /// # Errors
    /// [`WriteError`] says how many whole lines were written, and why no more were. Nothing of the
    /// next line is in the file.
    pub(crate) fn write_from(
        &mut self,
        batch: &Batch,
        first: usize,
    ) -> Result<Written, WriteError> {
        self.written = Written::default();
        while first + self.written.lines < batch.lines() {
            if self.written.rotations > 0 || self.written.moved {
                break;
            }
            if let Err(source) = self.step(batch, first) {
                return Err(WriteError { written: self.written, source });
            }
        }
        Ok(self.written)
    }

    /// What the last write has written; for who does not know because it has panicked.
    pub(crate) fn written(&self) -> Written {
        self.written
    }

    /// One append of as many lines as fit, or one rotation where none does.
    fn step(&mut self, batch: &Batch, first: usize) -> Result<(), HandlerError> {
        let max_bytes = self.options.max_bytes;
        let next = first + self.written.lines;
        let live = self.live()?;
        let fitting = batch.lines_within(next, max_bytes.saturating_sub(live.at.len));
        if fitting == 0 && live.at.len > 0 {
            let before = self.rotations;
            let outcome = self.rotate();
            let rotated = self.rotations > before;
            self.written.rotations += u32::from(rotated);
            self.written.moved = !rotated;
            return outcome;
        }
        let appended = live.append(batch, next, next + fitting.max(1));
        self.written.lines += appended.lines;
        self.written.bytes += appended.bytes;
        let Some(error) = appended.error else {
            return Ok(());
        };
        if appended.torn {
            // Opening it again completes the torn line.
            self.live = None;
        }
        Err(HandlerError::io("write to", &self.options.path, error))
    }

    /// Rotates now; an empty file is left as it is.
    ///
    /// A file that was moved away meanwhile is not renamed again: the log is opened anew.
    ///
    /// # Errors
    /// [`HandlerError`]; the log goes on in the old file, or, once that is renamed, in a new one
    /// that the next write creates.
    pub(crate) fn rotate(&mut self) -> Result<(), HandlerError> {
        self.live()?;
        if self.reopen_if_moved()? || self.live()?.at.len == 0 {
            return Ok(());
        }
        self.removed = rotation::shift(&self.options.path, self.options.backups)?;
        self.rotations += 1;
        self.rotations_unsynced = self.rotations_unsynced.saturating_add(1);
        self.live = None;
        self.live = Some(Live::create(&self.options)?);
        Ok(())
    }

    /// The backup that the last rotation removed: closing it takes its time, which need not be the
    /// caller's.
    pub(crate) fn take_removed(&mut self) -> Option<File> {
        self.removed.take()
    }

    /// Follows what others did to the file, with one `stat` if they did nothing.
    ///
    /// Opens the path anew if it names another file or none (logrotate's `create`, `rm`), and goes
    /// on at the new end if the file shrank (`copytruncate`). True if either was the case.
    ///
    /// # Errors
    /// [`HandlerError`], if what stands at the path now cannot be opened. Writes fail until it can.
    pub(crate) fn reopen_if_moved(&mut self) -> Result<bool, HandlerError> {
        let path = &self.options.path;
        if let Some(live) = &mut self.live {
            match files::call(FileCall::Stat, || fs::symlink_metadata(path)) {
                Ok(found) if live.is(&found) => return live.follow_length(path, found.len()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(HandlerError::io("look at", path, error)),
            }
        }
        self.vanished |= self.is_nameless();
        self.live = None;
        self.live = Some(Live::open(&self.options)?);
        Ok(true)
    }

    /// Whether somebody has removed the file.
    pub(crate) fn is_nameless(&self) -> bool {
        let found = self.live.as_ref().and_then(|live| live.file.metadata().ok());
        found.is_some_and(|found| found.nlink() == 0)
    }

    /// Whether the file was removed under the handler since this was asked last: what it was given in the
    /// end is in no file.
    pub(crate) fn take_vanished(&mut self) -> bool {
        std::mem::take(&mut self.vanished)
    }

    /// Brings everything written so far to the disk, rotated files that are still kept included.
    ///
    /// # Errors
    /// [`HandlerError::Io`] naming the file; the next call tries it again.
    pub(crate) fn sync(&mut self) -> Result<(), HandlerError> {
        let path = &self.options.path;
        sync_backups(path, self.rotations_unsynced.min(self.options.backups))?;
        if let Some(live) = &mut self.live {
            files::call(FileCall::Sync, || live.file.sync_data())
                .map_err(|error| HandlerError::io("sync", path, error))?;
        }
        self.sync_names()
    }

    /// Brings the directory's entries to the disk after a rotation or creation.
    fn sync_names(&mut self) -> Result<(), HandlerError> {
        let named = self.live.as_ref().is_none_or(|live| live.named);
        if self.rotations_unsynced == 0 && named {
            return Ok(());
        }
        sync_names_beside(&self.options.path)?;
        self.rotations_unsynced = 0;
        if let Some(live) = &mut self.live {
            live.named = true;
        }
        Ok(())
    }

    /// The file being written and its length; `None` while there is none.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.live.as_ref().map(|live| live.at)
    }

    /// How often this handler rotated the log.
    pub(crate) fn rotations(&self) -> u64 {
        self.rotations
    }

    /// The log's path.
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.options.path
    }

    fn live(&mut self) -> Result<&mut Live, HandlerError> {
        match &mut self.live {
            Some(live) => Ok(live),
            none => Ok(none.insert(Live::open(&self.options)?)),
        }
    }
}

/// Brings the log at `path` to the disk beside the thread that writes it, with the last `rotated`
/// files that it was rotated into, and their names.
///
/// # Errors
/// [`HandlerError::Io`] naming the file. One that is missing is none: it is made anew.
pub(crate) fn sync_log(path: &Path, rotated: u32) -> Result<(), HandlerError> {
    sync_backups(path, rotated)?;
    sync_if_there(path)?;
    sync_names_beside(path)
}

fn sync_backups(path: &Path, rotated: u32) -> Result<(), HandlerError> {
    (1..=rotated).rev().try_for_each(|number| sync_if_there(&rotation::backup_path(path, number)))
}

fn sync_if_there(path: &Path) -> Result<(), HandlerError> {
    let mut how = OpenOptions::new();
    how.read(true).custom_flags(OPEN_FLAGS);
    let opened = files::open(FileCall::Open, &how, path);
    match opened.and_then(|file| files::call(FileCall::Sync, || file.sync_data())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(|error| HandlerError::io("sync", path, error)),
    }
}

fn sync_names_beside(path: &Path) -> Result<(), HandlerError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    files::sync_directory(directory).map_err(|error| HandlerError::io("sync", directory, error))
}
