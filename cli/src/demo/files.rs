//! The log files from outside: what a person with `wc -l` and `ls` finds.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many rotated files of each log the demo keeps.
pub(super) const LOG_BACKUPS: u32 = 5;

/// The logs, in the order in which everything here has them.
const NAMES: [&str; 3] = ["expert.log", "trades.log", "errors.log"];
const JOURNAL: &str = "journal";
const CHUNK_BYTES: usize = 256 << 10;

/// A log file could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", .path.display())]
pub(super) struct FileError {
    path: PathBuf,
    source: io::Error,
}

/// Where each log ended at the start of the run.
#[derive(Debug)]
pub(super) struct LogFiles {
    directory: PathBuf,
    marks: [Option<Mark>; 3],
}

/// An end of a file, whatever the file is called by now.
#[derive(Debug)]
struct Mark {
    device: u64,
    inode: u64,
    length: u64,
    /// Kept open, so that no other file gets its number should it be deleted.
    _file: File,
}

/// What a run left behind.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) logs: [FoundLog; 3],
    pub(super) journal: FoundJournal,
}

/// A log with its rotated files.
#[derive(Debug, Default, Clone)]
pub(super) struct FoundLog {
    pub(super) path: PathBuf,
    /// Of the live file and of the rotated ones.
    pub(super) bytes: u64,
    /// Rotated files that are there.
    pub(super) rotated: u32,
    /// Lines that this run has written.
    pub(super) lines: u64,
    /// Whether the beginning of this run was rotated away already, so that lines are missing.
    pub(super) is_cut: bool,
}

/// The journal's segment files.
#[derive(Debug, Default)]
pub(super) struct FoundJournal {
    pub(super) path: PathBuf,
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

impl LogFiles {
    /// Notes where the logs end now.
    pub(super) fn mark(directory: &Path) -> Result<LogFiles, FileError> {
        let mut marks = [const { None }; 3];
        for (mark, name) in marks.iter_mut().zip(NAMES) {
            *mark = Mark::of(&directory.join(name))?;
        }
        Ok(LogFiles { directory: directory.to_owned(), marks })
    }

    /// Counts what was written since.
    pub(super) fn count(&self) -> Result<Found, FileError> {
        let mut found = Found::default();
        for ((log, name), mark) in found.logs.iter_mut().zip(NAMES).zip(&self.marks) {
            *log = count_log(self.directory.join(name), mark.as_ref())?;
        }
        found.journal = count_journal(self.directory.join(JOURNAL))?;
        Ok(found)
    }
}

impl Mark {
    /// The end of a file; `None` if there is no such file.
    fn of(path: &Path) -> Result<Option<Mark>, FileError> {
        match File::open(path).and_then(|file| Ok((file.metadata()?, file))) {
            Ok((found, file)) => {
                let (device, inode) = (found.dev(), found.ino());
                Ok(Some(Mark { device, inode, length: found.len(), _file: file }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(path)(error)),
        }
    }

    fn is_same_file(&self, other: &Mark) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Counts from the newest file to the one that the mark is in.
fn count_log(path: PathBuf, mark: Option<&Mark>) -> Result<FoundLog, FileError> {
    let mut log = FoundLog { is_cut: mark.is_some(), ..FoundLog::default() };
    let mut counting = true;
    for backup in 0..=LOG_BACKUPS {
        let file = rotated(&path, backup);
        let Some(here) = Mark::of(&file)? else { continue };
        log.bytes += here.length;
        log.rotated += u32::from(backup > 0);
        if !counting {
            continue;
        }
        let marked = mark.filter(|mark| mark.is_same_file(&here));
        log.lines += count_lines(&file, marked.map_or(0, |mark| mark.length))?;
        if marked.is_some() {
            log.is_cut = false;
            counting = false;
        }
    }
    log.path = path;
    Ok(log)
}

/// `expert.log`, `expert.log.1`, …
fn rotated(path: &Path, backup: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if backup > 0 {
        name.push(format!(".{backup}"));
    }
    name.into()
}

/// The whole lines behind `from`.
fn count_lines(path: &Path, from: u64) -> Result<u64, FileError> {
    let count = || -> io::Result<u64> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut lines = 0;
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(lines),
                count => {
                    lines += chunk[..count].iter().filter(|&&byte| byte == b'\n').count() as u64
                }
            }
        }
    };
    count().map_err(failed(path))
}

fn count_journal(path: PathBuf) -> Result<FoundJournal, FileError> {
    let mut journal = FoundJournal::default();
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(journal),
        Err(error) => return Err(failed(&path)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed(&path))?;
        if entry.path().extension().is_some_and(|extension| extension == "tape") {
            journal.segments += 1;
            journal.bytes += entry.metadata().map_err(failed(&path))?.len();
        }
    }
    journal.path = path;
    Ok(journal)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FileError {
    |source| FileError { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn only_lines_of_this_run_are_counted_across_rotations() {
        let root = tempfile::tempdir().unwrap();
        let live = root.path().join("expert.log");
        append(&rotated(&live, 1), "older\nolder\n");
        append(&live, "before\nbefore\n");
        let files = LogFiles::mark(root.path()).unwrap();
        append(&live, "1\n2\n");
        fs::rename(rotated(&live, 1), rotated(&live, 2)).unwrap();
        fs::rename(&live, rotated(&live, 1)).unwrap();
        append(&live, "3\ntorn");
        let found = files.count().unwrap();
        let [expert, trades, _] = &found.logs;
        assert_eq!((expert.lines, expert.rotated, expert.is_cut), (3, 2, false));
        assert_eq!(expert.bytes, 12 + 18 + 6);
        assert_eq!((trades.lines, trades.bytes, trades.is_cut), (0, 0, false));
        assert_eq!((found.journal.segments, found.journal.bytes), (0, 0));
    }

    #[test]
    fn a_beginning_that_was_rotated_away_is_told() {
        let root = tempfile::tempdir().unwrap();
        let live = root.path().join("errors.log");
        append(&live, "before\n");
        let files = LogFiles::mark(root.path()).unwrap();
        fs::remove_file(&live).unwrap();
        append(&live, "2\n");
        let found = files.count().unwrap();
        assert!(found.logs[2].is_cut && found.logs[2].lines == 1);
    }

    #[test]
    fn the_journal_is_its_segment_files() {
        let root = tempfile::tempdir().unwrap();
        let files = LogFiles::mark(root.path()).unwrap();
        fs::create_dir(root.path().join("journal")).unwrap();
        append(&root.path().join("journal/00000000000000000001.tape"), "12345");
        append(&root.path().join("journal/views.cursor"), "12345");
        let found = files.count().unwrap();
        assert_eq!((found.journal.segments, found.journal.bytes), (1, 5));
    }
}
