//! Whatever the names and the values are: one entry is one line that harms nobody, and JSON reads
//! back as what was logged.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value as Json;

use crate::clock::Ticks;
use crate::formatters::tests_support::{CAP, Sample, SampleField, identity, line, members};
use crate::formatters::{JsonFormatter, TextFormatter};
use crate::record::{Bytes, Decimal, LogValue, TypeCode, UnixNanos};

/// A value, and what JSON has to make of it.
#[derive(Debug, Clone)]
pub(super) struct Any {
    field: SampleField,
    pub(super) expected: Expected,
}

#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// These very digits.
    Digits(String),
    /// A number that reads back as these bits.
    Float(u64),
    /// A time that reads back as these nanoseconds.
    Time(i64),
    /// Anything that reads back as this.
    Json(Json),
}

fn value(value: &impl LogValue, expected: Expected) -> Any {
    Any { field: SampleField::new("", value, CAP), expected }
}

fn json(stored: &impl LogValue, expected: impl Into<Json>) -> Any {
    value(stored, Expected::Json(expected.into()))
}

fn digits(number: impl LogValue + ToString) -> Any {
    value(&number, Expected::Digits(number.to_string()))
}

fn float(number: f64) -> Any {
    let expected = match number {
        _ if number.is_nan() => Expected::Json("NaN".into()),
        f64::INFINITY => Expected::Json("Infinity".into()),
        f64::NEG_INFINITY => Expected::Json("-Infinity".into()),
        _ => Expected::Float(number.to_bits()),
    };
    value(&number, expected)
}

/// The digits by another way: padded on the left until a point fits in.
fn decimal((mantissa, scale): (i128, u8)) -> Any {
    let places = usize::from(scale);
    let padded = format!("{:0>width$}", mantissa.unsigned_abs(), width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let sign = if mantissa < 0 { "-" } else { "" };
    let point = if places > 0 { "." } else { "" };
    let expected = Expected::Digits(format!("{sign}{whole}{point}{fraction}"));
    value(&Decimal { mantissa, scale }, expected)
}

fn bytes(content: Vec<u8>) -> Any {
    let digits: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
    json(&Bytes(&content), digits)
}

pub(super) fn hostile_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        2 => proptest::char::range('\0', '\u{a0}'),
        1 => proptest::char::range('\u{2020}', '\u{2070}'),
        1 => prop::sample::select(vec!['"', '\\', '=', ',', '[', ']', '{', '}', '😀', 'é', '…']),
        1 => any::<char>(),
    ];
    prop::collection::vec(character, 0..24).prop_map(String::from_iter)
}

fn any_value() -> impl Strategy<Value = Any> {
    prop_oneof![
        any::<u64>().prop_map(digits),
        any::<i32>().prop_map(digits),
        any::<u128>().prop_map(digits),
        any::<i128>().prop_map(digits),
        any::<bool>().prop_map(|flag| json(&flag, flag)),
        any::<char>().prop_map(|character| json(&character, character.to_string())),
        any::<u64>().prop_map(|bits| float(f64::from_bits(bits))),
        any::<i32>().prop_map(|cents| float(f64::from(cents) / 100.0)),
        hostile_text().prop_map(|text| json(&text, text.clone())),
        hostile_text().prop_map(|text| json(&Some(&*text), text.clone())),
        Just(()).prop_map(|()| json(&None::<u64>, Json::Null)),
        any::<(i128, u8)>().prop_map(decimal),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(bytes),
        any::<i64>().prop_map(|nanos| value(&UnixNanos(nanos), Expected::Time(nanos))),
        (0..i64::MAX).prop_map(|nanos| value(&Ticks(nanos as u64), Expected::Time(nanos))),
        prop::collection::vec(hostile_text(), 0..4).prop_map(|list| json(&list, list.clone())),
        prop::collection::vec(any::<u32>(), 0..4).prop_map(|list| json(&list, list.clone())),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let usual = ["a", "b", "symbol", "order.id", "category"];
    let reserved = ["level", "event", "fields", "timestamp_ns", "pri"];
    prop_oneof![
        2 => hostile_text(),
        1 => prop::sample::select(usual.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(reserved.to_vec()).prop_map(str::to_owned),
    ]
}

pub(super) fn fields() -> impl Strategy<Value = Vec<(String, Any)>> {
    prop::collection::vec((name(), any_value()), 0..6)
}

/// An event's text: hostile, with up to two placeholders for the first field.
pub(super) fn sample(
    text: &str,
    call: &[(String, Any)],
    bound: &[(String, Any)],
    nanos: i64,
) -> Sample {
    let text = match call.first() {
        Some((name, _)) => format!("{text}{{{name}}}{text}{{{name}}}"),
        None => text.to_owned(),
    };
    let mut sample = Sample::new(&text).at(UnixNanos(nanos));
    for (name, any) in call {
        sample = sample.with(any.field.clone().named(name));
    }
    for (name, any) in bound {
        sample = sample.bound_with(any.field.clone().named(name));
    }
    sample
}

pub(super) fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            u32::from(character),
            0x2028 | 0x2029 | 0x202a..=0x202e | 0x2066..=0x2069
        )
}

/// The fields that a line shows, in their order: the call's before the context's, no name twice.
pub(super) fn shown_fields<'a>(
    call: &'a [(String, Any)],
    bound: &'a [(String, Any)],
) -> Vec<(&'a str, &'a Any)> {
    let mut seen = BTreeSet::new();
    let all = call.iter().chain(bound).map(|(name, any)| (&**name, any));
    all.filter(|(name, _)| seen.insert(*name)).collect()
}

