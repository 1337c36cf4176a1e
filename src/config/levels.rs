//! The rules of the parameters that say which entries are kept and shown.

use super::parameters::Configuration;
use crate::filter::Filter;
use crate::level::Level;

impl Configuration {
    /// Fills in the levels that follow others.
    pub(super) fn follow_levels(&mut self) {
        self.settle_level();
        self.console_follows = !self.is_set("console_level");
        self.journal_follows = !self.is_set("journal_level");
        self.syslog_follows = !self.is_set("syslog_level");
        if self.console_follows {
            self.console_level = self.log_level;
        }
        if self.syslog_follows {
            self.syslog_level = self.log_level;
        }
        if self.journal_follows {
            let kept = self.filter().least(self.log_level as u8);
            let kept = Level::from_code(kept).unwrap_or(self.log_level);
            self.journal_level = kept.min(self.console_level);
            if !self.syslog.is_empty() {
                self.journal_level = self.journal_level.min(self.syslog_level);
            }
        }
    }

    /// Levels by module; none where what is given is refused.
    pub(crate) fn filter(&self) -> Filter {
        Filter::parse(&self.log_filter).unwrap_or_default()
    }

    /// The least level of the modules that `log_filter` does not name, as a number: `off` is above all.
    pub(crate) fn least_of_others(&self) -> u8 {
        self.filter().others().unwrap_or(self.log_level as u8)
    }

    /// Settles the level of all modules that `log_filter` does not name, where `log_filter` has one as
    /// well as `log_level`: the value of the higher layer decides, and the other parameter follows it.
    /// Within one layer it is the filter's.
    fn settle_level(&mut self) {
        let Some(others) = self.filter().others() else { return };
        let [level, filter] = ["log_level", "log_filter"].map(|key| self.origin(key).layer());
        if level > filter {
            let modules = self.log_filter.split(',').filter(|directive| directive.contains('='));
            self.log_filter = modules.collect::<Vec<_>>().join(",");
            if self.log_filter.is_empty() {
                self.follow("log_filter");
            }
        } else if let Some(others) = Level::from_code(others) {
            self.log_level = others;
            self.follow("log_level");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Configuration, Origin, Settings};
    use crate::level::Level;

    fn resolved(file: &str, code: &str) -> Configuration {
        let layer = |text: &str| {
            text.split_whitespace().fold(Settings::default(), |settings, pair| {
                let (key, value) = pair.split_once('=').unwrap();
                settings.set(key, value)
            })
        };
        let layers = [(Origin::CodeDefault, layer(file)), (Origin::Code, layer(code))];
        Configuration::resolve(layers).unwrap()
    }

    #[test]
    fn the_higher_layer_decides_between_a_level_and_the_filters_own() {
        let seen = |file, code| {
            let configuration = resolved(file, code);
            let origin = configuration.origin("log_level");
            (configuration.log_level, configuration.log_filter, origin)
        };
        let filter = "log_filter=info,a=debug";
        let both = format!("{filter} log_level=error");
        let text = "info,a=debug".to_owned();
        assert_eq!(seen(filter, ""), (Level::Info, text.clone(), Origin::CodeDefault));
        assert_eq!(seen(&both, ""), (Level::Info, text.clone(), Origin::CodeDefault));
        assert_eq!(seen("log_level=error", filter), (Level::Info, text, Origin::Code));
        let modules = "a=debug".to_owned();
        assert_eq!(seen(filter, "log_level=error"), (Level::Error, modules, Origin::Code));
        let nothing = resolved("log_filter=debug", "log_level=error");
        let shown = (nothing.log_filter.as_str(), nothing.origin("log_filter"));
        assert_eq!(shown, ("", Origin::Code), "nothing of it is left");
        let off = resolved("log_filter=off,a=debug", "");
        assert_eq!(
            (off.log_level, off.least_of_others()),
            (Level::Info, Level::Critical as u8 + 1)
        );
    }

    #[test]
    fn what_follows_a_level_follows_the_one_in_force() {
        let configuration = resolved("log_filter=warning,a=debug", "");
        let levels = (configuration.console_level, configuration.journal_level);
        assert_eq!(levels, (Level::Warning, Level::Debug));
    }
}
