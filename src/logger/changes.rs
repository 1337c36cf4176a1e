//! What can change while the logger is running, and what cannot.

use super::MetaLogger;
use crate::config::{ConfigError, parameters};
use crate::level::Level;
use crate::shared::Core;
use crate::site::Site;

/// Why a configuration that was read again is not in force, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// It is wrong; everything stays as it was.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// Parameters that changed, but cannot while running. All others are in force.
    #[error("restart the program for the changes of {}: all others are in force", .keys.join(", "))]
    NeedsRestart {
        /// Their names.
        keys: Vec<&'static str>,
    },
    /// This is a forked child: the logger is its parent's.
    #[error("the logger belongs to the parent process: start one here")]
    Forked,
}

const TARGET: &str = "tapelog::configuration";

/// What an operator should know of the configuration.
static WARNING: Site = Site::new(
    Level::Warning,
    false,
    "logger.configuration",
    (TARGET, file!(), line!()),
    &["warning"],
);

/// Tells that the configuration was read again.
static RELOADED: Site =
    Site::new(Level::Info, false, "logger.reload", (TARGET, file!(), line!()), &["changed"]);

/// Makes an entry of each warning that the configuration gave.
pub(super) fn tell_warnings(core: &Core) {
    for warning in core.configuration.warnings() {
        // An engine that has just begun has room; where it has none, logging goes on.
        let _told = core.push_own(&WARNING, &((), warning.as_str()));
    }
}

impl MetaLogger {
    /// Changes `console_level`, which from then on no longer follows `log_level`. The console
    /// shows no more than the journal keeps (`journal_level`).
    pub fn set_console_level(&self, level: Level) {
        self.core.levels.set_console_level(level);
    }

    /// Switches the console on or off. As the last resort, when there is nothing else to log to,
    /// it stays on.
    ///
    /// # Errors
    /// [`ReloadError::NeedsRestart`] if the logger was started without any view
    /// (`render_logs = false` and `log_to_console = false`): nobody is there to show an entry.
    pub fn set_log_to_console(&self, on: bool) -> Result<(), ReloadError> {
        if on && self.core.control.without_views() {
            return Err(ReloadError::NeedsRestart { keys: vec!["log_to_console"] });
        }
        self.core.levels.set_console(on);
        Ok(())
    }

    /// Reads the configuration file and the environment again, with the program's own layers as
    /// they were at the start, and puts in force what can change while running: `log_level`,
    /// `trade_log_level`, `console_level`, `journal_level` and `log_to_console`. What was changed
    /// by the methods here meanwhile is set back to what the configuration says.
    ///
    /// # Errors
    /// [`ReloadError::Configuration`] if the configuration is wrong: nothing has changed then.
    /// [`ReloadError::NeedsRestart`] names the parameters that changed and cannot while running:
    /// they are as they were, the others are in force.
    pub fn reload(&self) -> Result<(), ReloadError> {
        if self.core.is_forked() {
            return Err(ReloadError::Forked);
        }
        let running = &self.core.configuration;
        let read = running.reread()?;
        let differing = running.differing(&read);
        let changes = |key: &&str| parameters().iter().any(|p| p.key == *key && p.changeable);
        let (changed, mut refused): (Vec<_>, Vec<_>) = differing.into_iter().partition(changes);
        self.core.levels.apply(&read);
        if self.set_log_to_console(read.log_to_console).is_err() {
            refused.push("log_to_console");
        }
        // Changes since the start; where the ring is full, they are in force all the same.
        let _told = self.core.push_own(&RELOADED, &((), changed.join(", ").as_str()));
        if refused.is_empty() { Ok(()) } else { Err(ReloadError::NeedsRestart { keys: refused }) }
    }
}
