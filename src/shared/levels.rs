//! The levels in force, changeable while running.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use crate::config::Configuration;
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
    /// [`NOTHING`] without `syslog`.
    syslog: AtomicU8,
    /// Whether the console, syslog and the journal follow `log_level`.
    console_follows: bool,
    syslog_follows: bool,
    journal_follows: bool,
    /// How many things make every call take the cold path: `async_logging = false` is one, each
    /// running backtest is another. It stands here because every call reads the gates' cache line
    /// anyway.
    detours: AtomicU32,
}

/// Above every level.
const NOTHING: u8 = u8::MAX;

fn code(level: Level) -> u8 {
    level as u8
}

impl Levels {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let journal = configuration.journal_level;
        let has_syslog = !configuration.syslog.is_empty();
        let syslog = if has_syslog { code(configuration.syslog_level) } else { NOTHING };
        Self {
            gate: [
                AtomicU8::new(code(journal)),
                AtomicU8::new(code(journal.min(configuration.trade_log_level))),
            ],
            log: AtomicU8::new(code(configuration.log_level)),
            console: AtomicU8::new(code(configuration.console_level)),
            trade: AtomicU8::new(code(configuration.trade_log_level)),
            syslog: AtomicU8::new(syslog),
            console_follows: configuration.console_follows,
            syslog_follows: configuration.syslog_follows && has_syslog,
            journal_follows: configuration.journal_follows,
            detours: AtomicU32::new(u32::from(!configuration.async_logging)),
        }
    }

    /// Whether a call of this level is kept.
    #[inline(always)]
    pub(crate) fn admits(&self, level: Level, trade: bool) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the stores in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.gate[usize::from(trade)].load(Relaxed)
    }

    /// Whether every call takes the cold path, because there is more to do than to push.
    #[inline(always)]
    pub(crate) fn detours(&self) -> bool {
        // ORDERING: Relaxed, the cold path asks again what there is to do.
        // PAIRS WITH: the changes in `begin_detour` and `end_detour`; what a thread begins holds
        //   for its own later calls at once.
        // IF WEAKENED: it is the weakest already.
        self.detours.load(Relaxed) != 0
    }

    /// Sends every call through the cold path until [`end_detour`](Levels::end_detour).
    pub(crate) fn begin_detour(&self) {
        // ORDERING: Relaxed, see `detours`.
        // PAIRS WITH: the load there.
        // IF WEAKENED: it is the weakest already.
        self.detours.fetch_add(1, Relaxed);
    }

    /// Ends what [`begin_detour`](Levels::begin_detour) began.
    pub(crate) fn end_detour(&self) {
        // ORDERING: Relaxed, see `detours`.
        // PAIRS WITH: the load there.
        // IF WEAKENED: it is the weakest already.
        self.detours.fetch_sub(1, Relaxed);
    }

    /// The least level of `expert.log`.
    pub(crate) fn shows_in_log(&self, level: Level) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.log.load(Relaxed)
    }

    /// The least level of trade events in `trades.log`.
    pub(crate) fn shows_in_trades(&self, level: Level) -> bool {
        // ORDERING: Relaxed, see the type; never changed after the start.
        // PAIRS WITH: nothing.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.trade.load(Relaxed)
    }

    /// The least level of the console.
    pub(crate) fn shows_on_console(&self, level: Level) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.console.load(Relaxed)
    }

    /// The least level that is sent to syslog.
    pub(crate) fn shows_in_syslog(&self, level: Level) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.syslog.load(Relaxed)
    }

    /// Changes `log_level`, and the levels that follow it.
    pub(crate) fn set_log_level(&self, level: Level) {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the loads above.
        // IF WEAKENED: they are the weakest already.
        self.log.store(code(level), Relaxed);
        if self.console_follows {
            self.console.store(code(level), Relaxed);
        }
        if self.syslog_follows {
            self.syslog.store(code(level), Relaxed);
        }
        if self.journal_follows {
            let gate = code(level).min(self.console.load(Relaxed)).min(self.syslog.load(Relaxed));
            self.gate[0].store(gate, Relaxed);
            self.gate[1].store(gate.min(self.trade.load(Relaxed)), Relaxed);
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
        assert!(levels.shows_in_trades(Level::Info) && !levels.shows_in_log(Level::Info));
    }

    #[test]
    fn a_changed_level_takes_the_levels_along_that_follow_it() {
        let following = levels(Settings::default());
        following.set_log_level(Level::Debug);
        assert!(following.admits(Level::Debug, false) && following.shows_on_console(Level::Debug));

        let quiet = levels(Settings::default());
        assert!(!quiet.shows_in_syslog(Level::Critical), "there is no receiver");
        let sent = Settings::default().syslog("udp://h").syslog_level(Level::Debug);
        let sent = levels(sent);
        sent.set_log_level(Level::Error);
        assert!(sent.admits(Level::Debug, false) && sent.shows_in_syslog(Level::Debug));
        let along = levels(Settings::default().syslog("udp://h"));
        along.set_log_level(Level::Error);
        assert!(!along.admits(Level::Info, false) && !along.shows_in_syslog(Level::Info));

        let fixed =
            levels(Settings::default().console_level(Level::Error).journal_level(Level::Debug));
        fixed.set_log_level(Level::Critical);
        assert!(fixed.admits(Level::Debug, false), "the journal keeps its own level");
        assert!(fixed.shows_on_console(Level::Error) && !fixed.shows_in_log(Level::Error));
    }
}
