//! The writing end of the journal; owned by the drain.

mod frames;
mod segments;

use std::borrow::Cow;
use std::io;

use smallvec::SmallVec;

use super::defined::{Defined, Needed};
use super::error::AppendError;
use super::frame::{
    BARRIER_BYTES, CALIBRATION_BYTES, END_BYTES, Kind, LanePosition, RECORDS_HEADER_BYTES,
    RunHeader, definition_frame_bytes, run_flags, write_definition,
};
use super::layout::FIRST_OFFSET;
use super::screen::Screen;
use super::segment::{Prepared, Segment};
use super::survey::{PassEnd, Survey, survey};
use super::urgent::is_urgent;
use crate::clock::{Calibration, now};

/// A run is at most this long.
pub(crate) const RUN_BYTES_MAX: usize = 1 << 20;

/// Room that every segment keeps for its last frames: an early barrier, the last one, and the end.
const RESERVE_BYTES: usize = 2 * BARRIER_BYTES + END_BYTES;

const _: () = assert!(RUN_BYTES_MAX + RECORDS_HEADER_BYTES <= super::frame::FRAME_BYTES_MAX);

/// Where the definitions are that records name by their ids.
pub(crate) trait Definitions {
    /// The bytes of site `id`.
    fn site(&self, id: u32) -> Option<&[u8]>;
    /// The bytes of context `id`.
    fn context(&self, id: u32) -> Option<&[u8]>;
}

/// Writes runs of records into the current segment. Makes no system call, except for the writes
/// of a plain writer.
#[derive(Debug)]
pub(crate) struct Appender {
    segment: Segment,
    end: u32,
    /// Where the part ends that is published.
    published: u32,
    /// Where the part of the segment begins that nothing but its opening is written into.
    opened: u32,
    last_definition: u32,
    /// Whether the segment has its early barrier.
    released: bool,
    next_index: usize,
    defined: SmallVec<[Defined; 1]>,
    calibration: Calibration,
    /// Whether the calibration still has to be written.
    calibration_due: bool,
    window_ticks: u64,
    /// Tells whether a caller's stamp lies in the future.
    clock: fn() -> u64,
    takes_callers_stamps: bool,
    takes_everything: bool,
    pass: u64,
    pass_ticks: u64,
    boundary: u64,
    bytes: u64,
    records: u64,
    in_memory_records: u64,
    /// Those that were published in the segment.
    segment_records: u64,
    /// How many of all were published.
    published_bytes: u64,
    published_records: u64,
    failure: Option<Failure>,
    /// Of the files that were given up before anything was published in them, the newest; and the
    /// one in front of them that was kept.
    given_up: (u64, u64),
    screen: Option<Box<dyn Screen>>,
    /// Whether something urgent was appended since the last publication.
    urgent: bool,
}

impl Appender {
    /// Begins with `first`; `calibration` turns the order window into ticks for good.
    pub(crate) fn new(first: Prepared, calibration: Calibration) -> Self {
        let header = &first.segment.header;
        let mut appender = Self {
            window_ticks: calibration.ticks_in(header.order_window_nanos),
            defined: SmallVec::from_iter([Defined::new(header.writer)]),
            segment: first.segment,
            end: FIRST_OFFSET,
            published: FIRST_OFFSET,
            opened: FIRST_OFFSET,
            last_definition: 0,
            released: false,
            next_index: 1,
            calibration,
            calibration_due: true,
            clock: || now().0,
            takes_callers_stamps: false,
            takes_everything: false,
            pass: 0,
            pass_ticks: 0,
            boundary: 0,
            bytes: 0,
            records: 0,
            in_memory_records: 0,
            segment_records: 0,
            published_bytes: 0,
            published_records: 0,
            failure: None,
            given_up: (0, 0),
            screen: None,
            urgent: false,
        };
        appender.open_segment();
        appender
    }

    /// Has everything screened from now on.
    pub(crate) fn screen_with(&mut self, screen: Box<dyn Screen>) {
        self.screen = Some(screen);
    }

    /// Has urgent records told apart: see [`Progress::urgent`].
    pub(crate) fn watch_urgent(&mut self) {
        self.defined.iter_mut().for_each(Defined::watch);
    }

    /// Records appended since the appender was made, published or not, gap records not counted.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Those of them that were published in segments in memory.
    pub(crate) fn in_memory_records(&self) -> u64 {
        self.in_memory_records
    }

    /// Bytes of all frames since the appender was made, published or not.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is published of these: records, and bytes.
    pub(crate) fn published(&self) -> (u64, u64) {
        (self.published_records, self.published_bytes)
    }

    /// The segment that is being written.
    pub(crate) fn sequence(&self) -> u64 {
        self.segment.header.sequence
    }

