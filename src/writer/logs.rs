//! A log file as the view keeps it: it may fail, and then misses lines, but holds nothing up.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::keeper::lent;
use crate::handlers::{Batch, FileHandler, FileOptions, StderrNotice, Written};
use crate::metrics::{APART_MIN, FastRotation};
use crate::shared::{Control, FileError, Part};

/// How long a failed log is left alone before it is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// How often a log's path is compared with the open file.
const LOOK: Duration = Duration::from_millis(250);

/// What a log did with its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it is in the file.
    Written,
    /// The log goes on in another file: the rest is the next call's.
    Rotated,
    /// Some of it is in no file.
    Missed,
}

/// One of the three logs.
#[derive(Debug)]
pub(crate) struct LogFile {
    options: FileOptions,
    control: Arc<Control>,
    part: Part,
    handler: Option<FileHandler>,
    batch: Batch,
    /// Which lines of the batch are of no entry of the journal.
    told: Vec<usize>,
    /// The line that tells what is missing.
    gap: Batch,
    /// While the log does not work: how many lines it had missed before.
    missed_before: Option<u64>,
    /// Lines that could not be written since the log last worked.
    missing: u64,
    retry_at: Instant,
    look_at: Instant,
    /// Entries of the journal that the file got or missed, and lines in it.
    entries: u64,
    lines: u64,
    /// How many these were when the file was last known to be where it belongs.
    lines_sure: u64,
    missed: u64,
    rotations_before: u64,
    /// When the log was rotated last because of its size.
    rotated_at: Option<Instant>,
    /// Set when it is rotated too often, until somebody takes it.
    fast_rotation: Option<FastRotation>,
    /// Whether a write has not come to its end.
    torn: bool,
    /// Whether backups may be there that are too many.
    surplus: bool,
    /// Since the cursor was noted: how often the file was rotated, and whether another was opened.
    rotated: u32,
    reopened: bool,
}

impl LogFile {
    /// Opens the log, or notes that it does not open: it is tried again later.
    pub(crate) fn open(options: FileOptions, control: &Arc<Control>, part: Part) -> Self {
        let now = Instant::now();
        let mut log = Self {
            options,
            control: Arc::clone(control),
            part,
            handler: None,
            batch: Batch::new(),
            told: Vec::new(),
            gap: Batch::new(),
            missed_before: None,
            missing: 0,
            retry_at: now,
            look_at: now + LOOK,
            entries: 0,
            lines: 0,
            lines_sure: 0,
            missed: 0,
            rotations_before: 0,
            rotated_at: None,
            fast_rotation: None,
            torn: false,
            surplus: true,
            rotated: 0,
            reopened: false,
        };
        log.reopen();
        log
    }

    /// The lines that wait to be written.
    pub(crate) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// The open file, if the log works.
    pub(crate) fn handler(&self) -> Option<&FileHandler> {
        self.handler.as_ref()
    }

    /// Lines in the file so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// How many entries of the journal the file has got or missed so far.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Notes that the last line of the batch is none of these.
    pub(crate) fn note_told(&mut self) {
        self.told.push(self.batch.lines() - 1);
    }

    /// Lines that the file missed.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Lines that it missed and does not tell yet.
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// Has it tell lines that it missed in the run before, as soon as it works.
    pub(crate) fn miss_from_before(&mut self, lines: u64) {
        if lines > 0 {
            self.missing = self.missing.saturating_add(lines);
            self.missed_before.get_or_insert(self.missed);
        }
    }

    /// Whether the file that the cursor has noted is not the log's any more, or will not be found after the
    /// next rotation.
    pub(crate) fn is_beyond_note(&self) -> bool {
        self.reopened || self.rotated > 0 && self.rotated >= self.options.backups
    }

    /// The cursor has noted where it is.
    pub(crate) fn note_noted(&mut self) {
        (self.rotated, self.reopened) = (0, false);
    }

    /// Rotations so far.
    pub(crate) fn rotations(&self) -> u64 {
        self.rotations_before + self.handler.as_ref().map_or(0, FileHandler::rotations)
    }

    /// Whether there is something to be written: lines, or what is missing, in a log that may work
    /// again.
    pub(crate) fn is_due(&self) -> bool {
        let failing = self.missed_before.is_some();
        !self.batch.is_empty() || failing && Instant::now() >= self.retry_at
    }

