//! Every type of the face arrives exactly: in what a test captures and in the JSON of trades.log.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::borrow::Cow;
use std::time::Duration;

use support::{Desk, PATIENCE};
use tapelog::{
    Bytes, Decimal, LogValue, MetaLogger, Ticks, UnixNanos, context, info, now, testing, trade,
};

struct OrderId(u64);

impl LogValue for OrderId {
    type Stored<'a> = u64;
    fn stored(&self) -> u64 {
        self.0
    }
}

struct Symbol(String);

impl LogValue for Symbol {
    type Stored<'a> = &'a str;
    fn stored(&self) -> &str {
        &self.0
    }
}

/// The line that the values of `log` make in trades.log.
fn line_of(log: impl FnOnce(&MetaLogger)) -> String {
    let desk = Desk::new();
    let (logger, guard) = desk.builder().build().unwrap();
    log(&logger);
    logger.flush(PATIENCE).unwrap();
    drop(guard);
    let lines = desk.lines("trades.log");
    assert_eq!(lines.len(), 1, "{lines:?}");
    support::json(&lines[0]);
    lines[0].clone()
}

fn assert_members(line: &str, members: &[(&str, &str)]) {
    for (name, value) in members {
        let member = format!(r#","{name}":{value},"#);
        assert!(line.contains(&member), "{member} is not in {line}");
    }
}

#[test]
fn integers_of_all_widths_keep_all_their_digits() {
    let line = line_of(|log| {
        trade!(
            log,
            "edges",
            u8 = u8::MAX,
            u16 = u16::MAX,
            u32 = u32::MAX,
            u64 = u64::MAX,
            u128 = u128::MAX,
            usize = usize::MAX,
            i8 = i8::MIN,
            i16 = i16::MIN,
            i32 = i32::MIN,
            i64 = i64::MIN,
            i128 = i128::MIN,
            isize = isize::MIN,
            above_2_53 = (1_u64 << 53) + 1,
            zero = 0,
        );
    });
    assert_members(
        &line,
        &[
            ("u8", "255"),
            ("u16", "65535"),
            ("u32", "4294967295"),
            ("u64", "18446744073709551615"),
            ("u128", "340282366920938463463374607431768211455"),
            ("usize", "18446744073709551615"),
            ("i8", "-128"),
            ("i16", "-32768"),
            ("i32", "-2147483648"),
            ("i64", "-9223372036854775808"),
            ("i128", "-170141183460469231731687303715884105728"),
            ("isize", "-9223372036854775808"),
            ("above_2_53", "9007199254740993"),
            ("zero", "0"),
        ],
    );
}

#[test]
fn floats_read_back_to_the_same_bits_and_those_that_are_no_numbers_are_strings() {
    let values = [0.1, -0.0, 1e300, 5e-324, f64::MAX, 70_000.5, 1.0 / 3.0];
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    for value in values {
        trade!(log, "float", value);
    }
    for value in [f32::MIN_POSITIVE, 16_777_216.0, 0.1] {
        trade!(log, "single", value);
    }
    trade!(log, "none", nan = f64::NAN, inf = f64::INFINITY, minus = f32::NEG_INFINITY);
    drop(guard);
    let lines = desk.json("trades.log");
    for (line, value) in lines.iter().zip(values) {
        assert_eq!(line["value"].as_f64().unwrap().to_bits(), value.to_bits(), "{line}");
    }
    for (line, value) in lines[values.len()..].iter().zip([f32::MIN_POSITIVE, 16_777_216.0, 0.1]) {
        assert_eq!(line["value"].as_f64().unwrap() as f32, value);
    }
    let last = &lines[values.len() + 3];
    assert_eq!(last["nan"], "NaN");
    assert_eq!(last["inf"], "Infinity");
    assert_eq!(last["minus"], "-Infinity");
}

#[test]
fn texts_and_bytes_arrive_whatever_characters_they_hold() {
    let wild = "λ 北京 🦀 \u{1b}[31m \"quoted\" \\ \r\n\t\0 \u{2028} \u{85}";
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    trade!(
        log,
        "{text}",
        text = wild,
        owned = String::from(wild),
        boxed = Box::<str>::from("boxed"),
        cow = Cow::Borrowed("cow"),
        empty = "",
        character = '🦀',
        quote = '"',
        bytes = Bytes(&[0, 0xde, 0xad, 0xff]),
        none = Bytes(&[]),
    );
    drop(guard);
    let line = &desk.json("trades.log")[0];
    for name in ["event", "text", "owned"] {
        assert_eq!(line[name], wild, "{name}");
    }
    for (name, value) in [
        ("boxed", "boxed"),
        ("cow", "cow"),
        ("empty", ""),
        ("character", "🦀"),
        ("quote", "\""),
        ("bytes", "00deadff"),
        ("none", ""),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
}

#[test]
fn options_lists_times_decimals_and_newtypes_have_their_forms() {
    let absent: Option<&str> = None;
    let line = line_of(|log| {
        trade!(
            log,
            "others",
            truth = true,
            lie = false,
            some = Some(3_i16),
            absent,
            nested = Some(Symbol("ETH".to_owned())),
            list = [1_u8, 2, 3],
            slice = &[1.5, -2.5][..],
            vec = vec!["a".to_owned(), "two words".to_owned()],
            empty = [0_u64; 0],
            ids = [OrderId(7), OrderId(u64::MAX)],
            decimal = Decimal { mantissa: -12_345, scale: 3 },
            small = Decimal { mantissa: 5, scale: 8 },
            time = UnixNanos(1_767_323_045_123_456_789),
            before_1970 = UnixNanos(-1),
            waited = Duration::from_millis(1_500),
            order_id = OrderId(9),
            symbol = Symbol("BTCUSDT".to_owned()),
            reference = &&3_u8,
        );
    });
    assert_members(
        &line,
        &[
            ("truth", "true"),
            ("lie", "false"),
            ("some", "3"),
            ("absent", "null"),
            ("nested", "\"ETH\""),
            ("list", "[1,2,3]"),
            ("slice", "[1.5,-2.5]"),
            ("vec", r#"["a","two words"]"#),
            ("empty", "[]"),
            ("ids", "[7,18446744073709551615]"),
            ("decimal", "-12.345"),
            ("small", "0.00000005"),
            ("time", r#""2026-01-02T03:04:05.123456789Z""#),
            ("before_1970", r#""1969-12-31T23:59:59.999999999Z""#),
            ("waited", "1.5"),
            ("order_id", "9"),
            ("symbol", "\"BTCUSDT\""),
            ("reference", "3"),
        ],
    );
}

#[test]
fn ticks_are_shown_as_the_time_they_were_read_at() {
    let before = std::time::SystemTime::now();
    let ticks: Ticks = now();
    let line = line_of(|log| trade!(log, "seen", ticks));
    let shown = support::json(&line)["ticks"].as_str().unwrap().to_owned();
    let shown: jiff::Timestamp = shown.parse().unwrap();
    let before = jiff::Timestamp::try_from(before).unwrap();
    let apart = shown.duration_since(before).unsigned_abs();
    assert!(apart < Duration::from_millis(50), "{shown} is {apart:?} away from {before}");
}

#[test]
fn a_test_captures_what_was_logged_with_context_level_and_line() {
    let (log, captured) = testing::capture();
    let bound = log.bind(context! { symbol = "BTCUSDT", strategy_id = 7 });
    info!(bound, at: UnixNanos(1_767_323_045_123_456_789), "filled {qty}", qty = 0.5, side = "BUY");
    trade!(log, "second", strategy_id = 8);
    let entries = captured.entries();
    assert_eq!(entries.len(), 2);
    let first = &entries[0];
    assert_eq!(first.time, UnixNanos(1_767_323_045_123_456_789));
    assert_eq!((first.level, first.category), (tapelog::Level::Info, tapelog::Category::General));
    assert_eq!(first.event, "filled 0.5");
    assert_eq!(first.fields["qty"], "0.5");
    assert_eq!(first.context["symbol"], "BTCUSDT");
    assert_eq!(
        first.line,
        "[2026-01-02T03:04:05.123456Z] [INFO     ] filled 0.5 qty=0.5 side=BUY symbol=BTCUSDT \
         strategy_id=7"
    );
    assert_eq!(entries[1].category, tapelog::Category::Trade);
    assert!(entries[1].context.is_empty());
    captured.clear();
    info!(log, "after");
    assert_eq!(captured.entries().len(), 1);
}
