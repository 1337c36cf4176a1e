//! The reading end of the journal: frames in their order, across segments, live or ended.

use super::bytes::get_u64;
use super::catch_up::catch_up;
use super::dictionary::Dictionary;
use super::error::JournalError;
use super::frame::{Fault, FrameHeader, Kind, RECORDS_HEADER_BYTES, RunHeader, STEPPED};
use super::index::SegmentIndex;
use super::layout::FIRST_OFFSET;
use super::position::Position;
use super::segment_reader::{Opened, SegmentReader};

/// While a segment has no end, every so many polls it is asked whether a later one has data.
const SUCCESSOR_POLLS: u32 = 16;
/// A file whose header tells another number than its name is opened so often before it is
/// reported: it may just have been renamed.
const RECYCLED_POLLS_MAX: u32 = 3;

/// Whether somebody may still be writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// Only what is published is read; the end of data may move.
    Live,
    /// Nobody writes: whole frames behind the last cursor are read, too.
    Ended,
}

/// A frame that matters to whoever orders entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Where it begins.
    pub(crate) position: Position,
    /// Where the next one begins.
    pub(crate) end: Position,
    /// The ring of the engine that wrote it.
    pub(crate) writer: u64,
    /// What it holds.
    pub(crate) body: Body<'a>,
    /// What the ids in it mean.
    pub(crate) dictionary: &'a Dictionary,
}

/// What a frame holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    /// Records of one lane, or a gap record made for it.
    Run {
        /// Where they come from.
        header: RunHeader,
        /// The records.
        records: &'a [u8],
    },
    /// A new calibration, which the dictionary holds already.
    Calibration {
        /// UTC jumped.
        stepped: bool,
    },
    /// Everything in front of it is to be given out.
    Barrier,
    /// The segment ends.
    End,
}

impl Frame<'_> {
    /// When the drain's pass began that wrote these records, in ticks; none for other frames.
    pub(crate) fn pass_ticks(&self) -> Option<u64> {
        match &self.body {
            Body::Run { header, .. } => Some(header.pass_ticks),
            _ => None,
        }
    }
}

/// What [`JournalReader::next_frame`] came upon.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// There is nothing more to read now.
    EndOfData,
    /// Segments were recycled before they were read.
    Expired {
        /// The first lost segment, of which a part may have been read.
        first: u64,
        /// The last lost segment.
        last: u64,
    },
    /// Bytes that should hold frames do not.
    Damaged {
        /// The segment.
        sequence: u64,
        /// Where the damage begins.
        from: u64,
        /// Where reading goes on.
        to: u64,
        /// What is wrong.
        fault: Fault,
    },
}

/// [`Step`] without borrowed parts.
enum Found {
    Frame(FrameHeader),
    EndOfData,
    Expired {
        first: u64,
        last: u64,
    },
    Damaged {
        sequence: u64,
        from: u64,
        to: u64,
        fault: Fault,
    },
    /// Something changed: look again.
    Again,
}

/// Reads a journal with `pread`; memory and work are bounded whatever the files hold.
#[derive(Debug)]
pub(crate) struct JournalReader {
    index: SegmentIndex,
    liveness: Liveness,
    current: Option<SegmentReader>,
    /// The segment to be opened next, if none is open; what lies between it and the next one that
    /// exists has expired.
    wanted: Wanted,
    /// Nobody writes to segments before this one, whether they have an end or not.
    ended_before: u64,
    /// How often the end of data was met in vain.
    polls: u32,
    dictionary: Dictionary,
    /// The buffer of the last segment, for the next one.
    buffer: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// The oldest that there is.
    Oldest,
    /// This one.
    Sequence(u64),
    /// A place in a segment.
    Place(Position),
}

impl JournalReader {
    /// A reader that begins at `from`, or at the oldest segment.
    pub(crate) fn new(index: SegmentIndex, from: Option<Position>, liveness: Liveness) -> Self {
        Self {
            index,
            liveness,
            current: None,
            wanted: from.map_or(Wanted::Oldest, Wanted::Place),
            ended_before: 0,
            polls: 0,
            dictionary: Dictionary::default(),
            buffer: Vec::new(),
        }
    }

