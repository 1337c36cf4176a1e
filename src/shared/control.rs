//! How threads of the host ask the writer for something, and learn how far it has come.

mod durable;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::claim::Claim;
use super::hold::Hold;
use super::outage::Outage;
use super::progress::{Progress, Unfinished};
use super::recovered::{Recovered, RecoveredList};
use super::sync::SyncError;
use crate::journal::Position;

/// Longer than anybody waits.
const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The writer's side door: flush requests in, progress out.
///
/// The drain takes the lock once a pass, never while it copies; producers never take it.
#[derive(Debug, Default)]
pub(crate) struct Control {
    flushes: AtomicU64,
    stop: AtomicBool,
    /// Set when the views should end with what they have.
    abandon: AtomicBool,
    progress: Mutex<Progress>,
    changed: Condvar,
    drain: OnceLock<Thread>,
    syncer: OnceLock<Thread>,
    /// Entries that took longer than a synchronous call waits.
    late_synchronous: AtomicU64,
    rotations_asked: AtomicU64,
    /// The newest request to sync the logs.
    syncs: AtomicU64,
    sync_failure: Mutex<Option<String>>,
    journal_mapped: AtomicBool,
    in_files: AtomicBool,
    without_views: AtomicBool,
    /// Set by tests that want a ring that nobody drains.
    hold: Hold,
    /// Segments before this one were synced.
    synced_before: AtomicU64,
    /// Whether the last attempt to sync the journal failed; held during an attempt.
    sync_again: Mutex<bool>,
    /// Whether a later start would not find the ring's file.
    ring_missing: AtomicBool,
    degraded: Mutex<Vec<String>>,
    outage: Outage,
    /// Set where there are to be files.
    claim: OnceLock<Claim>,
    /// Set while less room is free than is to stay free.
    short: AtomicBool,
    shortage: Mutex<String>,
    /// How often something could not be synced, and what was said the last time.
    sync_errors: Mutex<(u64, Option<String>)>,
    /// Pages of segments that a SIGBUS was caught for.
    sigbus_caught: AtomicU64,
    /// What became of the rings of dead processes.
    recovered: Mutex<RecoveredList>,
}

impl Control {
    /// Makes the calling thread the one that [`wake_drain`](Control::wake_drain) wakes.
    pub(crate) fn i_am_the_drain(&self) {
        // Set once: an engine has one drain.
        let _kept = self.drain.set(std::thread::current());
    }

    /// Cuts the drain's nap short. One system call when it sleeps.
    pub(crate) fn wake_drain(&self) {
        if let Some(thread) = self.drain.get() {
            thread.unpark();
        }
    }

    /// Makes the calling thread the one that [`wake_syncer`](Control::wake_syncer) wakes.
    pub(crate) fn i_am_the_syncer(&self) {
        // Set once: an engine has one at most.
        let _kept = self.syncer.set(std::thread::current());
    }

    /// Has the syncer look what is to be synced. One system call when it sleeps.
    pub(crate) fn wake_syncer(&self) {
        if let Some(thread) = self.syncer.get() {
            thread.unpark();
        }
    }

