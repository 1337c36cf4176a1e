//! What is wrong with a configuration: all of it, not the first finding.

use std::fmt;
use std::path::PathBuf;

use super::kinds::{Preset, Words};
use crate::one_line::OneLine;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// Built into tapelog.
    Default,
    /// What the parameter follows as long as nobody sets it: other parameters or the machine. In the
    /// words of [`Parameter::follows`](super::Parameter::follows).
    Follows(&'static str),
    /// The preset of this name.
    Preset(Preset),
    /// `.defaults(…)` of the program.
    CodeDefault,
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line in it, counted from 1; none if the file as a whole is meant.
        line: Option<usize>,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A builder method of the program.
    Code,
    /// The command line.
    Argument {
        /// The argument: `--log-level`.
        name: String,
    },
}

impl Origin {
    /// How high its layer lies above the built-in defaults.
    pub(super) fn layer(&self) -> u8 {
        match self {
            Origin::Default | Origin::Follows(_) => 0,
            Origin::Preset(_) => 1,
            Origin::CodeDefault => 2,
            Origin::File { .. } => 3,
            Origin::Environment { .. } => 4,
            Origin::Code => 5,
            Origin::Argument { .. } => 6,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the built-in default"),
            Origin::Follows(what) => write!(f, "the default: {what}"),
            Origin::Preset(preset) => {
                let word = Preset::WORDS.iter().find(|(_, known)| known == preset);
                write!(f, "the preset {}", word.map_or("", |(word, _)| *word))
            }
            Origin::CodeDefault => f.write_str("the program's defaults"),
            Origin::File { path, line: Some(line) } => write!(f, "{}, line {line}", path.display()),
            Origin::File { path, line: None } => write!(f, "{}", path.display()),
            Origin::Environment { variable } => write!(f, "the environment variable {variable}"),
            Origin::Code => f.write_str("the program's code"),
            Origin::Argument { name } => write!(f, "the argument {name}"),
        }
    }
}

/// One wrong value, or a key that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The key, as it was given.
    pub key: String,
    /// Its value as it was written, in the words of TOML; as code gave it, if code did.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What is wrong, and what would be accepted.
    pub accepted: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { key, value, origin, accepted, suggestion } = self;
        let mut text = format!("{key} = {value} (from {origin}): {accepted}");
        if let Some(suggestion) = suggestion {
            text.push_str(&format!("; did you mean {suggestion}?"));
        }
        // A key may hold anything.
        write!(f, "{}", OneLine(&text))
    }
}

/// A configuration that cannot be used; lists every problem.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// Everything that is wrong.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => write!(f, "wrong log configuration: {one}"),
            many => {
                write!(f, "wrong log configuration, {} problems:", many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_control_characters_is_told_in_one_line_that_commands_no_terminal() {
        let problem = Problem {
            key: "log\n\u{1b}[2Jlevel\u{202e}".to_owned(),
            value: "7".to_owned(),
            origin: Origin::Code,
            accepted: "there is no such parameter".to_owned(),
            suggestion: None,
        };
        let told = r"log\n\u{1b}[2Jlevel\u{202e} = 7 (from the program's code)";
        assert!(problem.to_string().starts_with(told), "{problem}");
    }
}
