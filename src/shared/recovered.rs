//! What became of the rings that dead processes left.

use std::path::PathBuf;

/// What became of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Its file.
    pub(crate) path: PathBuf,
    /// The process that made it.
    pub(crate) pid: u32,
    /// Records that were brought into the journal by this process.
    pub(crate) records: u64,
    /// Losses that were told because nobody had told them yet, and what was in the dead process's
    /// memory alone.
    pub(crate) lost: u64,
    /// Places of the ring that made no sense; what was behind them is missing.
    pub(crate) unreadable: u64,
    /// Why it could not be brought home, or not all of it.
    pub(crate) failure: Option<String>,
}

impl Recovered {
    /// A ring that nothing was taken from, and why.
    pub(crate) fn failed(path: PathBuf, pid: u32, failure: String) -> Self {
        Self { path, pid, records: 0, lost: 0, unreadable: 0, failure: Some(failure) }
    }
}

/// All of them, and how many were made entries of.
#[derive(Debug, Default)]
pub(crate) struct RecoveredList {
    pub(crate) rings: Vec<Recovered>,
    pub(crate) told: usize,
}

impl RecoveredList {
    /// Whether some of them were not made entries of yet.
    pub(crate) fn is_untold(&self) -> bool {
        self.told < self.rings.len()
    }
}
