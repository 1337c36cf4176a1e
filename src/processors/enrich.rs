//! Adding constant fields.

use super::{Event, Processor, Verdict};
use crate::context::Context;
use crate::definition::context_fields;

/// Adds constant fields to every entry: the desk, the release, the machine. A field that the entry
/// has of its own stays as it is.
#[derive(Debug, Clone)]
pub struct Enrich {
    fields: Context,
    replaces: bool,
}

impl Enrich {
    /// Adds these fields. They stand behind those of the call; sensitive names are masked, secrets inside
    /// texts are not looked for.
    #[must_use]
    pub fn new(fields: Context) -> Self {
        Self { fields, replaces: false }
    }

    /// Puts them also in place of fields that the entry has.
    #[must_use]
    pub fn replacing(self) -> Self {
        Self { replaces: true, ..self }
    }
}

impl Processor for Enrich {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        for field in context_fields(self.fields.bytes()) {
            if self.replaces || !event.has(field.name) {
                event.set_raw(&field);
            }
        }
        Verdict::Keep
    }
}
