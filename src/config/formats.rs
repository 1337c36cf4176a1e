//! The rules of the parameters that say what lines look like.

use super::kinds::LogFormat;
use super::parameters::Configuration;
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
        let value = format!("\"{:?}\"", configuration.form()).to_lowercase();
        let accepted = "accepted is json, because structured_logging = true is the short way to say \
                        log_format = json; for another format leave structured_logging out";
        refused.push(("log_format", value, accepted.to_owned()));
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
    fn a_wrong_pattern_is_refused_with_what_was_probably_meant() {
        let mut configuration = Configuration::built_in();
        configuration.text_pattern = "%(evnt)".to_owned();
        let problems = refused(&configuration);
        assert_eq!((problems.len(), problems[0].0), (1, "text_pattern"));
        assert!(problems[0].2.contains("did you mean `%(event)`?"), "{problems:?}");
    }
}
