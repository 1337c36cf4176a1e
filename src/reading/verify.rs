//! Is a journal whole? What is intact, what is lost, and why.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::{Journal, ReadError, liveness_of};
use crate::journal::{Checked, Outcome, Problem, Torn, Verifier};

/// What became of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentState {
    /// Every frame, and everything in it, is as it was written.
    Intact,
    /// The same, as far as it is published: a program is writing it.
    Live,
    /// A program has prepared it and written nothing so far.
    Prepared,
    /// It was recycled while the journal was checked: a journal keeps its newest segments.
    Expired,
    /// Something in it is not as it was written: see [`SegmentReport::findings`].
    Damaged,
}

impl SegmentState {
    /// One word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SegmentState::Intact => "intact",
            SegmentState::Live => "live",
            SegmentState::Prepared => "prepared",
            SegmentState::Expired => "expired",
            SegmentState::Damaged => "damaged",
        }
    }
}

/// One thing in a segment that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The first byte that it is about.
    pub from: u64,
    /// The byte behind the last one.
    pub to: u64,
    /// What is wrong, and what that costs.
    pub reason: String,
    /// Whether it is damage. A frame that was never published and is not whole is none if a later
    /// run has gone on behind it.
    pub damage: bool,
}

/// What one segment came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SegmentReport {
    /// Its number.
    pub sequence: u64,
    /// Its file.
    pub path: PathBuf,
    /// What became of it.
    pub state: SegmentState,
    /// Bytes up to the end of its last whole frame.
    pub bytes: u64,
    /// How many whole frames it has.
    pub frames: u64,
    /// How many records that can be decoded.
    pub records: u64,
    /// How many records were lost on the way to it, as its gap records tell, by reason.
    pub lost: Vec<(&'static str, u64)>,
    /// What is wrong: the first hundred.
    pub findings: Vec<Finding>,
    /// How many findings there were beyond those.
    pub findings_left_out: u64,
    /// Where its unreadable tail begins, if it has one: [`Journal::repair`] can cut it off.
    pub torn_at: Option<u64>,
}

impl SegmentReport {
    /// The segment in front of this one says that `next` follows it, which is true of no segment that
    /// holds data.
    fn pass_over(&mut self, next: u64) {
        if matches!(self.state, SegmentState::Prepared | SegmentState::Expired) {
            return;
        }
        self.state = SegmentState::Damaged;
        self.findings.insert(
            0,
            Finding {
                from: 0,
                to: self.bytes,
                reason: format!(
                    "the segment in front of it says that segment {next} follows: who reads the \
                     journal passes this one over"
                ),
                damage: true,
            },
        );
    }
}

/// What checking a journal came to.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Verification {
    /// The segments, the oldest first.
    pub segments: Vec<SegmentReport>,
    /// Segments that are not there although older ones are: the first and the last of each hole.
    pub missing: Vec<(u64, u64)>,
    /// The segment that the newest one says to follow, if it is not there: it was removed, or was in memory
    /// alone when its process ended.
    pub announced: Option<u64>,
    /// Segments that were never in a file, or hold nothing, because the disk took none then: the first and
    /// the last of each such time. An entry `logger.journal_gap` behind it says how many records that were.
    pub in_memory: Vec<(u64, u64)>,
    /// The process that may be writing the journal: behind what is published, nothing was judged.
    pub writer_pid: Option<u32>,
}

impl Verification {
    /// Whether no part is damaged or missing. What was recycled is no damage.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        let damaged = |segment: &SegmentReport| segment.state == SegmentState::Damaged;
        self.missing.is_empty() && self.announced.is_none() && !self.segments.iter().any(damaged)
    }

    /// Tells numbers that never were files, or were empty ones, from those that are missing, by what the
    /// segment behind them says of the file in front of them.
    fn judge(&mut self, holes: &mut Vec<(u64, u64)>, after: u64) {
        for (first, last) in holes.drain(..) {
            let in_memory = (1..first).contains(&after);
            let known = if in_memory { &mut self.in_memory } else { &mut self.missing };
            known.push((first, last));
        }
    }

    /// How many records can be decoded.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }

    /// How many records were lost on the way to the journal, as gap records tell.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.segments.iter().flat_map(|segment| &segment.lost).map(|(_, lost)| lost).sum()
    }
}

/// How far [`Journal::verify`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Bytes that were read or passed over.
    pub bytes: u64,
    /// Bytes of all segments.
    pub total_bytes: u64,
}

