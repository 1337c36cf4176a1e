//! The configuration, read again while the engine runs.

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
static RELOADED: Site = Site::new(
    Level::Info,
    false,
    "logger.reload",
    (TARGET, file!(), line!()),
    &["changed", "refused"],
);

/// Makes an entry of each warning that the configuration gave.
pub(crate) fn tell_warnings(core: &Core) {
    core.configuration.tell_warnings(|warning| core.push_own(&WARNING, &((), warning)).is_ok());
}

/// Switches the console on or off; see [`MetaLogger::set_log_to_console`](crate::MetaLogger).
pub(crate) fn switch_console(core: &Core, on: bool) -> Result<(), ReloadError> {
    if on && core.control.without_views() {
        return Err(ReloadError::NeedsRestart { keys: vec!["log_to_console"] });
    }
    core.levels.set_console(on);
    Ok(())
}

/// Reads the configuration again and puts in force what can change; see
/// [`MetaLogger::reload`](crate::MetaLogger::reload).
pub(crate) fn reload(core: &Core) -> Result<(), ReloadError> {
    if core.is_forked() {
        return Err(ReloadError::Forked);
    }
    let running = &core.configuration;
    // Before it is read: who reads later puts in force later.
    let mut last = core.reread.lock();
    let read = running.reread()?;
    let changes = |key: &&str| parameters().iter().any(|p| p.key == *key && p.changeable);
    let mut changed = last.as_ref().unwrap_or(running).differing(&read);
    changed.retain(changes);
    let mut refused = running.differing(&read);
    // Of a filter, the level of the modules that it does not name can change: it is in force.
    let same_modules = running.filter().has_modules_of(&read.filter());
    let in_force = |key: &&str| changes(key) || *key == "log_filter" && same_modules;
    refused.retain(|key| !in_force(key));
    // What is to be masked is, before a level lets more through.
    core.set_mask_keys(&read.mask_keys);
    core.change_levels(|levels| levels.apply(&read));
    if switch_console(core, read.log_to_console).is_err() {
        refused.push("log_to_console");
    }
    *last = Some(read);
    // Where the ring is full, the changes are in force all the same.
    let told = [&changed, &refused].map(|keys| keys.join(", "));
    let _told = core.push_own(&RELOADED, &(((), told[0].as_str()), told[1].as_str()));
    if refused.is_empty() { Ok(()) } else { Err(ReloadError::NeedsRestart { keys: refused }) }
}
