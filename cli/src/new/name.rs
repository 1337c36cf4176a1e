//! What a project may be called.

/// The longest name: tapelog's `log_name` takes no more.
const CHARS_MAX: usize = 48;

/// Rust's words, strict and reserved (The Rust Reference, Keywords), and names that cargo or the
/// template have a use for.
const TAKEN: [&str; 60] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "clap",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "tapelog",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "use",
    "where",
    "while",
    "yield",
];

/// A name that cargo takes for a crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProjectName<'a>(&'a str);

/// Why a name is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadName {
    #[error(
        "{0:?} is no name for a project: a letter, then letters, digits, `-` and `_`, such as my-bot"
    )]
    NoName(String),
    #[error("{0:?} is too long for a project's name: {CHARS_MAX} characters at most")]
    TooLong(String),
    #[error("{0:?} is taken by Rust, cargo or the project itself: choose another name")]
    Taken(String),
}

impl<'a> ProjectName<'a> {
    pub(super) fn check(name: &'a str) -> Result<Self, BadName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(fits) {
            return Err(BadName::NoName(name.to_owned()));
        }
        if name.len() > CHARS_MAX {
            return Err(BadName::TooLong(name.to_owned()));
        }
        let lower = name.to_ascii_lowercase();
        if TAKEN.contains(&lower.as_str()) {
            return Err(BadName::Taken(name.to_owned()));
        }
        Ok(ProjectName(name))
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_cargo_takes() {
        for name in ["b", "my-bot", "my_bot2", "MyBot"] {
            assert_eq!(ProjectName::check(name).map(ProjectName::as_str), Ok(name));
        }
        let long = "x".repeat(49);
        for name in ["", "2bots", "-bot", "my bot", "../bot", "böt", "a/b", long.as_str()] {
            assert!(!matches!(ProjectName::check(name), Ok(_) | Err(BadName::Taken(_))), "{name}");
        }
        for name in ["test", "fn", "tapelog", "Self", "yield"] {
            assert_eq!(ProjectName::check(name), Err(BadName::Taken(name.to_owned())));
        }
    }
}
