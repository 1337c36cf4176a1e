//! Frames of RFC 5424: golden ones, the grammar's own tests, and the grammar over any entry.

use proptest::prelude::*;

use super::abnf::{Element, Message, Msg, syslog_msg};
use super::properties::{Any, Expected, fields, hostile_text, is_harmful, sample, shown_fields};
use crate::formatters::tests_support::{Sample, SampleField, for_any, identity, line, members};
use crate::formatters::{Formatter, Identity, JsonFormatter, Rfc5424Formatter, event_text};
use crate::level::Level;
use crate::record::Bytes;

fn formatter() -> Rfc5424Formatter {
    Rfc5424Formatter::new(&identity(), 32473)
}

fn frame(sample: &Sample) -> String {
    line(&mut formatter(), &sample.finish())
}

fn parsed(sample: &Sample) -> Message {
    let frame = frame(sample);
    syslog_msg(frame.as_bytes()).unwrap_or_else(|error| panic!("{error}: {frame}"))
}

fn params(sample: &Sample) -> Vec<(String, String)> {
    let Element { id, params } = parsed(sample).elements.pop().unwrap();
    assert_eq!(id, "ctx@32473");
    params
}

#[test]
fn a_frame_has_every_element_in_its_place() {
    let filled = Sample::new("filled {qty}")
        .trade()
        .field("qty", 3_u64)
        .field("note", "a \"b\" [c] \\d")
        .bound("symbol", "BTCUSDT");
    assert_eq!(
        frame(&filled),
        concat!(
            r#"<134>1 2026-01-02T03:04:05.123456Z desk7 metaexpert 4711 trade "#,
            r#"[meta sequenceId="1"][ctx@32473 qty="3" note="a \"b\" [c\] \\d" symbol="BTCUSDT"] "#,
            "filled 3"
        )
    );
    assert_eq!(
        frame(&Sample::new("gone").level(Level::Critical)),
        "<130>1 2026-01-02T03:04:05.123456Z desk7 metaexpert 4711 - [meta sequenceId=\"1\"] gone"
    );
    assert_eq!(
        frame(&Sample::new("")),
        "<134>1 2026-01-02T03:04:05.123456Z desk7 metaexpert 4711 - [meta sequenceId=\"1\"]"
    );
}

#[test]
fn a_text_beyond_ascii_has_a_byte_order_mark_and_a_control_character_none() {
    let text = |sample: &Sample| parsed(sample).msg.unwrap();
    assert_eq!(text(&Sample::new("plain")), Msg::Any(b"plain".to_vec()));
    assert_eq!(text(&Sample::new("gefüllt")), Msg::Utf8("gefüllt".into()));
    let given = Sample::new("to {who}").field("who", "Jörg");
    assert_eq!(text(&given), Msg::Utf8("to Jörg".into()));
    assert_eq!(text(&Sample::new("a\nb\u{1b}")), Msg::Any(br"a\nb\u{1b}".to_vec()));
    // Only what stands in the text counts.
    let elsewhere = Sample::new("to").field("who", "Jörg");
    assert_eq!(text(&elsewhere), Msg::Any(b"to".to_vec()));
}

#[test]
fn severities_facilities_and_unknown_origins_are_those_of_the_rfc() {
    let priorities = Level::ALL.map(|level| parsed(&Sample::new("x").level(level)).priority);
    assert_eq!(priorities, [135, 135, 134, 132, 131, 130]);
    for facility in 0..=23 {
        let nobody =
            Identity { app_name: String::new(), hostname: String::new(), procid: 0, facility };
        let frame = line(&mut Rfc5424Formatter::new(&nobody, 1), &Sample::new("x").finish());
        let message = syslog_msg(frame.as_bytes()).unwrap();
        assert_eq!(message.priority, facility * 8 + 6);
        assert_eq!((message.hostname, message.app_name, message.procid), (None, None, None));
    }
}

#[test]
fn what_is_too_long_or_not_printable_in_the_header_is_cut_and_replaced() {
    let strange = Identity {
        app_name: format!("my bot {}", "x".repeat(99)),
        hostname: format!("büro\n{}", "y".repeat(999)),
        procid: u32::MAX,
        facility: 16,
    };
    let frame = line(&mut Rfc5424Formatter::new(&strange, u32::MAX), &Sample::new("x").finish());
    let message = syslog_msg(frame.as_bytes()).unwrap();
    assert_eq!(message.app_name.unwrap(), format!("my_bot_{}", "x".repeat(41)));
    assert_eq!(message.hostname.unwrap(), format!("b_ro_{}", "y".repeat(250)));
    assert_eq!(message.procid.unwrap(), "4294967295");
}

