//! Nobody writes a log line but us: whatever a name, a value, a text or a place holds, every form of
//! line stays one line, commands no terminal and cannot be taken for another entry.
//!
//! 1,300 entries in each of eight forms: 10,400 lines.

use std::io::Read;
use std::os::fd::AsFd;

use proptest::prelude::*;

use super::abnf::syslog_msg;
use super::logfmt::read;
use super::properties::is_harmful;
use crate::config::UseColors;
use crate::config::{BigInts, Pattern, TimePrecision, TimeZone};
use crate::formatters::tests_support::{Finished, Sample, SampleField, identity, line, members};
use crate::formatters::{
    Formatter, JsonFormatter, LogfmtFormatter, Rfc5424Formatter, TextFormatter, TextStyle,
};
use crate::handlers::{Batch, Console};
use crate::record::TypeCode;

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

/// An entry that is hostile in every place that a caller fills.
fn entry() -> impl Strategy<Value = Finished> {
    let texts = prop::collection::vec(attack(), 10);
    (texts, prop::collection::vec(attack(), 0..4), invalid(), any::<char>()).prop_map(
        |(texts, list, invalid, character)| {
            let mut stored = (invalid.len() as u32).to_le_bytes().to_vec();
            stored.extend_from_slice(&invalid);
            let [event, name, text, bound, bound_text, target, file, listed, cut, broken] =
                &texts[..]
            else {
                panic!("ten texts")
            };
            Sample::new(&format!("{event}{{{name}}}{event}"))
                .place(target, file)
                .field(name, &**text)
                .field(listed, list)
                .field("character", character)
                .with(SampleField::new(cut, &&**text, 7))
                .bound(bound, &**bound_text)
                // The last one: what cannot be decoded hides what follows.
                .with(SampleField::raw(broken, TypeCode::STR, &stored))
                .finish()
        },
    )
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_300))]

    #[test]
    fn row_16_no_field_forges_a_line_or_commands_a_terminal(finished in entry()) {
        let event = event_of(&finished);
        let text = line(&mut TextFormatter::new(false), &finished);
        prop_assert!(!text.contains(is_harmful), "{:?}", text);
        prop_assert!(text.starts_with("[2026-01-02T03:04:05.123456Z] [INFO     ] "));

        let coloured = line(&mut TextFormatter::new(true), &finished);
        prop_assert_eq!(&without_colours(&coloured), &text);

        let shown = on_console(&finished);
        let shown = shown.strip_suffix('\n').unwrap();
        prop_assert_eq!(&without_colours(shown), &text);

        let pattern = line(&mut TextFormatter::with(style(), false), &finished);
        prop_assert!(!pattern.contains(is_harmful), "{:?}", pattern);

        for big_ints in [BigInts::Number, BigInts::String] {
            let json = line(&mut JsonFormatter::with(identity(), big_ints), &finished);
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

        let logfmt = line(&mut LogfmtFormatter::new(), &finished);
        prop_assert!(!logfmt.contains(is_harmful), "{:?}", logfmt);
        let pairs = read(&logfmt).map_err(TestCaseError::fail)?;
        prop_assert_eq!(&pairs[1], &("level".to_owned(), "info".to_owned()));
        prop_assert_eq!(pairs.iter().filter(|(name, _)| name == "level").count(), 1);

        let frame = line(&mut Rfc5424Formatter::new(&identity(), 32473), &finished);
        prop_assert!(!frame.contains(is_harmful), "{:?}", frame);
        let message = syslog_msg(frame.as_bytes()).map_err(TestCaseError::fail)?;
        prop_assert_eq!((message.priority, message.elements.len()), (134, 2));
        prop_assert_eq!(&message.elements[1].id, "ctx@32473");
        prop_assert!(frame.ends_with(&event), "{} {}", frame, event);
    }
}

fn event_of(finished: &Finished) -> String {
    crate::formatters::event_text(&finished.entry())
}
