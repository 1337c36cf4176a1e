//! Why no engine was started.

use std::io;
use std::path::PathBuf;

use crate::config::ConfigError;

/// Why no engine was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value is out of its range.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// Another engine logs to the directory.
    #[error(
        "{} is in use by process {owner}, which logs there: {advice}", .directory.display()
    )]
    InUse {
        /// The log directory.
        directory: PathBuf,
        /// The process that owns it, as it says itself.
        owner: String,
        /// What to do.
        advice: &'static str,
    },
    /// A path is not what it has to be, and is left untouched.
    #[error("{reason}")]
    Refused {
        /// The path, why it is refused, and what to do.
        reason: String,
    },
    /// The ring cannot be made.
    #[error("no ring can be made: {reason}")]
    Ring {
        /// Why, and what to change.
        reason: String,
    },
    /// The system gives no memory for the journal, or no thread.
    #[error("the system refuses {what}: free some memory or raise the limits of this process")]
    System {
        /// What was refused.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}
