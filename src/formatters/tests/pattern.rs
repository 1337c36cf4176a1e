//! Lines of text that a pattern puts together, in any zone and precision; big integers in JSON.

use crate::config::{BigInts, Pattern, TimePrecision, TimeZone};
use crate::formatters::tests_support::{Sample, identity, line, text_line};
use crate::formatters::time::Zone;
use crate::formatters::{JsonFormatter, TextFormatter, TextStyle};
use crate::level::Level;
use crate::record::{Decimal, UnixNanos};

fn style(pattern: &str) -> TextStyle {
    TextStyle {
        pattern: Pattern::parse(pattern).unwrap(),
        time_zone: TimeZone::Utc,
        time_precision: TimePrecision::Micros,
        identity: identity(),
    }
}

fn shown(pattern: &str, sample: &Sample) -> String {
    line(&mut TextFormatter::with(style(pattern), false), &sample.finish())
}

fn filled() -> Sample {
    let sample = Sample::new("filled {qty}").field("qty", 3_u8).field("note", "two words");
    sample.bound("symbol", "BTCUSDT").bound("qty", 4_u8)
}

#[test]
fn every_part_shows_what_it_is_called_after() {
    let parts = [
        ("%(time)", "2026-01-02T03:04:05.123456Z"),
        ("%(unix_ns)", "1767323045123456789"),
        ("%(level)", "INFO"),
        ("%(event)", "filled 3"),
        ("%(fields)", "qty=3 note=\"two words\""),
        ("%(context)", "symbol=BTCUSDT"),
        ("%(target)", "bot::risk"),
        ("%(file)", "src/risk.rs"),
        ("%(line)", "17"),
        ("%(pid)", "4711"),
        ("%(host)", "desk7"),
        ("%(name)", "metaexpert"),
        ("%(category)", "general"),
        ("100%% %(level)", "100% INFO"),
        ("%(level)%(level)", "INFOINFO"),
    ];
    for (pattern, expected) in parts {
        assert_eq!(shown(pattern, &filled()), expected);
    }
    let all: Vec<_> = parts.iter().map(|(pattern, _)| *pattern).collect();
    let expected: Vec<_> = parts.iter().map(|(_, expected)| *expected).collect();
    assert_eq!(shown(&all.join("|"), &filled()), expected.join("|"));
}

#[test]
fn the_category_is_told_also_where_the_fields_decide_it() {
    assert_eq!(shown("%(category)", &Sample::new("x").trade()), "trade");
    let given = Sample::new("x").field("category", "trade");
    assert_eq!(shown("%(category:>8)|", &given), "   trade|");
    let other = Sample::new("x").field("category", "other");
    assert_eq!(shown("%(category:8)|", &other), "general |");
}

#[test]
fn columns_are_filled_and_what_is_longer_stays_whole() {
    let sample = Sample::new("größe {a}").field("a", "x");
    assert_eq!(shown("%(event:10)|", &sample), "größe x   |");
    assert_eq!(shown("%(event:>10)|", &sample), "   größe x|");
    assert_eq!(shown("%(event:3)|", &sample), "größe x|");
    assert_eq!(shown("%(level:>9)|%(line:5)|%(line:>5)|", &sample), "     INFO|17   |   17|");
    assert_eq!(shown("%(fields:5)|%(context:2)|", &sample), "a=x  |  |");
    assert_eq!(shown("%(time:30)|", &sample), "2026-01-02T03:04:05.123456Z   |");
}

#[test]
fn colours_take_no_room_in_a_column() {
    let sample = Sample::new("x").field("a", 1_u8).finish();
    let mut formatter = TextFormatter::with(style("%(level:6)|%(fields:6)|"), true);
    let coloured = line(&mut formatter, &sample);
    assert_eq!(coloured, "\u{1b}[32mINFO  \u{1b}[0m|\u{1b}[36ma\u{1b}[0m=1   |");
}

