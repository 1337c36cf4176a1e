//! The log directory and who owns it: whoever holds the lock on a file there.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::file_error::FileError;
use crate::files::{self, FileCall};
use crate::handlers::{FileHandler, HandlerError, notice, refuse_foreign};
use crate::sync::ParentsFile;

/// The file whose lock tells that an engine logs to the directory.
const LOCK_FILE: &str = ".tapelog.lock";
/// How often it is looked who owns a directory, and how long is waited in between.
const OWNER_LOOKS_MAX: u32 = 50;
const OWNER_LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// How often a lock is tried that somebody has, and how long is waited in between.
const LOCK_TRIES: u32 = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// A log directory that this engine owns, or is to own.
#[derive(Debug)]
pub(crate) struct Claim {
    directory: PathBuf,
    dir_mode: u32,
    file_mode: u32,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    lock: ParentsFile,
    /// The lock's device and inode: another file at its path is another engine's, or nobody's.
    id: (u64, u64),
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that the host is just forking has it open, too.
        // A child that was forked before has `/dev/null` here.
        if let Err(error) = flock(self.lock.file(), FlockOperation::Unlock) {
            notice(&format!("the log directory stays locked until this process ends: {error}"));
        }
    }
}

/// Why a directory is not owned.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Another engine owns it: the process, as it says itself.
    InUse(String),
    /// Something that does not belong there stands there.
    Trap(String),
    /// The disk is of no use now.
    Disk(FileError),
}

impl Claim {
    /// A claim on `directory`, which is not looked at.
    pub(crate) fn new(directory: &Path, dir_mode: u32, file_mode: u32) -> Self {
        // The host may change its working directory later.
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        Self { directory, dir_mode, file_mode, held: Mutex::default() }
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory if it is missing, and takes it into possession.
    pub(crate) fn take(&self) -> Result<(), Refusal> {
        make(&self.directory, self.dir_mode)
            .map_err(|error| refusal(&self.directory, "make", &error))?;
        let path = self.directory.join(LOCK_FILE);
        let trap = |error: HandlerError| Refusal::Trap(error.to_string());
        // Before opening, because to open a device can have effects of its own.
        FileHandler::look_at(&path).map_err(trap)?;
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false).mode(self.file_mode);
        how.custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits() as i32);
        let mut lock = files::open(FileCall::Create, &how, &path)
            .map_err(|error| refusal(&path, "open", &error))?;
        // Again, because another file may have taken the path in between.
        let found = files::call(FileCall::Stat, || lock.metadata())
            .map_err(|error| refusal(&path, "look at", &error))?;
        refuse_foreign(&path, &found).map_err(trap)?;
        match lock_patiently(&lock) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let owner = owner(&mut lock).unwrap_or_else(|| "(unknown)".to_owned());
                return Err(Refusal::InUse(owner));
            }
            // Some file systems have no locks, or none left.
            Err(error) => return Err(refusal(&path, "lock", &error)),
        }
        // Who holds it is for people; the lock alone decides. A full disk takes no note.
        let pid = format!("{}\n", std::process::id());
        let set_mode = || lock.set_permissions(Permissions::from_mode(self.file_mode));
        let _noted = files::call(FileCall::SetMode, set_mode)
            .and_then(|()| files::call(FileCall::SetLength, || lock.set_len(0)))
            .and_then(|()| files::write_all_at(&lock, pid.as_bytes(), 0));
        let lock = ParentsFile::new(lock).map_err(|error| refusal(&path, "keep", &error))?;
        *self.held.lock() = Some(Held { lock, id: id(&found) });
        // Whoever removed the file in between let another engine lock another one.
        if self.is_held() {
            Ok(())
        } else {
            let reason = "it was removed meanwhile".to_owned();
            Err(Refusal::Disk(FileError::refused("keep", &path, reason)))
        }
    }

    /// Whether the directory is there and this engine's. One `stat`.
    pub(crate) fn is_held(&self) -> bool {
        let held = self.held.lock();
        let Some(held) = &*held else { return false };
        match fs::symlink_metadata(self.directory.join(LOCK_FILE)) {
            Ok(found) => id(&found) == held.id,
            // What cannot be looked at was not taken away.
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
        }
    }

    /// Gives the directory back.
    pub(crate) fn release(&self) {
        drop(self.held.lock().take());
    }
}

