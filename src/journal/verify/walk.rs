//! The walk over one segment, from its first frame to its end.

use std::io;

use super::lanes::pass_of;
use super::problem::Problem;
use super::run::{self, Records};
use super::{Checked, Outcome, Torn, Verifier};
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::journal::bytes::get_u64;
use crate::journal::frame::{
    CLEAN_END, FRAME_HEADER_BYTES, Fault, FrameHeader, Kind, RECORDS_HEADER_BYTES, RunHeader,
    read_calibration, read_definition,
};
use crate::journal::layout::{IndexEntry, SegmentHeader};
use crate::journal::segment_reader::SegmentReader;

/// The walk's state.
pub(super) struct Walk<'a> {
    verifier: &'a mut Verifier,
    segment: SegmentReader,
    header: Option<&'a SegmentHeader>,
    /// Whether no later segment holds data.
    newest: bool,
    pub(super) checked: Checked,
    /// The last definition frame, as long as no damage lies behind it.
    last_definition: Option<u32>,
    /// The time index, by the place it points to, and how much of it was passed.
    index: Vec<(usize, IndexEntry)>,
    index_passed: usize,
    /// The entries of the time index that cannot be read, and the newest of all.
    damaged_index: Vec<usize>,
    newest_index: usize,
    ended: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        verifier: &'a mut Verifier,
        segment: SegmentReader,
        header: Option<&'a SegmentHeader>,
        newest: bool,
    ) -> io::Result<Self> {
        let checked = Checked::new(Outcome::Checked);
        let (mut index, mut damaged_index, mut newest_index) = (Vec::new(), Vec::new(), 0);
        for (entry, found) in segment.time_index()? {
            newest_index = entry;
            match found {
                Ok(found) => index.push((entry, found)),
                Err(()) => damaged_index.push(entry),
            }
        }
        index.sort_by_key(|(_, entry)| entry.offset);
        Ok(Walk {
            verifier,
            segment,
            header,
            newest,
            checked,
            last_definition: Some(0),
            index,
            index_passed: 0,
            damaged_index,
            newest_index,
            ended: false,
        })
    }

    /// Walks to the end; `abandoned` says that nobody writes the segment any more.
    ///
    /// # Errors
    /// The file cannot be read: that says nothing of what it holds.
    pub(super) fn run(&mut self, abandoned: bool, told: &mut dyn FnMut(u64)) -> io::Result<()> {
        while !self.ended {
            told(self.segment.offset);
            let found = self.segment.frame();
            self.segment.take_failure().map_or(Ok(()), Err)?;
            match found {
                Ok(header) => self.frame(&header),
                Err(fault) if self.segment.offset < self.segment.cursor => self.damage(fault),
                Err(_) if self.segment.is_tail_accepted() => self.behind_the_tail(),
                Err(_) if abandoned => {
                    // Published before its successor was, so looked up once more after it.
                    self.segment.refresh();
                    self.segment.accept_tail();
                }
                Err(_) => {
                    self.checked.live = true;
                    self.ended = true;
                }
            }
            // Nor is what was looked for behind it known not to be there.
            self.segment.take_failure().map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// What was found, and the segment.
    pub(super) fn finish(mut self) -> (Checked, SegmentReader) {
        // While it is written, an entry can be there before the page was read and its frame not.
        for entry in std::mem::take(&mut self.damaged_index) {
            self.note_index(entry, "is damaged");
        }
        for (entry, found) in self.index.split_off(self.index_passed) {
            if u64::from(found.offset) != self.segment.offset && !self.checked.live {
                self.note_index(entry, "points to where no frame begins");
            }
        }
        (self.checked, self.segment)
    }

    /// Notes a wrong entry of the time index. The newest one of a segment without an end may never have
    /// been finished.
    fn note_index(&mut self, entry: usize, what: &'static str) {
        let unfinished = entry == self.newest_index && self.checked.next.is_none();
        self.checked.note(match unfinished {
            true => Problem::UnfinishedIndex { entry, what },
            false => Problem::Index { entry, what },
        });
    }

    /// Takes a frame in whose checksum matches.
    fn frame(&mut self, header: &FrameHeader) {
        let (from, to) = (u64::from(header.offset), u64::from(header.offset + header.length));
        self.check_links(header, from, to);
        let verdict = match header.kind {
            Kind::RECORDS | Kind::GAP => {
                self.records(header, from, to);
                None
            }
            Kind::SITE | Kind::CONTEXT => self.definition(header),
            Kind::CALIBRATION => self.calibration(header),
            Kind::BARRIER => self.barrier(header),
            Kind::END => {
                self.end(header);
                None
            }
            _ => None,
        };
        if let Some(what) = verdict {
            self.checked.note(Problem::Frame { from, to, what });
        }
        if header.kind.is_definition() {
            self.last_definition = Some(header.offset);
        }
        self.segment.offset = to;
        self.checked.end = to;
        self.checked.frames += 1;
    }

    /// The chain of definitions, and the time index.
    fn check_links(&mut self, header: &FrameHeader, from: u64, to: u64) {
        let last = *self.last_definition.get_or_insert(header.previous_definition);
        if header.previous_definition != last {
            let what = "names another definition in front of it than the last one";
            self.checked.note(Problem::Frame { from, to, what });
        }
        while let Some(&(entry, found)) = self.index.get(self.index_passed)
            && u64::from(found.offset) <= from
        {
            self.index_passed += 1;
            if u64::from(found.offset) < from {
                let what = "points to where no frame begins";
                self.checked.note(Problem::Index { entry, what });
            } else if found.last_definition != last {
                let what = "names another definition than the last one";
                self.checked.note(Problem::Index { entry, what });
            }
        }
    }

    fn records(&mut self, header: &FrameHeader, from: u64, to: u64) {
        let Verifier { dictionary, inline, lanes, passes, .. } = &mut *self.verifier;
        let frame = self.segment.bytes(header);
        let run = RunHeader::read(frame);
        let records = frame.get(RECORDS_HEADER_BYTES..).unwrap_or_default();
        let found: Records = run::check(header, &run, records, dictionary, inline);
        self.checked.records += u64::from(found.count);
        let (ring, bytes) = (run.position.ring_id, records.len() as u32);
        for gap in &found.gaps {
            let added = lanes.gap(ring, gap);
            for (sum, lost) in self.checked.lost.iter_mut().zip(added) {
                *sum = sum.saturating_add(lost);
            }
        }
        if let Some(what) = found.wrong {
            self.checked.note(Problem::Frame { from, to, what });
        }
        if let Some(why) = found.why {
            let problem = Problem::Undecodable { from, to, records: found.bad, why };
            self.checked.note(problem);
        }
        if header.kind == Kind::RECORDS
            && let Some(problem) = lanes.run(&run.position, bytes, from)
        {
            self.checked.note(problem);
        }
        if !passes.follows(dictionary.writer(), pass_of(&run)) {
            let what = "is of an earlier pass than the one before";
            self.checked.note(Problem::Frame { from, to, what });
        }
    }

    fn definition(&mut self, header: &FrameHeader) -> Option<&'static str> {
        let frame = self.segment.bytes(header);
        self.verifier.dictionary.absorb(header, frame);
        let sound = read_definition(frame).is_some_and(|(_, _, bytes)| match header.kind {
            Kind::SITE => SiteDefinition::decode(bytes).is_ok(),
            _ => ContextDefinition::decode(bytes).is_ok(),
        });
        (!sound).then_some("holds a definition that cannot be decoded")
    }

    fn calibration(&mut self, header: &FrameHeader) -> Option<&'static str> {
        let frame = self.segment.bytes(header);
        self.verifier.dictionary.absorb(header, frame);
        let (line, writer) = read_calibration(frame, header.flags);
        if line.nanos_per_tick == 0 {
            return Some("tells a clock that stands still");
        }
        let other = self.header.is_some_and(|header| header.writer != writer);
        other.then_some("tells another writer than the segment's header")
    }

    fn barrier(&mut self, header: &FrameHeader) -> Option<&'static str> {
        let frame = self.segment.bytes(header);
        let pass = (get_u64(frame, 40), get_u64(frame, 48), get_u64(frame, 56));
        let Verifier { dictionary, passes, .. } = &mut *self.verifier;
        let follows = passes.follows(dictionary.writer(), pass);
        (!follows).then_some("is of an earlier pass than the one before")
    }

    fn end(&mut self, header: &FrameHeader) {
        let next = get_u64(self.segment.bytes(header), 32);
        let sane = next > self.segment.sequence && next - self.segment.sequence < 1 << 20;
        self.checked.next = Some(if sane { next } else { self.segment.sequence.saturating_add(1) });
        self.checked.goes_on = header.flags & CLEAN_END == 0;
        self.ended = true;
    }

    /// What was published at the offset is no frame.
    fn damage(&mut self, fault: Fault) {
        let from = self.segment.offset;
        let next = self.segment.resync(from + 8);
        let to = next.unwrap_or(self.segment.cursor.max(from + 8));
        self.checked.note(Problem::Damaged { from, to, fault });
        self.last_definition = None;
        if next.is_none() {
            self.checked.torn = Some(Torn { from, to });
            self.ended = true;
        }
        self.segment.offset = to;
    }

    /// Nothing was published at the offset, and nobody will.
    fn behind_the_tail(&mut self) {
        let from = self.segment.offset;
        self.ended = true;
        if from >= self.segment.limit {
            return;
        }
        if let Some(to) = self.segment.resync(from + 8) {
            self.checked.note(Problem::Damaged { from, to, fault: Fault::OtherUse });
            self.last_definition = None;
            self.segment.offset = to;
            self.ended = false;
        } else if let Some(length) = self.segment.unfinished_at(from) {
            let to = from + u64::from(length).max(FRAME_HEADER_BYTES as u64);
            self.checked.note(Problem::Unfinished { from, to, newest: self.newest });
            self.checked.torn = Some(Torn { from, to });
        }
    }
}
