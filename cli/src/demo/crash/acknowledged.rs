//! What the child says to have logged, in memory that outlives it.

#![expect(unsafe_code, reason = "maps a file that two processes share")]

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapMut;

use super::THREADS;

/// For each thread, how many of its records were accepted.
#[derive(Debug)]
pub(super) struct Acknowledged {
    memory: MmapMut,
    path: PathBuf,
}

impl Acknowledged {
    /// Makes the file, or opens it.
    pub(super) fn open(directory: &Path, run: u64) -> io::Result<Self> {
        let path = directory.join(format!("acknowledged-{run}"));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
        file.set_len(8 * THREADS as u64)?;
        // SAFETY: parent and child alone know the file, and it keeps its length.
        let memory = unsafe { MmapMut::map_mut(&file) }?;
        Ok(Self { memory, path })
    }

    fn word(&self, thread: usize) -> &AtomicU64 {
        assert!(thread < THREADS, "one of the child's threads");
        let word = self.memory.as_ptr().cast::<AtomicU64>().wrapping_add(thread);
        // SAFETY: inside the mapping, aligned, and only ever changed as an atomic.
        unsafe { &*word }
    }

    pub(super) fn set(&self, thread: usize, count: u64) {
        // ORDERING: Release, behind the log call.
        // PAIRS WITH: the load in `of`.
        // IF WEAKENED: the count might run ahead of what was accepted.
        self.word(thread).store(count, Ordering::Release);
    }

    pub(super) fn of(&self, thread: usize) -> u64 {
        // ORDERING: Acquire; the child is dead by now.
        // PAIRS WITH: the store in `set`.
        // IF WEAKENED: see there.
        self.word(thread).load(Ordering::Acquire)
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}
