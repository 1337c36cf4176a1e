//! The forms that lines have, each with its formatter.

use crate::config::{Configuration, LogFormat};
use crate::entry::Entry;
use crate::formatters::{
    Formatter, Identity, JsonFormatter, LogfmtFormatter, Rfc5424Formatter, TextFormatter, TextStyle,
};

/// In which form a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As on the console, without colours.
    Text,
    /// As `trades.log` always is.
    Json,
    /// As `log_format` says, where it is none of the two.
    Other,
}

/// A formatter for every form that is needed.
#[derive(Debug)]
pub(super) struct Forms {
    style: TextStyle,
    text: TextFormatter,
    json: JsonFormatter,
    other: Option<Box<dyn Formatter>>,
    log: Form,
}

impl Forms {
    /// The forms of a configuration.
    pub(super) fn new(configuration: &Configuration) -> Self {
        let identity = identity(configuration);
        let (log, other): (_, Option<Box<dyn Formatter>>) = match configuration.form() {
            LogFormat::Text => (Form::Text, None),
            LogFormat::Json => (Form::Json, None),
            LogFormat::Logfmt => (Form::Other, Some(Box::new(LogfmtFormatter::new()))),
            LogFormat::Rfc5424 => {
                let number = configuration.enterprise_number;
                (Form::Other, Some(Box::new(Rfc5424Formatter::new(&identity, number))))
            }
        };
        let style = TextStyle::of(configuration, identity.clone());
        Self {
            text: TextFormatter::with(style.clone(), false),
            json: JsonFormatter::with(identity, configuration.json_big_ints),
            style,
            other,
            log,
        }
    }

    /// The form of `expert.log` and `errors.log`.
    pub(super) fn log(&self) -> Form {
        self.log
    }

    /// A formatter of coloured text.
    pub(super) fn coloured(&self) -> TextFormatter {
        TextFormatter::with(self.style.clone(), true)
    }

    /// Appends an entry in the given form.
    #[inline]
    pub(super) fn line(&mut self, form: Form, entry: &Entry<'_>, out: &mut Vec<u8>) {
        match (form, &mut self.other) {
            (Form::Json, _) => self.json.line(entry, out),
            (Form::Other, Some(other)) => other.line(entry, out),
            (Form::Text | Form::Other, _) => self.text.line(entry, out),
        }
    }
}

/// What the structured formats say of this process.
pub(super) fn identity(configuration: &Configuration) -> Identity {
    Identity {
        app_name: configuration.log_name.clone(),
        hostname: configuration.hostname.clone(),
        procid: rustix::process::getpid().as_raw_nonzero().get().unsigned_abs(),
        facility: configuration.facility,
    }
}
