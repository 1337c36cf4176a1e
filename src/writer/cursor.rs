//! Where the views are, on disk: so that every entry stands in its log once, crash or not.
//!
//! Before a batch is written, the cursor notes the place in the journal that the batch begins at
//! and each log's file and length. After a crash the lines behind that length are counted, and as
//! many entries of the run before are skipped for that log: one entry is one line. A torn last line
//! is taken back, and its entry rendered again.
//!
//! ```text
//! views.cursor   two slots of 16 KiB, written in turn; the newer one with a right CRC counts
//! slot           crc32c u32 │ length u32 │ number u64
//!                │ 3 × { device u64, inode u64, length u64, entries still to be skipped u64 }
//!                │ checkpoint of the merge
//! ```

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::logs::{LogFile, Logs};
use super::routing::Skips;
use crate::files::{self, FileCall};
use crate::handlers::refuse_foreign;
use crate::journal::crc32c;

/// The cursor's file in the journal's directory.
const FILE_NAME: &str = "views.cursor";
const SLOT_BYTES: usize = 16 << 10;
const MARK_BYTES: usize = 32;
const CHECKPOINT_OFFSET: usize = 16 + 3 * MARK_BYTES;
/// What the file takes at most.
pub(crate) const CURSOR_BYTES: u64 = 2 * SLOT_BYTES as u64;
/// No run comes to a higher number.
const NUMBER_MAX: u64 = 1 << 60;
/// So many numbers in a row may be missing among the files of a log.
const HOLES_MAX: u32 = 64;
/// Bytes of a log that are read at once.
const READ_BYTES: usize = 64 << 10;

/// A log's file and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    length: u64,
    /// Entries behind the checkpoint that the file had before.
    skip: u64,
}

/// How long a failed cursor is left alone, and how often its path is compared with the open file.
const LOOK: Duration = Duration::from_millis(250);

/// The cursor's file. One that fails, or is gone, is opened anew after a while.
#[derive(Debug)]
pub(crate) struct Cursor {
    path: PathBuf,
    mode: u32,
    file: Option<File>,
    look_at: Instant,
    number: u64,
    slot: Box<[u8; SLOT_BYTES]>,
}

/// What the last run left.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The merge's checkpoint; `None` at the first start.
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(super) marks: [Mark; 3],
}

impl Cursor {
    /// Removes the cursor from the journal's directory, if there is one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(crate) fn remove(directory: &Path) -> io::Result<()> {
        let path = Cursor::path(directory);
        match files::call(FileCall::Remove, || std::fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where the cursor stands, given the journal's directory.
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(FILE_NAME)
    }

    /// Where its file stands.
    pub(crate) fn file_path(&self) -> &Path {
        &self.path
    }

    /// A cursor in the journal's directory that is opened by the first [`Cursor::note`].
    pub(crate) fn unopened(directory: &Path, mode: u32) -> Cursor {
        Cursor {
            path: Cursor::path(directory),
            mode,
            file: None,
            look_at: Instant::now(),
            number: 0,
            slot: Box::new([0; SLOT_BYTES]),
        }
    }

    /// Opens the cursor in the journal's directory, or makes it.
    ///
    /// # Errors
    /// The file cannot be opened or read, or is not one of our own.
    pub(crate) fn open(directory: &Path, mode: u32) -> io::Result<(Cursor, Left)> {
        let mut cursor = Cursor::unopened(directory, mode);
        let file = open_own(&cursor.path, mode)?;
        let mut bytes = vec![0; 2 * SLOT_BYTES];
        files::read_up_to(&file, &mut bytes, 0)?;
        let (first, second) = bytes.split_at(SLOT_BYTES);
        let newest = [first, second].into_iter().filter_map(read_slot).max_by_key(|slot| slot.0);
        let (number, left) = newest.unwrap_or_default();
        (cursor.file, cursor.number) = (Some(file), number);
        Ok((cursor, left))
    }

    /// Whether a note can be taken: not within a while of a failure. Looks now and then whether the
    /// path still names the open file.
    pub(crate) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        if now < self.look_at {
            return self.file.is_some();
        }
        self.look_at = now + LOOK;
        let open = self.file.as_ref().and_then(|file| file.metadata().ok());
        let named = std::fs::symlink_metadata(&self.path).ok();
        if open.zip(named).is_none_or(|(open, named)| id(&open) != id(&named)) {
            self.file = None;
        }
        true
    }

    /// Notes where the batch begins that is about to be written. A checkpoint that is too long for
    /// a slot is not noted: after a crash, entries may then stand twice.
    ///
    /// # Errors
    /// The file cannot be written, or not be opened anew.
    pub(crate) fn note(&mut self, checkpoint: &[u8], logs: &Logs, skips: Skips) -> io::Result<()> {
        let end = CHECKPOINT_OFFSET + checkpoint.len();
        let Some(room) = self.slot.get_mut(CHECKPOINT_OFFSET..end) else { return Ok(()) };
        room.copy_from_slice(checkpoint);
        self.number += 1;
        let marks = [
            mark_of(&logs.expert, skips.expert),
            mark_of(&logs.trades, skips.trades),
            mark_of(&logs.errors, skips.errors),
        ];
        for (mark, out) in marks.iter().zip(self.slot[16..].chunks_exact_mut(MARK_BYTES)) {
            out[..8].copy_from_slice(&mark.device.to_le_bytes());
            out[8..16].copy_from_slice(&mark.inode.to_le_bytes());
            out[16..24].copy_from_slice(&mark.length.to_le_bytes());
            out[24..].copy_from_slice(&mark.skip.to_le_bytes());
        }
        self.slot[4..8].copy_from_slice(&(end as u32).to_le_bytes());
        self.slot[8..16].copy_from_slice(&self.number.to_le_bytes());
        let crc = crc32c(&self.slot[4..end]);
        self.slot[..4].copy_from_slice(&crc.to_le_bytes());
        let place = (self.number % 2) * SLOT_BYTES as u64;
        let file = match self.file.take() {
            Some(file) => file,
            None => open_own(&self.path, self.mode)?,
        };
        files::write_all_at(&file, &self.slot[..end], place)?;
        self.file = Some(file);
        Ok(())
    }
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Opens the file, which must be one of our own, or makes it.
fn open_own(path: &Path, mode: u32) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mut how = OpenOptions::new();
    how.read(true).write(true).create(true).truncate(false).mode(mode);
    how.custom_flags(flags.bits() as i32);
    let file = files::call(FileCall::Create, || how.open(path))?;
    let found = files::call(FileCall::Stat, || file.metadata())?;
    refuse_foreign(path, &found).map_err(io::Error::other)?;
    let mode = rustix::fs::Mode::from_raw_mode(mode);
    files::call(FileCall::SetMode, || rustix::fs::fchmod(&file, mode))?;
    Ok(file)
}