#[test]
fn the_usual_pattern_written_out_gives_the_usual_line() {
    let usual = "[%(time)] [%(level:9)] %(event) %(fields) %(context)";
    // Behind another beginning no line takes the quick way.
    let slow = format!("%%{usual}");
    let samples = [
        filled(),
        Sample::new(""),
        Sample::new("x").level(Level::Critical),
        Sample::new("").field("a", 1_u8),
        Sample::new("").bound("a", 1_u8),
        Sample::new("x").bound("a", 1_u8),
        Sample::new("  x  "),
    ];
    for sample in samples {
        assert_eq!(shown(usual, &sample), text_line(&sample));
        assert_eq!(shown(&slow, &sample), format!("%{}", text_line(&sample)));
    }
}

#[test]
fn empty_parts_take_the_blanks_in_front_of_them_along() {
    let pattern = "%(level) - %(event) %(fields) | %(context)";
    assert_eq!(shown(pattern, &Sample::new("x")), "INFO - x |");
    assert_eq!(shown(pattern, &Sample::new("")), "INFO - |");
    assert_eq!(shown(pattern, &Sample::new("").bound("a", 1_u8)), "INFO - | a=1");
    assert_eq!(shown("%(fields)%(level)", &Sample::new("x")), "INFO");
}

#[test]
fn zone_and_precision_are_those_of_the_configuration() {
    let berlin = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let local = |precision, sample: &Sample| {
        let style =
            TextStyle { time_zone: TimeZone::Local, time_precision: precision, ..style("") };
        let zone = Zone::of(berlin.clone());
        line(&mut TextFormatter::in_zone(zone, style, false), &sample.finish())
    };
    let summer = Sample::new("x").at(UnixNanos(1_782_900_000_987_654_321));
    let usual = " [INFO     ] x";
    assert_eq!(
        local(TimePrecision::Millis, &summer),
        format!("[2026-07-01T12:00:00.987+02:00]{usual}")
    );
    assert_eq!(
        local(TimePrecision::Nanos, &Sample::new("x")),
        format!("[2026-01-02T04:04:05.123456789+01:00]{usual}")
    );
    for (precision, time) in [
        (TimePrecision::Millis, "2026-01-02T03:04:05.123Z"),
        (TimePrecision::Micros, "2026-01-02T03:04:05.123456Z"),
        (TimePrecision::Nanos, "2026-01-02T03:04:05.123456789Z"),
    ] {
        let style = TextStyle { time_precision: precision, ..style("") };
        let line = line(&mut TextFormatter::with(style, false), &Sample::new("x").finish());
        assert_eq!(line, format!("[{time}]{usual}"));
    }
}

#[test]
fn the_machines_zone_shows_the_same_moment() {
    let style = TextStyle { time_zone: TimeZone::Local, ..style("%(time)") };
    let shown = line(&mut TextFormatter::with(style, false), &Sample::new("x").finish());
    let read: jiff::Timestamp = shown.parse().unwrap();
    assert_eq!(read.as_nanosecond(), 1_767_323_045_123_456_000);
}

#[test]
fn integers_beyond_the_exact_ones_are_strings_on_request() {
    let sample = Sample::new("{a}")
        .field("a", u64::MAX)
        .field("b", 1_u64 << 53)
        .field("c", (1_u64 << 53) + 1)
        .field("d", -(1_i64 << 53) - 1)
        .field("e", u128::MAX)
        .field("f", [1_u64, u64::MAX])
        .field("g", Decimal { mantissa: 1 << 60, scale: 0 })
        .field("h", Decimal { mantissa: 1 << 60, scale: 1 })
        .field("i", Some(i64::MIN))
        .field("j", "text")
        .bound("k", i128::MIN)
        .bound("level", u64::MAX);
    let line = |big| line(&mut JsonFormatter::with(identity(), big), &sample.finish());
    let strings = line(BigInts::String);
    let expected = concat!(
        r#""event":"18446744073709551615","a":"18446744073709551615","b":9007199254740992,"#,
        r#""c":"9007199254740993","d":"-9007199254740993","#,
        r#""e":"340282366920938463463374607431768211455","f":[1,"18446744073709551615"],"#,
        r#""g":"1152921504606846976","h":115292150460684697.6,"i":"-9223372036854775808","#,
        r#""j":"text","k":"-170141183460469231731687303715884105728","#,
        r#""fields":{"level":"18446744073709551615"},"pri""#
    );
    assert!(strings.contains(expected), "{strings}");
    let numbers = line(BigInts::Number);
    assert!(numbers.contains(r#""f":[1,18446744073709551615],"g":1152921504606846976"#));
}
