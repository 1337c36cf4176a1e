//! The drain: from the ring into the journal.

mod end;
mod mend;
mod pace;
mod recover;
mod step;

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::bite::{TRICKLE, ahead_bytes_max, bite_bytes, fetch_backwards, linger_ticks};
use super::recovery::Recovery;
use super::supply::Supply;
use crate::clock::{Calibrator, now, now_after_loads};
use crate::crash::{self, CrashPoint};
use crate::definition::fit_context;
use crate::handlers::notice;
use crate::journal::{
    AppendError, Appender, Definitions, JournalError, LanePosition, Position, Prepared,
};
use crate::metrics::Metrics;
use crate::processors::{Masking, TextScreen};
use crate::record::{Gap, RecordHeader, TimeKind};
use crate::ring::{GapInfo, LossReason, RingDrain};
use crate::shared::{Control, Core};
use step::ClockStep;

/// The agent that moves records from the ring into the journal.
///
/// A *pass* notes the time T and takes from every lane what was stamped up to T; what was stamped
/// later waits for the next one. So the passes follow each other in time, and views merge within
/// them. A pass that meets the end of the prepared segments stays open and is continued.
#[derive(Debug)]
pub(crate) struct Drain {
    ring: RingDrain,
    appender: Appender,
    calibrator: Calibrator,
    /// A step of UTC that no entry tells yet.
    clock_step: Option<ClockStep>,
    supply: Supply,
    core: Arc<Core>,
    control: Arc<Control>,
    metrics: Arc<Metrics>,
    masking: Arc<Masking>,
    /// The changes of what is masked that the ring's contexts have gone through.
    mask_changes: u64,
    pass: Option<Pass>,
    /// Bytes that one poll takes at most, and when the views are not far behind.
    bite_bytes: u64,
    bite_bytes_max: u64,
    ring_bytes: u64,
    segment_bytes: u64,
    /// How far the views had read, and how many records they had rendered, when last asked.
    viewed: Position,
    rendered: u64,
    /// How far the journal may be ahead of them.
    ahead_bytes_max: u64,
    /// When the last poll ended that was not held back for the views' sake, and after how many ticks
    /// the next one goes on whatever they do.
    went_on_ticks: u64,
    trickle_ticks: u64,
    /// What the journal holds for good, in records and in bytes, and the appender's own counts at
    /// that time.
    journaled: u64,
    journal_bytes: u64,
    records_seen: u64,
    bytes_seen: u64,
    in_memory_seen: u64,
    passes: u64,
    barrier: u64,
    position: Position,
    /// Whether the current segment cannot be written.
    broken: bool,
    /// Whether the views were told that there is no other one.
    stuck: bool,
    /// Losses that the journal tells once the pass is published.
    told: Vec<(u32, GapInfo)>,
    /// When the oldest record was made that is not published yet, as far as known.
    oldest_ticks: u64,
    /// When the last pass began, and the one before; the greatest number before the first ones.
    begun_ticks: [u64; 2],
    /// A segment that could not be switched to.
    spare: Option<Prepared>,
    /// How long little may wait in the ring.
    linger_ticks: u64,
    /// What dead processes left: it comes first.
    recovery: Option<Box<Recovery>>,
    /// Bytes that were published when the dead ring at hand remembered them.
    salvaged_bytes: u64,
    /// Panics in a row over that.
    recovery_panics: u32,
    /// Whether a poll has not come to its end.
    torn: bool,
}

/// A pass that is under way.
#[derive(Debug, Clone, Copy)]
struct Pass {
    /// The newest flush that was asked for when it began.
    flush: u64,
    /// The lane to go on with, and how much was taken from it.
    lane: u32,
    lane_bytes: u64,
}

/// What a poll did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DrainPoll {
    /// It moved so many bytes.
    Moved(u64),
    /// It can go no further: no segment is ready.
    Held,
}

/// Why a poll ends before its pass does.
enum Stop {
    /// It has done enough for one poll.
    Budget,
    /// No segment is ready.
    Held,
    /// A segment has ended, and everything that was taken is published with it.
    Rolled,
    /// The segment cannot be written: publishing it fails, too, and says why.
    Failed,
    /// So many bytes do not fit into any segment.
    Unwritable(u32),
}

