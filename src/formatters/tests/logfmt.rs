//! logfmt: golden lines, and a reader of its grammar that gives back what was logged.

use proptest::prelude::*;

use super::properties::{Any, Expected, fields, hostile_text, is_harmful, sample, shown_fields};
use crate::formatters::LogfmtFormatter;
use crate::formatters::tests_support::{Sample, SampleField, line};
use crate::level::Level;
use crate::record::Bytes;

fn logfmt(sample: &Sample) -> String {
    line(&mut LogfmtFormatter::new(), &sample.finish())
}

fn behind_event(sample: &Sample) -> String {
    let line = logfmt(sample);
    line.strip_prefix("time=2026-01-02T03:04:05.123456Z level=info event=x").unwrap().to_owned()
}

#[test]
fn a_line_is_time_level_event_call_and_context() {
    let sample = Sample::new("bar closed")
        .level(Level::Warning)
        .field("open", 70_000.5)
        .field("note", "two words")
        .bound("symbol", "BTCUSDT");
    assert_eq!(
        logfmt(&sample),
        "time=2026-01-02T03:04:05.123456Z level=warning event=\"bar closed\" open=70000.5 \
         note=\"two words\" symbol=BTCUSDT"
    );
    assert!(logfmt(&Sample::new("")).ends_with(" event=\"\""));
    let filled = Sample::new("filled {qty}").field("qty", 3_u8);
    assert!(logfmt(&filled).ends_with(" event=\"filled 3\" qty=3"));
    let one = Sample::new("{a}").field("a", "say \"hi\"\n");
    assert!(logfmt(&one).ends_with(r#" event="say \"hi\"\n" a="say \"hi\"\n""#));
}

#[test]
fn values_are_quoted_by_the_rules_of_go_kit() {
    let none: Option<u8> = None;
    let sample = Sample::new("x")
        .field("a", "plain")
        .field("b", "")
        .field("c", "null")
        .field("d", none)
        .field("e", "a=b")
        .field("f", "tab\there\u{1b}")
        .field("g", "naïve→")
        .field("h", "\u{fffd}")
        .field("i", r"C:\x")
        .field("j", [1_u8, 2])
        .field("k", ["a b", "c"])
        .field("l", Bytes(&[0xde]))
        .field("m", f64::NAN)
        .field("n", '=')
        .with(SampleField::new("o", &"abcdef", 3))
        .with(SampleField::new("p", &"two words", 5))
        .with(SampleField::new("q", &Bytes(&[1]), 0));
    assert_eq!(
        behind_event(&sample),
        concat!(
            r#" a=plain b="" c="null" d=null e="a=b" f="tab\there\u001b" g=naïve→ h="�" i=C:\x"#,
            r#" j=[1,2] k="[\"a b\",c]" l=de m=NaN n="=" o=abc… p="two w…" q=…"#
        )
    );
}

#[test]
fn names_are_made_bare_and_stay_different() {
    let sample = Sample::new("x")
        .field("order.id", 1_u8)
        .field("two words", 2_u8)
        .field("two=words", 3_u8)
        .field("", 4_u8)
        .field("level", 5_u8)
        .field("fields.level", 6_u8)
        .bound("größe\n", 7_u8)
        .bound("event", 8_u8);
    assert_eq!(
        behind_event(&sample),
        " order.id=1 two_words=2 two_words_2=3 _=4 fields.level=5 fields.level_2=6 größe_=7 \
         fields.event=8"
    );
}

/// Names and values of a line; `Err` tells where it is no logfmt.
pub(super) fn read(line: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = line;
    loop {
        let (name, after) = rest.split_once('=').ok_or_else(|| format!("no = in {rest}"))?;
        let strange = |c: char| c <= ' ' || c == '"' || c == '\u{fffd}';
        if name.is_empty() || name.contains(strange) {
            return Err(format!("no name: {name}"));
        }
        let (value, end) = if after.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let value = values.next().ok_or("no value")?.map_err(|error| error.to_string())?;
            (value, values.byte_offset())
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            (after[..end].to_owned(), end)
        };
        pairs.push((name.to_owned(), value));
        match after[end..].strip_prefix(' ') {
            Some(next) => rest = next,
            None if end == after.len() => return Ok(pairs),
            None => return Err(format!("{} follows a value", &after[end..])),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_line_of_any_entry_reads_back_as_what_was_logged(
        text in hostile_text(), call in fields(), bound in fields(), nanos in any::<i64>(),
    ) {
        let line = logfmt(&sample(&text, &call, &bound, nanos));
        prop_assert!(!line.contains(is_harmful), "{:?}", line);
        let pairs = read(&line).map_err(|error| TestCaseError::fail(format!("{error}: {line}")))?;
        let names: std::collections::BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names.len(), pairs.len(), "{}", line);
        let own: Vec<_> = pairs[..3].iter().map(|(name, _)| &**name).collect();
        prop_assert_eq!(own, ["time", "level", "event"]);
        let expected = shown_fields(&call, &bound);
        prop_assert_eq!(pairs.len() - 3, expected.len(), "{}", line);
        for ((_, value), (_, Any { expected, .. })) in pairs[3..].iter().zip(expected) {
            check(value, expected)?;
        }
    }
}

/// Texts read back exactly; lists are what the text format shows.
fn check(value: &str, expected: &Expected) -> Result<(), TestCaseError> {
    match expected {
        Expected::Json(serde_json::Value::String(text)) => {
            let named = match &**text {
                "Infinity" => "inf",
                "-Infinity" => "-inf",
                other => other,
            };
            prop_assert_eq!(value, named);
        }
        Expected::Json(serde_json::Value::Array(list)) => {
            prop_assert_eq!(value, super::properties::shown_list(list));
        }
        Expected::Json(other) => prop_assert_eq!(value, other.to_string()),
        Expected::Digits(digits) => prop_assert_eq!(value, digits),
        Expected::Float(bits) => prop_assert_eq!(value.parse::<f64>().unwrap().to_bits(), *bits),
        Expected::Time(nanos) => {
            let read: jiff::Timestamp = value.parse().unwrap();
            prop_assert_eq!(read.as_nanosecond(), i128::from(*nanos));
        }
    }
    Ok(())
}
