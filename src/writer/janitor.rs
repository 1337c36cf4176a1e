//! The janitor prepares segments ahead of the drain, and looks after the files that others may take
//! away.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TrySendError};

use super::keeper::Keeper;
use super::reporter::{Reporter, tell_journal_gap};
use super::supply::{Desk, Floor, Returned, Supply, connect};
use crate::handlers::notice;
use crate::journal::{Prepared, SegmentStore, Taken, shortage};
use crate::ring::LossReason;
use crate::shared::{Core, FileError, JournalGap, Part, Refusal, make_parents, utc_now};

/// How soon a segment that the views still read is asked for again.
const HELD_RETRY: Duration = Duration::from_millis(1);

/// How often a disk that refused a segment is asked again, and how often it is looked whether the
/// files are still where they were.
const LOOK: Duration = Duration::from_millis(250);

/// What has become of a segment that nobody finds, or not all of it.
const TAKEN: &str = "somebody has removed or renamed it, or cut it off";

/// The thread that does what takes long: making, populating and recycling segments. In between it
/// reports how the logger is doing.
#[derive(Debug)]
pub(crate) struct Janitor {
    core: Arc<Core>,
    store: SegmentStore,
    desk: Desk,
    reporter: Reporter,
    /// Prepared segments, the next one first. More than one only where a file has taken the place of
    /// memory, or was made while the disk was not trusted.
    ready: VecDeque<Prepared>,
    /// Whether the journal is to be in files.
    in_files: bool,
    /// Set while it is not, although it is to be.
    gap: Option<JournalGap>,
    /// The last such time that is over.
    last: Option<JournalGap>,
    /// Such times that are over and not told yet.
    gaps: Vec<JournalGap>,
    /// Records in memory alone that one of these times has.
    in_memory: u64,
    look_at: Instant,
    /// Set when the drain needs no more segments.
    ending: bool,
}

impl Janitor {
    /// The janitor of a store, and its clients.
    pub(crate) fn new(store: SegmentStore, core: &Arc<Core>) -> (Janitor, Supply, Floor) {
        let (desk, supply, floor) = connect();
        let janitor = Janitor {
            store,
            desk,
            reporter: Reporter::new(Arc::clone(core)),
            ready: VecDeque::new(),
            in_files: core.control.in_files(),
            gap: None,
            last: None,
            gaps: Vec::new(),
            in_memory: 0,
            look_at: Instant::now() + LOOK,
            ending: false,
            core: Arc::clone(core),
        };
        (janitor, supply, floor)
    }

    /// Keeps one segment ready until the drain is gone.
    pub(crate) fn run(mut self, mut keeper: Keeper) {
        while keeper.keep(|| self.step()) != Some(ControlFlow::Break(())) {
            keeper.pause();
        }
    }

