//! The levels in force, changeable while running.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};

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
    /// [`NOTHING`] without `syslog`.
    syslog: AtomicU8,
    /// Whether the console, syslog and the journal follow `log_level`.
    console_follows: AtomicBool,
    syslog_follows: AtomicBool,
    journal_follows: AtomicBool,
    /// Whether the console is on.
    console_on: AtomicBool,
    /// How many things make every call take the cold path: `async_logging = false` is one, each
    /// running backtest is another. It stands here because every call reads the gates' cache line
    /// anyway.
    detours: AtomicU32,
    /// Levels by module; in place of `log` where they name one.
    filter: Filter,
}

/// Above every level.
const NOTHING: u8 = u8::MAX;

fn code(level: Level) -> u8 {
    level as u8
}

impl Levels {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let journal = code(configuration.journal_level);
        let has_syslog = !configuration.syslog.is_empty();
        let syslog = if has_syslog { code(configuration.syslog_level) } else { NOTHING };
        let levels = Self {
            gate: [AtomicU8::new(journal), AtomicU8::new(journal)],
            log: AtomicU8::new(configuration.least_of_others()),
            console: AtomicU8::new(code(configuration.console_level)),
            trade: AtomicU8::new(code(configuration.trade_log_level)),
            syslog: AtomicU8::new(syslog),
            console_follows: AtomicBool::new(configuration.console_follows),
            syslog_follows: AtomicBool::new(configuration.syslog_follows && has_syslog),
            journal_follows: AtomicBool::new(configuration.journal_follows),
            console_on: AtomicBool::new(configuration.log_to_console),
            detours: AtomicU32::new(u32::from(!configuration.async_logging)),
            filter: configuration.filter(),
        };
        levels.set_gates(journal);
        levels
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
        if !self.journal_follows.load(Relaxed) {
            return self.gate[0].load(Relaxed);
        }
        self.shown(self.filter.level_of(target, self.log.load(Relaxed)))
    }

    /// The least level that anything shows where `expert.log` shows `log`.
    fn shown(&self, log: u8) -> u8 {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the stores in `set_log_level`.
        // IF WEAKENED: they are the weakest already.
        let follows = |follows: &AtomicBool, own: &AtomicU8| {
            if follows.load(Relaxed) { log } else { own.load(Relaxed) }
        };
        let console = follows(&self.console_follows, &self.console);
        log.min(console).min(follows(&self.syslog_follows, &self.syslog))
    }

    /// Whether a call of this level is kept.
    #[inline(always)]
    pub(crate) fn admits(&self, level: Level, trade: bool) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the stores in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.gate[usize::from(trade)].load(Relaxed)
    }

    /// The least level that any call is kept of, as a number; above all levels if none is.
    #[cfg(any(feature = "log", feature = "tracing"))]
    pub(crate) fn least_kept(&self) -> u8 {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the stores in `set_gates`; the gate of trade events is never the higher one.
        // IF WEAKENED: it is the weakest already.
        self.gate[1].load(Relaxed)
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
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `apply`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.trade.load(Relaxed)
    }

    /// Whether the console shows a module's entries of this level.
    pub(crate) fn shows_on_console(&self, level: Level, target: &str) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the stores in `set_console_level` and `apply`.
        // IF WEAKENED: it is the weakest already.
        if self.console_follows.load(Relaxed) {
            return self.shows_in_log(level, target);
        }
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `set_log_level`.
        // IF WEAKENED: it is the weakest already.
        code(level) >= self.console.load(Relaxed)
    }

    /// Whether syslog gets a module's entries of this level.
    pub(crate) fn shows_in_syslog(&self, level: Level, target: &str) -> bool {
        // ORDERING: Relaxed for both, see the type.
        // PAIRS WITH: the stores in `set_log_level`.
        // IF WEAKENED: they are the weakest already.
        // ORDERING: Relaxed, as above.
        if self.syslog_follows.load(Relaxed) {
            return self.shows_in_log(level, target);
        }
        code(level) >= self.syslog.load(Relaxed)
    }

    /// Whether the console shows anything at all.
    pub(crate) fn console_is_on(&self) -> bool {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the store in `set_console`.
        // IF WEAKENED: it is the weakest already.
        self.console_on.load(Relaxed)
    }

    /// Switches the console on or off.
    pub(crate) fn set_console(&self, on: bool) {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the load in `console_is_on`.
        // IF WEAKENED: it is the weakest already.
        self.console_on.store(on, Relaxed);
    }

    /// Changes `log_level`, and the levels that follow it: the level of all modules that
    /// `log_filter` does not name.
    pub(crate) fn set_log_level(&self, level: Level) {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the loads above.
        // IF WEAKENED: they are the weakest already.
        self.log.store(code(level), Relaxed);
        if self.console_follows.load(Relaxed) {
            self.console.store(code(level), Relaxed);
        }
        // ORDERING: Relaxed, as above.
        if self.syslog_follows.load(Relaxed) {
            self.syslog.store(code(level), Relaxed);
        }
        self.lower_journal();
    }

    /// Changes `console_level`, which from then on follows nothing.
    pub(crate) fn set_console_level(&self, level: Level) {
        // ORDERING: Relaxed for both, see the type.
        // PAIRS WITH: the loads above.
        // IF WEAKENED: they are the weakest already.
        self.console_follows.store(false, Relaxed);
        self.console.store(code(level), Relaxed);
        self.lower_journal();
    }

    /// Puts the levels of a configuration that was read again in force.
    pub(crate) fn apply(&self, configuration: &Configuration) {
        // The levels of modules are those of the start, which cannot change.
        let log = configuration.least_of_others();
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the loads above.
        // IF WEAKENED: they are the weakest already.
        self.log.store(log, Relaxed);
        self.console.store(code(configuration.console_level), Relaxed);
        self.trade.store(code(configuration.trade_log_level), Relaxed);
        // ORDERING: Relaxed, as above.
        if self.syslog.load(Relaxed) != NOTHING {
            self.syslog.store(code(configuration.syslog_level), Relaxed);
            self.syslog_follows.store(configuration.syslog_follows, Relaxed);
        }
        // ORDERING: Relaxed, as above.
        self.console_follows.store(configuration.console_follows, Relaxed);
        self.journal_follows.store(configuration.journal_follows, Relaxed);
        self.set_gates(code(configuration.journal_level));
    }

    /// Lets the journal's level follow, if it does.
    fn lower_journal(&self) {
        // ORDERING: Relaxed, see the type.
        // PAIRS WITH: the stores in the callers.
        // IF WEAKENED: it is the weakest already.
        self.set_gates(self.gate[0].load(Relaxed));
    }

    /// Lets through what the journal keeps: the least level that anything shows, or a fixed one.
    fn set_gates(&self, fixed: u8) {
        // ORDERING: Relaxed for all of them, see the type.
        // PAIRS WITH: the load in `admits`.
        // IF WEAKENED: they are the weakest already.
        let follows = self.journal_follows.load(Relaxed);
        let least = || self.shown(self.filter.least(self.log.load(Relaxed)));
        let journal = if follows { least() } else { fixed };
        self.gate[0].store(journal, Relaxed);
        // ORDERING: Relaxed, as above.
        self.gate[1].store(journal.min(self.trade.load(Relaxed)), Relaxed);
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

        let quiet = levels(Settings::default());
        assert!(!quiet.shows_in_syslog(Level::Critical, ""), "there is no receiver");
        let sent = Settings::default().syslog("udp://h").syslog_level(Level::Debug);
        let sent = levels(sent);
        sent.set_log_level(Level::Error);
        assert!(sent.admits(Level::Debug, false) && sent.shows_in_syslog(Level::Debug, ""));
        let along = levels(Settings::default().syslog("udp://h"));
        along.set_log_level(Level::Error);
        assert!(!along.admits(Level::Info, false) && !along.shows_in_syslog(Level::Info, ""));

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

    #[test]
    fn a_configuration_read_again_is_in_force_as_a_whole() {
        let changed = Settings::default()
            .log_level(Level::Error)
            .console_level(Level::Warning)
            .trade_log_level(Level::Debug);
        let layers = [(Origin::Code, changed)];
        let levels = levels(Settings::default());
        levels.apply(&Configuration::resolve(layers).unwrap());
        assert!(levels.admits(Level::Warning, false) && !levels.admits(Level::Info, false));
        assert!(levels.admits(Level::Debug, true) && levels.shows_in_trades(Level::Debug));
        assert!(
            levels.shows_on_console(Level::Warning, "") && !levels.shows_in_log(Level::Warning, "")
        );
        levels.set_log_level(Level::Critical);
        assert!(levels.shows_on_console(Level::Warning, ""), "it follows no longer");
        levels.set_console_level(Level::Trace);
        assert!(levels.admits(Level::Trace, false), "the journal follows the console");
    }

    #[test]
    fn of_a_filter_read_again_the_level_of_the_modules_it_does_not_name_is_in_force() {
        let start = Settings::default().log_filter("info,a=error");
        for changed in ["debug,a=error", "debug,a=trace"] {
            let levels = levels(start.clone());
            let layers = [(Origin::Code, Settings::default().log_filter(changed))];
            levels.apply(&Configuration::resolve(layers).unwrap());
            assert!(levels.shows_in_log(Level::Debug, "b") && levels.admits(Level::Debug, false));
            assert!(!levels.shows_in_log(Level::Warning, "a"), "those of modules need a restart");
        }
    }
}
