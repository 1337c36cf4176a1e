//! A place that outlives a power cut: the logs are on the disk up to there, and so is the cursor.
//!
//! It is taken from the cursor's file, before the logs are synced, by whoever syncs them: the thread
//! of the views for a caller, or that of the policy.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::{BATCH_SLOTS, Cursor, SLOT_BYTES, SLOTS, read_slot};
use crate::files::{self, FileCall};
use crate::handlers::refuse_foreign;

/// A place in front of which every line was written.
#[derive(Debug)]
pub(crate) struct Place {
    file: File,
    slot: Vec<u8>,
}

impl Place {
    /// The newest place that the cursor in the journal's directory has; none if there is none.
    pub(crate) fn newest(journal: &Path) -> Option<Place> {
        let path = Cursor::path(journal);
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut how = OpenOptions::new();
        how.read(true).write(true).custom_flags(flags.bits() as i32);
        let file = files::open(FileCall::Open, &how, &path).ok()?;
        let found = files::call(FileCall::Stat, || file.metadata()).ok()?;
        refuse_foreign(&path, &found).ok()?;
        let slots = (0..BATCH_SLOTS).filter_map(|at| whole_slot(&file, at));
        let (_, slot) = slots.max_by_key(|(number, _)| *number)?;
        Some(Place { file, slot })
    }

    /// Brings it to the disk, now that the logs are there.
    ///
    /// # Errors
    /// The cursor cannot be written or synced.
    pub(crate) fn keep(&self) -> io::Result<()> {
        self.write()?;
        files::call(FileCall::Sync, || self.file.sync_data())
    }

    /// Puts it down, so that what is in front of it is not looked at again.
    ///
    /// # Errors
    /// The cursor cannot be written.
    pub(crate) fn write(&self) -> io::Result<()> {
        let number = |at: &usize| whole_slot(&self.file, *at).map_or(0, |(number, _)| number);
        // The other one stays whole until this one is on the disk.
        let oldest = (BATCH_SLOTS..SLOTS).min_by_key(number).unwrap_or(BATCH_SLOTS);
        files::write_all_at(&self.file, &self.slot, (oldest * SLOT_BYTES) as u64)
    }
}

/// A slot with a right CRC, and its number.
fn whole_slot(file: &File, at: usize) -> Option<(u64, Vec<u8>)> {
    let mut slot = vec![0; SLOT_BYTES];
    let length = files::read_up_to(file, &mut slot, (at * SLOT_BYTES) as u64).ok()?;
    slot.truncate(length);
    let number = read_slot(&slot)?.number;
    Some((number, slot))
}
