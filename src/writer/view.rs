//! The view: from the journal to the three logs and the console.

mod mend;
mod resume;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cursor::{Cursor, Place};
use super::routing::{Outlets, Skips};
use super::supply::Floor;
use super::unreadable::Unreadable;
use crate::crash::{self, CrashPoint};
use crate::entry::OwnEntry;
use crate::journal::{
    Checkpoint, JournalError, JournalReader, Liveness, Merge, Position, SegmentIndex, Step,
};
use crate::shared::{Core, FileError, Part, Progress, ViewCounts, ticks_now};

pub(crate) use resume::Resume;

/// Bytes of the journal that one poll reads at most.
const BUDGET_BYTES: u64 = 256 << 10;

/// So many entries are rendered before the batch is looked at.
const ENTRIES_AT_ONCE: usize = 32;

/// Behind a segment's first frame, which says that another run writes.
const FIRST_FRAME: u64 = 4096;

/// How long a view with nothing to do sleeps at most.
const NAP_MAX: Duration = Duration::from_millis(250);

/// How long it sleeps while entries wait for their order.
const NAP_WAITING: Duration = Duration::from_millis(2);

/// What a poll did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewPoll {
    /// Something; there may be more.
    Worked,
    /// Nothing: the journal has nothing new.
    Idle,
    /// The journal has ended and everything is rendered, or the views were told to give up.
    Ended,
}

/// What a poll is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// It reads frames.
    Frame,
    /// It looks for the next entries in their order.
    Order,
    /// It shows an entry.
    Entry,
    /// Files, and what else there is.
    Else,
}

/// A place at which polls panic.
#[derive(Debug, Default)]
struct Failed {
    /// How many entries had been shown, in all.
    shown: u64,
    times: u32,
}

/// The agent that renders the logs.
#[derive(Debug)]
pub(crate) struct View {
    core: Arc<Core>,
    outlets: Outlets,
    reader: JournalReader,
    merge: Merge,
    unreadable: Unreadable,
    /// As [`Progress::stuck`] when it was last heeded.
    stuck: u64,
    floor: Floor,
    cursor: Option<Cursor>,
    cursor_failed: bool,
    /// The segment of the place that the cursor's file names.
    noted: u64,
    /// Set while the journal cannot be read: when it is tried again.
    unread_until: Option<Instant>,
    /// The merge's checkpoint at the beginning of the batch, and the segment of its place.
    checkpoint: Vec<u8>,
    batch_segment: u64,
    skips: Skips,
    /// The skips at the beginning of the batch, and how many entries the logs had.
    skips_before: Skips,
    entries_before: [u64; 3],
    /// Entries that every outlet has, in all; and when the batch began.
    shown: u64,
    shown_before: u64,
    /// What the poll under way is at; and what it panicked at, how often in a row.
    at: At,
    failed: Failed,
    /// Whether a poll has not come to its end.
    torn: bool,
    /// The first segment of this run, and whether the view has come to it.
    first: u64,
    begun: bool,
    /// The journal's end as of the last poll.
    known: Position,
    /// When the pass began whose frame was read last, in ticks.
    pass_ticks: u64,
}

impl View {
    pub(crate) fn new(
        core: Arc<Core>,
        outlets: Outlets,
        floor: Floor,
        index: SegmentIndex,
        first: u64,
        resume: Resume,
    ) -> Self {
        let begins = resume.checkpoint.is_none();
        let checkpoint =
            resume.checkpoint.unwrap_or_else(|| Checkpoint::at(Position::start_of(first)));
        let checkpoint_sequence = checkpoint.position.sequence;
        let mut reader = JournalReader::new(index, Some(checkpoint.position), Liveness::Live);
        reader.set_ended_before(first);
        let mut view = Self {
            core,
            outlets,
            reader,
            merge: Merge::resume(checkpoint),
            unreadable: Unreadable::default(),
            stuck: 0,
            floor,
            cursor: resume.cursor,
            cursor_failed: false,
            unread_until: None,
            noted: checkpoint_sequence,
            checkpoint: Vec::new(),
            batch_segment: checkpoint_sequence,
            skips: resume.skips,
            skips_before: resume.skips,
            entries_before: [0; 3],
            shown: 0,
            shown_before: 0,
            at: At::Else,
            failed: Failed::default(),
            torn: false,
            first,
            begun: false,
            known: Position::default(),
            pass_ticks: 0,
        };
        view.begin_batch();
        view.outlets.miss_from_before(resume.missing);
        if resume.in_doubt {
            view.tell_doubt();
        } else if begins {
            // Whoever dies before its first batch has the next start begin here.
            view.note_cursor();
        }
        view
    }

