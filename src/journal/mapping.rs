//! A segment file mapped into memory, under the guard's watch or not.

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::{Advice, MmapRaw};

use super::guard::{Guard, Watch};
use crate::files::{self, FileCall};

/// A mapping of a whole segment.
#[derive(Debug)]
pub(super) struct Mapping {
    // Dropped before the memory is unmapped.
    watch: Option<Watch>,
    memory: MmapRaw,
}

impl Mapping {
    /// Maps the file; `None` where a guard is given and cannot watch any more mappings. Without one, the
    /// file is in memory.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(file: &File, guard: Option<&Arc<Guard>>) -> io::Result<Option<Self>> {
        let Some(guard) = guard else {
            return Ok(Some(Self { watch: None, memory: MmapRaw::map_raw(file)? }));
        };
        let memory = files::call(FileCall::Map, || MmapRaw::map_raw(file))?;
        let watch = guard.watch(memory.as_mut_ptr(), memory.len());
        Ok(watch.map(|watch| Self { watch: Some(watch), memory }))
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.memory.len()
    }

    /// Its first byte.
    pub(super) fn as_mut_ptr(&self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    /// Makes a range resident and writable. Failure costs only speed: the stores will fault.
    pub(super) fn populate(&self, start: usize, bytes: usize) {
        let bytes = bytes.min(self.len().saturating_sub(start));
        if bytes > 0 {
            // Kernels before 5.14 refuse: pages are then made by the first store.
            let _ = self.memory.advise_range(Advice::PopulateWrite, start, bytes);
        }
    }

    /// Leaves it out of core dumps.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn hide_from_dumps(&self) -> io::Result<()> {
        self.memory.advise(Advice::DontDump)
    }

    /// How many of its pages lie in no file, because the file had none there when they were stored
    /// to. For the thread that stores there.
    pub(super) fn holes(&self) -> u32 {
        self.watch.as_ref().map_or(0, Watch::holes)
    }
}
