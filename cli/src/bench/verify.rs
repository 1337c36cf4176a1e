//! Compares what the journal holds with what was logged, record by record.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::Path;

use tapelog::reading::{Format, Journal, ReadError};

use super::cases::Strings;
use super::line::{self, Line};
use super::series::{CaseName, Series, StampBy, What};
use super::stopwatch::{Stamps, Track, thread_and_call};

/// More problems than this are counted only.
const PROBLEMS_MAX: usize = 5;
/// The engine's own entries begin so.
const OWN_EVENTS: &str = "logger.";

/// What came of a comparison.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Records of each series that are not in the journal.
    pub(super) missing: Vec<(Series, u64)>,
    /// Records that are, and are as they were logged.
    pub(super) intact: u64,
    /// What is wrong.
    pub(super) problems: Vec<String>,
}

impl Verdict {
    /// Records of all series that are not in the journal.
    pub(super) fn missing_total(&self) -> u64 {
        self.missing.iter().map(|(_, missing)| missing).sum()
    }
}

/// What one thread logged of one series, and what was found of it.
#[derive(Debug)]
struct ThreadCalls {
    calls: u64,
    stamps: Stamps,
    /// The time of each call's record; 0 until it is found.
    times: Vec<i64>,
}

/// What was logged of one series, on all threads.
#[derive(Debug)]
struct Expected {
    series: Series,
    threads: Vec<ThreadCalls>,
    /// The times of records that do not tell their call, in the journal's order.
    nameless: Vec<i64>,
}

/// Takes the journal's lines and compares.
#[derive(Debug)]
pub(super) struct Verifier<'a> {
    strings: &'a Strings,
    by_event: HashMap<String, usize>,
    expected: Vec<Expected>,
    /// When records with their own stamp can have been logged, in nanoseconds of UTC.
    span: RangeInclusive<i64>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    intact: u64,
    problems: Vec<String>,
    problems_left_out: u64,
}

/// Reads the journal in `directory` and compares it with what each thread logged.
///
/// # Errors
/// [`ReadError`] if there is no journal. What is damaged or missing in it is part of the verdict.
pub(super) fn journal(
    directory: &Path,
    threads: &[Vec<Track>],
    strings: &Strings,
    span: RangeInclusive<i64>,
) -> Result<Verdict, ReadError> {
    let mut verifier = Verifier::new(threads, strings, span);
    let summary = Journal::open(directory)?.write_to(Format::Json, &mut verifier)?;
    for note in &summary.notes {
        verifier.problem(|| note.to_string());
    }
    Ok(verifier.finish())
}

impl<'a> Verifier<'a> {
    pub(super) fn new(
        threads: &[Vec<Track>],
        strings: &'a Strings,
        span: RangeInclusive<i64>,
    ) -> Self {
        let mut expected: Vec<Expected> = Vec::new();
        for track in threads.iter().flatten() {
            let What::Call(series) = track.what else { continue };
            let calls = if series.case == CaseName::Disabled { 0 } else { track.calls };
            let times = if series.case == CaseName::NoArgs { 0 } else { calls as usize };
            let calls = ThreadCalls { calls, stamps: track.stamps.clone(), times: vec![0; times] };
            match expected.iter_mut().find(|expected| expected.series == series) {
                Some(expected) => expected.threads.push(calls),
                None => {
                    expected.push(Expected { series, threads: vec![calls], nameless: Vec::new() });
                }
            }
        }
        let events = expected.iter().enumerate().map(|(at, it)| (it.series.event(), at));
        Self {
            strings,
            by_event: events.collect(),
            expected,
            span,
            line: Vec::new(),
            intact: 0,
            problems: Vec::new(),
            problems_left_out: 0,
        }
    }

