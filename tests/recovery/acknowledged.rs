//! What a child says to have logged, in memory that its parent reads when the child is dead.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapMut;

/// The most threads of a child.
pub(crate) const THREADS_MAX: usize = 8;

/// For each thread, how many of its records were accepted: those with the numbers below.
#[derive(Debug)]
pub(crate) struct Acknowledged(MmapMut);

impl Acknowledged {
    pub(crate) fn open(path: &Path) -> Self {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.set_len(4096).unwrap();
        // SAFETY: the file is the test's own and keeps its length.
        Self(unsafe { MmapMut::map_mut(&file) }.unwrap())
    }

    fn word(&self, thread: usize) -> &AtomicU64 {
        assert!(thread < THREADS_MAX);
        let word = self.0.as_ptr().cast::<AtomicU64>().wrapping_add(thread * 8);
        // SAFETY: inside the mapping, aligned, and only changed as an atomic.
        unsafe { &*word }
    }

    pub(crate) fn set(&self, thread: usize, count: u64) {
        self.word(thread).store(count, Ordering::Release);
    }

    pub(crate) fn of(&self, thread: usize) -> u64 {
        self.word(thread).load(Ordering::Acquire)
    }
}