    /// Says that nobody writes to segments before `sequence`: what stands there is from earlier
    /// runs, and its end is not waited for.
    pub(crate) fn set_ended_before(&mut self, sequence: u64) {
        self.ended_before = sequence;
    }

    /// Begins again at `place`. What is defined there in the same words as where it was is not decoded
    /// again, so that formatters find the plans they made for it.
    pub(crate) fn go_to(&mut self, place: Position) {
        self.leave();
        self.wanted = Wanted::Place(place);
    }

    /// The place of the next frame: a reader made there goes on where this one is.
    pub(crate) fn position(&self) -> Option<Position> {
        match (&self.current, self.wanted) {
            (Some(segment), _) => {
                Some(Position { sequence: segment.sequence, offset: segment.offset })
            }
            (None, Wanted::Oldest) => None,
            (None, Wanted::Place(position)) => Some(position),
            (None, Wanted::Sequence(sequence)) => {
                Some(Position { sequence, offset: FIRST_OFFSET.into() })
            }
        }
    }

    /// Where reading must begin to meet everything that happened at `unix_nanos` or later, except
    /// what its caller stamped later than it was logged.
    ///
    /// # Errors
    /// [`JournalError`] if the journal cannot be listed or a segment not opened.
    pub(crate) fn seek(
        index: &SegmentIndex,
        unix_nanos: i64,
    ) -> Result<Option<Position>, JournalError> {
        let sequences = index.sequences()?;
        for &sequence in sequences.iter().rev() {
            let Some(file) = index.open(sequence)? else { continue };
            let opened = SegmentReader::open(sequence, file, Vec::new());
            let opened = opened.map_err(JournalError::io("read", &index.path(sequence)))?;
            let (Opened::Reader(segment), _) = opened else { continue };
            if let Some(entry) = segment.index_entry(unix_nanos) {
                return Ok(Some(Position { sequence, offset: entry.offset.into() }));
            }
        }
        Ok(None)
    }

