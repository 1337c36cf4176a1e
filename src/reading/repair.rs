//! Cutting off the unreadable tail of a segment. The original is always kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::Journal;
use super::origin::{lock_path, noted_owner};
use super::verify::SegmentReport;
use crate::journal::{HEADER_PAGE_BYTES, cut, open_regular};

/// Bytes that are copied at once.
const COPY_BYTES: usize = 256 << 10;

/// Where a repaired segment is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RepairPlace {
    /// Beside the original, as `….tape.repaired`; the original stays in its place.
    Beside,
    /// In the original's place; the original is kept as `….tape.orig`.
    InPlace,
}

/// What [`Journal::repair`] has done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// The segment without its tail.
    pub repaired: PathBuf,
    /// The segment as it was.
    pub original: PathBuf,
    /// Bytes that the original has behind its last whole frame.
    pub cut_bytes: u64,
}

/// Why a segment was not repaired; nothing was changed, save where it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The segment has no unreadable tail.
    #[error("{} has no torn tail: what is damaged in it cannot be repaired", path.display())]
    NotTorn {
        /// The segment.
        path: PathBuf,
    },
    /// A program is writing to the directory.
    #[error(
        "process {owner} logs to {}: stop it first, or repair a copy of the directory",
        directory.display()
    )]
    InUse {
        /// The log directory.
        directory: PathBuf,
        /// Who owns it, as far as known.
        owner: String,
    },
    /// An earlier repair has left its file.
    #[error("{} is there already, from an earlier repair: move it away", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The segment is replaced, but a power cut may bring the original back to its place.
    #[error(
        "{} is repaired and its original kept, but {} cannot be brought to the disk: {source}",
        path.display(), directory.display()
    )]
    NotSynced {
        /// The segment.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
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
}

impl RepairError {
    fn io<E: Into<io::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> RepairError {
        move |source| RepairError::Io { action, path: path.to_owned(), source: source.into() }
    }
}

impl Journal {
    /// Writes the segment of `report` anew without its unreadable tail.
    ///
    /// The original is kept in either place, byte for byte. No engine may own the directory.
    ///
    /// # Errors
    /// [`RepairError`]; the segment is then as it was, save for [`RepairError::NotSynced`].
    pub fn repair(
        &self,
        report: &SegmentReport,
        place: RepairPlace,
    ) -> Result<Repaired, RepairError> {
        let path = &report.path;
        let Some(end) = report.torn_at else {
            return Err(RepairError::NotTorn { path: path.clone() });
        };
        let _owned = self.own()?;
        let open = open_regular(path, OpenOptions::new().read(true));
        let source = open.map_err(RepairError::io("open", path))?;
        let found = source.metadata().map_err(RepairError::io("look at", path))?;
        let copy = match place {
            RepairPlace::Beside => with_suffix(path, "repaired"),
            RepairPlace::InPlace => with_suffix(path, "repairing"),
        };
        if place == RepairPlace::InPlace {
            // Of a repair that was killed.
            let _ = fs::remove_file(&copy);
        }
        let written = write_copy(&source, &found, &copy, end);
        if let Err(error) = written {
            if !matches!(error, RepairError::Exists { .. }) {
                let _ = fs::remove_file(&copy);
            }
            return Err(error);
        }
        let (repaired, original) = match place {
            RepairPlace::Beside => (copy, path.clone()),
            RepairPlace::InPlace => (path.clone(), self.replace(path, &found, &copy)?),
        };
        let cut_bytes = found.len().saturating_sub(end);
        Ok(Repaired { repaired, original, cut_bytes })
    }

    /// Gives the original its new name and the copy the original's.
    fn replace(
        &self,
        path: &Path,
        found: &fs::Metadata,
        copy: &Path,
    ) -> Result<PathBuf, RepairError> {
        let original = with_suffix(path, "orig");
        let kept = keep(path, found, &original).and_then(|()| {
            fs::rename(copy, path).map_err(|error| {
                // A second name would keep the segment from being used again.
                let _ = fs::remove_file(&original);
                RepairError::io("replace", path)(error)
            })
        });
        if kept.is_err() {
            let _ = fs::remove_file(copy);
        }
        kept?;
        let directory = File::open(&self.directory);
        let synced = directory.and_then(|directory| directory.sync_all());
        synced.map_err(|source| RepairError::NotSynced {
            path: path.to_owned(),
            directory: self.directory.clone(),
            source,
        })?;
        Ok(original)
    }

    /// Keeps engines away from the directory, if it is one that an engine has ever owned.
    fn own(&self) -> Result<Option<File>, RepairError> {
        let Some(path) = lock_path(&self.directory) else { return Ok(None) };
        let mut lock = match open_regular(&path, OpenOptions::new().read(true).write(true)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RepairError::io("open", &path)(error)),
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(Some(lock));
        }
        let owner = noted_owner(&mut lock);
        let owner = owner.map_or_else(|| "(unknown)".to_owned(), |owner| owner.to_string());
        let directory = path.parent().unwrap_or(&path);
        Err(RepairError::InUse { directory: directory.to_owned(), owner })
    }
}

/// Gives the original a second name, unless a repair that was killed has done so.
fn keep(path: &Path, found: &fs::Metadata, original: &Path) -> Result<(), RepairError> {
    match fs::hard_link(path, original) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let same = |kept: fs::Metadata| (kept.dev(), kept.ino()) == (found.dev(), found.ino());
            match fs::symlink_metadata(original).is_ok_and(same) {
                true => Ok(()),
                false => Err(RepairError::Exists { path: original.to_owned() }),
            }
        }
        linked => linked.map_err(RepairError::io("keep the original as", original)),
    }
}

/// Copies the first `end` bytes, with the cursor behind them, and a time index of nothing else.
fn write_copy(
    mut source: &File,
    found: &fs::Metadata,
    path: &Path,
    end: u64,
) -> Result<(), RepairError> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(found.permissions().mode() & 0o777)
        .custom_flags(flags.bits() as i32)
        .open(path);
    let mut copy = match created {
        Ok(copy) => copy,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(RepairError::Exists { path: path.to_owned() });
        }
        Err(error) => return Err(RepairError::io("create", path)(error)),
    };
    let mut copy_all = || {
        let mut page = [0; HEADER_PAGE_BYTES];
        source.read_exact(&mut page)?;
        cut(&mut page, end);
        copy.write_all(&page)?;
        let mut left = end.saturating_sub(HEADER_PAGE_BYTES as u64);
        let mut buffer = vec![0; COPY_BYTES];
        while left > 0 {
            let piece = &mut buffer[..left.min(COPY_BYTES as u64) as usize];
            source.read_exact(piece)?;
            copy.write_all(piece)?;
            left -= piece.len() as u64;
        }
        copy.sync_all()
    };
    copy_all().map_err(RepairError::io("write", path))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