    /// Renders what the journal has gained, up to a bounded amount.
    ///
    /// # Panics
    /// Where there is a fault in it. The next poll puts right what this one has left.
    pub(crate) fn poll(&mut self) -> ViewPoll {
        if std::mem::replace(&mut self.torn, true) {
            self.mend();
        }
        let polled = self.go_on();
        self.torn = false;
        polled
    }

    fn go_on(&mut self) -> ViewPoll {
        if self.core.control.views_abandoned() {
            return ViewPoll::Ended;
        }
        // Taken before reading: everything up to it is read when the reader meets the end of data.
        let progress = self.core.control.progress();
        self.known = progress.journal;
        // An abandoned segment has no end that says so.
        self.reader.set_ended_before(progress.journal.sequence.max(self.first));
        let (read, at_end) = self.read(progress.journal);
        let mut ended = false;
        if at_end {
            // A segment that was given up may hold no frame that would say so.
            self.reader.position().into_iter().for_each(|here| self.merge.skip_to(here));
            self.merge.advance(progress.boundary);
            if progress.stuck > self.stuck {
                self.stuck = progress.stuck;
                self.merge.finish();
            }
            if progress.drain_ended {
                self.merge.finish();
                ended = true;
            }
        }
        self.retry_cursor();
        let given = self.give_out();
        self.write();
        if at_end {
            self.count_unreadable(&progress);
        }
        if read && self.begun {
            self.core.metrics.note_viewed(self.pass_ticks, ticks_now());
        }
        self.answer(&progress);
        self.sync_if_asked(&progress);
        match (ended, read || given) {
            (true, _) => ViewPoll::Ended,
            (false, true) => ViewPoll::Worked,
            (false, false) => ViewPoll::Idle,
        }
    }

    /// Reads frames into the merge: whether there were any, and whether that was all up to `end`.
    ///
    /// Nothing is looked for behind the journal's end: a segment that is prepared there may go
    /// again when the engine stops.
    fn read(&mut self, end: Position) -> (bool, bool) {
        let mut budget = BUDGET_BYTES;
        let mut any = false;
        if self.unread_until.is_some_and(|until| Instant::now() < until) {
            return (any, false);
        }
        while budget > 0 {
            self.begin_run_if_reached();
            if self.reader.position().is_some_and(|here| here >= end) {
                return (any, true);
            }
            self.at = At::Frame;
            let step = self.reader.next_frame();
            if step.is_ok() && self.unread_until.take().is_some() {
                self.core.control.outage().works(Part::Reading, 0);
            }
            match step {
                Ok(Step::Frame(frame)) => {
                    crash::pass(CrashPoint::FrameRead);
                    any = true;
                    let bytes = frame.end.offset.saturating_sub(frame.position.offset);
                    budget = budget.saturating_sub(bytes.max(1));
                    self.pass_ticks = frame.pass_ticks().unwrap_or(self.pass_ticks);
                    self.merge.push(&frame);
                }
                Ok(Step::EndOfData) => return (any, true),
                Ok(Step::Expired { first, last }) => {
                    self.go_over_gap(first, last);
                }
                Ok(Step::Damaged { sequence, from, to, fault }) => {
                    let gap = self.unreadable.damaged(sequence, (from, to), fault);
                    self.tell_gap(gap);
                }
                Err(error) => {
                    self.tell_failure(&error);
                    return (any, false);
                }
            }
            if self.outlets.is_full() || self.merge.waiting() > 100_000 {
                self.give_out();
            }
        }
        (any, false)
    }

