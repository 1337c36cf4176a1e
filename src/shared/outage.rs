//! What cannot be written now, told once: a disk that fails fails everything that lies on it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::file_error::{FileError, utc_now};
use crate::handlers::notice;
use crate::record::UnixNanos;

/// An outage is over, and the next failure is another one, when nothing has failed for so long.
const CALM: Duration = Duration::from_secs(1);

/// How many failures that are over wait to be made entries of; the oldest go first.
const ENDED_MAX: usize = 64;

/// Something that lies on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The log directory: owned by this engine, and there.
    Directory,
    /// The journal's segments: the disk gives none.
    Journal,
    /// The segment that is being written.
    Segment,
    /// Its name, which leads to another file or to none.
    Name,
    /// The segments as the views read them.
    Reading,
    /// What is synced by policy.
    Syncing,
    /// The place where the views note how far they are.
    Cursor,
    /// The room that is to stay free: `disk_reserve`.
    Room,
    /// One of the three logs, by its number: 0 to 2.
    Log(u8),
}

impl Part {
    /// What becomes of entries while there are no files.
    pub(crate) const CONSOLE_ONLY: &str = "logging to the console only until it works again";
}

/// A failure that is over, or that stays.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) error: FileError,
    /// Lines that a log misses by it, or records that the journal has in no file.
    pub(crate) missed: u64,
}

/// The present outage: the first failure tells it, and the last recovery.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What fails now. `since` and `count` are of the whole time.
    failing: Vec<(Part, FileError)>,
    /// How often something has failed, and what was over last.
    failures: u64,
    last: Option<FileError>,
    ended: VecDeque<Ended>,
    /// What failed first; none: no outage was told that is not over.
    reason: Option<String>,
    calm_since: Option<Instant>,
}

impl State {
    /// Notes a failure to be told.
    fn end(&mut self, error: FileError, missed: u64) {
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.last = Some(error.clone());
        self.ended.push_back(Ended { error, missed });
    }
}

impl Outage {
    /// Notes that `part` fails, and what becomes of the entries.
    pub(crate) fn failed(&self, part: Part, error: FileError, consequence: &str) {
        let mut state = self.state.lock();
        state.failures += 1;
        state.calm_since = None;
        if state.reason.is_none() {
            let reason = format!("{error}; {consequence}");
            notice(&reason);
            state.reason = Some(reason);
        }
        match state.failing.iter_mut().find(|(other, _)| *other == part) {
            Some((_, known)) => {
                let (since, count) = (known.since, known.count + 1);
                *known = FileError { since, count, ..error };
            }
            None => state.failing.push((part, error)),
        }
    }

    /// Counts a failure that nobody suffers from: something else did as well.
    pub(crate) fn made_up_for(&self, mut error: FileError) {
        let mut state = self.state.lock();
        state.failures += 1;
        error.until = Some(error.since);
        state.last = Some(error);
    }

    /// Notes a failure that stays, of something that the engine goes on without: it is told at once.
    pub(crate) fn stays(&self, error: FileError) {
        let mut state = self.state.lock();
        state.failures += 1;
        state.end(error, 0);
    }

    /// Notes that `part` works again, and how many lines or records are missing by its failure.
    pub(crate) fn works(&self, part: Part, missed: u64) {
        let mut state = self.state.lock();
        let Some(at) = state.failing.iter().position(|(other, _)| *other == part) else { return };
        let (_, mut error) = state.failing.remove(at);
        error.until = Some(utc_now());
        state.end(error, missed);
        if state.failing.is_empty() && state.reason.is_some() {
            state.calm_since.get_or_insert_with(Instant::now);
        }
    }

    /// How often something has failed, and what fails, the newest; else what was over last.
    pub(crate) fn summary(&self) -> (u64, Option<FileError>) {
        let state = self.state.lock();
        let failing = state.failing.iter().map(|(_, error)| error).max_by_key(|error| error.since);
        (state.failures, failing.or(state.last.as_ref()).cloned())
    }

    /// Why `part` fails, if it does.
    pub(crate) fn error_of(&self, part: Part) -> Option<FileError> {
        let state = self.state.lock();
        let mut failing = state.failing.iter();
        failing.find(|(other, _)| *other == part).map(|(_, error)| error.clone())
    }