    /// Whether what is written now lies in memory alone.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.segment.in_memory
    }

    /// Bytes of the segment that are still free.
    pub(crate) fn room(&self) -> u64 {
        self.segment.header.segment_bytes.saturating_sub(u64::from(self.end))
    }

    /// Begins a pass that started at `ticks`, under a new calibration if there is one.
    pub(crate) fn begin_pass(&mut self, ticks: u64, calibration: Option<Calibration>) {
        let previous = self.pass_ticks;
        self.boundary = self.boundary.max(previous.saturating_sub(self.window_ticks));
        self.pass_ticks = previous.max(ticks);
        self.pass += 1;
        self.takes_callers_stamps = false;
        self.takes_everything = false;
        if let Some(calibration) = calibration {
            self.recalibrate(calibration);
        }
    }

    /// Has what follows converted by another line.
    pub(crate) fn recalibrate(&mut self, calibration: Calibration) {
        self.calibration = calibration;
        self.calibration_due = true;
    }

    /// Takes everything into this pass, whatever its stamp: it was made by a process that is dead.
    pub(crate) fn take_everything(&mut self) {
        self.takes_everything = true;
    }

    /// From now on, what is younger than the pass is left to the next one again.
    pub(crate) fn take_only_what_is_due(&mut self) {
        self.takes_everything = false;
    }

    /// Takes everything that its caller has stamped into this pass: a flush waits for it, and a
    /// clock that is a little ahead of ours must not put it off.
    pub(crate) fn take_callers_stamps(&mut self) {
        self.takes_callers_stamps = true;
    }

    /// Appends the records of one lane that belong to this pass: those in front of the first one
    /// that is younger than the pass by its stamp. Returns how many bytes were taken.
    ///
    /// # Errors
    /// [`AppendError::Full`] if the segment has no room: nothing was written, roll and try again.
    /// The others say what the caller should do.
    pub(crate) fn append_run(
        &mut self,
        position: LanePosition,
        records: &[u8],
        definitions: &impl Definitions,
    ) -> Result<u32, AppendError> {
        self.ready()?;
        if records.is_empty() {
            return Ok(0);
        }
        let ring = self.defined_of(position.ring_id);
        if self.screen.as_mut().is_some_and(|screen| screen.renew()) {
            self.defined.iter_mut().for_each(Defined::forget_contexts);
        }
        let mut limit = records.len().min(RUN_BYTES_MAX);
        loop {
            let end = self.end_of_pass();
            let mut found = self.survey(ring, position.ring_id, &records[..limit], end);
            if found.bytes == 0 {
                return if found.stopped { Ok(0) } else { Err(AppendError::Malformed) };
            }
            let mut bytes = SmallVec::<[Found<'_>; 8]>::new();
            for &needed in &found.needed {
                let definition = match needed {
                    Needed::Site(id) => definitions.site(id),
                    Needed::Context(id) => definitions.context(id),
                };
                match definition {
                    Some(definition) => {
                        found.suspicious |= self.note_text(ring, needed, definition);
                        bytes.push((needed, self.screened(needed, definition)));
                    }
                    None => self.defined[ring].forget(needed),
                }
            }
            let frames: usize =
                bytes.iter().map(|(_, definition)| definition_frame_bytes(definition.len())).sum();
            if self.has_room(frames + RECORDS_HEADER_BYTES + found.bytes) {
                let records = &records[..found.bytes];
                if found.suspicious {
                    return self.write_screened(position, records, &found, &bytes, definitions);
                }
                return self.write_run(position, records, &found, &bytes);
            }
            found.needed.iter().for_each(|&needed| self.defined[ring].forget(needed));
            if self.end > self.opened {
                return Err(AppendError::Full);
            }
            if found.count == 1 {
                return Err(AppendError::TooLarge { bytes: found.bytes as u32 });
            }
            // Even an empty segment is too small for so many definitions at once.
            limit = found.first_bytes.max(found.bytes / 2);
        }
    }

    fn survey(&mut self, ring: usize, ring_id: u64, records: &[u8], end: PassEnd) -> Survey {
        let defined = &mut self.defined[ring];
        match &mut self.screen {
            Some(screen) => screen.survey(ring_id, defined, records, end),
            None => survey(defined, records, end, |_, _| true),
        }
    }

    fn end_of_pass(&self) -> PassEnd {
        if self.takes_everything {
            return PassEnd::never();
        }
        let clock = if self.takes_callers_stamps { || 0 } else { self.clock };
        PassEnd::new(self.pass_ticks, self.calibration, clock)
    }

    /// Whether records of a site that is met for the first time hold text; remembered.
    fn note_text(&mut self, ring: usize, needed: Needed, definition: &[u8]) -> bool {
        let (Needed::Site(id), Some(screen)) = (needed, &self.screen) else { return false };
        let holds_text = screen.holds_text(definition);
        if holds_text {
            self.defined[ring].note_text(id);
        }
        holds_text
    }

    /// A definition as it is to be written.
    fn screened<'a>(&mut self, needed: Needed, definition: &'a [u8]) -> Cow<'a, [u8]> {
        match (needed, &mut self.screen) {
            (Needed::Context(_), Some(screen)) => match screen.context(definition) {
                Some(masked) => Cow::Owned(masked.into_vec()),
                None => Cow::Borrowed(definition),
            },
            _ => Cow::Borrowed(definition),
        }
    }

    /// Writes a run in which there may be a secret.
    fn write_screened(
        &mut self,
        position: LanePosition,
        records: &[u8],
        found: &Survey,
        bytes: &[Found<'_>],
        definitions: &impl Definitions,
    ) -> Result<u32, AppendError> {
        let Some(mut screen) = self.screen.take() else {
            return self.write_run(position, records, found, bytes);
        };
        let masked = screen.screen(position.ring_id, records, definitions);
        let written = self.write_run(position, masked.unwrap_or(records), found, bytes);
        if written.is_ok() {
            screen.written();
        }
        self.screen = Some(screen);
        written
    }

    fn write_run(
        &mut self,
        position: LanePosition,
        records: &[u8],
        found: &Survey,
        definitions: &[Found<'_>],
    ) -> Result<u32, AppendError> {
        for (needed, bytes) in definitions {
            let (kind, id) = match *needed {
                Needed::Site(id) => (Kind::SITE, id),
                Needed::Context(id) => (Kind::CONTEXT, id),
            };
            self.write_frame(kind, 0, 1, definition_frame_bytes(bytes.len()), |frame| {
                write_definition(frame, position.ring_id, id, bytes);
            })?;
            self.settle(position.ring_id, *needed, bytes);
        }
        let header = RunHeader {
            position,
            pass: self.pass,
            pass_ticks: self.pass_ticks,
            boundary: self.boundary,
            first_time: found.first_time,
            last_time: found.last_time,
        };
        let flags = run_flags(found.first_kind, found.last_kind);
        let length = RECORDS_HEADER_BYTES + records.len();
        self.write_frame(Kind::RECORDS, flags, found.count, length, |frame| {
            header.write(frame);
            frame[RECORDS_HEADER_BYTES..].copy_from_slice(records);
        })?;
        self.records += u64::from(found.count - found.gaps);
        self.urgent |= found.urgent;
        Ok(records.len() as u32)
    }

    /// Where urgent records are told apart, notes whether those of a new definition are.
    fn settle(&mut self, ring_id: u64, needed: Needed, bytes: &[u8]) {
        let ring = self.defined_of(ring_id);
        if self.defined[ring].watches() {
            let urgent = is_urgent(needed, bytes);
            self.defined[ring].settle(needed, urgent);
            self.urgent |= urgent;
        }
    }

    /// Fails if an earlier write failed; else makes sure that the calibration is written.
    fn ready(&mut self) -> Result<(), AppendError> {
        self.ready_or_due()?;
        if self.calibration_due && !self.has_room(CALIBRATION_BYTES) {
            return Err(AppendError::Full);
        }
        if self.calibration_due { self.write_calibration() } else { Ok(()) }
    }

    fn ready_or_due(&self) -> Result<(), AppendError> {
        match self.failure {
            Some(failure) => Err(AppendError::Failed(failure.again())),
            None => Ok(()),
        }
    }

    /// Every stamp of a caller above that of its pass lies in the future.
    #[cfg(test)]
    pub(crate) fn stop_clock_for_test(&mut self) {
        self.clock = || 0;
    }

    /// The definitions of a ring; other rings than the writer's are met while one is recovered.
    fn defined_of(&mut self, ring_id: u64) -> usize {
        match self.defined.iter().position(|defined| defined.ring_id() == ring_id) {
            Some(at) => at,
            None => {
                let mut defined = Defined::new(ring_id);
                if self.defined[0].watches() {
                    defined.watch();
                }
                self.defined.push(defined);
                self.defined.len() - 1
            }
        }
    }
}

type Found<'a> = (Needed, Cow<'a, [u8]>);

/// Why the segment cannot be written, for whoever asks again.
#[derive(Debug, Clone, Copy)]
struct Failure {
    kind: io::ErrorKind,
    errno: Option<i32>,
}

impl Failure {
    fn of(source: &io::Error) -> Self {
        Self { kind: source.kind(), errno: source.raw_os_error() }
    }

    fn again(self) -> io::Error {
        self.errno.map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}