#[test]
fn names_become_valid_and_stay_different() {
    let long = "n".repeat(40);
    let sample = Sample::new("x")
        .field("order id", 1_u8)
        .field("order=id", 2_u8)
        .field("order]id", 3_u8)
        .field("order_id_2", 4_u8)
        .field("", 5_u8)
        .field(&format!("{long}1"), 6_u8)
        .bound(&format!("{long}2"), 7_u8)
        .bound("größe", 8_u8)
        .bound("order.id", 9_u8);
    let names: Vec<_> = params(&sample).into_iter().map(|(name, _)| name).collect();
    let kept = "n".repeat(32);
    let shorter = format!("{}_2", "n".repeat(30));
    let expected = [
        "order_id",
        "order_id_2",
        "order_id_3",
        "order_id_2_2",
        "_",
        &kept,
        &shorter,
        "gr__e",
        "order.id",
    ];
    assert_eq!(names, expected);
}

#[test]
fn values_of_every_kind_are_parameters() {
    let none: Option<u8> = None;
    let sample = Sample::new("x")
        .field("a", f64::NAN)
        .field("b", none)
        .field("c", vec!["[", "two words", "é]\""])
        .field("d", Bytes(&[0xde, 0xad]))
        .field("e", ']')
        .field("f", "a\nb\\n\u{2028}")
        .with(SampleField::new("g", &"abcdef", 3))
        .bound("h", [1_u8, 2]);
    let values: Vec<_> = params(&sample).into_iter().map(|(_, value)| value).collect();
    let list = r#"["[","two words","é]\""]"#;
    let expected = ["NaN", "null", list, "dead", "]", "a\\nb\\n\\u{2028}", "abc…", "[1,2]"];
    assert_eq!(values, expected);
}

#[test]
fn messages_are_numbered_and_the_number_begins_anew_behind_the_last() {
    let mut formatter = formatter();
    let sample = Sample::new("x").finish();
    let mut number = || {
        let frame = line(&mut formatter, &sample);
        syslog_msg(frame.as_bytes()).unwrap().elements[0].params[0].1.clone()
    };
    assert_eq!([number(), number()], ["1", "2"]);
    let mut formatter = self::formatter().after(2_147_483_646);
    let mut out = Vec::new();
    for _ in 0..2 {
        formatter.line(&sample.entry(), &mut out);
        out.push(b'\n');
    }
    let text = String::from_utf8(out).unwrap();
    let last: Vec<_> = text.lines().map(|line| line.contains("=\"2147483647\"")).collect();
    assert_eq!(last, [true, false]);
    assert!(text.ends_with("sequenceId=\"1\"] x\n"), "{text}");
}

