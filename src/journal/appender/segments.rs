//! From one segment to the next: what is published, sealed, given up.

use std::io;
use std::path::{Path, PathBuf};

use super::{Appender, Failure};
use crate::journal::bytes::put_u64;
use crate::journal::defined::Defined;
use crate::journal::error::{AppendError, JournalError};
use crate::journal::frame::{CLEAN_END, END_BYTES, Kind};
use crate::journal::index::file_name;
use crate::journal::layout::{
    FIRST_OFFSET, FIXED_BYTES, INDEX_ENTRIES, IndexEntry, OpeningLine, SegmentHeader,
};
use crate::journal::position::{Position, Progress};
use crate::journal::segment::{Prepared, Retired};

impl Appender {
    /// Ends the segment and goes on in the next one. Everything written so far is published.
    ///
    /// # Errors
    /// If the segment's end could not be written, `next` comes back with the reason: call
    /// [`Appender::abandon`] with it, and append again what the unfinished pass had appended.
    pub(crate) fn roll(
        &mut self,
        next: Prepared,
    ) -> Result<Retired, Box<(Prepared, JournalError)>> {
        match self.seal(next.sequence(), 0) {
            Ok(()) => Ok(self.switch(next, None)),
            Err(error) => Err(Box::new((next, error))),
        }
    }

    /// Gives the segment up after a failure and goes on in the next one: what the unfinished pass
    /// has appended since the last publication is not in the journal.
    pub(crate) fn abandon(&mut self, next: Prepared) -> Retired {
        // What the unfinished pass has left in the file is written again elsewhere, and a reader of the
        // whole file would find it twice. A medium that takes neither frames nor this can show it twice,
        // but loses nothing.
        let (found, _) = self.segment.cut(self.published.into());
        self.switch(next, found)
    }

    fn switch(&mut self, next: Prepared, found: Option<u64>) -> Retired {
        let segment = std::mem::replace(&mut self.segment, next.segment);
        let published = self.published;
        if published == FIRST_OFFSET && !segment.in_memory {
            self.given_up = (segment.header.sequence, segment.header.predecessor());
        }
        let failure = self.failure.map(Failure::again);
        self.end = FIRST_OFFSET;
        self.published = FIRST_OFFSET;
        // What was not published is given up, and written again.
        (self.published_records, self.published_bytes) = (self.records, self.bytes);
        self.last_definition = 0;
        self.released = false;
        self.next_index = 1;
        self.failure = None;
        self.defined.truncate(1);
        self.defined.iter_mut().for_each(Defined::clear);
        self.calibration_due = true;
        self.pass_over_given_up();
        self.open_segment();
        let records = std::mem::take(&mut self.segment_records);
        Retired { segment, published, records, found, failure }
    }

    /// Writes the end frame and publishes it.
    pub(super) fn seal(&mut self, next_sequence: u64, flags: u16) -> Result<(), JournalError> {
        let written = self.ready_or_due().and_then(|()| {
            self.write_frame(Kind::END, flags, 0, END_BYTES, |frame| {
                put_u64(frame, 32, next_sequence);
            })
        });
        match written {
            Ok(()) => self.publish(),
            Err(AppendError::Failed(source)) => Err(self.error(source)),
            Err(_) => Err(self.error(io::ErrorKind::Other.into())),
        }
    }

    /// Publishes what the pass has written.
    ///
    /// # Errors
    /// [`JournalError::Io`]: what the pass has appended since the last publication may be missing;
    /// see [`Appender::abandon`].
    pub(crate) fn end_pass(&mut self) -> Result<Progress, JournalError> {
        if let Some(failure) = self.failure {
            return Err(self.error(failure.again()));
        }
        self.index_pass()?;
        self.publish()?;
        let urgent = std::mem::take(&mut self.urgent);
        Ok(Progress { urgent, ..self.progress() })
    }

