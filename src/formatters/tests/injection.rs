//! Nobody writes a log line but us: whatever a name, a value, a text or a place holds, every form of
//! line stays one line, commands no terminal and cannot be taken for another entry.
//!
//! 10,000 entries in each of eight forms; `TEST_CASES` asks for more.

use std::io::Read;
use std::os::fd::AsFd;

use proptest::prelude::*;

use super::abnf::syslog_msg;
use super::logfmt::read;
use super::properties::is_harmful;
use crate::config::UseColors;
use crate::config::{BigInts, Pattern, TimePrecision, TimeZone};
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::formatters::tests_support::{
    CAP, Finished, Sample, SampleField, for_any, identity, line, members,
};
use crate::formatters::{
    Formatter, JsonFormatter, LogfmtFormatter, Rfc5424Formatter, TextFormatter, TextStyle,
};
use crate::handlers::{Batch, Console};
use crate::record::{Bytes, TypeCode};

/// What somebody who wants to forge a line, or to command a terminal, would give.
const ATTACKS: [&str; 30] = [
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\t",
    "\u{b}",
    "\u{c}",
    "\u{8}",
    "\u{7f}",
    "\u{1b}[2J\u{1b}[31m",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;http://x\u{1b}\\",
    "\u{80}",
    "\u{85}",
    "\u{9b}31m",
    "\u{9f}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{fffd}",
    "\n[2026-01-01T00:00:00.000000Z] [CRITICAL ] forged",
    "\",\"level\":\"critical\",\"event\":\"forged",
    "\\\",\\\"level\\\":\\\"critical",
    " level=critical event=forged",
    "\" level=critical event=\"forged",
    "\"][meta sequenceId=\"1\"] forged",
    "\\\"] \u{feff}forged",
    "\n<130>1 - - - - - - forged",
];

fn attack() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(ATTACKS.to_vec()).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9 =\"\\\\\\]\\[{}%(),]{0,6}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

