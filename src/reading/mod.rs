//! Reading a journal back: the same entries, in the same order and form, as in the logs.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # std::env::set_current_dir(&dir)?;
//! # let (log, guard) = tapelog::MetaLogger::builder().log_dir("logs").build()?;
//! # tapelog::info!(log, "bar closed");
//! # drop(guard);
//! use tapelog::reading::{Format, Journal};
//!
//! let journal = Journal::open("logs")?;
//! let summary = journal.write_to(Format::Json, &mut std::io::stdout().lock())?;
//! eprintln!("{} entries", summary.entries);
//! # assert_eq!(summary.entries, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A journal may be read while an engine writes it, by any process: reading takes no lock and maps
//! no file. What cannot be read is noted, and reading goes on behind it.

mod error;
mod lines;
mod origin;
mod repair;
#[cfg(test)]
mod tests;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use error::{Note, ReadError};
pub use repair::{RepairError, RepairPlace, Repaired};
pub use verify::{Finding, SegmentReport, SegmentState, Verification, VerifyProgress};

use crate::UnixNanos;
use crate::journal::{JournalReader, Liveness, Merge, Position, SegmentIndex, Step};
use lines::{ENTERPRISE_NUMBER, Lines};

/// The journal's name inside a log directory.
const SUBDIRECTORY: &str = "journal";
/// How segment files end.
const EXTENSION: &str = "tape";
/// More notes than this are counted only.
const NOTES_MAX: usize = 100;

/// How entries are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// As in `expert.log`: one line of text for each entry.
    Text,
    /// As in `trades.log`: one JSON object for each entry. The host, the process and
    /// the program are those that wrote the journal.
    Json,
    /// `time=… level=… event=… key=value …`, one line for each entry.
    Logfmt,
    /// Syslog messages of RFC 5424, one for each entry, from the same host, process and program.
    Rfc5424,
}

/// What reading a journal came to.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many entries there were.
    pub entries: u64,
    /// What could not be read: the first hundred notes.
    pub notes: Vec<Note>,
    /// How many notes there were beyond those.
    pub notes_left_out: u64,
    /// How many notes tell of damage.
    pub damaged: u64,
}

impl Summary {
    /// Whether no part was damaged. Parts that had been recycled before they were read are no
    /// damage: they are what a bounded journal is made of.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.damaged == 0
    }

    fn note(&mut self, note: Note) {
        self.damaged += u64::from(note.is_damage());
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        } else {
            self.notes_left_out += 1;
        }
    }
}

/// A journal on disk.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    index: SegmentIndex,
    since: Option<UnixNanos>,
    enterprise_number: u32,
}

impl Journal {
    /// Finds the journal in a log directory; `directory` may also be the journal itself.
    ///
    /// # Errors
    /// [`ReadError`] if there is no such directory, it cannot be listed, or no segment is in it.
    pub fn open(directory: impl AsRef<Path>) -> Result<Journal, ReadError> {
        let given = directory.as_ref();
        let metadata = std::fs::metadata(given).map_err(|source| ReadError::io(given, source))?;
        if !metadata.is_dir() {
            return Err(ReadError::NotADirectory { path: given.to_owned() });
        }
        let inside = given.join(SUBDIRECTORY);
        let directory = if inside.is_dir() { inside } else { given.to_owned() };
        let index = SegmentIndex::directory(&directory);
        let journal =
            Journal { directory, index, since: None, enterprise_number: ENTERPRISE_NUMBER };
        if journal.segments()?.is_empty() {
            return Err(ReadError::Empty { path: given.to_owned() });
        }
        Ok(journal)
    }

    /// The journal of an index.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_index(index: SegmentIndex) -> Journal {
        let directory = PathBuf::new();
        Journal { directory, index, since: None, enterprise_number: ENTERPRISE_NUMBER }
    }

    /// Leaves out entries of before `time`.
    ///
    /// The segments' time index tells where to begin, so what lies before is not read. An entry
    /// that its caller stamped later than it was logged may be missing.
    #[must_use]
    pub fn since(mut self, time: UnixNanos) -> Journal {
        self.since = Some(time);
        self
    }

    /// The enterprise number of the structured data in [`Format::Rfc5424`], which the journal does
    /// not know: what the program's parameter `enterprise_number` is. Unless it is given, 32473.
    #[must_use]
    pub fn enterprise_number(mut self, number: u32) -> Journal {
        self.enterprise_number = number;
        self
    }

    /// The directory of the segment files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes every entry to `out`, one line each, the oldest first.
    ///
    /// The order is that of the logs. While an engine writes the journal, this reads what is there.
    ///
    /// # Errors
    /// [`ReadError::Output`] when `out` takes no more, [`ReadError::Io`] when the journal can no
    /// longer be listed. What is damaged or unreadable inside it is no error: see [`Summary`].
    pub fn write_to(&self, format: Format, out: &mut impl Write) -> Result<Summary, ReadError> {
        let segments = self.segments()?;
        let (Some(&first), Some(&last)) = (segments.first(), segments.last()) else {
            return Err(ReadError::Empty { path: self.directory.clone() });
        };
        let liveness = liveness_of(self.writer(last));
        let reader = |from| JournalReader::new(self.index.clone(), Some(from), liveness);
        let sought = match self.since {
            Some(time) => JournalReader::seek(&self.index, time.0),
            None => Ok(None),
        };
        let start = sought.map_err(|error| ReadError::Journal { source: Box::new(error) })?;
        let mut summary = Summary::default();
        let mut lines = Lines::new(format, self.enterprise_number, self.since, out);
        let mut merge = Merge::new();
        let mut current = reader(start.unwrap_or_else(|| Position::start_of(first)));
        loop {
            match current.next_frame() {
                Ok(Step::Frame(frame)) => {
                    if lines.is_new_writer(frame.writer) {
                        // What waits was written by the one before, in its name.
                        merge.finish();
                        lines.give_out(&mut merge)?;
                        let origin = self.index.header(frame.position.sequence);
                        lines.begin_writer(frame.writer, origin);
                    }
                    merge.push(&frame);
                }
                Ok(Step::Expired { first, last }) => summary.note(Note::Expired { first, last }),
                Ok(Step::Damaged { sequence, from, to, fault }) => {
                    let (path, reason) = (self.index.path(sequence), fault.to_string());
                    summary.note(Note::Damaged { path, from, to, reason });
                }
                Ok(Step::EndOfData) => break,
                Err(error) => {
                    summary.note(Note::Unreadable { reason: error.to_string() });
                    let next = current.position().map_or(1, |here| here.sequence.saturating_add(1));
                    if next > last {
                        break;
                    }
                    current = reader(Position::start_of(next));
                }
            }
            lines.give_out(&mut merge)?;
        }
        merge.finish();
        lines.give_out(&mut merge)?;
        summary.entries = lines.finish()?;
        Ok(summary)
    }

    fn segments(&self) -> Result<Vec<u64>, ReadError> {
        let failed = |error| ReadError::Journal { source: Box::new(error) };
        self.index.sequences().map_err(failed)
    }

    /// The process that may still be writing the newest segment.
    fn writer(&self, newest: u64) -> Option<u32> {
        origin::writer(&self.directory, &self.index.header(newest)?)
    }
}

/// While somebody writes, frames behind the cursor are half written; else they are forgotten.
fn liveness_of(writer: Option<u32>) -> Liveness {
    if writer.is_some() { Liveness::Live } else { Liveness::Ended }
}
