//! Is a journal whole? Every frame of a segment, what stands in it, and how the segments go on
//! from each other.
//!
//! A reader asks of a frame only whether it can be believed. This asks more: whether the frame's
//! numbers agree with its records, whether each lane goes on where it stopped, and whether
//! everything that a record names is defined in its segment and decodes.

mod lanes;
mod problem;
mod run;
mod walk;

pub(crate) use problem::Problem;

use super::dictionary::Dictionary;
use super::error::JournalError;
use super::index::SegmentIndex;
use super::layout::{FIRST_OFFSET, SegmentHeader};
use super::reader::Liveness;
use super::segment_reader::{Opened, SegmentReader};
use lanes::{Lanes, Passes};
use run::Inline;
use walk::Walk;

/// More problems of one segment than this are counted only.
const PROBLEMS_MAX: usize = 100;
/// A file whose header tells another number than its name may just be recycled: it is opened so
/// often before it is believed.
const OPENINGS_MAX: u32 = 3;

/// What a segment turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was read.
    Checked,
    /// Its writer has prepared it and written nothing so far.
    Prepared,
    /// It was recycled before it was read, or while.
    Expired,
    /// Neither its header nor its first frame can be read.
    Unreadable,
    /// It is of a later format.
    Unsupported { version: u16, features: u64 },
}

/// Published data or an unfinished frame at the end of a segment that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Torn {
    /// Where the last valid frame ends.
    pub(crate) from: u64,
    /// How far the segment says that its data go, or the frame that its length is.
    pub(crate) to: u64,
}

/// What one segment came to.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) outcome: Outcome,
    /// Bytes up to the end of the last valid frame.
    pub(crate) end: u64,
    pub(crate) frames: u64,
    pub(crate) records: u64,
    /// Losses that gap records tell and none before did, by reason.
    pub(crate) lost: [u64; 6],
    pub(crate) problems: Vec<Problem>,
    pub(crate) problems_left_out: u64,
    /// How many problems tell of damage.
    pub(crate) damaged: u64,
    /// Unreadable bytes at its very end.
    pub(crate) torn: Option<Torn>,
    /// The last segment in a file in front of it, if those in between were in memory alone, or
    /// empty; else 0.
    pub(crate) after: u64,
    /// The next segment's number, if the segment has an end frame.
    pub(crate) next: Option<u64>,
    /// Whether its end frame says that its writer went on in the next one.
    pub(crate) goes_on: bool,
    /// It has no end so far: somebody is writing it.
    pub(crate) live: bool,
}

impl Checked {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            end: 0,
            frames: 0,
            records: 0,
            lost: [0; 6],
            problems: Vec::new(),
            problems_left_out: 0,
            damaged: 0,
            torn: None,
            after: 0,
            next: None,
            goes_on: false,
            live: false,
        }
    }

    fn note(&mut self, problem: Problem) {
        self.damaged += u64::from(problem.is_damage());
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.problems_left_out += 1;
        }
    }
}

/// Checks segments one after the other; memory is bounded whatever the files hold.
#[derive(Debug)]
pub(crate) struct Verifier {
    index: SegmentIndex,
    liveness: Liveness,
    dictionary: Dictionary,
    inline: Inline,
    lanes: Lanes,
    passes: Passes,
    buffer: Vec<u8>,
}

impl Verifier {
    /// A verifier that begins at the journal's oldest segment, `first`.
    pub(crate) fn new(index: SegmentIndex, first: u64, liveness: Liveness) -> Self {
        Self {
            index,
            liveness,
            dictionary: Dictionary::default(),
            inline: Inline::default(),
            lanes: Lanes::new(first == 1),
            passes: Passes::default(),
            buffer: Vec::new(),
        }
    }

    /// Segments were recycled or are missing: where the lanes go on is not known.
    pub(crate) fn skip(&mut self) {
        self.lanes.forget();
    }

    /// Checks the next segment. `told` is called with the offset that was reached, often.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the segment is there and cannot be opened or read, or the journal not
    /// listed.
    pub(crate) fn segment(
        &mut self,
        sequence: u64,
        told: &mut dyn FnMut(u64),
    ) -> Result<Checked, JournalError> {
        let mut openings = 0;
        let (segment, header_damaged) = loop {
            let Some(file) = self.index.open(sequence)? else {
                self.skip();
                return Ok(Checked::new(Outcome::Expired));
            };
            let buffer = std::mem::take(&mut self.buffer);
            let opened = SegmentReader::open(sequence, file, buffer);
            let (opened, header_damaged) =
                opened.map_err(JournalError::io("read", &self.index.path(sequence)))?;
            openings += 1;
            match opened {
                Opened::Reader(segment) => break (segment, header_damaged),
                Opened::Recycled if openings < OPENINGS_MAX => {}
                Opened::Recycled | Opened::Damaged => {
                    self.skip();
                    let mut checked = Checked::new(Outcome::Unreadable);
                    checked.note(Problem::Header);
                    return Ok(checked);
                }
                Opened::Unsupported { version, features } => {
                    self.skip();
                    let mut checked = Checked::new(Outcome::Unsupported { version, features });
                    checked.note(Problem::Unsupported { version, features });
                    return Ok(checked);
                }
            }
        };
        let header = self.index.header(sequence).filter(|found| found.use_id == segment.use_id);
        let after = header.as_ref().map_or(0, |header| header.after);
        let checked = self.walk(segment, header, header_damaged, told)?;
        Ok(Checked { after, ..checked })
    }

    fn walk(
        &mut self,
        segment: SegmentReader,
        header: Option<SegmentHeader>,
        header_damaged: bool,
        told: &mut dyn FnMut(u64),
    ) -> Result<Checked, JournalError> {
        let sequence = segment.sequence;
        let successor = self.has_successor(sequence)?;
        let abandoned = self.liveness == Liveness::Ended || successor;
        self.dictionary.start_segment();
        if let Some((writer, line)) = segment.opening {
            self.dictionary.open(writer, line);
        }
        let path = self.index.path(sequence);
        let unread = JournalError::io::<std::io::Error>("read", &path);
        let mut walk = match Walk::new(self, segment, header.as_ref(), !successor) {
            Ok(walk) => walk,
            Err(error) => return Err(unread(error)),
        };
        if header_damaged {
            walk.checked.note(Problem::Header);
        }
        walk.run(abandoned, told).map_err(unread)?;
        let (mut checked, segment) = walk.finish();
        let written = checked.frames > 0 || segment.cursor > u64::from(FIRST_OFFSET);
        if !segment.is_current() {
            checked = Checked::new(Outcome::Expired);
            self.skip();
        } else if !written && !header_damaged {
            checked = Checked::new(Outcome::Prepared);
        }
        self.buffer = segment.into_buffer();
        Ok(checked)
    }

    /// Whether a later segment holds data: then nobody writes to this one.
    fn has_successor(&self, sequence: u64) -> Result<bool, JournalError> {
        let later = self.index.sequences()?.into_iter().rev();
        for later in later.take_while(|&other| other > sequence) {
            let Some(file) = self.index.open(later)? else { continue };
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
}
