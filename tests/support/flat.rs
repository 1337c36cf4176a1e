//! Whether a process keeps what it takes: "flat" is, at the end, what it was after a tenth of the run.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tapelog::MetaLogger;
use tapelog::testing::hold_drain;

use crate::support::{PATIENCE, resident_kib};

/// So much memory may come and go.
const SPARE_KIB: u64 = 1024;

/// Memory and descriptors of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) resident_kib: u64,
    /// What is allocated and not freed.
    pub(crate) heap_kib: u64,
    pub(crate) descriptors: usize,
}

impl Taken {
    pub(crate) fn now() -> Self {
        // Memory that took the place of a disk is given back when that is looked at. Who looks at it
        // has files and directories open for a moment.
        let count = |_| {
            thread::sleep(Duration::from_millis(3));
            fs::read_dir("/proc/self/fd").unwrap().count()
        };
        let descriptors = (0..100).map(count).min().unwrap();
        // What was freed and what the allocator keeps is not in use.
        // SAFETY: gives memory back that nobody uses.
        unsafe { libc::malloc_trim(0) };
        // SAFETY: reads the allocator's counts.
        let heap = unsafe { libc::mallinfo2() };
        let heap_kib = (heap.uordblks + heap.hblkhd) as u64 >> 10;
        Self { resident_kib: resident_kib(), heap_kib, descriptors }
    }

    /// Behind the longest backlogs of what `push` logs: the buffers are as long as they ever get,
    /// whenever this is asked, and however fast the machine was until then.
    pub(crate) fn at_rest(log: &MetaLogger, push: impl FnMut()) -> Self {
        backlogs(log, push);
        Self::now()
    }

    /// Holds this, the end, to what it was after a tenth of the run.
    pub(crate) fn check(self, tenth: Self) {
        println!("after a tenth of the run {tenth:?}, at its end {self:?}");
        assert!(self.descriptors <= tenth.descriptors, "descriptors leak");
        assert!(self.heap_kib <= tenth.heap_kib + SPARE_KIB, "memory leaks");
        assert!(self.resident_kib <= tenth.resident_kib + SPARE_KIB, "memory leaks");
    }
}

/// Fills the ring while the drain is held, has everything written, and does so again: the longest
/// backlogs that there can be.
pub(crate) fn backlogs(log: &MetaLogger, mut push: impl FnMut()) {
    for _ in 0..4 {
        let held = hold_drain(log);
        let (began, before) = (Instant::now(), log.stats().lost.total());
        // Until it is full, however slow the machine is.
        while began.elapsed() < Duration::from_millis(200) || log.stats().lost.total() == before {
            (0..10).for_each(|_| push());
        }
        drop(held);
        log.flush(PATIENCE).unwrap();
    }
}