    /// What was in the segments that are gone is in no file: what the logs have of it already must not
    /// be looked for in what follows.
    fn go_over_gap(&mut self, first: u64, last: u64) {
        self.merge.finish();
        self.give_out();
        self.skips = Skips::default();
        let gap = self.unreadable.expired(first, last);
        self.tell_gap(gap);
        // What follows begins a batch of its own: it must not take the line of the gap for its first.
        self.write();
        self.reader.position().into_iter().for_each(|here| self.merge.skip_to(here));
        self.begin_batch();
    }

    /// What earlier runs left is rendered first and not counted: the counters are of this run.
    fn begin_run_if_reached(&mut self) {
        let reached = |here: Position| here.sequence >= self.first && here.offset > FIRST_FRAME;
        if !self.begun && self.reader.position().is_some_and(reached) {
            self.give_out();
            self.write();
            // No log has anything of this run, whatever the last one's cursor says.
            self.skips = Skips::default();
            self.merge.forget_skip();
            self.begin_batch();
            self.note_cursor();
            self.outlets.begin_run();
            self.begun = true;
        }
    }

    /// When all is read and rendered up to where the journal ended, what is missing could not be
    /// read.
    fn count_unreadable(&mut self, progress: &Progress) {
        let all_read = self.reader.position().is_some_and(|here| here >= progress.journal);
        if all_read && self.unreadable.was_told() && self.merge.waiting() == 0 && self.begun {
            let missing = progress.journaled.saturating_sub(self.outlets.counts().records);
            self.unreadable.records = self.unreadable.records.max(missing);
        }
    }

    fn counts(&mut self) -> ViewCounts {
        ViewCounts { unreadable: self.unreadable.records, ..self.outlets.counts() }
    }

    /// Such a line is none of the entries that a log may have already.
    fn tell_gap(&mut self, gap: Option<OwnEntry>) {
        if let Some(gap) = gap {
            self.outlets.tell(&gap.entry());
        }
    }

    /// Says that the logs may miss entries of earlier runs, whatever they have.
    fn tell_doubt(&mut self) {
        let gap = Unreadable::doubtful();
        self.tell_gap(gap);
        self.write();
        self.note_cursor();
        // Where that fails, the next start says it again.
        let place = Place::newest(&self.core.configuration.log_dir.join("journal"));
        let _told_once = place.map(|place| place.write());
    }

    /// Tells once that the journal cannot be read, and leaves it alone for a while.
    fn tell_failure(&mut self, error: &JournalError) {
        let outage = self.core.control.outage();
        outage.failed(Part::Reading, error.into(), "the logs wait until it works again");
        self.unread_until = Some(Instant::now() + NAP_MAX);
    }

    /// Renders every entry that is due: whether there were any.
    fn give_out(&mut self) -> bool {
        let mut any = false;
        loop {
            if self.outlets.is_full() {
                self.write();
                self.tell_progress();
            }
            self.at = At::Order;
            let Some(entries) = self.merge.next_entries(ENTRIES_AT_ONCE) else { break };
            any = true;
            self.at = At::Entry;
            for (entry, release) in entries {
                self.outlets.entry(&entry, release.late, &mut self.skips);
                self.shown += 1;
            }
            self.at = At::Else;
            crash::pass(CrashPoint::EntriesRendered);
        }
        self.at = At::Else;
        any
    }

    /// Remembers where the next batch begins.
    fn begin_batch(&mut self) {
        let checkpoint = self.merge.checkpoint();
        self.batch_segment = checkpoint.position.sequence;
        self.checkpoint.clear();
        checkpoint.encode(&mut self.checkpoint);
        self.skips_before = self.skips;
        self.entries_before = self.outlets.log_entries();
        self.shown_before = self.shown;
    }

    /// Writes the batch, with the place where it begins noted before.
    fn write(&mut self) {
        let mut begins = true;
        loop {
            // Before it is noted, so that the files are those that the lines go to.
            self.outlets.look();
            let is_due = self.outlets.is_due();
            if is_due && (std::mem::take(&mut begins) || self.outlets.is_beyond_note()) {
                // Who syncs a place is to see the rotations in front of it.
                let rotations = self.outlets.rotations();
                self.core.control.update(false, |now| now.views.rotations = rotations);
                self.note_cursor();
                crash::pass(CrashPoint::BatchNoted);
            }
            let all = self.outlets.write();
            if is_due {
                crash::pass(CrashPoint::BatchWritten);
            }
            self.outlets.take_removed().for_each(|removed| self.floor.close(removed));
            if all {
                break;
            }
        }
        self.begin_batch();
    }

