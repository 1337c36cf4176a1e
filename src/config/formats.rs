//! The rules of the parameters that say what lines look like.

use super::kinds::LogFormat;
use super::layers::Given;
use super::parameters::Configuration;
use super::pattern::Pattern;

/// The other one of two parameters that can say the same.
pub(super) fn partner(key: &str) -> Option<&'static str> {
    match key {
        "log_format" => Some("structured_logging"),
        "structured_logging" => Some("log_format"),
        "log_level" => Some("log_filter"),
        "log_filter" => Some("log_level"),
        _ => None,
    }
}

impl Configuration {
    /// The form of `expert.log` and `errors.log`.
    pub(crate) fn form(&self) -> LogFormat {
        match self.log_format {
            Some(form) => form,
            None if self.structured_logging => LogFormat::Json,
            None => LogFormat::Text,
        }
    }

    /// Settles the form where `structured_logging` and `log_format` ask for different ones: the value
    /// of the higher layer decides, and the other parameter follows it. Two values of one layer stay
    /// as they are, to be refused.
    pub(super) fn settle_form(&mut self) {
        let Some(form) = self.log_format else {
            self.log_format = Some(self.form());
            // "none" says no more than nothing does.
            self.trail.given.retain(|given| given.key != "log_format");
            return;
        };
        let json = form == LogFormat::Json;
        let [short, long] =
            ["structured_logging", "log_format"].map(|key| self.origin(key).layer());
        if json != self.structured_logging && short > long {
            self.log_format =
                Some(if self.structured_logging { LogFormat::Json } else { LogFormat::Text });
            self.follow("log_format");
        } else if self.structured_logging && !json && long > short {
            self.structured_logging = false;
            self.follow("structured_logging");
        }
    }

    /// Notes that a parameter's value comes from where its partner's does.
    pub(super) fn follow(&mut self, key: &'static str) {
        let origin = partner(key).map(|partner| self.origin(partner));
        self.trail.given.push(Given { key, origin, written: None });
    }

    /// Whether `structured_logging` and `log_format` ask for different forms.
    pub(super) fn contradicts_itself(&self) -> bool {
        self.structured_logging && self.form() != LogFormat::Json
    }

    /// What is wrong with `text_pattern`.
    pub(super) fn wrong_pattern(&self) -> Option<String> {
        let problem = Pattern::parse(&self.text_pattern).err()?;
        Some(format!("a text with named parts; {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_logging_is_the_short_way_for_json_and_contradicts_all_others() {
        let mut configuration = Configuration::built_in();
        assert_eq!(configuration.form(), LogFormat::Text);
        configuration.structured_logging = true;
        assert_eq!(configuration.form(), LogFormat::Json);
        assert!(!configuration.contradicts_itself());
        for form in [LogFormat::Text, LogFormat::Logfmt, LogFormat::Rfc5424] {
            configuration.log_format = Some(form);
            assert!(configuration.contradicts_itself());
        }
        configuration.log_format = Some(LogFormat::Json);
        assert!(!configuration.contradicts_itself());
    }

    #[test]
    fn a_wrong_pattern_is_refused_with_what_was_probably_meant() {
        let mut configuration = Configuration::built_in();
        configuration.text_pattern = "%(evnt)".to_owned();
        let problem = configuration.wrong_pattern().unwrap();
        assert!(problem.contains("did you mean `%(event)`?"), "{problem}");
        assert_eq!(Configuration::built_in().wrong_pattern(), None);
    }
}
