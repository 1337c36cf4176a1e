//! The rules of the parameters that say what lines look like.

use super::model::{Configuration, LogFormat};
use super::pattern::Pattern;

/// A parameter that breaks a rule: its key, its value, what would be accepted.
pub(super) type Refused = (&'static str, String, String);

impl Configuration {
    /// The form of `expert.log` and `errors.log`.
    pub(crate) fn form(&self) -> LogFormat {
        match self.log_format {
            Some(form) => form,
            None if self.structured_logging => LogFormat::Json,
            None => LogFormat::Text,
        }
    }
}

/// What is wrong with the parameters of formats.
pub(super) fn refused(configuration: &Configuration) -> Vec<Refused> {
    let mut refused = Vec::new();
    if let Err(problem) = Pattern::parse(&configuration.text_pattern) {
        let value = format!("{:?}", configuration.text_pattern);
        refused.push(("text_pattern", value, problem));
    }
    if configuration.structured_logging && configuration.form() != LogFormat::Json {
        let value = format!("{:?}", configuration.form()).to_lowercase();
        let accepted = "json, because structured_logging = true is the short way to say \
                        log_format = json; for another format leave structured_logging out";
        refused.push(("log_format", value, accepted.to_owned()));
    }
    if configuration.enterprise_number == 0 {
        let accepted = "the number that IANA gave your enterprise, 1 to 4294967295; 32473 is for \
                        examples (RFC 5612)";
        refused.push(("enterprise_number", "0".to_owned(), accepted.to_owned()));
    }
    refused
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
        assert!(refused(&configuration).is_empty());
        for form in [LogFormat::Text, LogFormat::Logfmt, LogFormat::Rfc5424] {
            configuration.log_format = Some(form);
            let problems = refused(&configuration);
            assert!(matches!(&problems[..], [("log_format", _, why)] if why.contains("leave")));
        }
        configuration.log_format = Some(LogFormat::Json);
        assert!(refused(&configuration).is_empty());
    }

    #[test]
    fn a_wrong_pattern_and_the_number_zero_are_refused() {
        let mut configuration = Configuration::built_in();
        configuration.text_pattern = "%(evnt)".to_owned();
        configuration.enterprise_number = 0;
        let problems = refused(&configuration);
        let keys: Vec<_> = problems.iter().map(|(key, ..)| *key).collect();
        assert_eq!(keys, ["text_pattern", "enterprise_number"]);
        assert!(problems[0].2.contains("did you mean `%(event)`?"), "{problems:?}");
    }
}
