//! The levels in force, changeable while running.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::config::Configuration;
use crate::filter::Filter;
use crate::level::Level;

/// Which entries are kept, and which are shown where.
///
/// Every access is Relaxed: a change of level takes effect soon, and publishes nothing else.
#[derive(Debug)]
pub(crate) struct Levels {
    /// The least level that a call keeps: of ordinary entries, and of trade events.
    gate: [AtomicU8; 2],
    log: AtomicU8,
    console: AtomicU8,
    trade: AtomicU8,
    /// Whether the console and the journal follow `log_level`.
    console_follows: bool,
    journal_follows: bool,
    /// The least level of an outlet that follows nothing.
    fixed: u8,
    /// Levels by module; in place of `log` where they name one.
    filter: Filter,
    /// Whether calls wait until their entry is written; it stands here because every call reads
    /// the gates' cache line anyway.
    synchronous: bool,
}

fn code(level: Level) -> u8 {
    level as u8
}

impl Levels {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        // What does not parse was refused with the configuration.
        let filter = Filter::parse(&configuration.log_filter).unwrap_or_default();
        let log = filter.others().unwrap_or(code(configuration.log_level));
        let console =
            if configuration.console_follows { log } else { code(configuration.console_level) };
        let journal = code(configuration.journal_level);
        let levels = Self {
            gate: [AtomicU8::new(journal), AtomicU8::new(journal)],
            log: AtomicU8::new(log),
            console: AtomicU8::new(console),
            trade: AtomicU8::new(code(configuration.trade_log_level)),
            console_follows: configuration.console_follows,
            journal_follows: configuration.journal_follows,
            fixed: if configuration.syslog.is_empty() || configuration.syslog_follows {
                u8::MAX
            } else {
                code(configuration.syslog_level)
            },
            filter,
            synchronous: !configuration.async_logging,
        };
        levels.set_gates(journal);
        levels
    }

    /// Lets through what the journal keeps: the least level that anything shows, or a fixed one.
    fn set_gates(&self, journal: u8) {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the loads in `admits`.
        // IF WEAKENED: they are the weakest already.
        let log = self.filter.least(self.log.load(Relaxed));
        let console = if self.console_follows { log } else { self.console.load(Relaxed) };
        let shown = log.min(console).min(self.fixed);
        let gate = if self.journal_follows { shown } else { journal };
        self.gate[0].store(gate, Relaxed);
        self.gate[1].store(gate.min(self.trade.load(Relaxed)), Relaxed);
    }

    /// Whether modules have levels of their own: then the gates alone do not decide.
    pub(crate) fn by_module(&self) -> bool {
        self.filter.names_modules()
    }

    /// The least level of a module's calls that the journal keeps; trade events apart.
    pub(crate) fn kept_of(&self, target: &str) -> u8 {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the stores in `set_log_level`.
        // IF WEAKENED: they are the weakest already.
        if !self.journal_follows {
            return self.gate[0].load(Relaxed);
        }
        let log = self.filter.level_of(target, self.log.load(Relaxed));
        let console = if self.console_follows { log } else { self.console.load(Relaxed) };
        log.min(console).min(self.fixed)
    }

    /// Whether a call of this level is kept.
    #[inline(always)]
    pub(crate) fn admits(&self, level: Level, trade: bool) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the stores in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.gate[usize::from(trade)].load(Relaxed)
    }

    /// Whether calls wait until their entry is written: `async_logging = false`.
    #[inline(always)]
    pub(crate) fn synchronous(&self) -> bool {
        self.synchronous
    }

    /// Whether `expert.log` shows a module's entries of this level.
    pub(crate) fn shows_in_log(&self, level: Level, target: &str) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        let log = self.log.load(Relaxed);
        code(level) >= if self.by_module() { self.filter.level_of(target, log) } else { log }
    }

    /// The least level of trade events in `trades.log`.
    pub(crate) fn shows_in_trades(&self, level: Level) -> bool {
        // ORDERING: Relaxed, see the type; never changed after the start.
        // PAIRS WITH: nothing.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.trade.load(Relaxed)
    }

    /// Whether the console shows a module's entries of this level.
    pub(crate) fn shows_on_console(&self, level: Level, target: &str) -> bool {
        if self.console_follows {
            return self.shows_in_log(level, target);
        }
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.console.load(Relaxed)
    }

    /// Changes `log_level`, and the levels that follow it: the level of all modules that
    /// `log_filter` does not name.
    pub(crate) fn set_log_level(&self, level: Level) {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the loads above.
        // IF WEAKENED: they are the weakest already.
        self.log.store(code(level), Relaxed);
        if self.console_follows {
            self.console.store(code(level), Relaxed);
        }
        if self.journal_follows {
            self.set_gates(code(level));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Settings};

    fn levels(settings: Settings) -> Levels {
        let layers = [(Origin::CodeDefault, Settings::default()), (Origin::Code, settings)];
        Levels::new(&Configuration::resolve(layers).unwrap())
    }

    #[test]
    fn trade_events_have_a_level_of_their_own() {
        let levels = levels(Settings::default().log_level(Level::Error));
        assert!(!levels.admits(Level::Info, false) && levels.admits(Level::Info, true));
        assert!(levels.shows_in_trades(Level::Info) && !levels.shows_in_log(Level::Info, ""));
    }

    #[test]
    fn a_changed_level_takes_the_levels_along_that_follow_it() {
        let following = levels(Settings::default());
        following.set_log_level(Level::Debug);
        assert!(
            following.admits(Level::Debug, false) && following.shows_on_console(Level::Debug, "")
        );

        let fixed =
            levels(Settings::default().console_level(Level::Error).journal_level(Level::Debug));
        fixed.set_log_level(Level::Critical);
        assert!(fixed.admits(Level::Debug, false), "the journal keeps its own level");
        assert!(fixed.shows_on_console(Level::Error, "") && !fixed.shows_in_log(Level::Error, ""));
    }

    #[test]
    fn modules_have_levels_of_their_own_and_the_others_follow_the_log_level() {
        let text = "warning,bot::risk=debug,bot::noise=off";
        let levels = levels(Settings::default().log_filter(text).log_level(Level::Error));
        assert!(levels.by_module() && levels.admits(Level::Debug, false));
        let shown = |level, target| {
            let kept = level as u8 >= levels.kept_of(target);
            assert_eq!(kept, levels.shows_in_log(level, target), "{level} {target}");
            assert_eq!(kept, levels.shows_on_console(level, target), "{level} {target}");
            kept
        };
        assert!(shown(Level::Debug, "bot::risk::var") && !shown(Level::Trace, "bot::risk"));
        assert!(!shown(Level::Info, "bot") && shown(Level::Warning, "bot"));
        assert!(!shown(Level::Critical, "bot::noise"));
        levels.set_log_level(Level::Info);
        assert!(shown(Level::Info, "bot") && !shown(Level::Debug, "bot"));
        assert!(shown(Level::Debug, "bot::risk"), "what is named stays");
    }
}