/// Bytes that are no UTF-8, around an attack.
fn invalid() -> impl Strategy<Value = Vec<u8>> {
    let bad =
        vec![&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc2", b"\x9b"];
    (prop::sample::select(bad), attack()).prop_map(|(bad, text)| {
        let mut bytes = bad.to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(bad);
        bytes
    })
}

/// Bytes behind their length, as strings are stored.
fn stored(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

/// A field of any type that can carry a text, or bytes that are none.
fn field() -> impl Strategy<Value = SampleField> {
    let value = prop_oneof![
        4 => attack().prop_map(|text| SampleField::new("", &text, CAP)),
        1 => attack().prop_map(|text| SampleField::new("", &text, 7)),
        1 => attack().prop_map(|text| SampleField::new("", &Some(&*text), CAP)),
        2 => prop::collection::vec(attack(), 0..4)
            .prop_map(|list| SampleField::new("", &list, CAP)),
        1 => any::<char>().prop_map(|character| SampleField::new("", &character, CAP)),
        1 => invalid().prop_map(|bytes| SampleField::new("", &Bytes(&bytes), CAP)),
    ];
    (attack(), value).prop_map(|(name, field)| field.named(&name))
}

/// The same with bytes that are no UTF-8 where they cannot be: what cannot be decoded hides what
/// follows it.
fn broken() -> impl Strategy<Value = SampleField> {
    (attack(), attack(), invalid(), 0..4).prop_map(|(name, text, invalid, kind)| {
        let (text, broken) = (stored(text.as_bytes()), stored(&invalid));
        let with = |flag| TypeCode(TypeCode::STR.0 | flag);
        match kind {
            0 => SampleField::raw(&name, TypeCode::STR, &broken),
            1 => SampleField::raw(&name, with(TypeCode::OPTION), &[&[1], &*broken].concat()),
            2 => {
                let list = [&2_u32.to_le_bytes(), &*text, &broken].concat();
                SampleField::raw(&name, with(TypeCode::LIST), &list)
            }
            _ => SampleField::raw(&name, TypeCode::CHAR, &0xd800_u32.to_le_bytes()),
        }
    })
}

/// An entry that is hostile in every place that a caller fills; its text shows the first field.
fn entry() -> impl Strategy<Value = Finished> {
    let fields = prop::collection::vec(field(), 1..6);
    let bound = prop::collection::vec(field(), 0..4);
    let broken = prop::option::of((any::<prop::sample::Index>(), broken()));
    let texts = prop::collection::vec(attack(), 4);
    (texts, fields, bound, broken).prop_map(|(texts, mut fields, bound, broken)| {
        let [event, name, target, file] = &texts[..] else { panic!("four texts") };
        fields[0] = fields[0].clone().named(name);
        if let Some((at, broken)) = broken {
            fields.insert(1 + at.index(fields.len()), broken);
        }
        let sample = Sample::new(&format!("{event}{{{name}}}{event}")).place(target, file);
        let sample = fields.into_iter().fold(sample, Sample::with);
        bound.into_iter().fold(sample, Sample::bound_with).finish()
    })
}

fn style() -> TextStyle {
    let all = "%(time) %(level:9) %(target) %(file):%(line) %(host) %(name) %(category) \
               %(event:40) %(fields:>60) %(context)";
    TextStyle {
        pattern: Pattern::parse(all).unwrap(),
        time_zone: TimeZone::Utc,
        time_precision: TimePrecision::Nanos,
        identity: identity(),
    }
}

fn without_colours(line: &str) -> String {
    ["\u{1b}[32m", "\u{1b}[36m", "\u{1b}[0m"]
        .iter()
        .fold(line.to_owned(), |line, colour| line.replace(colour, ""))
}

/// A line of the coloured text, as it comes out of a console.
fn on_console(finished: &Finished) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut console = Console::on(writer.as_fd(), UseColors::Never.into());
    let mut batch = Batch::new();
    batch.line(|out| TextFormatter::new(true).line(&finished.entry(), out));
    assert_eq!((console.write(&batch), console.settle()), (1, true));
    drop((console, writer));
    let mut shown = String::new();
    reader.read_to_string(&mut shown).unwrap();
    shown
}

/// Renders an entry in every form.
fn harms_nobody(finished: &Finished) -> Result<(), TestCaseError> {
    let event = event_of(finished);
    let text = line(&mut TextFormatter::new(false), finished);
    prop_assert!(!text.contains(is_harmful), "{:?}", text);
    prop_assert!(text.starts_with("[2026-01-02T03:04:05.123456Z] [INFO     ] "));

    let coloured = line(&mut TextFormatter::new(true), finished);
    prop_assert_eq!(&without_colours(&coloured), &text);

    let shown = on_console(finished);
    let shown = shown.strip_suffix('\n').unwrap();
    prop_assert_eq!(&without_colours(shown), &text);

    let pattern = line(&mut TextFormatter::with(style(), false), finished);
    prop_assert!(!pattern.contains(is_harmful), "{:?}", pattern);

    for big_ints in [BigInts::Number, BigInts::String] {
        let json = line(&mut JsonFormatter::with(identity(), big_ints), finished);
        prop_assert!(!json.contains(is_harmful), "{:?}", json);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read["level"], "info");
        prop_assert_eq!(&read["pri"], 134);
        let mut keys: Vec<_> = members(&json).into_iter().map(|(key, _)| key).collect();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), count, "{}", json);
    }

    let logfmt = line(&mut LogfmtFormatter::new(), finished);
    prop_assert!(!logfmt.contains(is_harmful), "{:?}", logfmt);
    let pairs = read(&logfmt).map_err(TestCaseError::fail)?;
    prop_assert_eq!(&pairs[1], &("level".to_owned(), "info".to_owned()));
    prop_assert_eq!(pairs.iter().filter(|(name, _)| name == "level").count(), 1);

    let frame = line(&mut Rfc5424Formatter::new(&identity(), 32473), finished);
    prop_assert!(!frame.contains(is_harmful), "{:?}", frame);
    let message = syslog_msg(frame.as_bytes()).map_err(TestCaseError::fail)?;
    prop_assert_eq!((message.priority, message.elements.len()), (134, 2));
    prop_assert_eq!(&message.elements[1].id, "ctx@32473");
    prop_assert!(frame.ends_with(&event), "{} {}", frame, event);
    Ok(())
}

#[test]
fn row_16_no_field_forges_a_line_or_commands_a_terminal() {
    let entries = for_any(10_000, entry(), |finished| harms_nobody(&finished));
    println!("row 16: {entries} hostile entries, each one harmless line in 8 forms");
}

#[test]
fn row_16_a_name_or_text_that_is_no_utf_8_makes_no_definition() {
    const MARK: &str = "~mark~";
    let whole = Sample::new("event").place("target", "file").field("name", 1_u8);
    let places = [
        Sample::new(MARK).finish(),
        whole.clone().place(MARK, "file").finish(),
        whole.clone().place("target", MARK).finish(),
        whole.clone().field(MARK, 1_u8).finish(),
        whole.clone().bound(MARK, 1_u8).finish(),
        whole.bound("name", MARK).finish(),
    ];
    for finished in &places {
        let broken = |bytes: &[u8]| {
            let at = bytes.windows(MARK.len()).position(|found| found == MARK.as_bytes())?;
            let mut bytes = bytes.to_vec();
            bytes[at] = 0xff;
            Some(bytes)
        };
        let (site, context) = (broken(&finished.site_bytes), broken(&finished.context_bytes));
        assert!(site.is_some() != context.is_some());
        assert!(site.is_none_or(|bytes| SiteDefinition::decode(&bytes).is_err()));
        assert!(context.is_none_or(|bytes| ContextDefinition::decode(&bytes).is_err()));
    }
    println!("row 16: {} places of a definition, each refused", places.len());
}

fn event_of(finished: &Finished) -> String {
    crate::formatters::event_text(&finished.entry())
}
