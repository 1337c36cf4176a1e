//! The file system calls of the segment store.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::FallocateFlags;

use super::error::JournalError;
use super::index::open_regular;
use crate::files::{self, FileCall};

/// Makes the directory if it is missing; a link or anything else in its place is refused.
pub(super) fn make_directory(path: &Path, mode: u32) -> Result<(), JournalError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(mode);
    match files::call(FileCall::MakeDirectory, || builder.create(path)) {
        Ok(()) => {
            let set = || std::fs::set_permissions(path, Permissions::from_mode(mode));
            files::call(FileCall::SetMode, set).map_err(JournalError::io("set the mode of", path))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = files::call(FileCall::Stat, || std::fs::symlink_metadata(path))
                .map_err(JournalError::io("look at", path))?;
            if found.is_dir() { Ok(()) } else { Err(JournalError::NotADirectory(path.to_owned())) }
        }
        Err(error) => Err(JournalError::io("create", path)(error)),
    }
}

/// Gives the file its length and its room; `false` if the file system cannot reserve room.
pub(super) fn allocate(file: &File, bytes: u64) -> io::Result<bool> {
    files::refuse_beyond_limit(bytes)?;
    let allocated = files::call(FileCall::Allocate, || {
        rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes)
    });
    match allocated {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            files::call(FileCall::SetLength, || file.set_len(bytes)).map(|()| false)
        }
        Err(error) => Err(error),
    }
}

/// How much of a file system's room stays free whatever is asked for: a part of this size. So a small
/// one can be logged to with the default `disk_reserve`.
const RESERVE_PART: u64 = 20;

/// By how much the room on the file system of `directory` is below what is to stay free when `bytes`
/// more are taken, as text; none: it is not.
///
/// # Errors
/// The system does not tell.
pub(crate) fn shortage(directory: &Path, reserve: u64, bytes: u64) -> io::Result<Option<String>> {
    if reserve == 0 {
        return Ok(None);
    }
    let found = rustix::fs::statvfs(directory)?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let least = reserve.min(found.f_blocks.saturating_mul(found.f_frsize) / RESERVE_PART);
    let short = free < least.saturating_add(bytes);
    Ok(short.then(|| {
        format!(
            "{}: {} KiB are free on its file system, and {} KiB are to stay so (disk_reserve); free \
             some space on it",
            directory.display(),
            free >> 10,
            least >> 10,
        )
    }))
}

/// Whether a store into a mapping of allocated room cannot fail for want of room. On
/// copy-on-write and network file systems it can.
pub(super) fn mappable(directory: &Path) -> bool {
    const EXT: u64 = 0xef53;
    const XFS: u64 = 0x5846_5342;
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::statfs(directory)
        .is_ok_and(|found| matches!(found.f_type as u64, EXT | XFS | TMPFS))
}

/// Brings a segment's first `end` bytes to the disk, or all that it has, with what is needed to find
/// them there.
///
/// By `msync` of a mapping of its own, which is `fdatasync` of a range: the pages ahead of the end,
/// which are populated already, stay as they are, and the writer's next stores there do not fault.
///
/// After a failed attempt the kernel takes the pages for written that it could not write, and the next
/// one succeeds whatever is on the disk. So an attempt that follows one has them written `again`: it makes
/// them dirty first, as a store would, whoever else stores there at the same time.
///
/// # Errors
/// What the system says; errors of earlier writing by the kernel included; a file shorter than `end`.
/// Before Linux 5.14, no attempt succeeds after a failed one.
pub(crate) fn sync_segment(path: &Path, end: Option<u64>, again: bool) -> io::Result<()> {
    // For writing, too: the kernel does nothing for a mapping of a file that is open for reading.
    let file = open_regular(path, std::fs::OpenOptions::new().read(true).write(true))?;
    let found = files::call(FileCall::Stat, || file.metadata())?.len();
    if let Some(end) = end.filter(|end| found < *end) {
        // What is gone is on no disk, and nothing brings it there.
        let text = format!("somebody has cut it to {found} of {end} bytes");
        return Err(io::Error::other(text));
    }
    let bytes = end.unwrap_or(found) as usize;
    if bytes == 0 {
        return Ok(());
    }
    let mut options = memmap2::MmapOptions::new();
    options.len(bytes);
    let mapping = files::call(FileCall::Map, || options.map_raw(&file))?;
    if again {
        files::call(FileCall::Write, || mapping.advise(memmap2::Advice::PopulateWrite))?;
    }
    files::call(FileCall::Sync, || mapping.flush_range(0, bytes))
}

/// A random number that is not 0.
pub(super) fn random_id() -> io::Result<u64> {
    loop {
        let mut bytes = [0; 8];
        let got = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty());
        match got {
            Ok(8) if bytes != [0; 8] => return Ok(u64::from_le_bytes(bytes)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_somebody_has_cut_does_not_count_as_synced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.tape");
        std::fs::write(&path, [1; 100]).unwrap();
        for (end, again) in [(Some(100), false), (Some(99), true), (Some(0), false), (None, true)] {
            sync_segment(&path, end, again).unwrap();
        }
        let error = sync_segment(&path, Some(101), false).unwrap_err().to_string();
        assert_eq!(error, "somebody has cut it to 100 of 101 bytes");
        std::fs::write(&path, []).unwrap();
        sync_segment(&path, None, false).unwrap();
        assert!(sync_segment(&path, Some(1), false).is_err());
    }
}
