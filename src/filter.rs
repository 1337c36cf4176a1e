//! `log_filter`: levels by module.

use crate::level::Level;

/// Above every level.
const OFF: u8 = Level::Critical as u8 + 1;

/// Levels by module: a part of what `tracing`'s `EnvFilter` understands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    /// The least level of the modules that are not named, if it is given.
    others: Option<u8>,
    /// Modules and their least levels, the longest path first.
    modules: Vec<(Box<str>, u8)>,
}

impl Filter {
    /// Reads directives, separated by commas: `level` or `module::path=level`.
    ///
    /// # Errors
    /// What is wrong, and what would be accepted.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        if text.trim().is_empty() {
            return Ok(filter);
        }
        for directive in text.split(',').map(str::trim) {
            filter.add(directive)?;
        }
        filter.modules.sort_by_key(|(module, _)| std::cmp::Reverse(module.len()));
        Ok(filter)
    }

    fn add(&mut self, directive: &str) -> Result<(), String> {
        if directive.is_empty() {
            return Err("no comma without a directive on both sides".to_owned());
        }
        let Some((module, level)) = directive.split_once('=') else {
            let twice = self.others.replace(level_of(directive)?).is_some();
            return refuse_if(twice, || format!("one level for all others, not {directive:?} too"));
        };
        let (module, level) = (module.trim(), level_of(level)?);
        let is_name = |part: &str| {
            let sound = |char: char| char.is_alphanumeric() || char == '_';
            part.chars().next().is_some_and(|first| !first.is_numeric()) && part.chars().all(sound)
        };
        refuse_if(!module.split("::").all(is_name), || {
            let advice =
                if module.contains('-') { " (`-` in a package's name is `_` here)" } else { "" };
            format!("a module's path like my_bot::risk in place of {module:?}{advice}")
        })?;
        let twice = self.modules.iter().any(|(known, _)| **known == *module);
        refuse_if(twice, || format!("one level for {module}, not two"))?;
        self.modules.push((module.into(), level));
        Ok(())
    }

    /// The level of the modules that are not named, if it is given.
    pub(crate) fn others(&self) -> Option<u8> {
        self.others
    }

    /// Whether any module is named.
    pub(crate) fn names_modules(&self) -> bool {
        !self.modules.is_empty()
    }

    /// Whether both give the same modules the same levels.
    pub(crate) fn has_modules_of(&self, other: &Self) -> bool {
        let within = |known: &(Box<str>, u8)| other.modules.contains(known);
        self.modules.len() == other.modules.len() && self.modules.iter().all(within)
    }

    /// The least level that any module lets through, when the others have `others`.
    pub(crate) fn least(&self, others: u8) -> u8 {
        self.modules.iter().map(|(_, level)| *level).fold(others, u8::min)
    }

    /// The least level of a module, when those that are not named have `others`.
    pub(crate) fn level_of(&self, target: &str, others: u8) -> u8 {
        let within = |module: &str| {
            target
                .strip_prefix(module)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let found = self.modules.iter().find(|(module, _)| within(module));
        found.map_or(others, |(_, level)| *level)
    }
}

fn level_of(text: &str) -> Result<u8, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("off") {
        return Ok(OFF);
    }
    let level: Result<Level, _> = text.parse();
    level.map(|level| level as u8).map_err(|_| {
        format!(
            "a level (trace, debug, info, warning, error, critical, off) or module::path=level in \
             place of {text:?}"
        )
    })
}

fn refuse_if(wrong: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if wrong { Err(why()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: u8 = Level::Info as u8;
    const DEBUG: u8 = Level::Debug as u8;

    #[test]
    fn the_longest_module_wins_and_names_end_at_colons() {
        let text = "warn, my_bot::risk=debug,my_bot=INFO,my_bot::risk::limits=off";
        let filter = Filter::parse(text).unwrap();
        let level = |target: &str| filter.level_of(target, Level::Warning as u8);
        assert_eq!(level("my_bot"), INFO);
        assert_eq!(level("my_bot::orders"), INFO);
        assert_eq!(level("my_bot::risk::var"), DEBUG);
        assert_eq!(level("my_bot::risky"), INFO);
        assert_eq!(level("my_bot2"), Level::Warning as u8);
        assert_eq!(level("my_bot::risk::limits"), OFF);
        assert_eq!(filter.least(INFO), DEBUG);
        assert_eq!(filter.others(), Some(Level::Warning as u8));
        assert_eq!(Filter::parse("  "), Ok(Filter::default()));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let wrong = |text: &str| Filter::parse(text).unwrap_err();
        assert!(wrong("inof").contains("in place of \"inof\""));
        assert!(wrong("info,,a=debug").contains("comma"));
        assert!(wrong("info,debug").contains("one level for all others"));
        assert!(wrong("a=debug,a=info").contains("one level for a,"));
        assert!(wrong("my-bot=debug").contains("`_` here"));
        for text in ["a::=info", "=info", "a=loud", "a[span]=info", "a:b=info", "1a=info", "a="] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
