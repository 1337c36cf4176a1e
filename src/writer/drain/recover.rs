//! The drain's first pass after a crash: what dead processes left in their rings goes into the
//! journal in front of everything new.
//!
//! It is one pass for all rings, without a boundary, so that views sort what stands in it by its
//! stamps. The order of writing is that of every pass: frame bytes, the segment's cursor, the words
//! in the dead ring, and its file goes last.

use super::{Drain, DrainPoll, Pass, Stop};
use crate::clock::now_after_loads;
use crate::crash::{self, CrashPoint};
use crate::handlers::notice;
use crate::journal::JournalError;
use crate::ring::LossReason;
use crate::shared::Recovered;
use crate::writer::keeper::lent;
use crate::writer::recovery::Recovery;

impl Drain {
    /// Has dead rings brought home before anything else, if there are any.
    pub(crate) fn recover_first(&mut self, recovery: Option<Recovery>) {
        if recovery.is_none() {
            self.control.recovery_done();
        }
        self.recovery = recovery.map(Box::new);
    }

    /// Brings a part of it home.
    pub(super) fn poll_recovery(&mut self) -> Result<DrainPoll, JournalError> {
        let polled = lent(
            self,
            |drain| &mut drain.recovery,
            |drain, recovery| match recovery {
                Some(recovery) => drain.recover(recovery),
                None => Ok((DrainPoll::Moved(0), true)),
            },
        );
        let (done, all) = polled?;
        if all {
            self.end_recovery();
        }
        Ok(done)
    }

    /// All of it is home, or given up.
    pub(super) fn end_recovery(&mut self) {
        self.recovery = None;
        self.appender.take_only_what_is_due();
        self.appender.recalibrate(self.calibrator.current());
        self.control.recovery_done();
    }

    /// Brings a part of it home; whether that was the last one.
    fn recover(&mut self, recovery: &mut Recovery) -> Result<(DrainPoll, bool), JournalError> {
        let begins = recovery.begin();
        // Passes of the living ring may have come in between.
        self.salvaged_bytes = self.appender.published().1;
        if begins {
            self.appender.begin_pass(now_after_loads().0, None);
        }
        // Again, where other passes came in between because there was no file.
        self.appender.take_everything();
        if begins {
            crash::pass(CrashPoint::RecoveryBegun);
        }
        let before = self.journal_bytes;
        let mut stop = self.take_over(recovery).err();
        if matches!(stop, Some(Stop::Held)) {
            stop = self.release_views().err().or(stop);
        }
        let pass = Pass { flush: self.barrier, lane: 0, lane_bytes: 0 };
        if let Err(error) = self.publish(pass, false) {
            self.take_dead_again(recovery);
            self.broken = true;
            self.ring.ring().set_full_reason(LossReason::Disk);
            return Err(error);
        }
        crash::pass(CrashPoint::RecoveryPublished);
        let all = self.settle(recovery, stop.is_none());
        self.recovery_panics = 0;
        let moved = self.journal_bytes - before;
        let held = matches!(stop, Some(Stop::Held)) && moved == 0;
        let done =
            if held { DrainPoll::Held } else { DrainPoll::Moved(moved.max(u64::from(!all))) };
        Ok((done, all))
    }

    /// What was taken from the ring at hand since the last publication is taken again.
    pub(super) fn take_dead_again(&mut self, recovery: &mut Recovery) {
        if self.appender.published().1 > self.salvaged_bytes {
            // As with the living ring: what was taken is published, and the ring does not know.
            self.settle(recovery, false);
        }
        recovery.current().into_iter().for_each(|ring| ring.rewind());
    }

    /// Takes what one poll may take of the ring at hand.
    fn take_over(&mut self, recovery: &mut Recovery) -> Result<(), Stop> {
        if recovery.current().is_none() {
            match recovery.next_ring(self.calibrator.current()) {
                Ok(Some(line)) => self.appender.recalibrate(line),
                Ok(None) => {}
                Err(failed) => self.note_recovered(failed),
            }
        }
        let mut budget = self.bite_bytes;
        while budget > 0 {
            match self.take_run(recovery)? {
                Some(bytes) => budget = budget.saturating_sub(u64::from(bytes)),
                None => return self.tell_dead_losses(recovery),
            }
        }
        Err(Stop::Budget)
    }

    /// Takes one run: its length, or `None` if nothing is left.
    fn take_run(&mut self, recovery: &mut Recovery) -> Result<Option<u32>, Stop> {
        let Some(salvage) = recovery.current() else { return Ok(None) };
        let run = match salvage.peek(&self.masking) {
            Ok(Some(run)) => run,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.part(recovery, &error);
                return Ok(None);
            }
        };
        let (position, lane) = (run.position, run.position.lane);
        let before = self.appender.records();
        let taken =
            self.append(|appender, _| appender.append_run(position, run.records, run.known));
        match taken {
            Ok(bytes) => {
                salvage.take(lane, bytes, self.appender.records() - before);
                Ok(Some(bytes))
            }
            Err(Stop::Unwritable(bytes)) => {
                notice("a record does not fit into a segment: raise journal_segment_bytes");
                salvage.leave(lane, bytes);
                Ok(Some(bytes))
            }
            Err(stop) => Err(stop),
        }
    }

    /// Tells the losses that the dead process had no time to tell.
    fn tell_dead_losses(&mut self, recovery: &mut Recovery) -> Result<(), Stop> {
        let Some(salvage) = recovery.current() else { return Ok(()) };
        while let Some(gap) = salvage.gap() {
            let ring_id = salvage.id();
            self.append(|appender, _| appender.append_gap_of(ring_id, &gap))?;
            salvage.told(&gap);
        }
        Ok(())
    }

    /// Lets the ring at hand remember what is published, and removes it if that is all; whether
    /// that was the last one.
    fn settle(&mut self, recovery: &mut Recovery, ended: bool) -> bool {
        let Some(salvage) = recovery.current() else { return recovery.is_empty() };
        let committed = salvage.commit();
        self.salvaged_bytes = self.appender.published().1;
        match committed {
            Ok(()) if ended => {
                crash::pass(CrashPoint::RecoveryEnded);
                if let Some(salvage) = recovery.part() {
                    self.note_recovered(salvage.finish());
                }
            }
            Ok(()) => crash::pass(CrashPoint::RecoveryNoted),
            Err(error) => self.part(recovery, &error),
        }
        recovery.current().is_none() && recovery.is_empty()
    }

    pub(super) fn part(&mut self, recovery: &mut Recovery, error: &std::io::Error) {
        if let Some(salvage) = recovery.part() {
            self.note_recovered(salvage.fail(error));
        }
    }

    fn note_recovered(&mut self, recovered: Recovered) {
        if let Some(failure) = &recovered.failure {
            notice(&format!("the ring {}: {failure}", recovered.path.display()));
        }
        self.control.note_recovered(recovered);
    }
}