#[test]
fn the_examples_of_the_rfc_are_accepted() {
    let examples: [&[u8]; 6] = [
        b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \
          \xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8",
        b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - \
          %% It's time to make the do-nuts.",
        b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 \
          [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] \
          \xef\xbb\xbfAn application event log entry...",
        b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 \
          [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"]\
          [examplePriority@32473 class=\"high\"]",
        b"<0>1 1985-04-12T23:20:50.52Z - - - - -",
        b"<0>1 - - - - - [meta sequenceId=\"1\" sysUpTime=\"90\" language=\"en\"] ",
    ];
    for example in examples {
        let text = String::from_utf8_lossy(example);
        syslog_msg(example).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
}

#[test]
fn what_breaks_a_rule_of_the_grammar_is_refused_by_that_rule() {
    let time = "2026-01-02T03:04:05Z";
    let with_time = |time: &str| format!("<134>1 {time} h a p m - x");
    let with_data = |data: &str| format!("<134>1 {time} h a p m {data} x");
    let cases = [
        ("PRI", format!("134>1 {time} h a p m - x")),
        ("PRI", format!("<134 1 {time} h a p m - x")),
        ("PRIVAL", format!("<>1 {time} h a p m - x")),
        ("PRIVAL", format!("<1345>1 {time} h a p m - x")),
        ("PRIVAL at most", format!("<192>1 {time} h a p m - x")),
        ("PRIVAL at most", format!("<999>1 {time} h a p m - x")),
        ("PRIVAL without", format!("<034>1 {time} h a p m - x")),
        ("VERSION", format!("<134> {time} h a p m - x")),
        ("VERSION", format!("<134>2 {time} h a p m - x")),
        ("SP behind VERSION", format!("<134>1{} h a p m - x", "T")),
        ("DATE-FULLYEAR", with_time("26-01-02T03:04:05Z")),
        ("DATE-MONTH", with_time("2026-13-02T03:04:05Z")),
        ("DATE-MDAY", with_time("2026-02-29T03:04:05Z")),
        ("DATE-MDAY", with_time("2026-01-00T03:04:05Z")),
        ("TIMESTAMP: T", with_time("2026-01-02t03:04:05Z")),
        ("TIME-HOUR", with_time("2026-01-02T24:04:05Z")),
        ("TIME-MINUTE", with_time("2026-01-02T03:60:05Z")),
        ("TIME-SECOND", with_time("2026-01-02T03:04:60Z")),
        ("TIME-SECFRAC", with_time("2026-01-02T03:04:05.1234567Z")),
        ("TIME-SECFRAC", with_time("2026-01-02T03:04:05.Z")),
        ("TIME-OFFSET", with_time("2026-01-02T03:04:05")),
        ("TIME-OFFSET", with_time("2026-01-02T03:04:05z")),
        ("TIME-MINUTE", with_time("2026-01-02T03:04:05+02:7")),
        ("HOSTNAME", format!("<134>1 {time}  a p m - x")),
        ("HOSTNAME", format!("<134>1 {time} {} a p m - x", "h".repeat(256))),
        ("APP-NAME", format!("<134>1 {time} h {} p m - x", "a".repeat(49))),
        ("PROCID", format!("<134>1 {time} h a {} m - x", "p".repeat(129))),
        ("MSGID", format!("<134>1 {time} h a p {} - x", "m".repeat(33))),
        ("SP in HEADER", format!("<134>1 {time} h\ta p m - x")),
        ("SP in HEADER", format!("<134>1 {time} hé a p m - x")),
        ("SP behind HEADER", format!("<134>1 {time} h a p m")),
        ("STRUCTURED-DATA", with_data("")),
        ("STRUCTURED-DATA", with_data("{}")),
        ("SD-ID", with_data("[]")),
        ("SD-ID", with_data(&format!("[{}@1]", "i".repeat(31)))),
        ("SD-ID registered", with_data("[ctx]")),
        ("SD-ID registered", with_data("[ctx@]")),
        ("SD-ID registered", with_data("[@32473]")),
        ("SD-ID registered", with_data("[ctx@x]")),
        ("SD-ID once", with_data("[c@1][c@1]")),
        ("SD-ELEMENT", with_data("[c@1 a=\"1\"b=\"2\"]")),
        ("PARAM-NAME", with_data("[c@1  a=\"1\"]")),
        ("PARAM-NAME", with_data("[c@1 =\"1\"]")),
        ("PARAM-NAME", with_data(&format!("[c@1 {}=\"1\"]", "n".repeat(33)))),
        ("SD-PARAM", with_data("[c@1 a]")),
        ("SD-PARAM", with_data("[c@1 a=1]")),
        ("SD-PARAM", with_data("[c@1 é=\"1\"]").replace("c@1 é", "c@1 aé")),
        ("PARAM-VALUE: ]", with_data("[c@1 a=\"]\"]")),
        ("escape", with_data("[c@1 a=\"\\n\"]")),
        ("PARAM-VALUE", format!("<134>1 {time} h a p m [c@1 a=\"1")),
        ("parameters of meta", with_data("[meta sequenceId=\"0\"]")),
        ("parameters of meta", with_data("[meta sequenceId=\"2147483648\"]")),
        ("parameters of meta", with_data("[meta order=\"1\"]")),
        ("end of SYSLOG-MSG", format!("<134>1 {time} h a p m -x")),
        ("end of SYSLOG-MSG", with_data("[c@1]x")),
    ];
    for (rule, frame) in cases {
        let error = syslog_msg(frame.as_bytes()).expect_err(&frame);
        assert!(error.starts_with(rule), "{frame}: {error} instead of {rule}");
    }
    let invalid: [(&str, &[u8]); 3] = [
        ("UTF-8-STRING in PARAM", b"<1>1 - - - - - [c@1 a=\"\xff\"]"),
        ("UTF-8-STRING in MSG", b"<1>1 - - - - - - \xef\xbb\xbf\xc0\xaf"),
        ("PRI", b""),
    ];
    for (rule, frame) in invalid {
        assert!(syslog_msg(frame).unwrap_err().starts_with(rule), "{rule}");
    }
}

/// Everything that an entry can be made of.
type Parts = (String, Vec<(String, Any)>, Vec<(String, Any)>, i64, usize, bool);

/// The frame of an entry, read by the grammar, says what was logged.
fn obeys_the_grammar((text, call, bound, nanos, level, trade): Parts) -> Result<(), TestCaseError> {
    let level = Level::ALL[level];
    let mut sample = sample(&text, &call, &bound, nanos).level(level);
    if trade {
        sample = sample.trade();
    }
    let finished = sample.finish();
    let frame = line(&mut formatter(), &finished);
    prop_assert!(!frame.contains(is_harmful), "{:?}", frame);
    let message = syslog_msg(frame.as_bytes());
    let message = message.map_err(|error| TestCaseError::fail(format!("{error}: {frame}")))?;
    check_header(&message, &line(&mut JsonFormatter::new(identity()), &finished))?;

    let expected = shown_fields(&call, &bound);
    let given = message.elements.get(1).map_or(&[][..], |element| &element.params);
    prop_assert_eq!(given.len(), expected.len(), "{}", frame);
    for ((name, value), (original, any)) in given.iter().zip(expected) {
        prop_assert!(is_name_of(name, original), "{} {}", name, original);
        check(value, &any.expected)?;
    }

    let event = event_text(&finished.entry());
    match message.msg {
        Some(Msg::Utf8(text)) => prop_assert!(!text.is_ascii() && text == event, "{}", frame),
        Some(Msg::Any(text)) => {
            prop_assert!(text.is_ascii() && text == event.as_bytes(), "{}", frame);
        }
        None => prop_assert_eq!(event, ""),
    }
    Ok(())
}

#[test]
fn row_20_a_frame_of_any_entry_obeys_the_grammar_and_gives_the_fields_back() {
    let parts = (hostile_text(), fields(), fields(), any::<i64>(), 0..6_usize, any::<bool>());
    let frames = for_any(1_000, parts, obeys_the_grammar);
    println!("row 20: {frames} frames obey the grammar and give every field back");
}

/// The header says what the elements of the RFC in JSON say.
fn check_header(message: &Message, json: &str) -> Result<(), TestCaseError> {
    let json = members(json);
    let own = |name: &str| json.iter().rev().find(|(key, _)| key == name).map(|(_, raw)| *raw);
    let text = |text: &Option<String>| match text {
        Some(text) => format!("\"{text}\""),
        None => "null".to_owned(),
    };
    prop_assert_eq!(own("pri"), Some(&*message.priority.to_string()));
    for (name, element) in [
        ("timestamp", &message.timestamp),
        ("hostname", &message.hostname),
        ("app_name", &message.app_name),
        ("procid", &message.procid),
        ("msgid", &message.msgid),
    ] {
        prop_assert_eq!(own(name), Some(&*text(element)), "{}", name);
    }
    Ok(())
}

/// Whether `name` is what `original` becomes, with or without a number.
fn is_name_of(name: &str, original: &str) -> bool {
    let valid = valid(original);
    let numbered = name.rsplit_once('_').is_some_and(|(base, number)| {
        valid.starts_with(base) && number.parse().is_ok_and(|number: u32| number >= 2)
    });
    name == valid || numbered
}

fn valid(name: &str) -> String {
    let allowed = |c: char| ('!'..='~').contains(&c) && !"=]\"".contains(c);
    let name: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).take(32).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

/// A value reads back as what was logged; dangerous characters as the text format shows them.
fn check(value: &str, expected: &Expected) -> Result<(), TestCaseError> {
    match expected {
        Expected::Digits(digits) => prop_assert_eq!(value, digits),
        Expected::Float(bits) => prop_assert_eq!(value.parse::<f64>().unwrap().to_bits(), *bits),
        Expected::Time(nanos) => {
            let read: jiff::Timestamp = value.parse().unwrap();
            prop_assert_eq!(read.as_nanosecond(), i128::from(*nanos));
        }
        Expected::Json(json) => match json {
            serde_json::Value::String(text) => {
                let named = match &**text {
                    "Infinity" => "inf",
                    "-Infinity" => "-inf",
                    other => other,
                };
                prop_assert_eq!(value, super::properties::shown(named));
            }
            serde_json::Value::Array(list) => {
                prop_assert_eq!(value, super::properties::shown_list(list));
            }
            other => prop_assert_eq!(value, other.to_string()),
        },
    }
    Ok(())
}