    fn reopen_if_due(&mut self) {
        if self.handler.is_none() && Instant::now() >= self.retry_at {
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        if !self.control.owns_directory() {
            return self.fail(self.not_ours());
        }
        // Not before: they may be another engine's.
        if std::mem::take(&mut self.surplus) {
            FileHandler::remove_surplus(&self.options);
        }
        match FileHandler::open(self.options.clone()) {
            Ok(handler) => {
                (self.handler, self.lines_sure) = (Some(handler), self.lines);
                self.reopened = true;
            }
            Err(error) => self.fail((&error).into()),
        }
    }

    fn not_ours(&self) -> FileError {
        let reason = "the log directory is not there, or another engine's".to_owned();
        FileError::refused("write to", &self.options.path, reason)
    }

    fn fail(&mut self, error: FileError) {
        if let Some(handler) = self.handler.take() {
            self.rotations_before += handler.rotations();
            if handler.is_nameless() {
                self.count_vanished();
            }
        }
        self.missed_before.get_or_insert(self.missed);
        let meanwhile = "its lines go to stderr until it works again";
        self.control.outage().failed(self.part, error, meanwhile);
        self.retry_at = Instant::now() + RETRY;
    }

    /// Looks now and then whether the path still names the open file, and opens one that failed, if there is
    /// something to be written. A directory that is not `ours` any more may hold another engine's by that
    /// name.
    pub(crate) fn look(&mut self, ours: bool) {
        self.follow(ours);
        if self.is_due() {
            self.reopen_if_due();
        }
    }

    fn follow(&mut self, ours: bool) {
        if !ours {
            if self.handler.is_some() {
                self.fail(self.not_ours());
            }
            return;
        }
        let now = Instant::now();
        // At the end there is no later one.
        if now < self.look_at && !self.control.stopping() {
            return;
        }
        self.look_at = now + LOOK;
        let Some(handler) = &mut self.handler else { return };
        let moved = handler.reopen_if_moved();
        self.note_vanished();
        self.lines_sure = self.lines;
        match moved {
            Ok(moved) => self.reopened |= moved,
            Err(error) => self.fail((&error).into()),
        }
    }

    /// Counts them; whether there are any.
    fn count_vanished(&mut self) -> bool {
        let lost = self.lines - std::mem::replace(&mut self.lines_sure, self.lines);
        if lost > 0 {
            self.missed_before.get_or_insert(self.missed);
            self.missed += lost;
            self.missing += lost;
        }
        lost > 0
    }

    /// Takes the lines for missing that may have been written to a file without a name, if it had none.
    fn note_vanished(&mut self) {
        let vanished = self.handler.as_mut().is_some_and(FileHandler::take_vanished);
        if !vanished || !self.count_vanished() {
            return;
        }
        let reason = "somebody has removed it".to_owned();
        let error = FileError::refused("find", &self.options.path, reason);
        let meanwhile = "it is made anew, and tells how many lines it may miss";
        self.control.outage().failed(self.part, error, meanwhile);
    }

    /// Writes the batch, or a part of it. While the log does not work, its lines go to `fallback`, if there
    /// is one; when it works again, which [`LogFile::look`] sees, the line that `tell` makes of the number
    /// of missing ones comes first.
    pub(crate) fn write(
        &mut self,
        fallback: Option<&mut StderrNotice>,
        tell: impl FnOnce(u64, Option<&FileError>, &mut Batch),
    ) -> Outcome {
        if self.missing > 0 && self.handler.is_some() {
            let why = self.control.outage().error_of(self.part);
            let told = self.missing;
            tell(told, why.as_ref(), &mut self.gap);
            let whole =
                lent(self, |log| &mut log.gap, |log, gap| log.append(gap)) == self.gap.lines();
            self.gap.clear();
            if whole {
                self.missing -= told;
            } else if self.handler.is_some() {
                return Outcome::Rotated;
            }
        }
        let taken = lent(self, |log| &mut log.batch, |log, batch| log.append(batch));
        self.forget_first(taken);
        let rest = self.batch.lines() as u64;
        if rest > 0 {
            if self.handler.is_some() {
                return Outcome::Rotated;
            }
            if let Some(fallback) = fallback {
                fallback.write(&self.batch);
            }
            self.missing += rest;
            self.missed += rest;
            self.forget_first(self.batch.lines());
        }
        self.batch.clear();
        if self.handler.is_some()
            && self.missing == 0
            && let Some(before) = self.missed_before.take()
        {
            self.control.outage().works(self.part, self.missed - before);
        }
        if rest == 0 { Outcome::Written } else { Outcome::Missed }
    }

    /// Forgets lines of the batch that are in the file, or missed.
    fn forget_first(&mut self, lines: usize) {
        let told = self.told.iter().filter(|at| **at < lines).count();
        self.told.drain(..told);
        self.told.iter_mut().for_each(|at| *at -= lines);
        self.entries += (lines - told) as u64;
        self.batch.forget_first(lines);
    }

    /// Appends lines to the file: how many of them it took. If it works and has not taken all, it was
    /// rotated.
    fn append(&mut self, batch: &Batch) -> usize {
        if batch.is_empty() {
            return 0;
        }
        if let Some(shortage) = self.control.shortage().filter(|_| self.handler.is_some()) {
            self.fail(FileError::refused("write to", &self.options.path, shortage));
        }
        let Some(handler) = &mut self.handler else { return 0 };
        self.torn = true;
        let outcome = handler.write_from(batch, 0);
        self.torn = false;
        let (written, failure) = match outcome {
            Ok(all) => (all, None),
            Err(error) => (error.written, Some(error.source)),
        };
        self.lines += written.lines as u64;
        self.note_vanished();
        self.rotated += written.rotations;
        self.reopened |= written.moved;
        if written.rotations > 0 {
            self.note_rotation();
        }
        if let Some(error) = failure {
            self.fail((&error).into());
        }
        written.lines
    }

    /// After a panic: what the file got of the batch is not written again.
    pub(crate) fn mend(&mut self) {
        if let Some(handler) = self.handler.as_ref().filter(|_| self.torn) {
            let Written { lines, rotations, moved, .. } = handler.written();
            self.lines += lines as u64;
            self.rotated += rotations;
            self.reopened |= moved;
            // What is told of missing lines comes first, and is told again if it is not whole.
            if self.gap.is_empty() {
                self.forget_first(lines);
            } else if self.gap.lines() == lines {
                self.missing = 0;
            }
        }
        self.gap.clear();
        self.torn = false;
    }

    fn note_rotation(&mut self) {
        let now = Instant::now();
        let apart = self.rotated_at.replace(now).map(|last| now - last);
        if let Some(apart) = apart.filter(|apart| *apart < APART_MIN) {
            self.fast_rotation = Some(FastRotation { log: self.options.path.clone(), apart });
        }
    }

    /// Tells if the log was rotated more than once a second since the last call.
    pub(crate) fn take_fast_rotation(&mut self) -> Option<FastRotation> {
        self.fast_rotation.take()
    }

    /// Brings the log to the disk, with the files that it was rotated into.
    pub(crate) fn sync(&mut self) -> Result<(), String> {
        self.reopen_if_due();
        match &mut self.handler {
            Some(handler) => handler.sync().map_err(|error| FileError::from(&error).to_string()),
            None => Err(format!("{} cannot be written", self.options.path.display())),
        }
    }

    /// As [`FileHandler::take_removed`].
    pub(crate) fn take_removed(&mut self) -> Option<File> {
        self.handler.as_mut().and_then(FileHandler::take_removed)
    }

    /// Rotates the log now.
    pub(crate) fn rotate(&mut self) {
        let Some(handler) = &mut self.handler else { return };
        let rotated = handler.rotate();
        self.note_vanished();
        if let Err(error) = rotated {
            self.fail((&error).into());
        }
    }
}

/// The three logs.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) expert: LogFile,
    pub(crate) trades: LogFile,
    pub(crate) errors: LogFile,
}