impl Drain {
    pub(crate) fn new(
        ring: RingDrain,
        mut appender: Appender,
        calibrator: Calibrator,
        supply: Supply,
        core: &Arc<Core>,
    ) -> Self {
        appender.screen_with(Box::new(TextScreen::new(Arc::clone(&core.masking))));
        Self {
            ring,
            appender,
            calibrator,
            clock_step: None,
            supply,
            core: Arc::clone(core),
            control: Arc::clone(&core.control),
            metrics: Arc::clone(&core.metrics),
            masking: Arc::clone(&core.masking),
            mask_changes: 0,
            pass: None,
            bite_bytes: bite_bytes(&core.configuration),
            bite_bytes_max: bite_bytes(&core.configuration),
            ring_bytes: core.configuration.ring_bytes,
            segment_bytes: core.configuration.journal_segment_bytes,
            viewed: Position::default(),
            rendered: 0,
            ahead_bytes_max: ahead_bytes_max(&core.configuration),
            went_on_ticks: 0,
            trickle_ticks: core.ticks_in(TRICKLE),
            journaled: 0,
            journal_bytes: 0,
            records_seen: 0,
            bytes_seen: 0,
            in_memory_seen: 0,
            passes: 0,
            barrier: 0,
            position: Position::default(),
            broken: false,
            stuck: false,
            told: Vec::new(),
            oldest_ticks: u64::MAX,
            begun_ticks: [u64::MAX; 2],
            spare: None,
            linger_ticks: linger_ticks(core),
            recovery: None,
            salvaged_bytes: 0,
            recovery_panics: 0,
            torn: false,
        }
    }

    /// Does one pass, or the next part of one.
    ///
    /// # Errors
    /// The journal's medium failed; nothing was taken from the ring for good, and the next poll
    /// tries again, in another segment.
    ///
    /// # Panics
    /// Where there is a fault in it. The next poll puts right what this one has left.
    pub(crate) fn poll(&mut self) -> Result<DrainPoll, JournalError> {
        if std::mem::replace(&mut self.torn, true) {
            self.mend();
        }
        let polled = self.go_on();
        self.torn = false;
        polled
    }

    fn go_on(&mut self) -> Result<DrainPoll, JournalError> {
        if self.control.drain_is_held() {
            return Ok(DrainPoll::Held);
        }
        if self.broken && !self.leave_broken_segment() {
            self.release_views_without_barrier();
            return Ok(DrainPoll::Held);
        }
        self.leave_early();
        if self.recovery.is_none() && self.can_wait() {
            return Ok(DrainPoll::Moved(0));
        }
        if self.is_too_far_ahead() {
            self.ring.ring().set_full_reason(LossReason::ViewLag);
            return Ok(DrainPoll::Held);
        }
        // What is recovered is to be kept: it waits until there is a file for it.
        if self.recovery.is_some() && !self.appender.is_in_memory() {
            return self.poll_recovery();
        }
        let mut pass = self.pass.take().unwrap_or_else(|| self.begin_pass());
        let before = self.journal_bytes;
        let mut stop = self.run(&mut pass).err();
        if matches!(stop, Some(Stop::Held)) {
            stop = self.release_views().err().or(stop);
        }
        let stop = stop.filter(|stop| !matches!(stop, Stop::Failed | Stop::Unwritable(_)));
        if let Err(error) = self.publish(pass, stop.is_none()) {
            self.take_again();
            self.broken = true;
            self.ring.ring().set_full_reason(LossReason::Disk);
            return Err(error);
        }
        let held = matches!(stop, Some(Stop::Held));
        if stop.is_some() {
            self.pass = Some(pass);
        }
        self.ring.ring().set_full_reason(if held {
            self.supply.why_held()
        } else {
            LossReason::Full
        });
        self.went_on_ticks = now().0;
        let moved = self.journal_bytes - before;
        Ok(if held && moved == 0 { DrainPoll::Held } else { DrainPoll::Moved(moved) })
    }

    /// Goes on in a fresh segment after a failure.
    fn leave_broken_segment(&mut self) -> bool {
        let Some(next) = self.spare.take().or_else(|| self.supply.take()) else { return false };
        let given_up = self.appender.abandon(next);
        (self.records_seen, self.bytes_seen) = self.appender.published();
        self.control.count_sigbus(given_up.holes());
        self.supply.give_back(given_up);
        (self.broken, self.stuck) = (false, false);
        // The views need not wait for a pass to leave the segment.
        let position = Position::start_of(self.appender.sequence());
        self.position = position;
        let in_memory = self.appender.is_in_memory();
        self.control.update(true, |progress| {
            (progress.journal, progress.journal_in_memory) = (position, in_memory);
        });
        true
    }

