//! Where the views are, on disk: so that every entry stands in its log once, crash or not.
//!
//! Before a batch is written, and inside it before a file that was noted can go, the cursor notes the
//! place in the journal that the batch begins at, each log's file and length, and how much of the batch
//! it has. After a crash the lines behind that length are counted, and as many entries of the run before
//! are skipped for that log: one entry is one line. A torn last line is taken back, and its entry
//! rendered again.
//!
//! After a power cut the cursor may be newer on the disk than the logs, or older, or not there. So
//! whoever syncs the logs [keeps](keep::Place) a place that they have for good in two more slots,
//! and a start [looks](proof) which place the logs bear out.
//!
//! ```text
//! views.cursor   four slots of 16 KiB: two written in turn before each batch, two behind each sync
//!                of the logs; the newest one with a right CRC counts that the logs bear out
//! slot           crc32c u32 │ length u32 │ number u64, with the form's bit
//!                │ 3 × { device u64, inode u64, length u64, entries still to be skipped u64,
//!                        lines that it missed and does not tell yet u64 }
//!                │ checkpoint of the merge
//! ```

mod keep;
mod proof;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::logs::{LogFile, Logs};
use super::routing::Skips;
use super::unreadable::{self, Told};
use crate::files::{self, FileCall};
use crate::handlers::refuse_foreign;
use crate::journal::crc32c;

pub(crate) use keep::Place;

/// The cursor's file in the journal's directory.
const FILE_NAME: &str = "views.cursor";
const SLOT_BYTES: usize = 16 << 10;
const MARK_BYTES: usize = 40;
const CHECKPOINT_OFFSET: usize = 16 + 3 * MARK_BYTES;
/// What the file takes at most.
pub(crate) const CURSOR_BYTES: u64 = (SLOTS * SLOT_BYTES) as u64;
/// Two for the beginnings of batches, then two for what was synced.
const SLOTS: usize = 4;
const BATCH_SLOTS: usize = 2;
/// No run comes to a higher number.
const NUMBER_MAX: u64 = 1 << 60;
/// Set in every number since marks have five words; a slot without it is of an earlier version.
const FORM: u64 = 1 << 61;
/// Marks of earlier versions do not tell what is missing.
const MARK_BYTES_BEFORE: usize = 32;
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
    /// Lines in front of it that the file missed, and that no line of it tells yet.
    missing: u64,
}

/// What a log has behind a checkpoint, and what it lacks in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Behind {
    /// Entries that it has already.
    pub(super) skip: u64,
    /// Lines that it missed and does not tell.
    pub(super) missing: u64,
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

/// What the last run left: a place in the journal, and what the logs had there.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The merge's checkpoint; `None` at the first start.
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(super) marks: [Mark; 3],
    number: u64,
    /// Whether the logs were looked at or synced there: what is in front of it is as it will ever be.
    is_kept: bool,
    /// Older ones, the newest first.
    pub(super) older: Vec<Left>,
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
        let mut bytes = vec![0; SLOTS * SLOT_BYTES];
        files::read_up_to(&file, &mut bytes, 0)?;
        let slots = bytes.chunks_exact(SLOT_BYTES).enumerate();
        let place = |(at, slot)| Some(Left { is_kept: at >= BATCH_SLOTS, ..read_slot(slot)? });
        let mut places: Vec<_> = slots.filter_map(place).collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.number));
        let mut places = places.into_iter();
        let mut left = places.next().unwrap_or_default();
        left.older = places.collect();
        (cursor.file, cursor.number) = (Some(file), left.number);
        Ok((cursor, left))
    }

    /// Goes on at a place that is not the newest: what is newer is wiped out, because the logs would
    /// bear it out again once they have grown.
    ///
    /// # Errors
    /// The file cannot be read, written or synced.
    pub(crate) fn go_back_to(&mut self, left: &Left) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut slot = vec![0; SLOT_BYTES];
        for at in 0..SLOTS {
            let place = (at * SLOT_BYTES) as u64;
            let length = files::read_up_to(file, &mut slot, place)?;
            if read_slot(&slot[..length]).is_some_and(|found| found.number > left.number) {
                files::write_all_at(file, &[0; 16], place)?;
            }
        }
        // Otherwise another power cut might bring it back.
        files::call(FileCall::Sync, || file.sync_data())
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

    /// Notes where the batch begins that is about to be written.
    ///
    /// # Errors
    /// The file cannot be written, or not be opened anew; or the checkpoint is too long for a slot: after
    /// a crash, entries may then stand twice.
    pub(crate) fn note(&mut self, checkpoint: &[u8], logs: &Logs, skips: Skips) -> io::Result<()> {
        let end = CHECKPOINT_OFFSET + checkpoint.len();
        let Some(room) = self.slot.get_mut(CHECKPOINT_OFFSET..end) else {
            return Err(io::Error::other(
                "so many threads log that the place takes more than 16 KiB",
            ));
        };
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
            out[24..32].copy_from_slice(&mark.skip.to_le_bytes());
            out[32..].copy_from_slice(&mark.missing.to_le_bytes());
        }
        self.slot[4..8].copy_from_slice(&(end as u32).to_le_bytes());
        self.slot[8..16].copy_from_slice(&(self.number | FORM).to_le_bytes());
        let crc = crc32c(&self.slot[4..end]);
        self.slot[..4].copy_from_slice(&crc.to_le_bytes());
        let place = (self.number % BATCH_SLOTS as u64) * SLOT_BYTES as u64;
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
    let file = files::open(FileCall::Create, &how, path)?;
    let found = files::call(FileCall::Stat, || file.metadata())?;
    refuse_foreign(path, &found).map_err(io::Error::other)?;
    let mode = rustix::fs::Mode::from_raw_mode(mode);
    files::call(FileCall::SetMode, || rustix::fs::fchmod(&file, mode))?;
    Ok(file)
}

