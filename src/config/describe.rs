//! What is known of each parameter, for guides, schemas and command lines.

use std::sync::LazyLock;

use super::form::Shape;

/// What is known of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name: in code and in files as it stands, in variables and arguments spelt their way.
    pub key: &'static str,
    /// What it means; may have several lines.
    pub meaning: &'static str,
    /// Its built-in default as a file says it. What follows another parameter or the machine is
    /// told by [`follows`](Parameter::follows).
    pub default: String,
    /// What is accepted.
    pub accepted: &'static str,
    /// A value as a file says it.
    pub example: &'static str,
    /// Whether it can change while the logger is running.
    pub changeable: bool,
    /// What kind of values it takes.
    pub shape: Shape,
}

impl Parameter {
    /// What it follows as long as nobody sets it, in words.
    #[must_use]
    pub fn follows(&self) -> Option<&'static str> {
        match self.key {
            "console_level" | "syslog_level" => Some("log_level"),
            "journal_level" => {
                Some("the lowest of log_level, console_level and, with syslog, syslog_level")
            }
            "log_format" => Some("text, or json with structured_logging"),
            "ring_dir" => Some("/dev/shm/tapelog-<uid>"),
            "hostname" => Some("the name of the machine"),
            _ => None,
        }
    }

    /// The first sentence of what it means, without the full stop.
    #[must_use]
    pub fn summary(&self) -> String {
        let lines: Vec<&str> = self.meaning.lines().map(str::trim).collect();
        let meaning = lines.join(" ");
        let first = meaning.split_once(". ").map(|(first, _)| first);
        first.unwrap_or(meaning.trim_end_matches('.')).to_owned()
    }

    /// The name of its argument on a command line: `--log-level`.
    #[must_use]
    pub fn argument(&self) -> String {
        format!("--{}", self.key.replace('_', "-"))
    }

    /// The name of its environment variable: `TAPELOG_LOG_LEVEL`.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(super::layers::PREFIX, self.key)
    }
}

/// The environment variable of a parameter.
pub(super) fn variable(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.to_ascii_uppercase())
}

/// Every parameter, in the order of the guide.
#[must_use]
pub fn parameters() -> &'static [Parameter] {
    static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(super::parameters::describe);
    &PARAMETERS
}

/// The parameter of that name.
pub(super) fn parameter(key: &str) -> Option<&'static Parameter> {
    parameters().iter().find(|parameter| parameter.key == key)
}
