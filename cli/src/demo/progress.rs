//! The progress bar: on stderr, if that is a terminal.

use indicatif::ProgressBar;

use super::market::Market;
use crate::progress::shown;

const BAR: &str = "{msg} [{bar:40}] {percent:>3} %";
const SPINNER: &str = "{spinner} {msg} {elapsed}";

/// Shows how far a replay is.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    reported: u64,
}

/// More malformed lines than this are counted only.
const REPORTED_MAX: u64 = 10;

impl Progress {
    pub(super) fn new(market: &Market) -> Self {
        let (_, total) = market.position();
        let bar = match total {
            Some(total) => shown(ProgressBar::new(total), BAR),
            None => shown(ProgressBar::no_length(), SPINNER),
        };
        bar.set_message("replaying");
        Progress { bar, reported: 0 }
    }

    /// Shows where the market is.
    pub(super) fn show(&self, market: &Market) {
        self.bar.set_position(market.position().0);
    }

    /// Tells of a malformed line, above the bar.
    pub(super) fn tell(&mut self, problem: &str) {
        self.reported += 1;
        if self.reported <= REPORTED_MAX {
            self.bar.suspend(|| eprintln!("{problem}"));
        }
    }

    /// Takes the bar away, and tells how many lines were only counted.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
        let more = self.reported.saturating_sub(REPORTED_MAX);
        if more > 0 {
            eprintln!("… and {more} more malformed lines");
        }
    }
}