    /// The next frame that is no definition, or why there is none.
    ///
    /// # Errors
    /// [`JournalError::Unsupported`] for a segment of a later format, [`JournalError::Io`] if the
    /// journal cannot be listed or a segment not opened.
    pub(crate) fn next_frame(&mut self) -> Result<Step<'_>, JournalError> {
        let found = loop {
            match self.step()? {
                Found::Again => {}
                Found::Frame(header) => {
                    if self.take_in(&header) {
                        break Found::Frame(header);
                    }
                }
                found => break found,
            }
        };
        Ok(match found {
            Found::Frame(header) => match self.frame(&header) {
                Some(frame) => Step::Frame(frame),
                None => Step::EndOfData,
            },
            Found::Expired { first, last } => Step::Expired { first, last },
            Found::Damaged { sequence, from, to, fault } => {
                Step::Damaged { sequence, from, to, fault }
            }
            Found::EndOfData | Found::Again => Step::EndOfData,
        })
    }

    /// Moves behind a frame and takes its definition in; whether the frame is one to tell of.
    fn take_in(&mut self, header: &FrameHeader) -> bool {
        let Some(segment) = &mut self.current else { return false };
        segment.offset = u64::from(header.offset) + u64::from(header.length);
        if header.kind.is_definition() {
            self.dictionary.absorb(header, segment.bytes(header));
        }
        if header.kind == Kind::END {
            let next = get_u64(segment.bytes(header), 32);
            let sane = next > segment.sequence && next - segment.sequence < 1 << 20;
            let next = if sane { next } else { segment.sequence.saturating_add(1) };
            self.wanted = Wanted::Sequence(next);
        }
        matches!(
            header.kind,
            Kind::RECORDS | Kind::GAP | Kind::CALIBRATION | Kind::BARRIER | Kind::END
        )
    }

    /// The frame that was just taken in.
    fn frame(&self, header: &FrameHeader) -> Option<Frame<'_>> {
        let segment = self.current.as_ref()?;
        let bytes = segment.bytes(header);
        let body = match header.kind {
            Kind::RECORDS | Kind::GAP => Body::Run {
                header: RunHeader::read(bytes),
                records: bytes.get(RECORDS_HEADER_BYTES..)?,
            },
            Kind::CALIBRATION => Body::Calibration { stepped: header.flags & STEPPED != 0 },
            Kind::BARRIER => Body::Barrier,
            _ => Body::End,
        };
        let offset = u64::from(header.offset);
        Some(Frame {
            position: Position { sequence: segment.sequence, offset },
            end: Position { sequence: segment.sequence, offset: segment.offset },
            writer: self.dictionary.writer(),
            body,
            dictionary: &self.dictionary,
        })
    }

    fn step(&mut self) -> Result<Found, JournalError> {
        let Some(segment) = &mut self.current else { return self.open_wanted() };
        if matches!(self.wanted, Wanted::Sequence(next) if next > segment.sequence) {
            // The end frame was read.
            return Ok(self.leave());
        }
        let frame = segment.frame();
        if let Some(error) = segment.take_failure() {
            // It stays the next one to be read.
            let path = self.index.path(segment.sequence);
            return Err(JournalError::io("read", &path)(error));
        }
        match frame {
            Ok(header) => return Ok(Found::Frame(header)),
            Err(fault) if segment.offset < segment.cursor => return Ok(self.damaged(fault)),
            Err(_) => {}
        }
        let before = segment.limit;
        segment.refresh();
        if segment.limit > before {
            return Ok(Found::Again);
        }
        if !segment.is_current() {
            return Ok(self.expired());
        }
        self.without_end()
    }

    /// Drops the current segment; `wanted` says which one comes next.
    fn leave(&mut self) -> Found {
        self.buffer = self.current.take().map(SegmentReader::into_buffer).unwrap_or_default();
        self.polls = 0;
        Found::Again
    }

    /// The current segment was recycled while it was read.
    fn expired(&mut self) -> Found {
        let Some(sequence) = self.current.as_ref().map(|segment| segment.sequence) else {
            return Found::Again;
        };
        self.wanted = Wanted::Sequence(sequence.saturating_add(1));
        self.leave();
        if self.index.is_void(sequence) {
            return Found::Again;
        }
        Found::Expired { first: sequence, last: sequence }
    }

    /// The bytes at the offset should be a frame and are none.
    fn damaged(&mut self, fault: Fault) -> Found {
        let Some(segment) = &mut self.current else { return Found::Again };
        if !segment.is_current() {
            return self.expired();
        }
        let (sequence, from) = (segment.sequence, segment.offset);
        let to = segment.resync(from + 8).unwrap_or(segment.limit.max(from + 8));
        segment.offset = to;
        Found::Damaged { sequence, from, to, fault }
    }

    /// Everything published is read, and there was no end frame: the segment is still written, or
    /// its writer has died.
    fn without_end(&mut self) -> Result<Found, JournalError> {
        let Some(segment) = &mut self.current else { return Ok(Found::Again) };
        if segment.is_tail_accepted() {
            return self.behind_the_tail();
        }
        let due = self.polls.is_multiple_of(SUCCESSOR_POLLS);
        self.polls = self.polls.wrapping_add(1);
        let sequence = segment.sequence;
        let abandoned = self.liveness == Liveness::Ended
            || sequence < self.ended_before
            || due && self.has_successor(sequence)?;
        let Some(segment) = &mut self.current else { return Ok(Found::Again) };
        if !abandoned {
            return Ok(Found::EndOfData);
        }
        // Published before its successor was, so looked up once more after it.
        segment.refresh();
        segment.accept_tail();
        Ok(Found::Again)
    }

    /// No frame stands at the offset in a segment that nobody writes any more.
    fn behind_the_tail(&mut self) -> Result<Found, JournalError> {
        let Some(segment) = &mut self.current else { return Ok(Found::Again) };
        let (sequence, from) = (segment.sequence, segment.offset);
        if from < segment.limit {
            match segment.resync(from + 8) {
                Some(to) => {
                    segment.offset = to;
                    return Ok(Found::Damaged { sequence, from, to, fault: Fault::OtherUse });
                }
                None => segment.end_tail(),
            }
        }
        if self.index.sequences()?.iter().any(|&other| other > sequence) {
            self.wanted = Wanted::Sequence(sequence.saturating_add(1));
            return Ok(self.leave());
        }
        Ok(Found::EndOfData)
    }

    /// Whether a later segment holds data, which a prepared one does not.
    fn has_successor(&self, sequence: u64) -> Result<bool, JournalError> {
        for later in self.index.sequences()?.into_iter().rev().take_while(|&other| other > sequence)
        {
            let found = match self.index.open(later) {
                Err(error) if error.is_refusal() => continue,
                found => found?,
            };
            let Some(file) = found else { continue };
            let opened = SegmentReader::open(later, file, Vec::new());
            let opened = opened.map_err(JournalError::io("read", &self.index.path(later)))?;
            if let (Opened::Reader(found), _) = opened
                && found.cursor > FIRST_OFFSET.into()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open_wanted(&mut self) -> Result<Found, JournalError> {
        let (wanted, place) = match self.wanted {
            Wanted::Sequence(sequence) => (sequence, None),
            Wanted::Place(position) => (position.sequence, Some(position.offset)),
            Wanted::Oldest => match self.index.sequences()?.first() {
                Some(&oldest) => (oldest, None),
                None => return Ok(Found::EndOfData),
            },
        };
        let found = match self.index.open(wanted) {
            // It will never be a segment: who waits for it waits for ever.
            Err(error) if self.index.is_own() && error.is_refusal() => {
                return Ok(self.pass_over(wanted));
            }
            found => found?,
        };
        let Some(file) = found else { return self.missing(wanted) };
        let buffer = std::mem::take(&mut self.buffer);
        let opened = SegmentReader::open(wanted, file, buffer);
        let (opened, header_damaged) =
            opened.map_err(JournalError::io("read", &self.index.path(wanted)))?;
        match opened {
            Opened::Reader(segment) => {
                self.begin(segment, place);
                if header_damaged {
                    return Ok(header_fault(wanted));
                }
                Ok(Found::Again)
            }
            Opened::Recycled if self.polls < RECYCLED_POLLS_MAX => {
                // Renamed between its opening and the reading of its header.
                self.polls += 1;
                Ok(Found::Again)
            }
            Opened::Recycled | Opened::Damaged => Ok(self.pass_over(wanted)),
            Opened::Unsupported { version, features } => {
                let path = self.index.path(wanted);
                Err(JournalError::Unsupported { path, version, features })
            }
        }
    }

    /// The wanted segment is none: the next one is wanted.
    fn pass_over(&mut self, wanted: u64) -> Found {
        self.polls = 0;
        self.wanted = Wanted::Sequence(wanted.saturating_add(1));
        header_fault(wanted)
    }

    /// The wanted segment is not there: recycled, or not made so far.
    fn missing(&mut self, wanted: u64) -> Result<Found, JournalError> {
        let next = self.index.sequences()?.into_iter().find(|&other| other >= wanted);
        match next {
            None => Ok(Found::EndOfData),
            Some(next) if next == wanted => Ok(Found::Again),
            Some(next) => {
                let oldest = matches!(self.wanted, Wanted::Oldest);
                // Where somebody has read something, something was published.
                let begun = matches!(self.wanted, Wanted::Place(place) if place.is_inside());
                self.wanted = Wanted::Sequence(next);
                let is_lost = |other| begun && other == wanted || !self.index.is_void(other);
                let mut lost = (wanted..next).filter(|&other| is_lost(other));
                let (first, last) = (lost.next(), lost.next_back());
                Ok(match first.filter(|_| !oldest) {
                    Some(first) => Found::Expired { first, last: last.unwrap_or(first) },
                    None => Found::Again,
                })
            }
        }
    }

    /// Begins with a segment, at `place` or at its first frame.
    fn begin(&mut self, mut segment: SegmentReader, place: Option<u64>) {
        self.polls = 0;
        self.dictionary.start_segment();
        let place = place.map(|place| place & !7).filter(|&place| place > FIRST_OFFSET.into());
        if let Some(place) = place {
            segment.offset = place;
            if place > segment.limit {
                // Such a place is known only from reading a tail that nobody writes any more.
                segment.accept_tail();
            }
            catch_up(&mut segment, place, &mut self.dictionary);
        }
        if let Some((writer, line)) = segment.opening {
            self.dictionary.open(writer, line);
        }
        self.wanted = Wanted::Sequence(segment.sequence);
        self.current = Some(segment);
    }
}

fn header_fault(sequence: u64) -> Found {
    Found::Damaged { sequence, from: 0, to: FIRST_OFFSET.into(), fault: Fault::Header }
}
