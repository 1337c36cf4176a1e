//! Waiting until a new logger has brought home what dead processes left.

use std::thread;
use std::time::{Duration, Instant};

use tapelog::MetaLogger;

/// How long the journal and the logs may take to catch up.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// What dead processes left is not in the journal in time.
#[derive(Debug, thiserror::Error)]
#[error("what a killed run left in its ring was not recovered within {} s", PATIENCE.as_secs())]
pub(super) struct NotRecovered;

/// Waits until what dead processes left is in the journal, and told in the logs.
pub(super) fn recovered(log: &MetaLogger) -> Result<(), NotRecovered> {
    let deadline = Instant::now() + PATIENCE;
    while log.stats().recovering {
        if Instant::now() > deadline {
            return Err(NotRecovered);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
