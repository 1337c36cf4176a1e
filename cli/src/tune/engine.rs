//! Engines to try a load on: each in a directory of its own, which goes when it ends.

use std::time::Duration;

use tapelog::{Guard, Level, MetaLogger, Overflow, Stats};
use tempfile::TempDir;

use super::advice::Advice;
use crate::failure::Failure;

/// How long a drain may need to write what was held.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that journals and renders nothing.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) log: MetaLogger,
    _guard: Guard,
    _directory: TempDir,
}

impl Engine {
    /// Starts an engine with the advised ring, or with the default one, which then blocks.
    pub(super) fn start(advice: Option<&Advice>) -> Result<Engine, Failure> {
        let directory = TempDir::with_prefix("tapelog-tune-")?;
        let builder = MetaLogger::builder()
            .log_name("tapelog-tune")
            .log_dir(directory.path())
            .log_level(Level::Debug)
            .log_to_console(false)
            .render_logs(false)
            // Entries of the engine's own would take room that the load is promised.
            .metrics_interval(Duration::ZERO)
            .latency_warning(Duration::ZERO);
        let builder = match advice {
            Some(advice) => builder
                .ring_bytes(advice.ring_bytes)
                .block_bytes(advice.block_bytes)
                .reserve_blocks(advice.reserve_blocks)
                .overflow(Overflow::Drop),
            None => builder.overflow(Overflow::Block(Duration::from_millis(5))),
        };
        let (log, guard) = builder.build()?;
        Ok(Engine { log, _guard: guard, _directory: directory })
    }

    /// The counts once everything is in the journal.
    pub(super) fn settled(&self) -> Result<Stats, Failure> {
        self.log.flush(PATIENCE)?;
        Ok(self.log.stats())
    }
}
