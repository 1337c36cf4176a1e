//! The masking in force: names that may change while running, patterns, and what was masked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::MASK;
use super::args::shortened;
use super::names::{NameMask, Treatment};
use super::texts::{Spans, Texts, put_masked};
use crate::definition::{DefinitionBytes, context_fields, put_context_field};
use crate::record::{Malformed, TypeCode, Value};

/// Names that were in force, or are.
#[derive(Debug)]
struct Version {
    names: NameMask,
    /// Those that took their place. A change keeps what it replaces: readers need no lock, also in
    /// a signal handler that interrupts the change.
    next: OnceLock<Box<Version>>,
}

/// What an engine masks.
#[derive(Debug)]
pub(crate) struct Masking {
    first: Version,
    /// How often they have changed.
    changes: AtomicU64,
    change: Mutex<()>,
    texts: Texts,
    /// Values that were masked because of their names.
    by_name: AtomicU64,
    /// Secrets that were masked inside texts.
    in_texts: AtomicU64,
}

impl Masking {
    /// Masks by these keys and patterns, and the built-in ones.
    pub(crate) fn new(keys: &[String], patterns: &[String]) -> Self {
        let names = NameMask::new(keys.iter().map(String::as_str));
        Self {
            first: Version { names, next: OnceLock::new() },
            changes: AtomicU64::new(0),
            change: Mutex::new(()),
            texts: Texts::new(patterns.iter().map(String::as_str)),
            by_name: AtomicU64::new(0),
            in_texts: AtomicU64::new(0),
        }
    }

    fn newest(&self) -> &Version {
        let mut version = &self.first;
        while let Some(next) = version.next.get() {
            version = next;
        }
        version
    }

    /// The names in force.
    pub(crate) fn names(&self) -> &NameMask {
        &self.newest().names
    }

    /// How often the names have changed. What is read later is at least as new.
    pub(crate) fn changes(&self) -> u64 {
        // ORDERING: Acquire, before the names are read.
        // PAIRS WITH: the Release addition in `set_keys`.
        // IF WEAKENED: who notes this number may have masked by the names before.
        self.changes.load(Ordering::Acquire)
    }

    /// Puts the built-in names and `keys` in force; whether that changes anything.
    pub(crate) fn set_keys(&self, keys: &[String]) -> bool {
        let _one_at_a_time = self.change.lock();
        let names = NameMask::new(keys.iter().map(String::as_str));
        let newest = self.newest();
        if newest.names == names {
            return false;
        }
        let changed = newest.next.set(Box::new(Version { names, next: OnceLock::new() })).is_ok();
        // ORDERING: Release, publishes the names.
        // PAIRS WITH: the Acquire load in `changes`.
        // IF WEAKENED: see there.
        self.changes.fetch_add(1, Ordering::Release);
        changed
    }

    /// How secrets are found in texts.
    pub(super) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The context with its secrets masked: by name, and in its texts; `None` if it has none.
    pub(crate) fn context(&self, bytes: &[u8]) -> Option<DefinitionBytes> {
        let names = self.names();
        let (mut by_name, mut in_texts) = (0, 0);
        // Begun with the first field that is changed.
        let mut masked: Option<DefinitionBytes> = None;
        let mut end = 2;
        for field in context_fields(bytes) {
            let (start, value) = (end, field.value());
            end += field.bytes.len();
            let mut keep = || {
                if let Some(masked) = &mut masked {
                    masked.extend_from_slice(field.bytes);
                }
            };
            let (text, by) = match names.treatment(field.name) {
                Treatment::Show => match self.secrets(names, value) {
                    Some((text, secrets)) => (text, (0, secrets)),
                    None => {
                        keep();
                        continue;
                    }
                },
                Treatment::Hide => (MASK.to_owned(), (1, 0)),
                Treatment::Keep(chars) => (shortened(value, chars).as_str().to_owned(), (1, 0)),
            };
            if value == Value::from(&*text) {
                // It was masked before.
                keep();
                continue;
            }
            let masked = masked.get_or_insert_with(|| DefinitionBytes::from_slice(&bytes[..start]));
            put_context_field(masked, field.name, TypeCode::STR, &&*text);
            by_name += by.0;
            in_texts += by.1;
        }
        if masked.is_some() {
            self.count_by_name(by_name);
            self.count_in_texts(in_texts);
        }
        masked
    }

    /// A value's text with its secrets masked, and how many; a list with a secret in it is hidden.
    fn secrets(&self, names: &NameMask, value: Value<'_>) -> Option<(String, u64)> {
        let mut found = Spans::new();
        let mut find = |text: &str| {
            let clean = self.texts.is_clean(names, text.as_bytes());
            if !clean {
                self.texts.find(names, text.as_bytes(), &|_| false, &mut found);
            }
            !clean && !found.is_empty()
        };
        match value {
            Value::Str(text) if find(text.content) => {
                let mut out = Vec::with_capacity(text.content.len());
                put_masked(text.content.as_bytes(), &found, |part| out.extend_from_slice(part));
                let text = String::from_utf8(out).unwrap_or_else(|_| MASK.to_owned());
                Some((text, found.len() as u64))
            }
            Value::List(list) => {
                let secret = |value: Result<Value<'_>, Malformed>| match value {
                    Ok(Value::Str(text)) => find(text.content),
                    _ => false,
                };
                list.iter().any(secret).then(|| (MASK.to_owned(), 1))
            }
            _ => None,
        }
    }

    /// Counts values that were masked because of their names.
    pub(crate) fn count_by_name(&self, values: u64) {
        // ORDERING: Relaxed, a statistic of the cold path.
        // PAIRS WITH: the load in `counts`.
        // IF WEAKENED: it is the weakest already.
        self.by_name.fetch_add(values, Ordering::Relaxed);
    }

    /// Counts secrets that were masked inside texts.
    pub(crate) fn count_in_texts(&self, secrets: u64) {
        // ORDERING: Relaxed, a statistic of the cold path.
        // PAIRS WITH: the load in `counts`.
        // IF WEAKENED: it is the weakest already.
        self.in_texts.fetch_add(secrets, Ordering::Relaxed);
    }

    /// How many values were masked by name, and how many secrets inside texts.
    pub(crate) fn counts(&self) -> [u64; 2] {
        // ORDERING: Relaxed, statistics.
        // PAIRS WITH: the additions above.
        // IF WEAKENED: it is the weakest already.
        [&self.by_name, &self.in_texts].map(|count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_hidden_for_a_secret_in_it_and_not_for_what_only_looks_like_one() {
        let masking = Masking::new(&[], &[]);
        let secret = crate::context! { notes = ["flat", "sent Bearer a8f5f167aa"] };
        assert!(masking.context(secret.bytes()).is_some());
        assert_eq!(masking.counts(), [0, 1]);
        // As long as a key, so it is searched; but no key has small letters alone.
        let long = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn";
        let ordinary = crate::context! { notes = ["flat", long] };
        assert!(masking.context(ordinary.bytes()).is_none());
        assert_eq!(masking.counts(), [0, 1]);
    }
}