    /// Ends the journal cleanly: everything is to be given out, and the segment is cut to what is
    /// written. Gives the segment, too.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the end could not be written or the file not cut.
    pub(crate) fn finish(mut self) -> (Result<Progress, JournalError>, Retired) {
        let mut found = None;
        let ended = self.end().and_then(|()| {
            let cut = self.segment.cut(self.end.into());
            found = cut.0;
            let path = PathBuf::from(file_name(self.sequence()));
            cut.1.map_err(JournalError::io("cut", &path)).map(|()| self.progress())
        });
        let (published, records) = (self.published, self.segment_records);
        let last = Retired { segment: self.segment, published, records, found, failure: None };
        (ended, last)
    }

    /// Writes what a journal ends with.
    fn end(&mut self) -> Result<(), JournalError> {
        if let Err(AppendError::Failed(source)) =
            self.ready_or_due().and_then(|()| self.write_barrier())
        {
            return Err(self.error(source));
        }
        self.seal(self.sequence() + 1, CLEAN_END)
    }

    /// How far the journal has come, published or not.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            position: Position { sequence: self.sequence(), offset: self.end.into() },
            pass: self.pass,
            pass_ticks: self.pass_ticks,
            boundary: self.boundary.max(self.pass_ticks.saturating_sub(self.window_ticks)),
            bytes: self.bytes,
            records: self.records,
            urgent: false,
        }
    }

    /// Fills the index entries of the parts that the pass has reached.
    pub(super) fn index_pass(&mut self) -> Result<(), JournalError> {
        let reached = IndexEntry::number(self.end, self.segment.header.segment_bytes);
        if self.next_index > reached {
            return Ok(());
        }
        let entry = IndexEntry {
            unix_nanos: self.calibration.to_unix(self.pass_ticks).0,
            offset: self.end,
            last_definition: self.last_definition,
        };
        let bytes = entry.encode(self.segment.header.use_id);
        while self.next_index <= reached && self.next_index < INDEX_ENTRIES {
            let place = IndexEntry::place(self.next_index);
            let put = self.segment.writer.put_header(place, &bytes);
            put.map_err(|source| self.failed(source))?;
            self.next_index += 1;
        }
        Ok(())
    }

    pub(super) fn publish(&mut self) -> Result<(), JournalError> {
        let published = self.segment.writer.publish(self.end.into());
        published.map_err(|source| self.failed(source))?;
        self.published = self.end;
        let records = self.records - self.published_records;
        self.segment_records += records;
        if self.segment.in_memory {
            self.in_memory_records += records;
        }
        (self.published_records, self.published_bytes) = (self.records, self.bytes);
        Ok(())
    }

    /// Has the header say so where it was written before the segment in front of it was given up with
    /// nothing in it: that one's file will be used for another number, or be removed.
    fn pass_over_given_up(&mut self) {
        let (newest, kept) = self.given_up;
        let header = &mut self.segment.header;
        let says = header.predecessor();
        if self.segment.in_memory || says <= kept || says > newest {
            return;
        }
        header.after = SegmentHeader::after(header.sequence, kept);
        let page = header.page();
        // All of it, although the end alone is new: half of it would change nothing.
        if let Err(source) = self.segment.writer.put_header(0, &page[..FIXED_BYTES]) {
            self.failure = Some(Failure::of(&source));
        }
    }

    pub(super) fn open_segment(&mut self) {
        let opening = OpeningLine::encode(self.calibration, self.segment.header.use_id);
        if let Err(source) = self.segment.writer.put_header(OpeningLine::OFFSET, &opening) {
            self.failure = Some(Failure::of(&source));
        }
        // A failure is kept and reported by the first append.
        let _ = self.write_calibration();
        self.opened = self.end;
    }

    pub(super) fn failed(&mut self, source: io::Error) -> JournalError {
        self.failure = Some(Failure::of(&source));
        self.error(source)
    }

    pub(super) fn error(&self, source: io::Error) -> JournalError {
        let name = file_name(self.sequence());
        JournalError::io("write", Path::new(&name))(source)
    }
}