fn mark_of(log: &LogFile, skip: u64) -> Mark {
    let identity = log.handler().and_then(|handler| handler.identity());
    let missing = log.missing();
    identity.map_or(Mark { skip, missing, ..Mark::default() }, |found| Mark {
        device: found.dev,
        inode: found.ino,
        length: found.len,
        skip,
        missing,
    })
}

fn read_slot(slot: &[u8]) -> Option<Left> {
    let word = |at: usize| Some(u64::from_le_bytes(*slot.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u32::from_le_bytes(*slot.get(at..)?.first_chunk()?));
    let (end, number) = (half(4)? as usize, word(8)? & !FORM);
    let is_ours = word(8)? != number;
    let mark_bytes = if is_ours { MARK_BYTES } else { MARK_BYTES_BEFORE };
    let checkpoint_offset = 16 + 3 * mark_bytes;
    let covered = slot.get(4..end).filter(|covered| covered.len() >= checkpoint_offset - 4)?;
    if crc32c(covered) != half(0)? || number > NUMBER_MAX {
        return None;
    }
    let mut marks = [Mark::default(); 3];
    for (index, mark) in marks.iter_mut().enumerate() {
        let at = 16 + mark_bytes * index;
        *mark = Mark {
            device: word(at)?,
            inode: word(at + 8)?,
            length: word(at + 16)?,
            skip: word(at + 24)?,
            missing: if is_ours { word(at + 32)? } else { 0 },
        };
    }
    let checkpoint = slot.get(checkpoint_offset..end)?.to_vec();
    Some(Left { checkpoint: Some(checkpoint), marks, number, ..Left::default() })
}

impl Mark {
    /// How many entries a log has that stand behind the checkpoint: those of before the cursor was
    /// noted, and the lines that it got afterwards; and what it lacks. Takes a torn last line back, so it
    /// must be called before the log is opened.
    ///
    /// # Errors
    /// The log, or one of the files that it was rotated into, cannot be read: then it is not known.
    pub(super) fn behind(self, path: &Path) -> io::Result<Behind> {
        let Lines { entries, tells_missing } = lines_behind(path, self)?;
        let missing = if tells_missing { 0 } else { self.missing };
        Ok(Behind { skip: self.skip.saturating_add(entries), missing })
    }
}

/// Lines of a log.
#[derive(Debug, Clone, Copy, Default)]
struct Lines {
    /// Those of entries.
    entries: u64,
    /// Whether one tells how many the log has missed.
    tells_missing: bool,
}

/// Counts the lines behind a mark: in its file, wherever rotation has moved it, and in all newer
/// files of the log. However many are kept now: there may have been more.
fn lines_behind(path: &Path, mark: Mark) -> io::Result<Lines> {
    let mut lines = Lines::default();
    if mark.inode == 0 {
        return Ok(lines);
    }
    let found = newest_first(path, |number, file, found| {
        let its_own = id(found) == (mark.device, mark.inode);
        let start = if its_own { mark.length.min(found.len()) } else { 0 };
        count_lines(file, start, number == 0, &mut lines)?;
        Ok(its_own.then_some(lines))
    })?;
    // The file is gone: somebody else moved it, and what follows it is not known.
    Ok(found.unwrap_or_default())
}

/// Goes through the files of a log, the live one first, until `look` has an answer.
fn newest_first<T>(
    path: &Path,
    mut look: impl FnMut(u32, &File, &Metadata) -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    let mut holes = 0;
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
        if let Some(answer) = look(number, &file, &found)? {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

/// Whether any file of a log has something in it, or that cannot be known now.
pub(super) fn has_lines(path: &Path) -> bool {
    let found = newest_first(path, |_, _, found| Ok((found.len() > 0).then_some(())));
    found.map_or(true, |found| found.is_some())
}

/// Opens a file of a log; none if there is none, or something that no log ever was.
fn open_rotated(path: &Path, number: u32) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    // Only from the live file something is cut.
    options.read(true).write(number == 0).custom_flags(flags);
    let rotated = rotated(path, number);
    match files::open(FileCall::Open, &options, &rotated) {
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

/// Counts the lines from `start` on that are entries, up to a zero byte, which a power cut leaves and no
/// line has. Of the live file what is behind the last whole line is cut off.
fn count_lines(file: &File, start: u64, live: bool, lines: &mut Lines) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut whole, mut end) = (start, start);
    let torn = loop {
        let read = files::read_up_to(file, &mut buffer, end)?;
        let length = proof::sound(&buffer[..read]);
        let mut rest = &buffer[..length];
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(at + 1);
            match unreadable::told_by(line) {
                Some(Told::Unreadable) => {}
                Some(Told::Missed) => lines.tells_missing = true,
                None => lines.entries += 1,
            }
            whole = end + (length - behind.len()) as u64;
            rest = behind;
        }
        if length < buffer.len() {
            break length < read || !rest.is_empty() || whole < end;
        }
        // A line that goes on is looked at as a whole, if there is room for it.
        end += (if rest.len() < length { length - rest.len() } else { length }) as u64;
    };
    if live && torn {
        files::call(FileCall::SetLength, || file.set_len(whole))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
