//! The console: rendered lines on stderr.

use std::env;
use std::ffi::OsStr;

use super::batch::Batch;
use super::sink::SharedSink;
use crate::config::UseColors;

/// Whether the console shows colours (`use_colors`).
///
/// A pipe or file never gets them, and a `NO_COLOR` that is not empty wins over all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ColorChoice {
    /// On a terminal that does not call itself `dumb`.
    #[default]
    Auto,
    /// On every terminal.
    Always,
    /// Nowhere.
    Never,
}

impl From<UseColors> for ColorChoice {
    fn from(configured: UseColors) -> Self {
        match configured {
            UseColors::Auto => ColorChoice::Auto,
            UseColors::Always => ColorChoice::Always,
            UseColors::Never => ColorChoice::Never,
        }
    }
}

impl ColorChoice {
    fn decide(self, terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
        let forbidden = no_color.is_some_and(|value| !value.is_empty());
        let dumb = term.is_some_and(|value| value == "dumb");
        match self {
            ColorChoice::Auto => terminal && !forbidden && !dumb,
            ColorChoice::Always => terminal && !forbidden,
            ColorChoice::Never => false,
        }
    }
}

/// Rendered lines to stderr, without ever waiting for who reads them.
///
/// Lines are whole: what did not fit of one is kept and finished first. Lines that come meanwhile
/// are dropped and counted, and once there is room again one line says how many. When the reader is
/// gone the console is dead: everything is counted, nothing is tried.
#[derive(Debug)]
pub(crate) struct Console {
    sink: SharedSink,
    colours: bool,
    dropped: u64,
}

impl Console {
    /// The console on the process's stderr.
    pub(crate) fn stderr(choice: ColorChoice) -> Console {
        Console::with(SharedSink::stderr(), choice)
    }

    /// A console on a descriptor, whose flags stay as they are and which may be closed later.
    #[cfg(test)]
    pub(crate) fn on(fd: std::os::fd::BorrowedFd<'_>, choice: ColorChoice) -> Console {
        Console::with(SharedSink::on(fd), choice)
    }

    fn with(sink: SharedSink, choice: ColorChoice) -> Console {
        let terminal = sink.lock().is_some_and(|sink| sink.is_terminal());
        let (no_color, term) = (env::var_os("NO_COLOR"), env::var_os("TERM"));
        let colours = choice.decide(terminal, no_color.as_deref(), term.as_deref());
        Console { sink, colours, dropped: 0 }
    }

    /// Writes the lines of a batch that there is room for; how many those were.
    pub(crate) fn write(&mut self, batch: &Batch) -> usize {
        let lines = batch.lines();
        let taken = self.sink.lock().map_or(0, |mut sink| sink.write(batch, 0, lines));
        self.dropped += (lines - taken) as u64;
        taken
    }

    /// Finishes a line that was begun, and says how many were dropped; true if nothing is left of
    /// both.
    ///
    /// To be called when it is quiet, and at the end.
    pub(crate) fn settle(&mut self) -> bool {
        self.sink.lock().is_some_and(|mut sink| sink.settle())
    }

    /// How many lines found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether lines should be rendered with colours.
    pub(crate) fn colours(&self) -> bool {
        self.colours
    }

    /// Whether nobody can read it any more.
    #[cfg(test)]
    pub(crate) fn is_dead(&self) -> bool {
        self.sink.lock().is_some_and(|sink| sink.is_dead())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_no_color_wins() {
        let decide = |choice: ColorChoice, terminal, no_color: Option<&str>, term: &str| {
            choice.decide(terminal, no_color.map(OsStr::new), Some(OsStr::new(term)))
        };
        for choice in [ColorChoice::Auto, ColorChoice::Always] {
            assert!(decide(choice, true, None, "xterm"));
            assert!(decide(choice, true, Some(""), "xterm"), "an empty NO_COLOR is unset");
            assert!(!decide(choice, true, Some("1"), "xterm"));
            assert!(!decide(choice, false, None, "xterm"));
        }
        assert!(!decide(ColorChoice::Auto, true, None, "dumb"));
        assert!(decide(ColorChoice::Always, true, None, "dumb"));
        assert!(!decide(ColorChoice::Never, true, None, "xterm"));
    }
}
