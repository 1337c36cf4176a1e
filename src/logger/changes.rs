//! What can change while the logger is running, and what cannot.

use super::MetaLogger;
use crate::engine::{ReloadError, reload, switch_console};
use crate::level::Level;

impl MetaLogger {
    /// Changes `console_level`, which from then on no longer follows `log_level`. The console
    /// shows no more than the journal keeps (`journal_level`).
    pub fn set_console_level(&self, level: Level) {
        self.core.change_levels(|levels| levels.set_console_level(level));
    }

    /// Switches the console on or off. As the last resort, when there is nothing else to log to,
    /// it stays on.
    ///
    /// # Errors
    /// [`ReloadError::NeedsRestart`] if the logger was started without any view
    /// (`render_logs = false` and `log_to_console = false`): nobody is there to show an entry.
    pub fn set_log_to_console(&self, on: bool) -> Result<(), ReloadError> {
        switch_console(&self.core, on)
    }

    /// Reads the configuration file and the environment again, with the program's own layers as
    /// they were at the start, and puts in force what can change while running: `log_level`,
    /// `trade_log_level`, `console_level`, `syslog_level`, `journal_level`, `log_to_console` and
    /// `mask_keys`. What was changed by methods meanwhile is set back to what the configuration says.
    ///
    /// # Errors
    /// [`ReloadError::Configuration`] if the configuration is wrong: nothing has changed then.
    /// [`ReloadError::NeedsRestart`] names the parameters that changed and cannot while running:
    /// they are as they were, the others are in force.
    pub fn reload(&self) -> Result<(), ReloadError> {
        reload(&self.core)
    }
}