    /// Notes the place between two batches where the last note has failed: nobody waits for a line.
    fn retry_cursor(&mut self) {
        if self.cursor_failed {
            self.note_cursor();
        }
    }

    fn note_cursor(&mut self) {
        self.noted = self.batch_segment;
        let (Some(cursor), Some(logs)) = (&mut self.cursor, self.outlets.logs()) else { return };
        if !cursor.is_due() || !self.core.control.owns_directory() {
            return;
        }
        let outage = self.core.control.outage();
        let skips = self.skips_before.and(self.entries_before, self.outlets.log_entries());
        match cursor.note(&self.checkpoint, logs, skips) {
            Ok(()) => {
                self.outlets.note_noted();
                if std::mem::take(&mut self.cursor_failed) {
                    outage.works(Part::Cursor, 0);
                }
            }
            // Its directory is missing: the janitor makes it anew, or tells why it cannot.
            Err(error) if error.kind() == ErrorKind::NotFound => self.cursor_failed = true,
            Err(error) => {
                self.cursor_failed = true;
                let error = FileError::new("write to", cursor.file_path(), &error);
                outage.failed(
                    Part::Cursor,
                    error,
                    "after a crash, entries may stand twice in the logs",
                );
            }
        }
    }

    /// Tells how far the views are, in the middle of what is due: who waits for that need not wait
    /// for all of it.
    fn tell_progress(&mut self) -> Position {
        let needed = self.merge.oldest_needed();
        if needed > self.noted {
            // Who dies behind this has the next start begin there: what it needs is recycled last.
            self.note_cursor();
        }
        self.floor.raise(needed);
        let viewed = self.reader.position().unwrap_or_default();
        let counts = self.counts();
        self.core.control.update(false, |now| (now.viewed, now.views) = (viewed, counts));
        viewed
    }

    /// Tells how far the views are when all that is due is rendered.
    fn answer(&mut self, progress: &Progress) {
        let viewed = self.tell_progress();
        if viewed >= progress.barrier_position {
            let news = progress.rendered < progress.barrier;
            self.core.control.update(news, |now| {
                now.rendered = now.rendered.max(progress.barrier);
            });
        }
    }

    /// Syncs the logs for a caller that waits for it. Takes as long as the disk does; meanwhile the
    /// journal takes the records.
    fn sync_if_asked(&mut self, progress: &Progress) {
        let asked = self.core.control.syncs();
        if asked > progress.synced {
            let journal = self.core.configuration.log_dir.join("journal");
            let ours = self.core.control.owns_directory();
            let place = ours.then(|| Place::newest(&journal)).flatten();
            let told = |error| FileError::new("sync", &Cursor::path(&journal), &error).to_string();
            let keep = || place.map_or(Ok(()), |place| place.keep().map_err(told));
            let outcome = self.outlets.sync().and_then(|()| keep());
            self.core.control.synced_logs(asked, outcome);
        }
    }

    /// Sleeps until the journal grows, or entries that wait for their order may be due.
    pub(crate) fn wait(&mut self) {
        if let Some(until) = self.unread_until {
            return std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
        let nap = if self.merge.waiting() > 0 { NAP_WAITING } else { NAP_MAX };
        self.core.control.wait_for_journal(self.known, nap);
    }

    /// Notes where the next start goes on, and tells that the views have ended.
    pub(crate) fn finish(mut self) {
        // Lines that a panic has kept from the logs are the next start's, from where their batch begins.
        if !self.torn && !self.outlets.has_lines() {
            self.begin_batch();
            self.note_cursor();
        }
        let counts = self.counts();
        self.core.control.update(true, |now| {
            now.views = counts;
            now.views_ended = true;
        });
    }
}
