//! Whether the logs have what a place says that they had: after a power cut they may be shorter, or
//! end in zero bytes.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::{Left, Mark, READ_BYTES, id, newest_first};
use crate::files;

/// In front of a mark, so many bytes are looked at one by one; further in front, what the file system
/// calls a hole.
const LOOKED_AT_BYTES: u64 = 1 << 20;

impl Left {
    /// Whether the logs have what they had at this place. One that cannot be read is not doubted: it
    /// is tried again when its lines are counted. `is_newest`: no place is known behind it.
    pub(crate) fn is_borne_out(
        &self,
        is_newest: bool,
        older: &[Left],
        paths: &[impl AsRef<Path>; 3],
    ) -> bool {
        self.marks.iter().enumerate().all(|(log, mark)| {
            let kept = older.iter().chain([self]).filter(|left| left.is_kept);
            let same = kept.map(|left| left.marks[log]).filter(|kept| kept.id() == mark.id());
            let known = same.map(|kept| kept.length).filter(|known| *known <= mark.length).max();
            let before = older.iter().map(|left| left.marks[log]);
            mark.is_borne_out(is_newest, known.unwrap_or(0), before, paths[log].as_ref())
                .unwrap_or(true)
        })
    }
}

impl Mark {
    /// Whether the log has what it had at this mark, of which `known` bytes were there for good;
    /// `before` are its older ones.
    fn is_borne_out(
        self,
        is_newest: bool,
        known: u64,
        mut before: impl Iterator<Item = Mark>,
        path: &Path,
    ) -> io::Result<bool> {
        if self.inode == 0 {
            return Ok(true);
        }
        let (mut live, mut is_empty, mut is_next) = (None, true, false);
        let found = newest_first(path, |number, file, found| {
            let its_own = id(found) == self.id();
            if number == 0 {
                live = Some(id(found));
            }
            let is_rotated = number > 0;
            // Others rotate empty files, too: where nothing is in front of it, there is nothing to count.
            is_empty &= found.len() == 0;
            if is_rotated && its_own && is_empty && self.length == 0 {
                return Ok(Some(true));
            }
            // Where something newer was lost, the end of a rotated file may be, too, and no line of
            // the next one can be counted.
            if (its_own && !has(file, found, known, self.length)?)
                || (its_own && is_rotated && !is_newest)
                || (is_rotated && !is_whole(file, found)?)
            {
                return Ok(Some(false));
            }
            // Entries that it had got behind the checkpoint, and none in this file: they are in the next one.
            is_next |= its_own && !is_rotated && self.length == 0 && self.skip > 0;
            Ok((its_own && !is_next || is_next && is_rotated).then_some(true))
        })?;
        if is_next {
            return Ok(found.unwrap_or(true));
        }
        // Somebody else moved it, so nothing behind an older place can be counted; or its rotation is
        // undone, and the log is as it was before.
        Ok(found.unwrap_or_else(|| is_newest && !before.any(|mark| Some(mark.id()) == live)))
    }

    fn id(self) -> (u64, u64) {
        (self.device, self.inode)
    }
}

/// The number of bytes in front of the first zero.
pub(super) fn sound(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len())
}

/// Whether a file has `length` bytes, and no zero among them behind the first `known`.
fn has(file: &File, found: &Metadata, known: u64, length: u64) -> io::Result<bool> {
    if found.len() < length {
        return Ok(false);
    }
    if known == length {
        return Ok(true);
    }
    // What a file system takes for a hole may be data that it has not placed yet.
    let hole = match rustix::fs::seek(file, SeekFrom::Hole(known)) {
        Ok(hole) if hole < length => read_sound(file, hole, (hole + 1).min(length))?,
        Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => true,
        Err(error) => return Err(error.into()),
    };
    Ok(hole && read_sound(file, length.saturating_sub(LOOKED_AT_BYTES).max(known), length)?)
}

/// Whether a rotated file has all its lines.
fn is_whole(file: &File, found: &Metadata) -> io::Result<bool> {
    // An empty one is never rotated.
    let Some(last) = found.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    files::read_up_to(file, &mut byte, last)?;
    Ok(byte == *b"\n" && has(file, found, 0, found.len())?)
}

/// Whether there is no zero from `start` to `end`.
fn read_sound(file: &File, start: u64, end: u64) -> io::Result<bool> {
    let mut buffer = vec![0; READ_BYTES];
    let mut at = start;
    while at < end {
        let most = (end - at).min(READ_BYTES as u64) as usize;
        let length = files::read_up_to(file, &mut buffer[..most], at)?;
        if length < most || sound(&buffer[..length]) < length {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}
