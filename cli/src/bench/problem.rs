//! What is wrong about the records behind the figures.

use std::fmt::{self, Display, Formatter};

/// Why figures are doubtful. Every problem is told and saved with the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The logger refused records where it should have taken all, and counted them. The figures
    /// hold less work than they should; the logger did what it promises.
    Counted(String),
    /// Records are missing though nobody counted them, or are not as they were logged: the run
    /// fails.
    Unproven(String),
}

impl Problem {
    /// The same, told of a mode.
    pub(super) fn of(self, mode: &str) -> Self {
        match self {
            Self::Counted(text) => Self::Counted(format!("{mode}: {text}")),
            Self::Unproven(text) => Self::Unproven(format!("{mode}: {text}")),
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (Self::Counted(text) | Self::Unproven(text)) = self;
        f.write_str(text)
    }
}
