//! The layer of the environment's variables.

use std::collections::HashSet;
use std::env;
use std::path::PathBuf;
use std::sync::LazyLock;

use parking_lot::Mutex;

use super::describe::{parameters, variable};
use super::error::Origin;
use super::parameters::Settings;
use super::raw::Raw;

/// Names behind the prefix that are no parameters, but ours: the file's path, and what the macros
/// read at compile time.
const OTHERS: [&str; 2] = [FILE, "STATIC_LEVEL"];
const FILE: &str = "CONFIG";

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// The values.
    pub(super) settings: Settings,
    /// The configuration file that it names, and the variable that does.
    pub(super) file: Option<(PathBuf, Origin)>,
    /// Variables with our prefix that name no parameter.
    pub(super) unknown: Vec<String>,
}

/// Reads the variables that begin with `prefix`. An empty one is as good as none.
pub(super) fn read(prefix: &str) -> Environment {
    let mut found = Environment::default();
    let value = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    for parameter in parameters() {
        let name = variable(prefix, parameter.key);
        let Some(value) = value(&name) else { continue };
        let raw = match value.into_string() {
            Ok(text) => Raw::Text(text),
            Err(bytes) => Raw::Other(format!("{bytes:?}")),
        };
        found.settings.read(parameter.key, raw, Some(Origin::Environment { variable: name }));
    }
    let name = format!("{prefix}{FILE}");
    found.file = value(&name).map(|path| (path.into(), Origin::Environment { variable: name }));
    found.unknown = unknown(prefix);
    found
}

/// The variables that begin with `prefix` and mean nothing to us. Those that are spelt in another
/// letter case are among them.
fn unknown(prefix: &str) -> Vec<String> {
    let ours = |rest: &str| {
        OTHERS.contains(&rest)
            || parameters().iter().any(|known| known.key.to_ascii_uppercase() == rest)
    };
    let names = env::vars_os().filter(|(_, value)| !value.is_empty());
    let names = names.filter_map(|(name, _)| name.into_string().ok());
    let mut unknown: Vec<String> =
        names.filter(|name| name.strip_prefix(prefix).is_some_and(|rest| !ours(rest))).collect();
    unknown.sort();
    unknown
}

/// Hands those warnings to `tell` that this process has not told yet; `tell` says whether it did.
pub(super) fn tell_once(warnings: &[String], mut tell: impl FnMut(&str) -> bool) {
    static TOLD: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    // Loggers that start at once take turns, so that one of them tells.
    let mut told = TOLD.lock();
    for warning in warnings {
        if !told.contains(warning) && tell(warning) {
            told.insert(warning.clone());
        }
    }
}