    fn begin_pass(&mut self) -> Pass {
        // The flush is read before the clock: what its caller committed is stamped before T.
        let flush = self.control.flushes();
        let ticks = now_after_loads().0;
        self.begun_ticks = [ticks, self.begun_ticks[0]];
        self.mask_contexts();
        self.ring.begin_pass();
        let calibration = self.calibrate(ticks);
        self.appender.begin_pass(ticks, calibration);
        if flush > self.barrier {
            self.appender.take_callers_stamps();
        }
        Pass { flush, lane: 0, lane_bytes: 0 }
    }

    /// Masks in the ring what was bound before its name became a sensitive one. What is written to
    /// the journal meanwhile is masked by the screen.
    fn mask_contexts(&mut self) {
        let changes = self.masking.changes();
        if std::mem::replace(&mut self.mask_changes, changes) != changes {
            // ORDERING: SeqCst, between the count of changes above and the contexts below.
            // PAIRS WITH: the fence in `Bound::new`: who did not see the change there has
            //   published its context before this.
            // IF WEAKENED: see there.
            fence(Ordering::SeqCst);
            let slot_bytes = self.ring.ring().definitions().context_bytes_max();
            let masking = &self.masking;
            self.ring.change_contexts(&mut |bytes| {
                let mut masked = masking.context(bytes)?;
                fit_context(&mut masked, slot_bytes);
                Some(masked.into_vec())
            });
        }
    }

    /// Takes what there is, lane by lane, then tells silent losses and marks a flush.
    fn run(&mut self, pass: &mut Pass) -> Result<(), Stop> {
        let mut budget = self.bite_bytes;
        while pass.lane < self.ring.lanes() {
            self.drain_lane(pass, &mut budget)?;
            self.tell_losses(pass.lane)?;
            pass.lane += 1;
            pass.lane_bytes = 0;
        }
        if pass.flush > self.barrier {
            self.append(|appender, _| appender.append_barrier())?;
        }
        Ok(())
    }

