//! Recovery without the program: what `tapelog recover` does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::find::owner_of;
use super::list::{RingFile, RingState, rings};
use crate::Builder;
use crate::config::Configuration;
use crate::engine::StartError;
use crate::shared::{Recovered, Unfinished};
use crate::writer::tell_recovered;

/// How long it takes at most to bring everything home and to render it.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was recovered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// The rings that were found, in the order in which they were dealt with.
    pub rings: Vec<RecoveredRing>,
}

/// What became of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveredRing {
    /// Its file, which is gone now unless there is a failure.
    pub path: PathBuf,
    /// The process that had made it.
    pub pid: u32,
    /// Records that were brought from it into the journal.
    pub records: u64,
    /// Entries that the process had lost and had not told yet (an entry `logger.gap` now tells it), and
    /// those that it had brought to memory alone, because the disk gave no room.
    pub lost: u64,
    /// Places of it that made no sense; what was behind them is missing.
    pub unreadable: u64,
    /// Why it could not be brought home, or not all of it.
    pub failure: Option<String>,
}

/// Why nothing could be recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The engine that recovers cannot start: above all, because another one runs there.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The directory of the rings cannot be looked into.
    #[error("cannot look for rings in ring_dir {}: {source}", path.display())]
    RingDirectory {
        /// `ring_dir`.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no such log directory.
    #[error("{} is no log directory: give the log_dir of a program that logs with tapelog",
        path.display())]
    NoDirectory {
        /// What was given.
        path: PathBuf,
    },
    /// It takes too long: what is left, the next start renders.
    #[error("the logs are not complete yet: {0}; the next start goes on")]
    Unfinished(#[source] Unfinished),
}

/// Brings what dead processes left into the journal and the logs of the directory that `builder`
/// logs to, as the next start of the program would; does nothing else there.
///
/// The builder says where the rings lie (`ring_dir`) and what the logs look like, so it should be
/// configured as the program is.
///
/// # Errors
/// [`RecoverError`]: there is no such directory, a living process logs to it (the error names its
/// process), or the logs cannot be completed. What cannot be read in a ring is no error: see
/// [`RecoveredRing`].
pub fn recover(builder: Builder) -> Result<Recovery, RecoverError> {
    let builder = builder
        .log_to_file(true)
        .log_to_console(false)
        .panic_hook(false)
        .handle_signals(false)
        .metrics_interval(Duration::ZERO)
        .latency_warning(Duration::ZERO)
        .rotations_untold();
    let configuration = builder.configuration().map_err(StartError::from)?;
    if !configuration.log_dir.is_dir() {
        return Err(RecoverError::NoDirectory { path: configuration.log_dir });
    }
    let deadline = Instant::now() + PATIENCE;
    let mut recovery = Recovery::default();
    // Before the first engine starts: where the rings cannot be listed, nothing is done.
    let mut left = left_of(&configuration, &recovery)?;
    // One start takes so many of them and no more.
    loop {
        start_once(builder.clone(), deadline)?.into_iter().for_each(|ring| recovery.note(ring));
        let before = std::mem::replace(&mut left, left_of(&configuration, &recovery)?);
        if left.is_empty() || left.len() >= before.len() || Instant::now() >= deadline {
            break;
        }
    }
    recovery.rings.extend(left.into_iter().map(RecoveredRing::left));
    Ok(recovery)
}

/// Starts an engine that recovers what it finds, and ends it again: what became of the rings.
fn start_once(builder: Builder, deadline: Instant) -> Result<Vec<RecoveredRing>, RecoverError> {
    let patience = || deadline.saturating_duration_since(Instant::now());
    let (log, guard) = builder.build()?;
    let control = &log.core().control;
    control
        .wait_until(patience(), |progress| progress.recovery_done)
        .map_err(RecoverError::Unfinished)?;
    // Tells what was found, if that has not been done yet, so that the flush brings it, too.
    tell_recovered(log.core());
    log.flush(patience()).map_err(RecoverError::Unfinished)?;
    guard.shutdown();
    Ok(control.recovered().rings.iter().map(RecoveredRing::of).collect())
}

/// The rings of dead processes that are still there, those left out that are told already.
fn left_of(
    configuration: &Configuration,
    recovery: &Recovery,
) -> Result<Vec<RingFile>, RecoverError> {
    let path = &configuration.ring_dir;
    let mut left =
        rings(path).map_err(|source| RecoverError::RingDirectory { path: path.clone(), source })?;
    let owner = owner_of(&configuration.log_dir);
    left.retain(|ring| {
        let owned = ring.log_dir.as_ref().map(|path| path.as_os_str().as_encoded_bytes());
        ring.state == RingState::Dead
            && owned == Some(&*owner)
            && !recovery.rings.iter().any(|told| told.path == ring.path)
    });
    Ok(left)
}

impl Recovery {
    /// Notes what became of a ring, for good if an earlier start could not take it.
    fn note(&mut self, ring: RecoveredRing) {
        match self.rings.iter_mut().find(|told| told.path == ring.path) {
            Some(told) => *told = ring,
            None => self.rings.push(ring),
        }
    }

    /// Whether all that was found is in the journal now, and nothing is left.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.rings.iter().all(|ring| ring.failure.is_none())
    }
}

impl RecoveredRing {
    fn of(recovered: &Recovered) -> Self {
        let Recovered { path, pid, records, lost, unreadable, failure } = recovered.clone();
        Self { path, pid, records, lost, unreadable, failure }
    }

    /// One that no start has taken.
    fn left(ring: RingFile) -> Self {
        let failure = "nothing was taken from it so far: run `tapelog recover` again".to_owned();
        let RingFile { path, pid, .. } = ring;
        Self { path, pid, records: 0, lost: 0, unreadable: 0, failure: Some(failure) }
    }
}
