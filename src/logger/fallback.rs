//! Starting a logger for a program that goes on whatever happens to logging.

use std::alloc::{Layout, handle_alloc_error};
use std::error::Error;

use super::{Builder, Guard, MetaLogger};
use crate::engine::{StartError, start_closed};
use crate::error;
use crate::handlers::notice;

/// What an engine without threads needs, about: for the message of a process that has no memory.
const LEAST_BYTES: usize = 256 << 10;

impl Builder {
    /// Starts the engine as [`build`](Builder::build) does, or else one that logs to the console.
    ///
    /// Never fails: a program that trades must not stop because it cannot log. Where `build` would
    /// refuse, this says why on stderr, and goes on with what is possible, in this order:
    ///
    /// 1. the same configuration without files (another engine has the directory, a path is
    ///    refused);
    /// 2. the built-in defaults without files, whatever file, environment and command line say (a
    ///    value is wrong); but what any of them masks is masked, and the processors stay;
    /// 3. a logger that refuses every record and counts it (the system gives no thread).
    ///
    /// [`Stats::degraded`](crate::Stats) then tells the reason, and an entry at ERROR stands first
    /// on the console. Where there is not even memory for the last of these, the process ends as it
    /// does whenever an allocation fails.
    pub fn build_or_console(self) -> (MetaLogger, Guard) {
        match self.clone().build() {
            Ok(started) => started,
            Err(refusal) => self.without_files(&refusal),
        }
    }

    /// The built-in defaults, with what is to be masked.
    fn plain(&self) -> Builder {
        let (keys, patterns) = self.layers().masks();
        let mut plain = Builder::default();
        plain.processors.clone_from(&self.processors);
        let plain = plain.code_only().log_to_file(false).log_to_console(true);
        plain.mask_keys(keys).mask_patterns(patterns)
    }

    fn without_files(self, refusal: &StartError) -> (MetaLogger, Guard) {
        let reason = format!("{}; logging to the console only", with_causes(refusal));
        notice(&reason);
        let plain = self.plain();
        let same = self.log_to_file(false).log_to_console(true);
        let (log, guard) = same.build().or_else(|_| plain.build()).unwrap_or_else(|error| {
            notice(&format!("{}; nothing can be logged", with_causes(&error)));
            let log = closed();
            (log.clone(), Guard::of_nothing(log))
        });
        log.core().control.degrade(&reason);
        error!(log, "logging goes to the console only", error = refusal);
        (log, guard)
    }
}

/// A logger that refuses everything.
fn closed() -> MetaLogger {
    match start_closed() {
        Ok(core) => MetaLogger::new(core),
        Err(_) => handle_alloc_error(Layout::new::<[u8; LEAST_BYTES]>()),
    }
}

/// An error and its causes in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        let cause = cause.to_string();
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use super::*;
    use crate::{PushError, info, try_info};

    #[test]
    fn a_logger_without_threads_refuses_counts_and_keeps_nobody_waiting() {
        let log = closed();
        assert_eq!(try_info!(log, "one"), Err(PushError::Closed));
        info!(log, "two");
        let begun = std::time::Instant::now();
        log.flush(Duration::from_secs(60)).unwrap();
        assert!(log.sync().is_err() || begun.elapsed() < Duration::from_secs(30));
        let _bound = log.bind(crate::context! { symbol = "BTCUSDT" });
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody is waited for");
        assert_eq!((log.stats().accepted, log.stats().lost.closed), (0, 2));
        let guard = Guard::of_nothing(log);
        assert_eq!(guard.stats().lost.closed, 2);
        drop(guard);
    }
}
