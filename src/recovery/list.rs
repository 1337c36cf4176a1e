//! What rings there are, and in what state.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::find::{
    SUFFIX, Standing, identity_of, is_abandoned, names, open_directory, open_file, refusal,
};
use crate::UnixNanos;
use crate::ring::UNFINISHED;
use crate::writer::ASIDE;

/// The file of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingFile {
    /// Where it is.
    pub path: PathBuf,
    /// Memory that it takes, in bytes.
    pub bytes: u64,
    /// The process that made it, as it says itself; 0 if it does not.
    pub pid: u32,
    /// The log directory that it belongs to, if it says so.
    pub log_dir: Option<PathBuf>,
    /// When it was made, if it says so.
    pub created: Option<UnixNanos>,
    /// What is to be done about it.
    pub state: RingState,
}

/// What is to be done about a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingState {
    /// A living process uses it.
    Alive,
    /// Its process is dead: the next start in its log directory, or [`recover`](super::recover),
    /// brings it home.
    Dead,
    /// It is never read.
    Foreign {
        /// Why.
        reason: String,
    },
    /// It was set aside, because it could not be read, or not everywhere.
    SetAside,
    /// Its maker died before it was whole: no record was ever in it.
    Unfinished,
    /// What stands there is no plain file of this user with a single name, or it cannot be looked at: it
    /// is left alone.
    Refused {
        /// Why.
        reason: String,
    },
}

/// The rings in a directory, the `ring_dir` of programs, by their names. None of them is changed.
///
/// # Errors
/// The directory cannot be listed, or it belongs to another user. A missing one holds no ring.
pub fn rings(ring_dir: impl AsRef<Path>) -> io::Result<Vec<RingFile>> {
    let directory = ring_dir.as_ref();
    let names = match names(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names?,
    };
    let opened = open_directory(directory)?;
    let aside = format!("{SUFFIX}.{ASIDE}");
    let unfinished = format!("{SUFFIX}{UNFINISHED}");
    let mut rings = Vec::new();
    for name in &names {
        let (is_aside, is_unfinished) = (name.ends_with(&aside), name.ends_with(&unfinished));
        if !(name.ends_with(SUFFIX) || is_aside || is_unfinished) {
            continue;
        }
        let path = directory.join(name);
        let kind = if is_aside {
            Kind::Aside
        } else if is_unfinished {
            Kind::Unfinished
        } else {
            Kind::Whole
        };
        // One that cannot be looked at hides none of the others.
        let found = RingFile::at(&opened, name, &path, kind).unwrap_or_else(|error| {
            let reason = format!("it cannot be looked at: {error}");
            Some(RingFile::refused(path, reason))
        });
        rings.extend(found);
    }
    Ok(rings)
}

/// What a file's name says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Unfinished,
    Aside,
}

impl RingFile {
    /// The file of this name, if it is one.
    fn at(opened: &OwnedFd, name: &str, path: &Path, kind: Kind) -> io::Result<Option<Self>> {
        let path = path.to_owned();
        Ok(match open_file(opened, name)? {
            Standing::File(file) if kind == Kind::Unfinished && !is_alive(&file)? => {
                // One that is just being made is none yet.
                let state = RingState::Unfinished;
                let found = is_abandoned(&file)?.then(|| Self::of(&file, path, false));
                found.transpose()?.map(|found| Self { state, ..found })
            }
            Standing::File(file) => Some(Self::of(&file, path, kind == Kind::Aside)?),
            Standing::Refused(refusal, _) => Some(Self::refused(path, refusal.to_string())),
            Standing::Gone => None,
        })
    }

    fn of(file: &File, path: PathBuf, aside: bool) -> io::Result<Self> {
        let identity = identity_of(file)?;
        let state = match &identity {
            _ if aside => RingState::SetAside,
            _ if is_alive(file)? => RingState::Alive,
            None => RingState::Foreign { reason: "it is no ring".to_owned() },
            Some(identity) => match refusal(identity) {
                Some(reason) => RingState::Foreign { reason },
                None => RingState::Dead,
            },
        };
        Ok(Self {
            path,
            bytes: file.metadata()?.len(),
            pid: identity.as_ref().map_or(0, |identity| identity.pid),
            created: identity.as_ref().map(|found| UnixNanos(found.created_unix_nanos as i64)),
            log_dir: identity.map(|identity| path_of(identity.owner)),
            state,
        })
    }

    fn refused(path: PathBuf, reason: String) -> Self {
        let state = RingState::Refused { reason };
        Self { path, bytes: 0, pid: 0, created: None, log_dir: None, state }
    }

    /// Removes the file, and what may be in it, for good; whether that was done: a living process
    /// keeps its own, and what is refused stays.
    ///
    /// # Errors
    /// The file cannot be opened or removed.
    pub fn remove(&self) -> io::Result<bool> {
        let (Some(directory), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(false);
        };
        let opened = open_directory(directory)?;
        let standing = open_file(&opened, &name.to_string_lossy())?;
        let Standing::File(file) = standing else { return Ok(false) };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        rustix::fs::unlinkat(&opened, name, rustix::fs::AtFlags::empty())?;
        Ok(true)
    }
}

/// Whether somebody holds the lock.
fn is_alive(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(file, FlockOperation::Unlock)?;
            Ok(false)
        }
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn path_of(owner: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(owner))
}
