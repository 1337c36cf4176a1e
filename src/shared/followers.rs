//! Who is told when levels change: the crates `log` and `tracing` leave out by themselves what no
//! logger wants, and must know what that is.

use std::sync::OnceLock;

use super::levels::Levels;

/// What the bridges have asked to be called.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    pub(crate) log: OnceLock<fn(&Levels)>,
    pub(crate) tracing: OnceLock<fn(&Levels)>,
}

impl Followers {
    /// Tells them that levels have changed.
    pub(crate) fn tell(&self, levels: &Levels) {
        for follower in [&self.log, &self.tracing].into_iter().filter_map(OnceLock::get) {
            follower(levels);
        }
    }
}