    fn drain_lane(&mut self, pass: &mut Pass, budget: &mut u64) -> Result<(), Stop> {
        let lane = pass.lane;
        // T bounds what a lane can give of records that it stamped itself. A caller that brings its
        // stamps could keep the drain here for ever: after a whole ring it is another lane's turn.
        while pass.lane_bytes < self.ring_bytes {
            if *budget == 0 {
                return Err(Stop::Budget);
            }
            let mut made = u64::MAX;
            let looked = self.begun_ticks[1];
            let taken = self.append(|appender, ring| {
                let Some(run) = ring.peek(lane) else { return Ok(None) };
                fetch_backwards(run.bytes);
                made = made_at(run.bytes, looked);
                let position = LanePosition {
                    ring_id: ring.ring().id(),
                    lane: run.lane,
                    generation: run.generation,
                    serial: run.serial,
                    offset: run.offset,
                };
                let bytes = appender.append_run(position, run.bytes, &FromRing(ring))?;
                Ok(Some((bytes, bytes as usize == run.bytes.len())))
            });
            let (bytes, whole) = match taken {
                Ok(Some(taken)) => taken,
                Ok(None) => return Ok(()),
                Err(Stop::Unwritable(bytes)) => {
                    notice("a record does not fit into a segment: raise journal_segment_bytes");
                    (bytes, true)
                }
                Err(stop) => return Err(stop),
            };
            if bytes > 0 {
                self.oldest_ticks = self.oldest_ticks.min(made);
            }
            self.ring.take(lane, bytes);
            pass.lane_bytes += u64::from(bytes);
            *budget = budget.saturating_sub(u64::from(bytes));
            if !whole {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells the losses of a lane that is too quiet to do so itself.
    fn tell_losses(&mut self, lane: u32) -> Result<(), Stop> {
        let Some(info) = self.ring.unreported_losses(lane) else { return Ok(()) };
        let gap = gap_of(&info);
        self.append(|appender, _| appender.append_gap(&gap))?;
        self.told.push((lane, info));
        Ok(())
    }

    /// Appends something; goes on to the next segment when this one is full.
    fn append<T>(
        &mut self,
        what: impl FnOnce(&mut Appender, &RingDrain) -> Result<T, AppendError>,
    ) -> Result<T, Stop> {
        match what(&mut self.appender, &self.ring) {
            Ok(done) => Ok(done),
            Err(AppendError::Full) => Err(self.roll()),
            Err(AppendError::TooLarge { bytes }) => Err(Stop::Unwritable(bytes)),
            Err(_) => Err(Stop::Failed),
        }
    }

    /// Goes on to the next segment: why the poll ends with that. The end of a segment publishes what
    /// is in it, so the ring has to know before anything else is taken.
    fn roll(&mut self) -> Stop {
        let Some(next) = self.supply.take() else { return Stop::Held };
        match self.appender.roll(next) {
            Ok(retired) => {
                self.supply.give_back(retired);
                crash::pass(CrashPoint::SegmentBegun);
                Stop::Rolled
            }
            Err(failed) => {
                self.spare = Some(failed.0);
                Stop::Failed
            }
        }
    }

    /// Frame bytes and segment cursor first, then what the ring remembers, then the blocks.
    fn publish(&mut self, pass: Pass, complete: bool) -> Result<(), JournalError> {
        crash::pass(CrashPoint::FramesWritten);
        let done = self.appender.end_pass()?;
        crash::pass(CrashPoint::CursorWritten);
        self.keep_published();
        crash::pass(CrashPoint::PassDone);
        let flushed = complete && pass.flush > self.barrier;
        if complete {
            self.passes += 1;
            self.barrier = pass.flush;
        }
        let news = flushed || done.position != self.position;
        self.position = done.position;
        let (journaled, journal_bytes) = (self.journaled, self.journal_bytes);
        let (accepted, passes) = (self.ring.accepted(), self.passes);
        let without_views = self.control.without_views();
        let in_memory = self.appender.is_in_memory();
        self.control.update(news, |progress| {
            progress.journal_in_memory = in_memory;
            progress.journal = done.position;
            progress.accepted = accepted;
            progress.journaled = journaled;
            progress.journal_bytes = journal_bytes;
            progress.passes = passes;
            if done.urgent {
                progress.urgent = done.position;
            }
            if complete {
                progress.boundary = done.boundary;
            }
            if flushed {
                progress.barrier = pass.flush;
                progress.barrier_position = done.position;
            }
            if without_views {
                progress.views.records = journaled;
                progress.rendered = progress.barrier;
            }
        });
        if done.urgent {
            self.control.wake_syncer();
        }
        Ok(())
    }

    /// Notes how late the records are that were just published, and how full the ring is: use only
    /// grows until blocks are given back.
    fn measure(&mut self) {
        let oldest = std::mem::replace(&mut self.oldest_ticks, u64::MAX);
        if oldest != u64::MAX {
            let occupancy = self.ring.ring().occupancy();
            self.metrics.drain_lag.note(now_after_loads().0.saturating_sub(oldest));
            self.metrics.used_blocks.note(u64::from(occupancy.blocks - occupancy.free_blocks));
        }
    }
}

/// The definitions that records in the ring refer to.
struct FromRing<'a>(&'a RingDrain);

impl Definitions for FromRing<'_> {
    fn site(&self, id: u32) -> Option<&[u8]> {
        self.0.ring().definitions().site(id)
    }

    fn context(&self, id: u32) -> Option<&[u8]> {
        self.0.context(id)
    }
}

/// When the first record of a run was made: its own stamp tells. One with a stamp of its caller's
/// was committed after the drain had looked at the lane the last time.
fn made_at(run: &[u8], looked: u64) -> u64 {
    match RecordHeader::read(run) {
        Some(header) if header.flags.time_kind() == Some(TimeKind::OwnTicks) => header.time,
        _ => looked,
    }
}

/// The ring's report as a record of the journal.
pub(crate) fn gap_of(info: &GapInfo) -> Gap {
    Gap {
        ticks: info.now_ticks,
        lane: info.lane,
        generation: info.generation,
        by_reason: info.losses.by_reason,
        trade: info.losses.trade,
        first_ticks: info.losses.first_ticks,
        last_ticks: info.losses.last_ticks,
    }
}
