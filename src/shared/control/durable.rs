//! How far the journal is on the disk, and what of it will never be.

use std::time::{Duration, Instant};

use super::Control;
use crate::journal::Position;
use crate::shared::progress::Progress;
use crate::shared::sync::SyncError;

impl Control {
    /// Waits until everything committed before the call is in the journal, and that on the disk.
    pub(crate) fn wait_synced(&self, timeout: Duration) -> Result<(), SyncError> {
        let begun = Instant::now();
        let told = self.unfiled_told();
        let ticket = self.request_flush();
        self.wait_until(timeout, |now| now.barrier >= ticket || now.drain_ended)?;
        let progress = self.progress();
        let wanted =
            if progress.barrier >= ticket { progress.barrier_position } else { progress.journal };
        self.update(false, |now| now.sync_wanted = now.sync_wanted.max(wanted));
        self.wake_syncer();
        let left = timeout.saturating_sub(begun.elapsed());
        let waited = self.wait_until(left, |now| now.durable >= wanted);
        waited.map_err(|unfinished| match self.sync_errors().1 {
            Some(reason) => SyncError::Log { reason },
            None => SyncError::Unfinished(unfinished),
        })?;
        self.check_unfiled(told)
    }

    /// Notes that what is in front of `end`, and not on the disk so far, is in no file.
    pub(crate) fn note_unfiled(&self, end: Position) {
        self.update(false, |now| now.unfiled = now.unfiled.max(end));
    }

    /// Notes that a segment which may have records is found by nobody any more.
    pub(crate) fn note_segment_taken(&self, sequence: u64) {
        self.note_unfiled(Position::start_of(sequence.saturating_add(1)));
    }

    /// Counts the records of such segments.
    pub(crate) fn count_taken(&self, records: u64) {
        self.update(false, |now| now.in_memory_records += records);
    }

    /// Up to where the journal was in no file, as far as that was told to whoever waited for the disk.
    pub(crate) fn unfiled_told(&self) -> Position {
        self.progress().unfiled_told
    }

    /// An error where a part of the journal behind `told` is in no file: no wait brings it to the disk.
    pub(crate) fn check_unfiled(&self, told: Position) -> Result<(), SyncError> {
        let progress = self.progress();
        if progress.unfiled <= told {
            return Ok(());
        }
        self.update(false, |now| now.unfiled_told = now.unfiled_told.max(progress.unfiled));
        Err(SyncError::NoFile { records: progress.in_memory_records })
    }

    /// Notes that the journal is on the disk as far as `then` says.
    pub(crate) fn note_durable(&self, then: &Progress) {
        self.update(true, |now| {
            now.durable = now.durable.max(then.journal);
            let in_files = then.journaled.saturating_sub(then.in_memory_records);
            now.durable_records = now.durable_records.max(in_files);
            now.journal_syncs += 1;
        });
    }
}
