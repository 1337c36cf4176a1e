//! Entries as the tests of the formatters need them, and a look into the JSON they render.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::Formatter;
use super::json::{Identity, JsonFormatter};
use super::text::TextFormatter;
use crate::clock::Calibration;
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::entry::Entry;
use crate::level::Level;
use crate::record::{Encode, LogValue, Sink, TypeCode, UnixNanos};

/// One tick is a nanosecond, and ticks began in 1970.
pub(super) const NANOSECOND_TICKS: Calibration =
    Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };

/// Strings in samples are cut to this many bytes.
pub(super) const CAP: usize = 1 << 16;

/// A field's name, type and encoded value.
#[derive(Debug, Clone)]
pub(super) struct SampleField {
    name: String,
    code: TypeCode,
    bytes: Vec<u8>,
}

impl SampleField {
    pub(super) fn new<V: LogValue>(name: &str, value: &V, cap: usize) -> Self {
        let stored = value.stored();
        let mut bytes = vec![0; V::Stored::<'_>::FIXED + stored.extra(cap)];
        stored.put(&mut Sink::new(&mut bytes), cap);
        Self { name: name.into(), code: V::Stored::<'_>::TYPE, bytes }
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// A value of any type, as it is stored.
    pub(super) fn raw(name: &str, code: TypeCode, bytes: &[u8]) -> Self {
        Self { name: name.into(), code, bytes: bytes.into() }
    }
}

/// An entry while it is put together.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    level: Level,
    trade: bool,
    text: String,
    time: UnixNanos,
    target: String,
    file: String,
    call: Vec<SampleField>,
    bound: Vec<SampleField>,
}

impl Sample {
    pub(super) fn new(text: &str) -> Self {
        Self {
            level: Level::Info,
            trade: false,
            text: text.into(),
            time: UnixNanos(1_767_323_045_123_456_789),
            target: "bot::risk".into(),
            file: "src/risk.rs".into(),
            call: Vec::new(),
            bound: Vec::new(),
        }
    }

    pub(super) fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    pub(super) fn trade(mut self) -> Self {
        self.trade = true;
        self
    }

    pub(super) fn at(mut self, time: UnixNanos) -> Self {
        self.time = time;
        self
    }

    /// The module and the file of the call.
    pub(super) fn place(mut self, target: &str, file: &str) -> Self {
        (self.target, self.file) = (target.into(), file.into());
        self
    }

    /// Adds a field of the call.
    pub(super) fn field(self, name: &str, value: impl LogValue) -> Self {
        self.with(SampleField::new(name, &value, CAP))
    }

    pub(super) fn with(mut self, field: SampleField) -> Self {
        self.call.push(field);
        self
    }

    /// Adds a field of the context.
    pub(super) fn bound(self, name: &str, value: impl LogValue) -> Self {
        self.bound_with(SampleField::new(name, &value, CAP))
    }

    pub(super) fn bound_with(mut self, field: SampleField) -> Self {
        self.bound.push(field);
        self
    }

    pub(super) fn finish(&self) -> Finished {
        let mut site = vec![self.level as u8, u8::from(self.trade)];
        site.extend_from_slice(&(self.call.len() as u16).to_le_bytes());
        site.extend_from_slice(&17_u32.to_le_bytes());
        for text in [&self.text, &self.target, &self.file] {
            put_text(&mut site, text);
        }
        let mut arguments = Vec::new();
        for field in &self.call {
            site.push(field.code.0);
            put_text(&mut site, &field.name);
            arguments.extend_from_slice(&field.bytes);
        }
        let mut context = (self.bound.len() as u16).to_le_bytes().to_vec();
        for field in &self.bound {
            context.push(field.code.0);
            put_text(&mut context, &field.name);
            context.extend_from_slice(&field.bytes);
        }
        let definition = ContextDefinition::decode(&context).unwrap();
        Finished {
            time: self.time,
            site: Arc::new(SiteDefinition::decode(&site).unwrap()),
            context: (!self.bound.is_empty()).then(|| Arc::new(definition)),
            site_bytes: site,
            context_bytes: context,
            arguments,
            calibration: NANOSECOND_TICKS,
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Tries a property with `ci` random values, or with as many as `TEST_CASES` says; how many they were.
pub(super) fn for_any<S: Strategy>(
    ci: u32,
    values: S,
    holds: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> u32 {
    let cases = std::env::var("TEST_CASES").map_or(ci, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    if let Err(error) = runner.run(&values, holds) {
        panic!("{error}");
    }
    cases
}

/// What an entry borrows from.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) time: UnixNanos,
    pub(super) site: Arc<SiteDefinition>,
    pub(super) context: Option<Arc<ContextDefinition>>,
    pub(super) site_bytes: Vec<u8>,
    pub(super) context_bytes: Vec<u8>,
    pub(super) arguments: Vec<u8>,
    pub(super) calibration: Calibration,
}

impl Finished {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            time: self.time,
            site: &self.site,
            context: self.context.as_ref(),
            arguments: &self.arguments,
            calibration: self.calibration,
        }
    }
}

pub(super) fn line(formatter: &mut impl Formatter, finished: &Finished) -> String {
    let mut out = Vec::new();
    formatter.line(&finished.entry(), &mut out);
    String::from_utf8(out).unwrap()
}

pub(super) fn text_line(sample: &Sample) -> String {
    line(&mut TextFormatter::new(false), &sample.finish())
}

pub(super) fn identity() -> Identity {
    Identity { app_name: "metaexpert".into(), hostname: "desk7".into(), procid: 4711, facility: 16 }
}

pub(super) fn json_line(sample: &Sample) -> String {
    line(&mut JsonFormatter::new(identity()), &sample.finish())
}

/// The keys of a JSON object with their values as they are written, in their order; what
/// `serde_json` accepts is taken for granted.
pub(super) fn members(object: &str) -> Vec<(String, &str)> {
    let inner = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap();
    let mut members = Vec::new();
    let (mut start, mut depth, mut in_string, mut escaped) = (0, 0, false, false);
    for (at, byte) in inner.bytes().chain(std::iter::once(b',')).enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                members.push(member(&inner[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    members
}

fn member(text: &str) -> (String, &str) {
    let mut keys = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let key = keys.next().unwrap().unwrap();
    let value = text[keys.byte_offset()..].strip_prefix(':').unwrap();
    (key, value)
}
