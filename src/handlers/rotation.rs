//! Rotation by rename: `expert.log` → `expert.log.1` → … → `expert.log.N`.
//!
//! ```text
//! before   .log   .1   .2   .3 = N
//! step 1                       .3 ─▶    the oldest is unlinked
//! step 2             ──── .2 ─▶ .3      the highest first
//! step 3        ──── .1 ─▶ .2
//! step 4   ──── .log ─▶ .1
//! after    (none) .1   .2   .3          the caller creates the new .log
//! ```
//!
//! Every step is one system call, so that at each moment each file has exactly one name. A chain
//! that was cut short leaves a hole, at `.2` after step 2. The next rotation fills the lowest hole
//! instead of giving up `.N`: it resumes the chain, and no backup is given up early.
//!
//! The oldest is unlinked and not replaced by a rename: ext4 writes a file out that is renamed over
//! another one, which takes ten times as long as the rotation itself (PERF.md, "unlinked").

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::{HandlerError, Refusal};
use super::live::OPEN_FLAGS;
use crate::crash::{self, CrashPoint};
use crate::files::{self, FileCall};

/// So many files behind the last backup are removed at most.
const BEYOND_MAX: u32 = 10_000;

/// The path of backup `number` of the log at `path`; number 0 is the log itself.
pub(super) fn backup_path(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.into();
    }
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// Moves the log and its backups up by one, so that nothing stands at `path` any more.
///
/// Gives the backup that had to go, still open: to close it frees its pages, which takes about a
/// millisecond for each ten MiB. With `backups` = 0 that is the log itself.
///
/// # Errors
/// [`HandlerError::Refused`] if something other than a regular file stands in the chain; nothing
/// was moved. [`HandlerError::Io`] if a step failed; the steps before it stay done, and the next
/// call goes on from there.
pub(super) fn shift(path: &Path, backups: u32) -> Result<Option<File>, HandlerError> {
    let hole = if backups == 0 { None } else { lowest_hole(path, backups)? };
    let removed = match hole {
        Some(_) => None,
        None => {
            let removed = remove(&backup_path(path, backups))?;
            crash::pass(CrashPoint::FileRenamed);
            removed
        }
    };
    for number in (0..hole.unwrap_or(backups)).rev() {
        let (from, to) = (backup_path(path, number), backup_path(path, number + 1));
        // Nothing is replaced that appeared in the hole since we looked.
        files::rename_new(&from, &to).map_err(|error| HandlerError::io("rename", &from, error))?;
        crash::pass(CrashPoint::FileRenamed);
    }
    Ok(removed)
}

/// Unlinks a file and gives it open, if it could be opened.
fn remove(path: &Path) -> Result<Option<File>, HandlerError> {
    let mut how = OpenOptions::new();
    how.read(true).custom_flags(OPEN_FLAGS);
    let opened = files::open(FileCall::Open, &how, path).ok();
    files::call(FileCall::Remove, || fs::remove_file(path))
        .map_err(|error| HandlerError::io("remove", path, error))?;
    Ok(opened)
}

/// The lowest backup number that no file has; all below it are regular files.
fn lowest_hole(path: &Path, backups: u32) -> Result<Option<u32>, HandlerError> {
    for number in 1..=backups {
        let backup = backup_path(path, number);
        match files::call(FileCall::Stat, || fs::symlink_metadata(&backup)) {
            Ok(found) => match refuse_type(&found) {
                Some(refusal) => return Err(HandlerError::refused(&backup, refusal)),
                None => continue,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(number)),
            Err(error) => return Err(HandlerError::io("look at", &backup, error)),
        }
    }
    Ok(None)
}

/// Removes the backups behind number `backups`, which were kept when that was more: from the first one
/// on, as far as their numbers follow each other. A rotation that was cut short may have left one hole.
/// What is no plain file of ours with a single name ends it, and stays. How many were removed.
///
/// # Errors
/// [`HandlerError::Io`] if one cannot be looked at or removed.
pub(super) fn remove_beyond(path: &Path, backups: u32) -> Result<u32, HandlerError> {
    let (mut holes, mut removed) = (0, 0);
    for number in (1..=BEYOND_MAX).filter_map(|behind| backups.checked_add(behind)) {
        let backup = backup_path(path, number);
        match files::call(FileCall::Stat, || fs::symlink_metadata(&backup)) {
            Ok(found) if refuse_log(&found).is_none() => {
                files::call(FileCall::Remove, || fs::remove_file(&backup))
                    .map_err(|error| HandlerError::io("remove", &backup, error))?;
                removed += 1;
            }
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                holes += 1;
                if holes > 1 {
                    break;
                }
            }
            Err(error) => return Err(HandlerError::io("look at", &backup, error)),
        }
    }
    Ok(removed)
}

/// Why a log or backup must not be touched, judged by its type.
pub(super) fn refuse_type(found: &fs::Metadata) -> Option<Refusal> {
    let kind = found.file_type();
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some(Refusal::Symlink)
    } else if kind.is_dir() {
        Some(Refusal::Directory)
    } else if kind.is_fifo() {
        Some(Refusal::Fifo)
    } else {
        Some(Refusal::Special)
    }
}

/// Why a file must not be appended to: its type, its other names, or its owner.
pub(crate) fn refuse_log(found: &fs::Metadata) -> Option<Refusal> {
    let user = rustix::process::geteuid().as_raw();
    if let Some(refusal) = refuse_type(found) {
        Some(refusal)
    } else if found.uid() != user {
        Some(Refusal::ForeignOwner { owner: found.uid(), user })
    } else if found.nlink() > 1 {
        Some(Refusal::HardLinks { names: found.nlink() })
    } else {
        None
    }
}