impl Journal {
    /// Checks every frame, the sequence of segments and of each lane's records, every gap record
    /// and every definition; `progress` is called often.
    ///
    /// The journal may be verified while a program writes it: what is published is checked, and a
    /// segment that is recycled meanwhile is [`SegmentState::Expired`].
    ///
    /// # Errors
    /// [`ReadError::Journal`] if the journal cannot be listed or one of its files not be opened.
    /// What is damaged inside it is no error: see [`Verification`].
    pub fn verify(
        &self,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<Verification, ReadError> {
        let mut queue = VecDeque::from(self.segments()?);
        let (Some(&first), Some(&last)) = (queue.front(), queue.back()) else {
            return Err(ReadError::Empty { path: self.directory.clone() });
        };
        let writer_pid = self.writer(last);
        let mut verification = Verification { writer_pid, ..Verification::default() };
        let mut verifier = Verifier::new(self.index.clone(), first, liveness_of(writer_pid));
        let bytes =
            |sequence| std::fs::metadata(self.index.path(sequence)).map_or(0, |found| found.len());
        let total_bytes = queue.iter().copied().map(bytes).sum();
        let mut done = 0;
        let (mut expected, mut holes) = (None, Vec::new());
        let mut announced = None;
        while let Some(sequence) = queue.pop_front() {
            let passed_over = expected.filter(|&expected| sequence < expected);
            if let Some(expected) = expected.take().filter(|&expected| sequence > expected) {
                let found = self.appeared(expected, sequence, &verification)?;
                if !found.is_empty() {
                    // They got their names while the directory was listed.
                    queue.push_front(sequence);
                    found.into_iter().rev().for_each(|sequence| queue.push_front(sequence));
                    continue;
                }
                if self.is_hole(expected)? {
                    holes.push((expected, sequence - 1));
                }
                verifier.skip();
            }
            let checked = verifier
                .segment(sequence, &mut |offset| {
                    progress(VerifyProgress { bytes: done + offset, total_bytes });
                })
                .map_err(|error| ReadError::Journal { source: Box::new(error) })?;
            // One that holds nothing may have been made before its neighbours were given up: the next one
            // that holds something knows.
            if checked.outcome != Outcome::Prepared || queue.is_empty() {
                verification.judge(&mut holes, checked.after);
            }
            if !matches!(checked.outcome, Outcome::Expired | Outcome::Prepared) {
                announced = checked.next.filter(|_| checked.goes_on);
            }
            if checked.outcome != Outcome::Expired {
                expected = Some(checked.next.unwrap_or(sequence.saturating_add(1)));
            }
            let mut report = self.report(sequence, checked);
            if let Some(next) = passed_over {
                report.pass_over(next);
            }
            verification.segments.push(report);
            done += bytes(sequence);
            progress(VerifyProgress { bytes: done.min(total_bytes), total_bytes });
        }
        if let Some(next) = announced.filter(|_| writer_pid.is_none()) {
            let is_there = self.segments()?.last().is_some_and(|&newest| newest >= next);
            verification.announced = (!is_there).then_some(next);
        }
        Ok(verification)
    }

    /// Segments from `from` to below `to` that are there now and were not checked so far.
    fn appeared(
        &self,
        from: u64,
        to: u64,
        verification: &Verification,
    ) -> Result<Vec<u64>, ReadError> {
        let checked = |sequence: &u64| {
            verification.segments.iter().any(|segment| segment.sequence == *sequence)
        };
        let mut found = self.segments()?;
        found.retain(|sequence| (from..to).contains(sequence) && !checked(sequence));
        Ok(found)
    }

    /// Whether a segment older than `sequence` is there: then those missing behind it were not
    /// recycled, because the oldest ones are.
    fn is_hole(&self, sequence: u64) -> Result<bool, ReadError> {
        Ok(self.segments()?.first().is_some_and(|&oldest| oldest < sequence))
    }

    fn report(&self, sequence: u64, checked: Checked) -> SegmentReport {
        let state = match checked.outcome {
            Outcome::Expired => SegmentState::Expired,
            Outcome::Prepared => SegmentState::Prepared,
            Outcome::Unreadable | Outcome::Unsupported { .. } => SegmentState::Damaged,
            Outcome::Checked if checked.damaged > 0 => SegmentState::Damaged,
            Outcome::Checked if checked.live => SegmentState::Live,
            Outcome::Checked => SegmentState::Intact,
        };
        let reasons = crate::record::REASONS.into_iter().zip(checked.lost);
        SegmentReport {
            sequence,
            path: self.index.path(sequence),
            state,
            bytes: checked.end,
            frames: checked.frames,
            records: checked.records,
            lost: reasons.filter(|&(_, lost)| lost > 0).collect(),
            findings: checked.problems.iter().map(finding).collect(),
            findings_left_out: checked.problems_left_out,
            torn_at: checked.torn.map(|Torn { from, .. }| from),
        }
    }
}

fn finding(problem: &Problem) -> Finding {
    let (from, to) = problem.range();
    Finding { from, to, reason: problem.to_string(), damage: problem.is_damage() }
}
