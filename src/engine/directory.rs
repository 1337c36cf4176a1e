//! The log directory and who owns it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::error::StartError;
use crate::files::{self, FileCall};
use crate::handlers::{FileHandler, HandlerError, notice, refuse_foreign};
use crate::sync::ParentsFile;
use crate::writer::Cursor;

/// The file whose lock tells that an engine logs to the directory.
const LOCK_FILE: &str = ".tapelog.lock";
/// How often it is looked who owns a directory, and how long is waited in between.
const OWNER_LOOKS_MAX: u32 = 50;
const OWNER_LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// A directory that this engine owns until it is dropped.
#[derive(Debug)]
pub(crate) struct Owned {
    lock: ParentsFile,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that the host is just forking has it open, too.
        // A child that was forked before has `/dev/null` here.
        if let Err(error) = flock(self.lock.file(), FlockOperation::Unlock) {
            notice(&format!("the log directory stays locked until this process ends: {error}"));
        }
    }
}

/// Why a directory cannot be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The engine must not start.
    Fatal(StartError),
    /// The disk is of no use now: logging goes on without it.
    Disk(String),
}

/// Makes the directory if it is missing, and takes it into possession.
pub(crate) fn own(directory: &Path, dir_mode: u32, file_mode: u32) -> Result<Owned, Trouble> {
    make(directory, dir_mode).map_err(|error| trouble(directory, "make", &error))?;
    let path = directory.join(LOCK_FILE);
    let refused =
        |error: HandlerError| Trouble::Fatal(StartError::Refused { reason: error.to_string() });
    // Before opening, because to open a device can have effects of its own.
    FileHandler::look_at(&path).map_err(refused)?;
    let mut how = OpenOptions::new();
    how.read(true).write(true).create(true).truncate(false).mode(file_mode);
    how.custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits() as i32);
    let mut lock = files::call(FileCall::Create, || how.open(&path))
        .map_err(|error| trouble(&path, "open", &error))?;
    // Again, because another file may have taken the path in between.
    let found = files::call(FileCall::Stat, || lock.metadata())
        .map_err(|error| trouble(&path, "look at", &error))?;
    refuse_foreign(&path, &found).map_err(refused)?;
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    match files::call(FileCall::Lock, || flock(&lock, exclusive)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(Trouble::Fatal(in_use(directory, &mut lock)));
        }
        // Some file systems have no locks, or none left.
        Err(error) => return Err(trouble(&path, "lock", &error)),
    }
    // Who holds it is for people; the lock alone decides.
    let pid = format!("{}\n", std::process::id());
    let set_mode = || lock.set_permissions(Permissions::from_mode(file_mode));
    let noted = files::call(FileCall::SetMode, set_mode)
        .and_then(|()| files::call(FileCall::SetLength, || lock.set_len(0)))
        .and_then(|()| files::write_all_at(&lock, pid.as_bytes(), 0));
    noted.map_err(|error| trouble(&path, "write to", &error))?;
    let lock = ParentsFile::new(lock).map_err(|error| trouble(&path, "keep", &error))?;
    Ok(Owned { lock })
}

fn in_use(directory: &Path, lock: &mut File) -> StartError {
    let owner = owner(lock).unwrap_or_else(|| "(unknown)".to_owned());
    let advice = if owner == std::process::id().to_string() {
        "this is the same process: share the running logger by cloning it, or give this one \
         another log_dir"
    } else {
        "give this program a directory of its own, such as log_dir = logs/<name>"
    };
    StartError::InUse { directory: directory.to_owned(), owner, advice }
}

/// The process that holds the lock, as it has noted. One that has just taken it may not have come
/// to that: what stands there is then nothing, or the number of an owner that is gone.
fn owner(lock: &mut File) -> Option<String> {
    let mut found = None;
    for _ in 0..OWNER_LOOKS_MAX {
        let mut text = String::new();
        let read = lock.rewind().and_then(|()| lock.take(32).read_to_string(&mut text));
        let pid = read.ok().and_then(|_| text.trim().parse::<i32>().ok()).and_then(Pid::from_raw);
        found = pid.map(|_| text.trim().to_owned()).or(found);
        // Another user's process must not be asked, but it is there.
        if pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH)) {
            break;
        }
        std::thread::sleep(OWNER_LOOK_INTERVAL);
    }
    found
}

/// Makes a directory and its parents; one that exists keeps its permissions.
pub(crate) fn make(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make(parent, mode)?;
    }
    let mut builder = DirBuilder::new();
    builder.mode(mode);
    match files::call(FileCall::MakeDirectory, || builder.create(directory)) {
        // Whatever the umask left of it.
        Ok(()) => files::call(FileCall::SetMode, || {
            fs::set_permissions(directory, Permissions::from_mode(mode))
        }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

fn trouble(path: &Path, action: &str, error: &io::Error) -> Trouble {
    let text = format!("cannot {action} {}: {error}", path.display());
    match error.raw_os_error() {
        Some(libc::ELOOP | libc::ENOTDIR | libc::EISDIR | libc::ENXIO) => {
            let reason = format!("{text}; it must be a plain directory or file: move it away");
            Trouble::Fatal(StartError::Refused { reason })
        }
        _ if error.kind() == io::ErrorKind::AlreadyExists => {
            let reason = format!("{text}; a directory is needed there: move the file away");
            Trouble::Fatal(StartError::Refused { reason })
        }
        _ => Trouble::Disk(text),
    }
}

/// The parent directories of the logs, made where they are missing.
pub(crate) fn make_parents(logs: &[PathBuf], mode: u32) -> Result<(), Trouble> {
    logs.iter()
        .filter_map(|log| log.parent())
        .try_for_each(|parent| make(parent, mode).map_err(|error| trouble(parent, "make", &error)))
}

/// Refuses links and the like in the places where the journal and the logs belong, before anything
/// is made there.
pub(crate) fn refuse_traps(journal: &Path, logs: &[PathBuf]) -> Result<(), Trouble> {
    let refused = |reason| Trouble::Fatal(StartError::Refused { reason });
    if let Ok(found) = fs::symlink_metadata(journal) {
        let (path, user) = (journal.display(), rustix::process::geteuid().as_raw());
        if !found.is_dir() {
            return Err(refused(format!("{path} must be a plain directory: move it away")));
        }
        if found.uid() != user {
            let owner = found.uid();
            let reason = format!(
                "{path} belongs to user {owner}, this process runs as user {user}: move it away"
            );
            return Err(refused(reason));
        }
    }
    let look = |log: &PathBuf| FileHandler::look_at(log);
    let cursor = Cursor::path(journal);
    logs.iter().chain([&cursor]).try_for_each(look).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let owned = own(&directory, 0o700, 0o600).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        match own(&directory, 0o700, 0o600) {
            Err(Trouble::Fatal(error @ StartError::InUse { .. })) => {
                let text = error.to_string();
                assert!(text.contains(&std::process::id().to_string()), "{text}");
                assert!(text.contains("by cloning it"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        drop(owned);
        own(&directory, 0o700, 0o600).unwrap();
    }

    #[test]
    fn what_is_no_directory_or_lock_file_is_refused_and_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "mine").unwrap();
        for path in [file.clone(), file.join("below")] {
            assert!(matches!(own(&path, 0o700, 0o600), Err(Trouble::Fatal(_))), "{path:?}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        let linked = root.path().join("linked");
        fs::create_dir(&linked).unwrap();
        std::os::unix::fs::symlink(&file, linked.join(LOCK_FILE)).unwrap();
        assert!(matches!(own(&linked, 0o700, 0o600), Err(Trouble::Fatal(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
