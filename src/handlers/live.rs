//! One open log file: opening with distrust, appending whole lines, taking back torn ones.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use super::batch::Batch;
use super::error::HandlerError;
use super::file::FileOptions;
use super::rotation;
use crate::files::{self, FileCall};

/// Never follows a link, never waits for a pipe's reader, never takes a terminal.
pub(super) const OPEN_FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;

/// Which file is being written, and up to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The device that holds it.
    pub(crate) dev: u64,
    /// Its inode there.
    pub(crate) ino: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
}

/// An open log file.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) file: File,
    pub(super) at: Identity,
    /// Whether its name is known to be on the disk.
    pub(super) named: bool,
}

/// What came of one append.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) lines: usize,
    pub(super) bytes: u64,
    pub(super) error: Option<io::Error>,
    /// Part of a line is in the file and could not be taken back.
    pub(super) torn: bool,
}

impl Live {
    /// Opens what stands at the path, or creates it.
    pub(super) fn open(options: &FileOptions) -> Result<Live, HandlerError> {
        let path = &options.path;
        let found = match files::call(FileCall::Stat, || fs::symlink_metadata(path)) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Live::create(options),
            Err(error) => return Err(HandlerError::io("look at", path, error)),
        };
        // Before opening, because to open a device can have effects of its own.
        if let Some(refusal) = rotation::refuse_log(&found) {
            return Err(HandlerError::refused(path, refusal));
        }
        let mut how = OpenOptions::new();
        how.read(true).append(true).custom_flags(OPEN_FLAGS);
        let file = files::open(FileCall::Open, &how, path)
            .map_err(|error| HandlerError::opening("open", path, error))?;
        // Again, because another file may have taken the path in between.
        let found = files::call(FileCall::Stat, || file.metadata())
            .map_err(|error| HandlerError::io("look at", path, error))?;
        if let Some(refusal) = rotation::refuse_log(&found) {
            return Err(HandlerError::refused(path, refusal));
        }
        let mut live = Live { file, at: identity(&found), named: true };
        live.complete_last_line(path)?;
        Ok(live)
    }

    /// Creates the file, which must not exist, with the mode and group that were asked for.
    pub(super) fn create(options: &FileOptions) -> Result<Live, HandlerError> {
        let path = &options.path;
        let mut how = OpenOptions::new();
        how.read(true).append(true).create_new(true).mode(0o600).custom_flags(OPEN_FLAGS);
        let file = files::open(FileCall::Create, &how, path)
            .map_err(|error| HandlerError::opening("create", path, error))?;
        let prepared =
            own(&file, options).and_then(|()| files::call(FileCall::Stat, || file.metadata()));
        match prepared {
            Ok(found) => Ok(Live { file, at: identity(&found), named: false }),
            Err(error) => {
                // The error that is reported is the first one; an empty file that stays is
                // harmless.
                let _ = fs::remove_file(path);
                Err(HandlerError::io("set the mode and group of", path, error))
            }
        }
    }

    /// Writes the lines `first..last` at the end of the file.
    pub(super) fn append(&mut self, batch: &Batch, first: usize, last: usize) -> Appended {
        let bytes = batch.span(first, last);
        let (sent, error) = write_all(&self.file, bytes);
        if error.is_none() {
            self.at.len += bytes.len() as u64;
            let (lines, bytes) = (last - first, bytes.len() as u64);
            return Appended { lines, bytes, error, torn: false };
        }
        let lines = batch.lines_within(first, sent as u64);
        let whole = batch.span(first, first + lines).len();
        let torn = sent > whole && self.take_back((sent - whole) as u64).is_err();
        self.at.len += whole as u64;
        Appended { lines, bytes: whole as u64, error, torn }
    }

    /// Cuts off the last bytes of the file, counted from its actual end.
    fn take_back(&mut self, bytes: u64) -> io::Result<()> {
        let len = files::call(FileCall::Stat, || self.file.metadata())?.len();
        files::call(FileCall::SetLength, || self.file.set_len(len.saturating_sub(bytes)))
    }

    pub(super) fn is(&self, found: &fs::Metadata) -> bool {
        (self.at.dev, self.at.ino) == (found.dev(), found.ino())
    }

    /// Takes over a length that another process changed; true if the file shrank.
    pub(super) fn follow_length(&mut self, path: &Path, len: u64) -> Result<bool, HandlerError> {
        let shrank = len < self.at.len;
        self.at.len = len;
        if shrank {
            self.complete_last_line(path)?;
        }
        Ok(shrank)
    }

    /// Ends a torn last line, so that the next line starts as one.
    fn complete_last_line(&mut self, path: &Path) -> Result<(), HandlerError> {
        let Some(last) = self.at.len.checked_sub(1) else {
            return Ok(());
        };
        let mut byte = [0];
        let read = files::read_up_to(&self.file, &mut byte, last);
        if read.map_err(|error| HandlerError::io("read", path, error))? == 1 && byte != *b"\n" {
            // At the start this is a thread of the host, which has no signal blocked.
            files::refuse_beyond_limit(self.at.len + 1)
                .map_err(|error| HandlerError::io("write to", path, error))?;
            match write_all(&self.file, b"\n") {
                (_, Some(error)) => return Err(HandlerError::io("write to", path, error)),
                _ => self.at.len += 1,
            }
        }
        Ok(())
    }
}

fn identity(found: &fs::Metadata) -> Identity {
    Identity { dev: found.dev(), ino: found.ino(), len: found.len() }
}

/// Gives a new file its group, then its mode, so that the wrong group never gets rights.
fn own(file: &File, options: &FileOptions) -> io::Result<()> {
    if options.group.is_some() {
        files::call(FileCall::SetMode, || fchown(file, None, options.group))?;
    }
    let mode = || Permissions::from_mode(options.mode);
    files::call(FileCall::SetMode, || file.set_permissions(mode()))
}

/// Writes until an error: how many bytes were taken, and the error.
fn write_all(mut file: &File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    files::write_all(bytes, |rest, _| file.write(rest))
}
