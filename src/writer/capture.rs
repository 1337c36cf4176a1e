//! The outlet that keeps entries for a test.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::crash::{self, CrashPoint};
use crate::entry::Entry;
use crate::formatters::{Formatter, TextFormatter, event_text, value_text};
use crate::level::{Category, Level};
use crate::record::{UnixNanos, Value};

/// One entry that a test captured, in plain values.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CapturedEntry {
    /// When it happened.
    pub time: UnixNanos,
    /// How severe it is.
    pub level: Level,
    /// Whether it is a trade event.
    pub category: Category,
    /// The event's text, placeholders filled in.
    pub event: String,
    /// The values given at the call, as the text format shows them.
    pub fields: BTreeMap<String, String>,
    /// The values bound to the logger.
    pub context: BTreeMap<String, String>,
    /// The whole line of `expert.log`.
    pub line: String,
}

impl fmt::Display for CapturedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// The outlet that keeps entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct CaptureSink {
    entries: Arc<Mutex<Vec<CapturedEntry>>>,
}

impl CaptureSink {
    /// What was kept so far.
    pub(crate) fn entries(&self) -> Vec<CapturedEntry> {
        self.entries.lock().clone()
    }

    /// Forgets what was kept.
    pub(crate) fn clear(&self) {
        self.entries.lock().clear();
    }

    /// Keeps an entry.
    pub(crate) fn entry(&self, entry: &Entry<'_>) {
        crash::pass(CrashPoint::EntryShown);
        let mut line = Vec::new();
        TextFormatter::new(false).line(entry, &mut line);
        let own = |(name, value): (&str, Value<'_>)| (name.to_owned(), value_text(entry, &value));
        self.entries.lock().push(CapturedEntry {
            time: entry.time(),
            level: entry.level(),
            category: entry.category(),
            event: event_text(entry),
            fields: entry.fields().flatten().map(own).collect(),
            context: entry.context().map(own).collect(),
            line: String::from_utf8_lossy(&line).into_owned(),
        });
    }
}
