//! Whether a process keeps what it takes: "flat" is, at the end, what it was after a tenth of the run.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use std::fs;

use crate::support::resident_kib;

/// So much memory may come and go.
const SPARE_KIB: u64 = 1024;

/// What a process has of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) descriptors: usize,
    pub(crate) resident_kib: u64,
}

impl Taken {
    pub(crate) fn now() -> Self {
        Self {
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            resident_kib: resident_kib(),
        }
    }

    /// Holds this, the end, to what it was after a tenth of the run.
    pub(crate) fn check(self, tenth: Self) {
        println!("after a tenth of the run {tenth:?}, at its end {self:?}");
        assert!(self.descriptors <= tenth.descriptors, "descriptors leak");
        assert!(self.resident_kib <= tenth.resident_kib + SPARE_KIB, "memory leaks");
    }
}
