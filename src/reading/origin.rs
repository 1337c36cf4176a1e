//! Whether somebody still writes the journal.
//!
//! Whoever does holds the lock of the log directory, so that alone is asked. Where there is no lock file
//! (a copy of a journal), nobody writes. The number of the writing process is shown and says nothing:
//! another process has it by now, or has it on another machine or in another container.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::SUBDIRECTORY;
use crate::journal::{SegmentHeader, open_regular};

/// The file whose lock tells that an engine logs to the directory.
const LOCK_FILE: &str = ".tapelog.lock";

/// Where the lock is that belongs to a journal, if that lies in a log directory.
pub(super) fn lock_path(journal: &Path) -> Option<PathBuf> {
    let journal = std::fs::canonicalize(journal).ok()?;
    let directory = journal.parent().filter(|_| journal.ends_with(SUBDIRECTORY))?;
    Some(directory.join(LOCK_FILE))
}

/// The process that owns a lock, as it has noted.
pub(super) fn noted_owner(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The process that may be writing the journal, whose newest segment is of `origin`.
pub(super) fn writer(journal: &Path, origin: &SegmentHeader) -> Option<u32> {
    #[cfg(any(test, fuzzing))]
    if journal.as_os_str().is_empty() {
        // An index alone: by the number, its maker says whether it is live.
        return (origin.pid == std::process::id()).then_some(origin.pid);
    }
    let mut lock = match open_regular(&lock_path(journal)?, OpenOptions::new().read(true)) {
        Ok(lock) => lock,
        // There is none, or something that is no lock.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {
            return None;
        }
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return None,
        // It is there and does not tell.
        Err(_) => return Some(origin.pid),
    };
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Some(noted_owner(&mut lock).unwrap_or(origin.pid)),
        Ok(()) => {
            // Closing it does the same; an engine that starts just now waits for it.
            let _free = flock(&lock, FlockOperation::Unlock);
            None
        }
        // Where there are no locks, no engine owns a directory.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => None,
        Err(_) => Some(origin.pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(pid: u32) -> SegmentHeader {
        SegmentHeader {
            sequence: 1,
            use_id: 1,
            writer: 1,
            segment_bytes: 1,
            created_unix_nanos: 0,
            order_window_nanos: 0,
            pid,
            host: "anything".to_owned(),
            program: "program".to_owned(),
            facility: 16,
            after: 0,
        }
    }

    #[test]
    fn the_lock_alone_says_who_writes() {
        let root = tempfile::tempdir().unwrap();
        let journal = root.path().join(SUBDIRECTORY);
        std::fs::create_dir(&journal).unwrap();
        // Both live.
        let writers = || [1, std::process::id()].map(|pid| writer(&journal, &origin(pid)));
        assert_eq!(writers(), [None, None]);
        let path = root.path().join(LOCK_FILE);
        std::fs::write(&path, "77\n").unwrap();
        assert_eq!(writers(), [None, None], "nobody holds it");
        let held = File::open(&path).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        assert_eq!(writers(), [Some(77), Some(77)]);
        drop(held);
        assert_eq!(writers(), [None, None]);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert_eq!(writers(), [None, None]);
    }
}