    /// Does the next thing, or waits until there is one; breaks when the drain is gone.
    fn step(&mut self) -> ControlFlow<()> {
        self.note_trouble();
        let mut pause = Duration::MAX;
        if self.ready.is_empty() && !self.ending {
            pause = self.prepare();
        }
        if let Some(segment) = self.ready.pop_front() {
            match self.desk.prepared.try_send(segment) {
                Ok(()) => return ControlFlow::Continue(()),
                // A drain that is gone is noticed below.
                Err(TrySendError::Full(segment) | TrySendError::Disconnected(segment)) => {
                    self.ready.push_front(segment);
                }
            }
        }
        // Until then, what is ready is made complete.
        while !self.ending && self.desk.returned.is_empty() && self.store.populate_more() {}
        pause = pause.min(self.look()).min(self.reporter.poll());
        // A drain that takes a segment gives one back: that is the signal to go on.
        match self.desk.returned.recv_timeout(pause) {
            Ok(Returned::Written(segment)) => self.store.recycle(segment),
            Ok(Returned::Removed(file)) => drop(file),
            Ok(Returned::Ended { last, spare }) => {
                self.ending = true;
                // Nothing is written to it any more.
                self.core.control.outage().works(Part::Name, 0);
                self.store.note_if_taken(&last);
                self.tell_last_taken();
                self.discard_ready();
                if let Some(segment) = spare {
                    self.store.discard(segment);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.discard_ready();
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Removes what is ready, the later one first: a reader that finds a later segment takes the
    /// missing one for recycled.
    fn discard_ready(&mut self) {
        while let Some(segment) = self.ready.pop_back() {
            self.store.discard(segment);
        }
        if let Some(segment) = self.desk.take_back() {
            self.store.discard(segment);
        }
    }

    /// The same of those in memory alone: what follows a file says that the file is in front of it.
    fn discard_ready_memory(&mut self) {
        let taken_back = self.desk.take_back();
        let ready = taken_back.into_iter().chain(std::mem::take(&mut self.ready));
        let (in_memory, in_files) = ready.partition::<Vec<_>, _>(Prepared::is_in_memory);
        self.ready = in_files.into();
        in_memory.into_iter().rev().for_each(|segment| self.store.discard(segment));
    }

    /// Makes the next segment ready; how long to wait before the next attempt.
    fn prepare(&mut self) -> Duration {
        let (why, pause) = match self.store.prepare(self.desk.shared.oldest_needed()) {
            Ok(Some(segment)) => {
                if self.gap.is_some() && !segment.is_in_memory() {
                    // The disk gives files again: what is being written in memory is left for this one.
                    self.desk.shared.leave_memory_before(segment.sequence());
                    self.core.control.wake_drain();
                }
                self.ready.push_back(segment);
                (LossReason::Full, Duration::ZERO)
            }
            Ok(None) => (LossReason::ViewLag, HELD_RETRY),
            // There is not even memory.
            Err(error) => {
                let lost = "records that find the ring full are counted as lost";
                self.core.control.outage().failed(Part::Journal, (&error).into(), lost);
                (LossReason::Disk, LOOK)
            }
        };
        self.note_trouble();
        self.desk.shared.say_why(why);
        pause
    }

    /// Notes that the disk gives no segment, if that is new.
    fn note_trouble(&mut self) {
        if let Some(error) = self.store.take_made_up_for() {
            self.core.control.outage().made_up_for((&error).into());
        }
        let Some(trouble) = self.store.trouble().filter(|_| self.gap.is_none()) else { return };
        let reason = trouble.to_string();
        let error = FileError::from(trouble);
        self.core.control.outage().failed(Part::Journal, error, Part::CONSOLE_ONLY);
        let now = utc_now();
        let gap = JournalGap { reason, in_memory: true, from: now, until: now, records: 0 };
        self.gap = Some(gap);
    }

    /// What is done every now and then; how long until the next time.
    fn look(&mut self) -> Duration {
        if !self.in_files || self.ending {
            return Duration::MAX;
        }
        let now = Instant::now();
        if now >= self.look_at {
            self.look_at = now + LOOK;
            self.core.look_for_ring();
            if self.look_for_directory() {
                self.look_for_shortage();
                self.look_for_misplaced();
                self.look_for_room();
            }
            self.note_trouble();
            self.note_taken();
            self.end_gap();
            self.gaps.retain(|gap| !tell_journal_gap(&self.core, gap));
            self.core.control.outage().settle(false);
        }
        self.look_at - now
    }

    /// Takes the log directory again if it is gone, or was not to be had; whether it is this engine's.
    fn look_for_directory(&mut self) -> bool {
        let control = &self.core.control;
        let Some(claim) = control.claim() else { return true };
        let taken = if claim.is_held() {
            Ok(())
        } else {
            let why = "the log directory is not this engine's".to_owned();
            let behind = self.store.hold_off(why);
            claim.take().inspect_err(|_| self.desk.shared.leave_before(behind))
        };
        let configuration = &self.core.configuration;
        let made = taken.and_then(|()| match configuration.render_logs {
            true => make_parents(&configuration.log_paths(), configuration.dir_mode),
            false => Ok(()),
        });
        let Err(refusal) = made else {
            control.outage().works(Part::Directory, 0);
            return true;
        };
        let refused = |reason| FileError::refused("use", claim.directory(), reason);
        let error = match refusal {
            Refusal::InUse(owner) => refused(format!("it is in use by process {owner} now")),
            Refusal::Trap(reason) => refused(reason),
            Refusal::Disk(error) => error,
        };
        control.outage().failed(Part::Directory, error, Part::CONSOLE_ONLY);
        claim.is_held()
    }

    /// Notes whether there is as much room as is to stay free.
    fn look_for_shortage(&mut self) {
        let control = &self.core.control;
        let configuration = &self.core.configuration;
        // What the system does not tell now is as it was.
        let Ok(found) = shortage(&configuration.log_dir, configuration.disk_reserve, 0) else {
            return;
        };
        match &found {
            Some(text) => {
                let (path, action) = (&configuration.log_dir, "go on in");
                let error = FileError::refused(action, path, text.clone());
                control.outage().failed(Part::Room, error, Part::CONSOLE_ONLY);
            }
            None => control.outage().works(Part::Room, 0),
        }
        control.set_shortage(found);
    }

    /// Has the drain leave a segment that nobody finds by its name any more.
    fn look_for_misplaced(&mut self) {
        let control = &self.core.control;
        let mut misplaced = self.store.misplaced().peekable();
        let Some((newest, path)) = misplaced.peek() else {
            return control.outage().works(Part::Name, 0);
        };
        let error = FileError::refused("find", path, TAKEN.to_owned());
        control.outage().failed(Part::Name, error, "the journal goes on in another segment");
        self.desk.shared.leave_before(newest + 1);
        // Whoever syncs does not find what was written there, either.
        let written = control.progress().journal.sequence;
        if let Some((sequence, _)) = misplaced.find(|(sequence, _)| *sequence <= written) {
            control.note_segment_taken(sequence);
        }
        control.wake_drain();
    }

    /// Counts what is in segments that were taken away while they were written.
    fn note_taken(&mut self) {
        for Taken { sequence, path, since, records } in self.store.take_taken() {
            let reason = format!("{}: {TAKEN}", path.display());
            let gap =
                JournalGap { reason, in_memory: false, from: since, until: utc_now(), records };
            self.core.control.note_segment_taken(sequence);
            self.core.control.count_taken(records);
            self.in_memory += records;
            self.gaps.push(gap);
        }
    }

    /// Tells on stderr what was taken and is in no entry: there will be none any more.
    fn tell_last_taken(&mut self) {
        self.note_taken();
        for JournalGap { reason, records, .. } in self.gaps.iter().filter(|gap| !gap.in_memory) {
            notice(&format!("{reason}: up to {records} entries are in no file of the journal"));
        }
    }

    /// While the journal is in memory, asks the disk for a segment.
    fn look_for_room(&mut self) {
        if self.store.trouble().is_none() {
            return;
        }
        match self.store.prepare_file(self.desk.shared.oldest_needed()) {
            Ok(Some(segment)) => {
                // The file comes next, not what is ready in memory.
                self.discard_ready_memory();
                self.desk.shared.leave_memory_before(segment.sequence());
                self.core.control.wake_drain();
                self.ready.push_back(segment);
            }
            // There may be no more files, and what is ready is among them: it is made anew the next time.
            Ok(None) => self.discard_ready(),
            // What fails now has failed before.
            Err(_) => {}
        }
    }

    /// Notes that the journal is in files again, once the drain writes to one.
    fn end_gap(&mut self) {
        let progress = self.core.control.progress();
        if self.store.trouble().is_some() || progress.journal_in_memory {
            return;
        }
        self.store.release_memory(self.desk.shared.oldest_needed());
        let records = progress.in_memory_records - self.in_memory;
        self.in_memory = progress.in_memory_records;
        if let Some(gap) = self.gap.take() {
            self.core.control.outage().works(Part::Journal, records);
            self.last = Some(gap);
        }
        // What was made in memory may have been taken when the disk worked again already.
        if let Some(gap) = self.last.clone().filter(|_| records > 0) {
            self.gaps.push(JournalGap { until: utc_now(), records, ..gap });
        }
    }
}
