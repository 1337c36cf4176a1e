//! What the process takes of the machine: memory, descriptors, disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that the files below take on their medium; what is gone meanwhile takes none.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let bytes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    bytes.sum()
}

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
        // What was freed and what the allocator keeps is not in use.
        // SAFETY: gives memory back that nobody uses.
        unsafe { libc::malloc_trim(0) };
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident_kib = resident.trim().trim_end_matches(" kB").parse().unwrap();
        // Who looks at the disk meanwhile has directories open for a moment.
        let count = |_| fs::read_dir("/proc/self/fd").unwrap().count();
        let descriptors = (0..100).map(count).min().unwrap();
        // SAFETY: reads the allocator's counts.
        let heap = unsafe { libc::mallinfo2() };
        let heap_kib = (heap.uordblks + heap.hblkhd) as u64 >> 10;
        Self { resident_kib, heap_kib, descriptors }
    }
}