impl Logs {
    /// All three, for what is done to each.
    pub(crate) fn each(&mut self) -> [&mut LogFile; 3] {
        [&mut self.expert, &mut self.trades, &mut self.errors]
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::shared::Claim;

    fn open(path: &Path, max_bytes: u64, control: &Arc<Control>) -> LogFile {
        let path = path.to_owned();
        let options = FileOptions { path, max_bytes, backups: 2, mode: 0o600, group: None };
        LogFile::open(options, control, Part::Log(0))
    }

    /// Writes so many lines; how many the log told to be missing before them.
    fn write(log: &mut LogFile, lines: usize) -> Option<u64> {
        (0..lines).for_each(|_| log.batch().line(|out| out.extend_from_slice(b"line")));
        log.look(log.control.owns_directory());
        let mut told = None;
        log.write(None, |missing, _, gap| {
            told = Some(missing);
            gap.line(|out| out.extend_from_slice(b"missing"));
        });
        told
    }

    #[test]
    fn lines_found_missing_while_others_are_to_be_told_are_told_with_them() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("expert.log");
        let mut log = open(&path, 16, &Arc::default());
        assert_eq!(write(&mut log, 3), None);
        fs::remove_file(&path).unwrap();
        log.miss_from_before(5);
        // It does not fit: the rotation finds no file, and the log goes on in another.
        assert_eq!(write(&mut log, 0), Some(5));
        assert_eq!((log.missed(), log.missing()), (3, 8));
        assert!(log.is_beyond_note());
        assert_eq!(write(&mut log, 1), Some(8));
        assert_eq!((log.missing(), write(&mut log, 1)), (0, None));
    }

    #[test]
    fn a_log_is_looked_at_once_more_at_the_end() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("expert.log");
        let control = Arc::default();
        let mut log = open(&path, 1 << 20, &control);
        write(&mut log, 3);
        fs::remove_file(&path).unwrap();
        control.stop();
        log.look(true);
        assert_eq!((log.missed(), write(&mut log, 0)), (3, Some(3)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "missing\n");
    }

    #[test]
    fn backups_that_are_too_many_stay_until_the_directory_is_this_engines() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("expert.log");
        let third = root.path().join("expert.log.3");
        fs::write(&third, "a live engine's\n").unwrap();
        let control = Arc::new(Control::default());
        let claim = control.set_claim(Claim::new(root.path(), 0o700, 0o600));
        let mut log = open(&path, 1 << 20, &control);
        assert!(third.exists() && !path.exists());
        claim.take().unwrap();
        log.retry_at = Instant::now();
        write(&mut log, 1);
        assert!(!third.exists() && path.exists());
        // Whoever opens it again leaves them.
        fs::write(&third, "somebody's\n").unwrap();
        log.reopen();
        assert!(third.exists());
    }
}