    /// The verdict, once every line was taken.
    pub(super) fn finish(mut self) -> Verdict {
        let mut missing = Vec::new();
        for mut expected in std::mem::take(&mut self.expected) {
            let calls: u64 = expected.threads.iter().map(|thread| thread.calls).sum();
            let found = match expected.series.case {
                CaseName::NoArgs => {
                    if expected.series.stamp == StampBy::Caller {
                        self.compare_nameless(&mut expected);
                    }
                    expected.nameless.len() as u64
                }
                _ => {
                    self.compare_order(&expected);
                    expected
                        .threads
                        .iter()
                        .flat_map(|it| &it.times)
                        .filter(|time| **time != 0)
                        .count() as u64
                }
            };
            if found > calls {
                let event = expected.series.event();
                self.problem(|| format!("{found} records of {event}, {calls} were logged"));
            }
            missing.push((expected.series, calls.saturating_sub(found)));
        }
        if self.problems_left_out > 0 {
            self.problems.push(format!("… and {} more", self.problems_left_out));
        }
        Verdict { missing, intact: self.intact, problems: self.problems }
    }

    fn problem(&mut self, text: impl FnOnce() -> String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text());
        } else {
            self.problems_left_out += 1;
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let shown = || String::from_utf8_lossy(bytes).into_owned();
        let found: Line<'_> = match serde_json::from_slice(bytes) {
            Ok(line) => line,
            Err(error) => return self.problem(|| format!("{error}: {}", shown())),
        };
        if found.event.starts_with(OWN_EVENTS) {
            return;
        }
        let Some(&at) = self.by_event.get(found.event) else {
            return self.problem(|| format!("nobody logged {}", shown()));
        };
        match self.compare(at, &found) {
            Ok(()) => self.intact += 1,
            Err(what) => self.problem(|| format!("{what}: {}", shown())),
        }
    }

    /// Compares a line with what was logged.
    fn compare(&mut self, at: usize, found: &Line<'_>) -> Result<(), &'static str> {
        let Expected { series, threads, nameless } = &mut self.expected[at];
        let time = found.time().ok_or("the time is no number")?;
        if series.stamp == StampBy::Own && !self.span.contains(&time) {
            return Err("stamped outside the run");
        }
        if series.case == CaseName::Disabled {
            return Err("the level is disabled");
        }
        if series.case == CaseName::NoArgs {
            nameless.push(time);
            return if found.has_no_fields() {
                Ok(())
            } else {
                Err("it was logged without values")
            };
        }
        let number = found.a.ok_or("the call's number is missing")?;
        let (thread, call) = thread_and_call(number);
        let thread = threads.get_mut(thread).ok_or("no thread has such a number")?;
        let seen = thread.times.get_mut(call as usize).ok_or("no call has such a number")?;
        if *seen != 0 {
            return Err("it stands twice in the journal");
        }
        *seen = time;
        if series.stamp == StampBy::Caller && thread.stamps.of_call(call) != Some(time) {
            return Err("the caller gave another time");
        }
        let expected = line::expected(series.case, number, self.strings);
        if found.has_fields_of(&expected) { Ok(()) } else { Err("the values differ") }
    }

    /// Records that bring no stamp are never stamped earlier than the one before on their thread.
    fn compare_order(&mut self, expected: &Expected) {
        if expected.series.stamp == StampBy::Caller {
            return;
        }
        for thread in &expected.threads {
            let found = thread.times.iter().filter(|time| **time != 0);
            if !found.is_sorted() {
                let event = expected.series.event();
                self.problem(|| format!("the stamps of {event} go back within a thread"));
            }
        }
    }

    /// Each time of a record without values is one that a caller gave.
    fn compare_nameless(&mut self, expected: &mut Expected) {
        let stamps = expected.threads.iter();
        let given = stamps.flat_map(|it| (0..it.calls).filter_map(|call| it.stamps.of_call(call)));
        let mut given: Vec<i64> = given.collect();
        given.sort_unstable();
        expected.nameless.sort_unstable();
        let mut given = given.into_iter();
        let foreign = |time: &i64| !given.any(|stamp| stamp == *time);
        if let Some(time) = expected.nameless.iter().copied().find(foreign) {
            let event = expected.series.event();
            self.problem(|| format!("a record of {event} has the time {time}, which nobody gave"));
        }
    }
}

/// The journal's lines, in pieces that may end anywhere.
impl Write for Verifier<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(whole) if self.line.is_empty() => self.take(whole),
                Some(end) => {
                    let mut line = std::mem::take(&mut self.line);
                    line.extend_from_slice(end);
                    self.take(&line);
                }
                None => self.line.extend_from_slice(part),
            }
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
