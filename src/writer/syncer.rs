//! The thread that brings the journal and the logs to the disk by the policy `sync`.
//!
//! It is none of the others: a slow disk keeps it alone waiting. One round covers whatever has come
//! by its beginning, so that many CRITICAL entries, or many callers that wait, share one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cursor::{Cursor, Place};
use super::keeper::Keeper;
use crate::config::SyncPolicy;
use crate::crash::{self, CrashPoint};
use crate::handlers::sync_log;
use crate::journal::Position;
use crate::shared::{Core, Progress, SyncError};

/// How soon a disk that refused is asked again.
const RETRY: Duration = Duration::from_millis(250);

/// How often it is looked whether the views have rendered what the journal's round covered.
const LOOK: Duration = Duration::from_millis(10);

/// Longer than anything is waited for.
const FOREVER: Duration = Duration::from_secs(3600);

/// Syncs by policy.
#[derive(Debug)]
pub(crate) struct Syncer {
    core: Arc<Core>,
    policy: SyncPolicy,
    /// When the interval ends.
    due: Instant,
    /// After a failure: not before this.
    retry_at: Option<Instant>,
    /// What the logs held when they were synced last: lines and rotations. None: they were not yet.
    logs_synced: Option<[u64; 2]>,
    /// Up to where the views must have rendered before the logs are synced; none: nothing is due.
    logs_wait_for: Option<Position>,
}

impl Syncer {
    /// The syncer of an engine, if the policy asks for one.
    pub(crate) fn new(core: &Arc<Core>) -> Option<Self> {
        let policy = core.configuration.sync;
        let wanted = policy != SyncPolicy::None && core.control.in_files();
        wanted.then(|| Self {
            core: Arc::clone(core),
            policy,
            due: Instant::now(),
            retry_at: None,
            logs_synced: None,
            logs_wait_for: None,
        })
    }

    /// Syncs until the engine has ended, and once more then.
    pub(crate) fn run(mut self, mut keeper: Keeper) {
        self.core.control.i_am_the_syncer();
        loop {
            // What had ended before is covered by the step.
            let ended = self.core.control.progress().has_ended();
            let done = keeper.keep(|| self.step());
            if ended && done.is_some() {
                return;
            }
            keeper.pause();
        }
    }

    /// Syncs what is due, or waits until something may be.
    fn step(&mut self) {
        let progress = self.core.control.progress();
        let now = Instant::now();
        let ended = progress.has_ended();
        let waits = !ended && self.retry_at.is_some_and(|at| now < at);
        if !waits && (ended || self.is_due(&progress, now)) {
            self.round(ended, now);
        } else if !waits && self.logs_wait_for.is_some_and(|end| progress.viewed >= end) {
            self.sync_logs();
        } else {
            std::thread::park_timeout(self.pause(now));
        }
    }

    fn is_due(&self, progress: &Progress, now: Instant) -> bool {
        progress.sync_wanted > progress.durable
            || match self.policy {
                SyncPolicy::Interval(_) => now >= self.due,
                SyncPolicy::Critical => progress.urgent > progress.durable,
                SyncPolicy::None => false,
            }
    }

    fn pause(&self, now: Instant) -> Duration {
        let retry = self.retry_at.map_or(FOREVER, |at| at.saturating_duration_since(now));
        let look = if self.logs_wait_for.is_some() { LOOK } else { FOREVER };
        let due = match self.policy {
            SyncPolicy::Interval(_) => self.due.saturating_duration_since(now),
            _ => FOREVER,
        };
        // A failed round is begun again only when its time has come.
        if self.retry_at.is_some() { retry } else { look.min(due) }
    }

    /// The journal at once, the logs when they have caught up with it.
    fn round(&mut self, ended: bool, now: Instant) {
        if let SyncPolicy::Interval(interval) = self.policy {
            self.due = now + interval;
        }
        if self.logs_synced.is_none() {
            // What the journal has from here on, a start can bring into the logs behind a power cut.
            self.sync_logs();
        }
        let outcome = self.core.sync_journal();
        let synced = self.note(outcome);
        crash::pass(CrashPoint::JournalSynced);
        let end = self.core.control.progress().durable;
        self.logs_wait_for = synced.then_some(end);
        let by_time = matches!(self.policy, SyncPolicy::Interval(_));
        if synced && (by_time || ended) {
            self.sync_logs();
        }
    }

    /// Syncs the logs, if lines were added since the last time, and keeps the place they have for good.
    fn sync_logs(&mut self) {
        self.logs_wait_for = None;
        if self.core.control.without_views() || !self.core.configuration.render_logs {
            return;
        }
        let views = self.core.control.progress().views;
        let now = [views.log_lines + views.missed, views.rotations];
        if self.logs_synced == Some(now) {
            return;
        }
        let journal = self.core.configuration.log_dir.join("journal");
        // Before the sync, which covers what is in front of it.
        let place = self.core.control.owns_directory().then(|| Place::newest(&journal)).flatten();
        let has_place = place.is_some();
        let before = self.logs_synced.map_or(0, |[_, rotations]| rotations);
        let rotated = u32::try_from(now[1] - before).unwrap_or(u32::MAX);
        let backups = self.core.configuration.log_backup_count;
        let outcomes = self
            .core
            .configuration
            .log_paths()
            .map(|path| sync_log(&path, rotated.min(backups)).map_err(SyncError::of_log));
        // A rotation that came meanwhile moved what was looked for under another name.
        let moved = self.core.control.progress().views.rotations != now[1];
        let mut outcome = outcomes.into_iter().collect::<Result<(), _>>();
        if let (Ok(()), false, Some(place)) = (&outcome, moved, place) {
            let path = Cursor::path(&journal);
            outcome = place.keep().map_err(|source| SyncError::Io { path, source });
        }
        if self.note(outcome) && !moved {
            // Without a place, the next round does it all again.
            self.logs_synced = has_place.then_some(now);
        } else {
            self.logs_wait_for = Some(Position::default());
        }
    }

    /// Counts an outcome; a failure is told once, until it works again.
    fn note(&mut self, outcome: Result<(), SyncError>) -> bool {
        let risk = "it is tried again, and a power cut may take what is not synced";
        self.core.note_sync(&outcome, risk);
        self.retry_at = outcome.is_err().then(|| Instant::now() + RETRY);
        outcome.is_ok()
    }
}
