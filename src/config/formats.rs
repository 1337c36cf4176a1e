//! The rules of the parameters that say what lines look like.

use super::kinds::LogFormat;
use super::parameters::Configuration;
use super::pattern::Pattern;

impl Configuration {
    /// The form of `expert.log` and `errors.log`.
    pub(crate) fn form(&self) -> LogFormat {
        match self.log_format {
            Some(form) => form,
            None if self.structured_logging => LogFormat::Json,
            None => LogFormat::Text,
        }
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