/// Locks a file. Who only looks whether somebody has it, a reader of the journal, holds it for a moment.
fn lock_patiently(lock: &File) -> io::Result<()> {
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    let attempt = || files::call(FileCall::Lock, || flock(lock, exclusive));
    let mut outcome = attempt();
    for _ in 1..LOCK_TRIES {
        if !outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        outcome = attempt();
    }
    outcome
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
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

/// The parent directories of the logs, made where they are missing.
pub(crate) fn make_parents(logs: &[PathBuf], mode: u32) -> Result<(), Refusal> {
    logs.iter()
        .filter_map(|log| log.parent())
        .try_for_each(|parent| make(parent, mode).map_err(|error| refusal(parent, "make", &error)))
}

fn refusal(path: &Path, action: &'static str, error: &io::Error) -> Refusal {
    let text = format!("cannot {action} {}: {error}", path.display());
    match error.raw_os_error() {
        Some(libc::ELOOP | libc::ENOTDIR | libc::EISDIR | libc::ENXIO) => {
            Refusal::Trap(format!("{text}; it must be a plain directory or file: move it away"))
        }
        _ if error.kind() == io::ErrorKind::AlreadyExists => {
            Refusal::Trap(format!("{text}; a directory is needed there: move the file away"))
        }
        _ => Refusal::Disk(FileError::new(action, path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn claim(directory: &Path) -> Claim {
        Claim::new(directory, 0o700, 0o600)
    }

    #[test]
    fn a_directory_has_one_owner_at_a_time_whatever_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let (first, second) = (claim(&directory), claim(&directory));
        first.take().unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        match second.take() {
            Err(Refusal::InUse(owner)) => assert_eq!(owner, std::process::id().to_string()),
            other => panic!("{other:?}"),
        }
        fs::remove_dir_all(&directory).unwrap();
        assert!(!first.is_held() && !second.is_held());
        second.take().unwrap();
        assert!(!first.is_held() && second.is_held());
        assert!(matches!(first.take(), Err(Refusal::InUse(_))));
        second.release();
        first.take().unwrap();
        assert!(first.is_held());
    }

    #[test]
    fn what_is_no_directory_or_lock_file_is_refused_and_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "mine").unwrap();
        for path in [file.clone(), file.join("below")] {
            assert!(matches!(claim(&path).take(), Err(Refusal::Trap(_))), "{path:?}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        let linked = root.path().join("linked");
        fs::create_dir(&linked).unwrap();
        std::os::unix::fs::symlink(&file, linked.join(LOCK_FILE)).unwrap();
        assert!(matches!(claim(&linked).take(), Err(Refusal::Trap(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }

    #[test]
    fn who_only_looks_at_the_lock_keeps_nobody_from_starting() {
        let root = tempfile::tempdir().unwrap();
        let claim = claim(root.path());
        claim.take().unwrap();
        // Counted is a round in which somebody looked when the lock was asked for, and not for long: a busy
        // machine may stop either.
        let patience = LOCK_PAUSE * (LOCK_TRIES - 1);
        let counts = |_: &u32| {
            claim.release();
            let looking = File::open(root.path().join(LOCK_FILE)).unwrap();
            flock(&looking, FlockOperation::LockShared).unwrap();
            let looks = std::thread::spawn(move || {
                std::thread::sleep(LOCK_PAUSE);
                drop(looking);
                Instant::now()
            });
            let asked = Instant::now();
            let taken = claim.take();
            let looked = looks.join().unwrap().checked_duration_since(asked);
            let counts = looked.is_some_and(|looked| looked < patience);
            assert!(taken.is_ok() || !counts, "{taken:?}: {looked:?}");
            counts
        };
        assert_eq!((0..100).filter(counts).take(3).count(), 3);
    }
}