    /// Whether the journal must be written again before it can be synced. Whoever has it syncs; others
    /// wait.
    pub(crate) fn sync_again(&self) -> MutexGuard<'_, bool> {
        self.sync_again.lock()
    }

    /// Counts a failure to sync.
    pub(crate) fn sync_failed(&self, error: String) {
        let mut errors = self.sync_errors.lock();
        *errors = (errors.0 + 1, Some(error));
    }

    /// How often something could not be synced, and what was said the last time.
    pub(crate) fn sync_errors(&self) -> (u64, Option<String>) {
        self.sync_errors.lock().clone()
    }

    /// Notes what became of a dead process's ring.
    pub(crate) fn note_recovered(&self, recovered: Recovered) {
        self.update(true, |now| now.recovered += recovered.records);
        self.recovered.lock().rings.push(recovered);
    }

    /// Notes that there are no more of them.
    pub(crate) fn recovery_done(&self) {
        self.update(true, |now| now.recovery_done = true);
    }

    /// What became of the rings of dead processes so far.
    pub(crate) fn recovered(&self) -> MutexGuard<'_, RecoveredList> {
        self.recovered.lock()
    }

    /// The number of the newest flush that was asked for.
    pub(crate) fn flushes(&self) -> u64 {
        // ORDERING: Acquire, the pass that serves the flush sees what was committed before it.
        // PAIRS WITH: the AcqRel addition in `request_flush`.
        // IF WEAKENED: a flush might return before the caller's own last record is written.
        self.flushes.load(Ordering::Acquire)
    }

    fn request_flush(&self) -> u64 {
        // ORDERING: AcqRel, publishes the caller's commits to the drain.
        // PAIRS WITH: the Acquire load in `flushes`.
        // IF WEAKENED: see there.
        let ticket = self.flushes.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake_drain();
        ticket
    }

    /// Waits until everything committed before the call is rendered; gives what is left undone.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), Unfinished> {
        let ticket = self.request_flush();
        self.wait_until(timeout, |progress| progress.rendered >= ticket || progress.has_ended())?;
        // When the engine has ended, what is missing will not come any more.
        let progress = self.progress();
        if progress.rendered < ticket && progress.views.settled() < progress.due() {
            return Err(Unfinished::of(&progress));
        }
        Ok(())
    }

    /// A synchronous call's wait; one that takes too long is counted.
    pub(crate) fn wait_for_synchronous(&self, timeout: Duration) {
        if self.flush(timeout).is_err() {
            // ORDERING: Relaxed, a statistic.
            // PAIRS WITH: the load in `late_synchronous`.
            // IF WEAKENED: it is the weakest already.
            self.late_synchronous.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many entries of synchronous calls were not in the logs in time.
    pub(crate) fn late_synchronous(&self) -> u64 {
        // ORDERING: Relaxed, a statistic.
        // PAIRS WITH: the addition in `wait_for_synchronous`.
        // IF WEAKENED: it is the weakest already.
        self.late_synchronous.load(Ordering::Relaxed)
    }

    /// Waits for a state of the writer.
    pub(crate) fn wait_until(
        &self,
        timeout: Duration,
        reached: impl Fn(&Progress) -> bool,
    ) -> Result<(), Unfinished> {
        // A timeout beyond the clock's end is a year.
        let deadline =
            Instant::now().checked_add(timeout).unwrap_or_else(|| Instant::now() + A_YEAR);
        // With a deadline: a signal handler may have interrupted its thread while that held the lock.
        let Some(mut progress) = self.progress.try_lock_until(deadline) else {
            return Err(Unfinished { records: 0 });
        };
        loop {
            if reached(&progress) {
                return Ok(());
            }
            if self.changed.wait_until(&mut progress, deadline).timed_out() && !reached(&progress) {
                return Err(Unfinished::of(&progress));
            }
        }
    }

    /// The state of the writer.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Changes the state; wakes who waits for it only if that is `news`.
    pub(crate) fn update(&self, news: bool, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock());
        if news {
            self.changed.notify_all();
        }
    }

    /// Waits until the journal has grown beyond `known`, the drain has ended, or `timeout`.
    pub(crate) fn wait_for_journal(&self, known: Position, timeout: Duration) {
        let mut progress = self.progress.lock();
        let asked = self.syncs() > progress.synced || self.views_abandoned();
        if progress.journal == known && !progress.drain_ended && !asked {
            self.changed.wait_for(&mut progress, timeout);
        }
    }

    /// Asks the view to rotate its logs.
    pub(crate) fn request_rotation(&self) {
        // ORDERING: Relaxed, a request that publishes nothing.
        // PAIRS WITH: the load in `rotations_asked`.
        // IF WEAKENED: it is the weakest already.
        self.rotations_asked.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// How often a rotation was asked for.
    pub(crate) fn rotations_asked(&self) -> u64 {
        // ORDERING: Relaxed, see `request_rotation`.
        // PAIRS WITH: the addition there.
        // IF WEAKENED: it is the weakest already.
        self.rotations_asked.load(Ordering::Relaxed)
    }

    /// Waits until the view has synced the logs.
    ///
    /// # Errors
    /// [`SyncError`] when a log could not be synced, the time is over, or the engine has ended.
    pub(crate) fn sync_logs(&self, timeout: Duration) -> Result<(), SyncError> {
        if self.without_views() {
            return Ok(());
        }
        // ORDERING: Relaxed, the lock in `wait_until` orders everything that matters.
        // PAIRS WITH: the load in `syncs`.
        // IF WEAKENED: it is the weakest already.
        let ticket = self.syncs.fetch_add(1, Ordering::Relaxed) + 1;
        self.changed.notify_all();
        self.wait_until(timeout, |progress| progress.synced >= ticket || progress.has_ended())?;
        if self.progress().synced < ticket {
            return Err(SyncError::Closed);
        }
        // It stays until a later attempt succeeds, so that every caller learns of it.
        let failure = self.sync_failure.lock().clone();
        failure.map_or(Ok(()), |reason| Err(SyncError::Log { reason }))
    }

    /// The newest request to sync the logs.
    pub(crate) fn syncs(&self) -> u64 {
        // ORDERING: Relaxed, see `sync_logs`.
        // PAIRS WITH: the addition there.
        // IF WEAKENED: it is the weakest already.
        self.syncs.load(Ordering::Relaxed)
    }

    /// Answers a request to sync the logs.
    pub(crate) fn synced_logs(&self, request: u64, outcome: Result<(), String>) {
        *self.sync_failure.lock() = outcome.err();
        self.update(true, |progress| progress.synced = request);
    }

    /// Notes how segments are written.
    pub(crate) fn set_journal_mapped(&self, mapped: bool) {
        // ORDERING: Relaxed, set once at the start and only shown.
        // PAIRS WITH: the load in `journal_mapped`.
        // IF WEAKENED: it is the weakest already.
        self.journal_mapped.store(mapped, Ordering::Relaxed);
    }

    /// Notes whether journal and logs are files.
    pub(crate) fn set_in_files(&self, in_files: bool) {
        // ORDERING: Relaxed, set once at the start.
        // PAIRS WITH: the load in `in_files`.
        // IF WEAKENED: it is the weakest already.
        self.in_files.store(in_files, Ordering::Relaxed);
    }

    /// Whether journal and logs are files.
    pub(crate) fn in_files(&self) -> bool {
        // ORDERING: Relaxed, see `set_in_files`.
        // PAIRS WITH: the store there.
        // IF WEAKENED: it is the weakest already.
        self.in_files.load(Ordering::Relaxed)
    }

    /// Notes that nothing renders: what is in the journal counts as shown.
    pub(crate) fn set_without_views(&self) {
        // ORDERING: Relaxed, set once before the writer's threads start.
        // PAIRS WITH: the load in `without_views`.
        // IF WEAKENED: it is the weakest already.
        self.without_views.store(true, Ordering::Relaxed);
    }

    /// Whether nothing renders.
    pub(crate) fn without_views(&self) -> bool {
        // ORDERING: Relaxed, see `set_without_views`.
        // PAIRS WITH: the store there.
        // IF WEAKENED: it is the weakest already.
        self.without_views.load(Ordering::Relaxed)
    }

    /// Whether segments are written through a mapping.
    pub(crate) fn journal_mapped(&self) -> bool {
        // ORDERING: Relaxed, see `set_journal_mapped`.
        // PAIRS WITH: the store there.
        // IF WEAKENED: it is the weakest already.
        self.journal_mapped.load(Ordering::Relaxed)
    }

    /// Notes that a later start would not find the ring's file.
    pub(crate) fn set_ring_missing(&self) {
        // ORDERING: Relaxed, shown and asked by the janitor, which alone sets it.
        // PAIRS WITH: the load in `ring_missing`.
        // IF WEAKENED: it is the weakest already.
        self.ring_missing.store(true, Ordering::Relaxed);
    }

    /// Whether a later start would not find the ring's file.
    pub(crate) fn ring_missing(&self) -> bool {
        // ORDERING: Relaxed, see `set_ring_missing`.
        // PAIRS WITH: the store there.
        // IF WEAKENED: it is the weakest already.
        self.ring_missing.load(Ordering::Relaxed)
    }

    /// The segment from which on the journal has to be synced.
    pub(crate) fn journal_synced(&self) -> u64 {
        // ORDERING: Relaxed, the disk is what matters, not memory.
        // PAIRS WITH: the maximum in `set_journal_synced`.
        // IF WEAKENED: it is the weakest already.
        self.synced_before.load(Ordering::Relaxed)
    }

    /// Notes that the journal was synced up to this segment, which may still grow.
    pub(crate) fn set_journal_synced(&self, sequence: u64) {
        // ORDERING: Relaxed, see `journal_synced`.
        // PAIRS WITH: the load there.
        // IF WEAKENED: it is the weakest already.
        self.synced_before.fetch_max(sequence, Ordering::Relaxed);
    }

    /// Counts pages of a segment that a SIGBUS was caught for.
    pub(crate) fn count_sigbus(&self, pages: u32) {
        // ORDERING: Relaxed, a statistic.
        // PAIRS WITH: the load in `sigbus_caught`.
        // IF WEAKENED: it is the weakest already.
        self.sigbus_caught.fetch_add(pages.into(), Ordering::Relaxed);
    }

    /// How many pages of segments a SIGBUS was caught for.
    pub(crate) fn sigbus_caught(&self) -> u64 {
        // ORDERING: Relaxed, a statistic.
        // PAIRS WITH: the addition in `count_sigbus`.
        // IF WEAKENED: it is the weakest already.
        self.sigbus_caught.load(Ordering::Relaxed)
    }

    /// Notes why the engine runs with less than was asked for, for good.
    pub(crate) fn degrade(&self, reason: &str) {
        self.degraded.lock().push(reason.to_owned());
    }

    /// Why the engine runs with less than was asked for, if it does: for now, and for good.
    pub(crate) fn degraded(&self) -> Option<String> {
        let mut reasons: Vec<_> = self.outage.reason().into_iter().collect();
        reasons.extend(self.degraded.lock().iter().cloned());
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Notes which directory the engine owns, or is to own.
    pub(crate) fn set_claim(&self, claim: Claim) -> &Claim {
        self.claim.get_or_init(|| claim)
    }

    /// The log directory, where there are to be files.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.claim.get()
    }

    /// Whether files may be made or opened in the log directory: it is there, and this engine's.
    pub(crate) fn owns_directory(&self) -> bool {
        self.claim().is_none_or(Claim::is_held)
    }

    /// Notes whether less room is free than is to stay free, and how much.
    pub(crate) fn set_shortage(&self, shortage: Option<String>) {
        let short = shortage.is_some();
        if let Some(text) = shortage {
            *self.shortage.lock() = text;
        }
        // ORDERING: Relaxed, the lock orders the text.
        // PAIRS WITH: the load in `shortage`.
        // IF WEAKENED: it is the weakest already.
        self.short.store(short, Ordering::Relaxed);
    }

    /// Why logs go no further, while less room is free than is to stay free.
    pub(crate) fn shortage(&self) -> Option<String> {
        // ORDERING: Relaxed, it takes effect soon.
        // PAIRS WITH: the store in `set_shortage`.
        // IF WEAKENED: it is the weakest already.
        self.short.load(Ordering::Relaxed).then(|| self.shortage.lock().clone())
    }

    /// What cannot be written now.
    pub(crate) fn outage(&self) -> &Outage {
        &self.outage
    }

    /// Stops the drain between two polls, and waits until it stands still, for a minute at most; whether
    /// it does. For tests.
    pub(crate) fn hold_drain(&self) -> bool {
        let number = self.hold.begin();
        self.wake_drain();
        self.hold.wait(number, || self.stopping())
    }

    /// Lets the drain go on, if nobody else holds it.
    pub(crate) fn release_drain(&self) {
        self.hold.end();
    }

    /// Whether the drain should do nothing. Asked by the drain between two polls.
    pub(crate) fn drain_is_held(&self) -> bool {
        !self.stopping() && self.hold.is_on()
    }

    /// Asks the drain to empty the ring and end.
    pub(crate) fn stop(&self) {
        // ORDERING: Release, the gate was closed before.
        // PAIRS WITH: the Acquire load in `stopping`.
        // IF WEAKENED: the drain's last pass might miss what the gate let in.
        self.stop.store(true, Ordering::Release);
        self.wake_drain();
    }

    /// Whether the drain should end when the ring is empty.
    pub(crate) fn stopping(&self) -> bool {
        // ORDERING: Acquire.
        // PAIRS WITH: the Release store in `stop`.
        // IF WEAKENED: see there.
        self.stop.load(Ordering::Acquire)
    }

    /// Asks the views to end without rendering what is left.
    pub(crate) fn abandon_views(&self) {
        // ORDERING: Release, nothing but itself.
        // PAIRS WITH: the Acquire load in `views_abandoned`.
        // IF WEAKENED: the views end a little later.
        self.abandon.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// Whether the views should end now.
    pub(crate) fn views_abandoned(&self) -> bool {
        // ORDERING: Acquire.
        // PAIRS WITH: the Release store in `abandon_views`.
        // IF WEAKENED: see there.
        self.abandon.load(Ordering::Acquire)
    }
}
