//! Whether somebody still writes the journal.
//!
//! Whoever does holds the lock of the log directory, so that is asked. Only where there is no lock file,
//! or none that may be opened (a copy of a journal, another user's), the number of the writing process
//! says it: one that another process has by now, or has on another machine, does no harm there, because
//! reading then ends at the cursor. The header's host is a configured name and says nothing.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};

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
    let lock =
        lock_path(journal).and_then(|path| open_regular(&path, OpenOptions::new().read(true)).ok());
    let Some(mut lock) = lock else { return is_running(origin).then_some(origin.pid) };
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            // Closing it does the same; an engine that starts just now waits for it.
            let _free = flock(&lock, FlockOperation::Unlock);
            None
        }
        Err(rustix::io::Errno::WOULDBLOCK) => Some(noted_owner(&mut lock).unwrap_or(origin.pid)),
        // Some file systems have no locks.
        Err(_) => is_running(origin).then_some(origin.pid),
    }
}

/// Whether the segment's process, or another one that has its number, is alive.
fn is_running(origin: &SegmentHeader) -> bool {
    let pid = i32::try_from(origin.pid).ok().and_then(Pid::from_raw);
    // Another user's process must not be asked, but it is there.
    let is_alive = |pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
    pid.is_some_and(is_alive)
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
    fn this_process_is_running_and_impossible_ones_are_not() {
        assert!(is_running(&origin(std::process::id())));
        assert!(!is_running(&origin(0)));
        assert!(!is_running(&origin(u32::MAX)));
    }

    #[test]
    fn the_lock_says_who_writes_and_only_without_one_the_number_does() {
        let root = tempfile::tempdir().unwrap();
        let journal = root.path().join(SUBDIRECTORY);
        std::fs::create_dir(&journal).unwrap();
        let writers = || [1, u32::MAX].map(|pid| writer(&journal, &origin(pid)));
        assert_eq!(writers(), [Some(1), None]);
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
        assert_eq!(writers(), [Some(1), None]);
    }
}