/// A text with its harmful characters as the text format shows them.
pub(super) fn shown(text: &str) -> String {
    let escape = |character: char| match character {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        c if is_harmful(c) => format!("\\u{{{:x}}}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A list as the text format shows it.
pub(super) fn shown_list(list: &[Json]) -> String {
    let quoted = |text: &str| {
        let special = |c: char| "\"=[,]".contains(c) || c.is_whitespace() || is_harmful(c);
        if text.is_empty() || text.contains(special) {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{}\"", shown(&escaped))
        } else {
            text.to_owned()
        }
    };
    let elements = list.iter().map(|element| match element {
        Json::String(text) => quoted(text),
        other => other.to_string(),
    });
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

fn keys_stand_once(members: &[(String, &str)]) -> bool {
    let mut seen = BTreeSet::new();
    members.iter().all(|(name, _)| seen.insert(name))
}

fn check(name: &str, raw: &str, expected: &Expected) -> Result<(), TestCaseError> {
    match expected {
        Expected::Digits(digits) => prop_assert_eq!(raw, digits, "{}", name),
        Expected::Float(bits) => {
            let read: f64 = raw.parse().map_err(|_| TestCaseError::fail(raw.to_owned()))?;
            prop_assert_eq!(read.to_bits(), *bits, "{} {}", name, raw);
            prop_assert!(serde_json::from_str::<f64>(raw).is_ok(), "{}", raw);
        }
        Expected::Time(nanos) => {
            let text: String = serde_json::from_str(raw).unwrap();
            let read: jiff::Timestamp = text.parse().unwrap();
            prop_assert_eq!(read.as_nanosecond(), i128::from(*nanos));
        }
        Expected::Json(json) => {
            let read: Json = serde_json::from_str(raw).unwrap();
            prop_assert_eq!(&read, json, "{}", name);
        }
    }
    Ok(())
}

const OWN_KEYS: [&str; 12] = [
    "timestamp",
    "level",
    "event",
    "pri",
    "facility",
    "severity",
    "version",
    "hostname",
    "app_name",
    "procid",
    "msgid",
    "timestamp_ns",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn json_reads_back_as_what_was_logged_and_no_key_stands_twice(
        text in hostile_text(), call in fields(), bound in fields(), nanos in any::<i64>(),
    ) {
        let sample = sample(&text, &call, &bound, nanos);
        let line = line(&mut JsonFormatter::new(identity()), &sample.finish());
        prop_assert!(!line.contains(is_harmful), "{:?}", line);
        prop_assert!(serde_json::from_str::<Json>(&line).is_ok_and(|json| json.is_object()));

        let top = members(&line);
        prop_assert!(keys_stand_once(&top), "{}", line);
        let under = top.iter().find(|(name, _)| name == "fields").map(|(_, raw)| members(raw));
        let under = under.unwrap_or_default();
        prop_assert!(keys_stand_once(&under), "{}", line);

        let mut expected = BTreeMap::new();
        for (name, any) in call.iter().chain(&bound) {
            expected.entry(&**name).or_insert(&any.expected);
        }
        let moved = |name: &str| name == "fields" || OWN_KEYS.contains(&name);
        let shown: BTreeMap<_, _> = top
            .iter()
            .filter(|(name, _)| !moved(name))
            .chain(&under)
            .map(|(name, raw)| (&**name, *raw))
            .collect();
        prop_assert_eq!(shown.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, raw) in shown {
            check(name, raw, expected[name])?;
        }
        for key in OWN_KEYS {
            prop_assert!(top.iter().any(|(name, _)| name == key), "{} {}", key, line);
        }
        prop_assert!(under.iter().all(|(name, _)| moved(name)), "{}", line);
        let end = format!(",\"timestamp_ns\":\"{nanos}\"}}");
        prop_assert!(line.ends_with(&end), "{}", line);
    }

    #[test]
    fn text_is_one_line_without_a_harmful_character(
        text in hostile_text(), call in fields(), bound in fields(), nanos in any::<i64>(),
    ) {
        let sample = sample(&text, &call, &bound, nanos).finish();
        let plain = line(&mut TextFormatter::new(false), &sample);
        prop_assert!(!plain.contains(is_harmful), "{:?}", plain);
        let coloured = line(&mut TextFormatter::new(true), &sample);
        let mut stripped = coloured;
        for colour in ["\u{1b}[32m", "\u{1b}[36m", "\u{1b}[0m"] {
            stripped = stripped.replace(colour, "");
        }
        prop_assert_eq!(stripped, plain);
    }

    #[test]
    fn arguments_of_any_bytes_under_any_types_cost_no_line(
        call in prop::collection::vec((any::<u8>(), prop::collection::vec(0..9_u8, 0..24)), 0..5),
        text in hostile_text(),
    ) {
        let mut sample = Sample::new(&format!("{text}{{2}}"));
        for (index, (code, bytes)) in call.iter().enumerate() {
            sample = sample.with(SampleField::raw(&index.to_string(), TypeCode(*code), bytes));
        }
        let sample = sample.finish();
        let text = line(&mut TextFormatter::new(false), &sample);
        prop_assert!(!text.contains(is_harmful), "{:?}", text);
        let json = line(&mut JsonFormatter::new(identity()), &sample);
        prop_assert!(!json.contains(is_harmful), "{:?}", json);
        let read: Json = serde_json::from_str(&json).unwrap();
        for index in 0..call.len() {
            prop_assert!(read.get(index.to_string()).is_some(), "{}", json);
        }
    }
}
