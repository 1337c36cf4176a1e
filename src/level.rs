//! Severity levels and the category that routes trade events.

use std::fmt;
use std::str::FromStr;

/// How severe an entry is.
///
/// Ordered: `Trace < Debug < Info < Warning < Error < Critical`. `Trace` exists for bridges from
/// other logging faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Finer than debugging; only bridges produce it.
    Trace = 1,
    /// What a developer needs to understand a decision afterwards.
    Debug = 2,
    /// The normal course of events.
    Info = 3,
    /// Something unexpected that needs no action yet.
    Warning = 4,
    /// An operation failed.
    Error = 5,
    /// Trading itself is in danger.
    Critical = 6,
}

impl Level {
    /// Every level, least severe first.
    pub const ALL: [Level; 6] =
        [Level::Trace, Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];

    /// The level's name as the text format shows it: `"INFO"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }

    /// The level's name as the JSON format shows it: `"info"`.
    #[must_use]
    pub const fn as_lower_str(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Critical => "critical",
        }
    }

    /// The severity of RFC 5424, section 6.2.1: 7 (debug) … 2 (critical).
    #[must_use]
    pub const fn severity(self) -> u8 {
        match self {
            Level::Trace | Level::Debug => 7,
            Level::Info => 6,
            Level::Warning => 4,
            Level::Error => 3,
            Level::Critical => 2,
        }
    }

    /// The level that a stored code stands for, if any.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Level> {
        match code {
            1 => Some(Level::Trace),
            2 => Some(Level::Debug),
            3 => Some(Level::Info),
            4 => Some(Level::Warning),
            5 => Some(Level::Error),
            6 => Some(Level::Critical),
            _ => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{0:?} is no log level: use trace, debug, info, warning, error or critical")]
pub struct ParseLevelError(String);

impl FromStr for Level {
    type Err = ParseLevelError;

    /// Parses a level's name in any letter case; `warn` and `fatal` are accepted as other names
    /// of `warning` and `critical`.
    ///
    /// # Errors
    /// [`ParseLevelError`] names the text and what would be accepted.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim();
        if name.eq_ignore_ascii_case("warn") {
            return Ok(Level::Warning);
        }
        if name.eq_ignore_ascii_case("fatal") {
            return Ok(Level::Critical);
        }
        Level::ALL
            .into_iter()
            .find(|level| name.eq_ignore_ascii_case(level.as_str()))
            .ok_or_else(|| ParseLevelError(text.to_owned()))
    }
}

/// What kind of event an entry tells of: decides whether it belongs to the trade log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Category {
    /// Everything that is not a trade event.
    #[default]
    General = 0,
    /// An order, a fill, a change of position: what an audit asks for.
    Trade = 1,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_parse_in_any_case_and_under_their_other_names() {
        assert_eq!("Info".parse(), Ok(Level::Info));
        assert_eq!(" warn ".parse(), Ok(Level::Warning));
        assert_eq!("FATAL".parse(), Ok(Level::Critical));
        let refused = "loud".parse::<Level>().unwrap_err().to_string();
        assert!(refused.contains("\"loud\"") && refused.contains("warning"), "{refused}");
    }

    #[test]
    fn codes_and_severities_are_those_of_the_formats() {
        for level in Level::ALL {
            assert_eq!(Level::from_code(level as u8), Some(level));
        }
        assert_eq!(Level::from_code(0), None);
        assert_eq!(Level::ALL.map(Level::severity), [7, 7, 6, 4, 3, 2]);
        assert!(Level::Debug < Level::Info && Level::Error < Level::Critical);
    }
}
