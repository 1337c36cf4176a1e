//! What dead processes left in their rings: one ring after the other is brought home.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::salvage::Salvage;
use crate::clock::Calibration;
use crate::crash::{self, CrashPoint};
use crate::journal::{Holdings, Tail};
use crate::ring::DeadRing;
use crate::shared::Recovered;

/// A dead process's ring, locked.
#[derive(Debug)]
pub(crate) struct Stray {
    /// The ring.
    pub(crate) ring: DeadRing,
    /// Its file.
    pub(crate) path: PathBuf,
}

/// All rings that are to be brought home.
#[derive(Debug)]
pub(crate) struct Recovery {
    waiting: VecDeque<Stray>,
    tail: Option<Tail>,
    holdings: Holdings,
    /// Why the journal cannot be read now.
    failure: Option<String>,
    current: Option<Box<Salvage>>,
}

impl Recovery {
    /// The rings, in this order; `tail` is the journal's, from before anything was written to it.
    pub(crate) fn new(rings: Vec<Stray>, tail: Tail) -> Self {
        Self {
            waiting: rings.into(),
            tail: Some(tail),
            holdings: Holdings::default(),
            failure: None,
            current: None,
        }
    }

    /// Finds out how far the journal has come; whether this was the first time.
    pub(super) fn begin(&mut self) -> bool {
        let Some(tail) = self.tail.take() else { return false };
        // Without it nothing can be brought home once: who panics over it leaves the rings alone.
        let waiting = std::mem::take(&mut self.waiting);
        match tail.read() {
            Ok(holdings) => self.holdings = holdings,
            Err(error) => self.failure = Some(error.to_string()),
        }
        self.waiting = waiting;
        true
    }

    /// The ring at hand.
    pub(super) fn current(&mut self) -> Option<&mut Salvage> {
        self.current.as_deref_mut()
    }

    /// Goes on to the next ring: its line, if it is known, or `None` at the end.
    ///
    /// # Errors
    /// The ring cannot be read: what became of it. There may be others.
    pub(super) fn next_ring(
        &mut self,
        fallback: Calibration,
    ) -> Result<Option<Calibration>, Recovered> {
        let Some(stray) = self.waiting.pop_front() else { return Ok(None) };
        if let Some(error) = &self.failure {
            let reason = format!(
                "what the journal has of it is not known: {error}; the next start tries again"
            );
            return Err(Recovered::failed(stray.path, stray.ring.identity().pid, reason));
        }
        let id = stray.ring.identity().id;
        let line = self.holdings.line(id).unwrap_or(fallback);
        let salvage = Salvage::new(stray, &self.holdings, line)?;
        self.current = Some(Box::new(salvage));
        Ok(Some(line))
    }

    /// Whether no ring waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Ends the ring at hand.
    pub(super) fn part(&mut self) -> Option<Box<Salvage>> {
        self.current.take()
    }
}

/// What is added to the name of a ring's file that is of no use.
pub(crate) const ASIDE: &str = "aside";

/// Removes a ring's file; that it is gone already is as good.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives a ring's file a name under which it is not looked for any more.
pub(crate) fn set_aside(path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ASIDE);
    crash::pass(CrashPoint::RingRefused);
    std::fs::rename(path, name)?;
    crash::pass(CrashPoint::RingSetAside);
    Ok(())
}