    /// Takes the failures that are over or stay, oldest first, as long as `tell` finds room for them.
    pub(crate) fn tell_ended(&self, mut tell: impl FnMut(&Ended) -> bool) {
        loop {
            // The lock is not held meanwhile: what is told may fail, too.
            let next = self.state.lock().ended.front().cloned();
            if !next.is_some_and(|ended| tell(&ended)) {
                return;
            }
            self.state.lock().ended.pop_front();
        }
    }

    /// Tells that an outage is over, if it has been for a while, or if this is the `end` of all.
    pub(crate) fn settle(&self, end: bool) {
        let mut state = self.state.lock();
        if state.calm_since.is_some_and(|since| end || since.elapsed() >= CALM) {
            notice("journal and logs can be written again");
            (state.reason, state.calm_since) = (None, None);
        }
    }

    /// What failed first, while something does.
    pub(crate) fn reason(&self) -> Option<String> {
        let state = self.state.lock();
        state.reason.clone().filter(|_| !state.failing.is_empty())
    }
}

/// A time in which what was written to the journal came into no file of it.
#[derive(Debug, Clone)]
pub(crate) struct JournalGap {
    /// Why the disk gave no file, or that somebody has taken it.
    pub(crate) reason: String,
    /// Whether the records were in memory alone.
    pub(crate) in_memory: bool,
    /// When that was noticed, or the file made, and when the journal was in files again.
    pub(crate) from: UnixNanos,
    pub(crate) until: UnixNanos,
    /// How many records are in no file.
    pub(crate) records: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(path: &str) -> FileError {
        FileError::refused("write to", path.as_ref(), "the disk is full".to_owned())
    }

    #[test]
    fn an_outage_has_one_reason_from_its_first_failure_to_its_last_recovery() {
        let outage = Outage::default();
        assert_eq!(outage.reason(), None);
        outage.failed(Part::Journal, error("j"), "what then");
        for number in 0..3 {
            outage.failed(Part::Log(number), error("l"), "what then");
        }
        outage.works(Part::Journal, 0);
        outage.works(Part::Log(0), 0);
        outage.works(Part::Log(2), 0);
        outage.settle(true);
        let first = Some("cannot write to j: the disk is full; what then");
        assert_eq!(outage.reason().as_deref(), first);
        outage.works(Part::Log(1), 0);
        assert_eq!(outage.reason(), None, "it is over");
        outage.failed(Part::Cursor, error("c"), "what then");
        assert_eq!(outage.reason().as_deref(), first, "too soon for another one");
        outage.works(Part::Cursor, 0);
        outage.settle(true);
        outage.failed(Part::Cursor, error("c"), "what then");
        assert!(outage.reason().is_some_and(|reason| reason.contains("write to c")));
    }

    #[test]
    fn every_part_has_its_own_error_which_stays_to_be_seen_and_is_told_once() {
        let outage = Outage::default();
        outage.failed(Part::Log(0), error("a"), "what then");
        outage.failed(Part::Log(0), error("a"), "what then");
        outage.failed(Part::Cursor, error("b"), "what then");
        outage.works(Part::Cursor, 0);
        let (failures, seen) = outage.summary();
        let seen = seen.unwrap();
        assert_eq!((failures, seen.count, seen.until), (3, 2, None));
        assert_eq!(outage.error_of(Part::Log(0)), Some(seen));
        outage.works(Part::Log(0), 7);
        outage.works(Part::Log(0), 7);
        let seen = outage.summary().1.unwrap();
        assert!(seen.path.ends_with("a") && seen.until.unwrap() >= seen.since);
        let mut told = Vec::new();
        outage.tell_ended(|_| false);
        outage.tell_ended(|ended| {
            told.push(ended.missed);
            true
        });
        outage.tell_ended(|_| panic!("it was told"));
        assert_eq!(told, [0, 7]);
    }

    #[test]
    fn no_more_failures_wait_to_be_told_than_there_is_room_for() {
        let outage = Outage::default();
        for _ in 0..2 * ENDED_MAX {
            outage.failed(Part::Segment, error("a"), "what then");
            outage.works(Part::Segment, 0);
        }
        let mut told = 0;
        outage.tell_ended(|_| {
            told += 1;
            true
        });
        assert_eq!(told, ENDED_MAX);
    }
}
