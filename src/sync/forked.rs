//! What a forked child lets go of at once: the locks that tell that its parent is alive.
//!
//! A lock of `flock` belongs to the open file, which a child of `fork` shares: it would hold the
//! parent's lock after the parent's death, and giving it back would take it from the parent. So a
//! handler that runs in the child puts `/dev/null` in the place of each such file.

#![expect(unsafe_code, reason = "fork handlers are registered through libc")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use parking_lot::Mutex;

/// How many locks a process can hold: two for each engine, and one for each ring that it recovers.
const LOCKS_MAX: usize = 1024;

const NONE: i32 = -1;

/// The descriptors of the files. Atomic, because the handler may interrupt nothing but must not
/// take a lock either: another thread may have held it at the fork.
static LOCKS: [AtomicI32; LOCKS_MAX] = [const { AtomicI32::new(NONE) }; LOCKS_MAX];

/// Whether the handler is registered.
static REGISTERED: Mutex<bool> = Mutex::new(false);

/// `/dev/null`, before the handler is registered; open as long as the process lives.
static NOTHING: AtomicI32 = AtomicI32::new(NONE);

/// A file that a forked child finds replaced by `/dev/null`.
#[derive(Debug)]
pub(crate) struct ParentsFile {
    file: File,
    slot: Option<usize>,
}

impl ParentsFile {
    /// Takes the file. Where no place is left for it, a forked child shares it.
    ///
    /// # Errors
    /// The system gives no descriptor for `/dev/null`, or no memory for the handler.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        register_handler()?;
        let fd = file.as_raw_fd();
        let slot = LOCKS.iter().position(|slot| {
            // ORDERING: Relaxed, the slot publishes nothing but itself; `fork` copies it.
            // PAIRS WITH: the load in `replace_all`.
            // IF WEAKENED: it is the weakest already.
            slot.compare_exchange(NONE, fd, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        });
        Ok(Self { file, slot })
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for ParentsFile {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            // ORDERING: Relaxed, see `new`.
            // PAIRS WITH: the load in `replace_all`.
            // IF WEAKENED: it is the weakest already.
            LOCKS[slot].store(NONE, Ordering::Relaxed);
        }
    }
}

fn register_handler() -> io::Result<()> {
    let mut registered = REGISTERED.lock();
    if *registered {
        return Ok(());
    }
    let fd = File::open("/dev/null")?.into_raw_fd();
    // ORDERING: Relaxed, see `ParentsFile::new`.
    // PAIRS WITH: the load in `replace_all`.
    // IF WEAKENED: it is the weakest already.
    NOTHING.store(fd, Ordering::Relaxed);
    // SAFETY: the handler makes system calls only, which is what it may do in the child of a
    // process with threads, and it stays as long as this library.
    let failed = unsafe { libc::pthread_atfork(None, None, Some(replace_all)) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    *registered = true;
    Ok(())
}

/// Runs in the child, before `fork` returns there.
extern "C" fn replace_all() {
    // ORDERING: Relaxed for both, the child is a copy of the forking thread's view.
    // PAIRS WITH: the stores in `register_handler` and `ParentsFile`.
    // IF WEAKENED: they are the weakest already.
    let nothing = NOTHING.load(Ordering::Relaxed);
    for lock in &LOCKS {
        let fd = lock.load(Ordering::Relaxed);
        if fd != NONE {
            // SAFETY: both are descriptors that this process keeps open; the file's owner finds
            // `/dev/null` under the same number. If it fails, the child shares the file.
            unsafe { libc::dup3(nothing, fd, libc::O_CLOEXEC) };
        }
    }
}