fn mark_of(log: &LogFile, skip: u64) -> Mark {
    let identity = log.handler().and_then(|handler| handler.identity());
    identity.map_or(Mark { skip, ..Mark::default() }, |found| Mark {
        device: found.dev,
        inode: found.ino,
        length: found.len,
        skip,
    })
}

fn read_slot(slot: &[u8]) -> Option<(u64, Left)> {
    let word = |at: usize| Some(u64::from_le_bytes(*slot.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u32::from_le_bytes(*slot.get(at..)?.first_chunk()?));
    let end = half(4)? as usize;
    let covered = slot.get(4..end).filter(|covered| covered.len() >= CHECKPOINT_OFFSET - 4)?;
    if crc32c(covered) != half(0)? || word(8)? > NUMBER_MAX {
        return None;
    }
    let mut marks = [Mark::default(); 3];
    for (index, mark) in marks.iter_mut().enumerate() {
        let at = 16 + MARK_BYTES * index;
        *mark = Mark {
            device: word(at)?,
            inode: word(at + 8)?,
            length: word(at + 16)?,
            skip: word(at + 24)?,
        };
    }
    let checkpoint = slot.get(CHECKPOINT_OFFSET..end)?.to_vec();
    Some((word(8)?, Left { checkpoint: Some(checkpoint), marks }))
}

impl Mark {
    /// How many entries a log has that stand behind the checkpoint: those of before the cursor was
    /// noted, and the lines that it got afterwards. Takes a torn last line back, so it must be called
    /// before the log is opened.
    ///
    /// # Errors
    /// The log, or one of the files that it was rotated into, cannot be read: then it is not known.
    pub(super) fn skip(self, path: &Path) -> io::Result<u64> {
        Ok(self.skip.saturating_add(lines_behind(path, self)?))
    }
}

/// Counts the lines behind a mark: in its file, wherever rotation has moved it, and in all newer
/// files of the log. However many are kept now: there may have been more.
fn lines_behind(path: &Path, mark: Mark) -> io::Result<u64> {
    if mark.inode == 0 {
        return Ok(0);
    }
    let (mut lines, mut holes) = (0, 0);
    for number in 0..=u32::MAX {
        let Some(file) = open_rotated(path, number)? else {
            holes += 1;
            if holes > HOLES_MAX {
                break;
            }
            // A rotation that was cut short leaves one.
            continue;
        };
        holes = 0;
        let found = files::call(FileCall::Stat, || file.metadata())?;
        if refuse_foreign(path, &found).is_err() && (number == 0 || !is_own_backup(&found)) {
            // It was never ours: no line of ours is in it.
            continue;
        }
        if (found.dev(), found.ino()) == (mark.device, mark.inode) {
            return Ok(lines + count_lines(&file, mark.length.min(found.len()), number == 0)?);
        }
        lines += count_lines(&file, 0, number == 0)?;
    }
    // The file is gone: somebody else moved it, and what follows it is not known.
    Ok(0)
}

/// Opens a file of a log; none if there is none, or something that no log ever was.
fn open_rotated(path: &Path, number: u32) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    // Only from the live file something is cut.
    options.read(true).write(number == 0).custom_flags(flags);
    let rotated = rotated(path, number);
    match files::call(FileCall::Open, || options.open(&rotated)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => match error.raw_os_error() {
            // A link, a directory, a pipe without a reader.
            Some(libc::ELOOP | libc::EISDIR | libc::ENXIO) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Whether it is a plain file of ours, whatever other names it has: a backup may be kept elsewhere by
/// a hard link, and is only read.
fn is_own_backup(found: &Metadata) -> bool {
    found.is_file() && found.uid() == rustix::process::geteuid().as_raw()
}

fn rotated(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Counts the lines from `start` on, and cuts off a torn last one of the live file.
fn count_lines(file: &File, start: u64, live: bool) -> io::Result<u64> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut lines, mut whole, mut end) = (0, start, start);
    loop {
        let length = files::read_up_to(file, &mut buffer, end)?;
        for (at, _) in buffer[..length].iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            lines += 1;
            whole = end + at as u64 + 1;
        }
        end += length as u64;
        if length < buffer.len() {
            break;
        }
    }
    if live && whole < end {
        files::call(FileCall::SetLength, || file.set_len(whole))?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;
