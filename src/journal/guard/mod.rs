//! The SIGBUS guard: a hole under a store into a mapped segment does not kill the process.
//!
//! A mapped file has a hole where somebody has truncated it, or where the disk gave way: a store
//! there is a SIGBUS. The handler puts a page of memory there and lets the store go on; the writer
//! looks at the count of such pages before it publishes anything, and has the frames written
//! elsewhere. Every other SIGBUS goes where it would have gone without the handler.
//!
//! The handler is installed with the first guarded journal of the process and taken away with the
//! last one. A host that installs one of its own later must call the one that it replaces.

mod handler;
mod table;

use std::io;
use std::sync::Arc;

use handler::TABLE;

/// Keeps the handler installed.
#[derive(Debug)]
pub(crate) struct Guard(());

impl Guard {
    /// Installs the handler, unless another journal has done so.
    ///
    /// # Errors
    /// What the system says: then nothing may be mapped.
    pub(crate) fn install() -> io::Result<Arc<Guard>> {
        handler::acquire()?;
        Ok(Arc::new(Guard(())))
    }

    /// Guards a mapping until the watch is dropped, which must be before it is unmapped. `None`
    /// where the table of mappings is full.
    pub(super) fn watch(self: &Arc<Self>, start: *mut u8, bytes: usize) -> Option<Watch> {
        let slot = TABLE.add(start.addr(), bytes)?;
        Some(Watch { slot, _guard: Arc::clone(self) })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        handler::release();
    }
}

/// A guarded mapping.
#[derive(Debug)]
pub(super) struct Watch {
    slot: usize,
    _guard: Arc<Guard>,
}

impl Watch {
    /// How many pages were put into holes. For the thread that stores there.
    pub(super) fn holes(&self) -> u32 {
        TABLE.holes(self.slot)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        TABLE.remove(self.slot);
    }
}
