//! Single frames: gaps, barriers, calibrations, and how any frame is written.

use super::{Appender, Failure, RESERVE_BYTES};
use crate::journal::bytes::put_u64;
use crate::journal::error::AppendError;
use crate::journal::frame::{
    BARRIER_BYTES, CALIBRATION_BYTES, FrameHeader, Kind, LanePosition, RECORDS_HEADER_BYTES,
    RunHeader, STEPPED, run_flags, write_calibration,
};
use crate::record::{GAP_RECORD_BYTES, Gap, TimeKind};

impl Appender {
    /// Appends what a silent lane has lost.
    ///
    /// # Errors
    /// As [`Appender::append_run`].
    pub(crate) fn append_gap(&mut self, gap: &Gap) -> Result<(), AppendError> {
        self.append_gap_of(self.segment.header.writer, gap)
    }

    /// Appends what a lane of some ring has lost.
    ///
    /// # Errors
    /// As [`Appender::append_run`].
    pub(crate) fn append_gap_of(&mut self, ring_id: u64, gap: &Gap) -> Result<(), AppendError> {
        self.ready()?;
        let length = RECORDS_HEADER_BYTES + GAP_RECORD_BYTES as usize;
        if !self.has_room(length) {
            return Err(AppendError::Full);
        }
        let header = RunHeader {
            position: LanePosition {
                ring_id,
                lane: gap.lane,
                generation: gap.generation,
                serial: 0,
                offset: 0,
            },
            pass: self.pass,
            pass_ticks: self.pass_ticks,
            boundary: self.boundary,
            first_time: gap.ticks,
            last_time: gap.ticks,
        };
        let mut record = [0; GAP_RECORD_BYTES as usize];
        gap.write(&mut record);
        let flags = run_flags(Some(TimeKind::OwnTicks), Some(TimeKind::OwnTicks));
        self.write_frame(Kind::GAP, flags, 1, length, |frame| {
            header.write(frame);
            frame[RECORDS_HEADER_BYTES..].copy_from_slice(&record);
        })?;
        Ok(())
    }

    /// Appends the order to give out everything in front of it: a flush.
    ///
    /// # Errors
    /// As [`Appender::append_run`].
    pub(crate) fn append_barrier(&mut self) -> Result<(), AppendError> {
        self.ready()?;
        if !self.has_room(BARRIER_BYTES) {
            return Err(AppendError::Full);
        }
        self.write_barrier()
    }

    /// Appends a barrier to a segment that is full while no other one can be had, so that the views
    /// give out what waits for its order and need this segment alone. There is always room for it.
    /// Returns whether the segment did not have it yet.
    ///
    /// # Errors
    /// [`AppendError::Failed`] if the segment cannot be written.
    pub(crate) fn append_early_barrier(&mut self) -> Result<bool, AppendError> {
        self.ready_or_due()?;
        if std::mem::replace(&mut self.released, true) {
            return Ok(false);
        }
        self.write_barrier().map(|()| true)
    }

    pub(super) fn write_barrier(&mut self) -> Result<(), AppendError> {
        let (ring_id, pass) = (self.segment.header.writer, self.pass);
        let (pass_ticks, boundary) = (self.pass_ticks, self.boundary);
        self.write_frame(Kind::BARRIER, 0, 0, BARRIER_BYTES, |frame| {
            put_u64(frame, 32, ring_id);
            put_u64(frame, 40, pass);
            put_u64(frame, 48, pass_ticks);
            put_u64(frame, 56, boundary);
        })
    }

    pub(super) fn write_calibration(&mut self) -> Result<(), AppendError> {
        let (line, writer) = (self.calibration, self.segment.header.writer);
        let flags = if line.stepped { STEPPED } else { 0 };
        self.write_frame(Kind::CALIBRATION, flags, 0, CALIBRATION_BYTES, |frame| {
            write_calibration(frame, line, writer);
        })?;
        self.calibration_due = false;
        // The step is told once, not again at the opening of each segment.
        self.calibration.stepped = false;
        Ok(())
    }

    /// Writes one frame, whose room was checked.
    pub(super) fn write_frame(
        &mut self,
        kind: Kind,
        flags: u16,
        count: u32,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), AppendError> {
        let header = FrameHeader {
            length: length as u32,
            kind,
            flags,
            count,
            use_id: self.segment.header.use_id,
            previous_definition: self.last_definition,
            offset: self.end,
        };
        match self.segment.writer.room(self.end, length) {
            Ok(frame) => {
                fill(frame);
                header.seal(frame);
            }
            Err(source) => {
                self.failure = Some(Failure::of(&source));
                return Err(AppendError::Failed(source));
            }
        }
        if kind.is_definition() {
            self.last_definition = self.end;
        }
        self.end += length as u32;
        self.bytes += length as u64;
        Ok(())
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        (bytes + RESERVE_BYTES) as u64 <= self.room()
    }

    /// Writes a frame that this version knows nothing of.
    #[cfg(test)]
    pub(in crate::journal) fn append_unknown_for_test(&mut self, kind: u16, length: usize) {
        self.write_frame(Kind(kind), 0, 0, length, |frame| frame[32..].fill(7)).expect("written");
    }

    /// Puts `file` in the place of the segment's own.
    #[cfg(test)]
    pub(in crate::journal) fn break_for_test(&mut self, file: std::fs::File) {
        self.segment.writer =
            Box::new(crate::journal::writer::PlainWriter::new(std::sync::Arc::new(file)));
    }
}
