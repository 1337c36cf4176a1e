use crate::clock::Ticks;
use crate::formatters::TextFormatter;
use crate::formatters::tests_support::{Sample, SampleField, json_line, line, text_line};
use crate::level::Level;
use crate::record::{Bytes, Decimal, TypeCode, UnixNanos};

/// What follows the fields of an INFO line in JSON.
const TAIL: &str = r#","pri":134,"facility":16,"severity":6,"version":1,"hostname":"desk7","app_name":"metaexpert","procid":"4711","msgid":null,"timestamp_ns":"1767323045123456789"}"#;

fn text_fields(sample: &Sample) -> String {
    let line = text_line(sample);
    line.strip_prefix("[2026-01-02T03:04:05.123456Z] [INFO     ] x").unwrap().to_owned()
}

fn json_fields(sample: &Sample) -> String {
    let line = json_line(sample);
    let beginning = r#"{"timestamp":"2026-01-02T03:04:05.123456Z","level":"info","event":"x""#;
    line.strip_prefix(beginning).and_then(|rest| rest.strip_suffix(TAIL)).unwrap().to_owned()
}

#[test]
fn a_line_of_text_is_stamp_level_event_call_and_context() {
    let sample = Sample::new("bar closed")
        .field("open", 70_000.5)
        .field("note", "two words")
        .bound("symbol", "BTCUSDT");
    assert_eq!(
        text_line(&sample),
        "[2026-01-02T03:04:05.123456Z] [INFO     ] bar closed open=70000.5 note=\"two words\" \
         symbol=BTCUSDT"
    );
    assert_eq!(
        text_line(&Sample::new("stop").level(Level::Critical)),
        "[2026-01-02T03:04:05.123456Z] [CRITICAL ] stop"
    );
    assert_eq!(
        text_line(&Sample::new("").field("only", 1_u8)),
        "[2026-01-02T03:04:05.123456Z] [INFO     ] only=1"
    );
}

#[test]
fn a_line_of_json_has_its_keys_in_the_documented_order() {
    let sample = Sample::new("filled {qty} @ {price}")
        .trade()
        .level(Level::Warning)
        .field("qty", 3_u64)
        .field("price", 70_000.5)
        .bound("symbol", "BTCUSDT");
    assert_eq!(
        json_line(&sample),
        concat!(
            r#"{"timestamp":"2026-01-02T03:04:05.123456Z","level":"warning","#,
            r#""event":"filled 3 @ 70000.5","qty":3,"price":70000.5,"symbol":"BTCUSDT","#,
            r#""pri":132,"facility":16,"severity":4,"version":1,"hostname":"desk7","#,
            r#""app_name":"metaexpert","procid":"4711","msgid":"trade","#,
            r#""timestamp_ns":"1767323045123456789"}"#
        )
    );
}

#[test]
fn every_type_has_its_form_in_both_formats() {
    let some: Option<u8> = Some(1);
    let none: Option<&str> = None;
    let sample = Sample::new("x")
        .field("a", u64::MAX)
        .field("b", i64::MIN)
        .field("c", u128::MAX)
        .field("d", i128::MIN)
        .field("e", 0.1_f32)
        .field("f", true)
        .field("g", 'λ')
        .field("h", Bytes(&[0xde, 0xad]))
        .field("i", UnixNanos(1_767_323_045_120_000_000))
        .field("j", Ticks(1_767_323_045_000_000_001))
        .field("k", Decimal { mantissa: 10, scale: 4 })
        .field("l", some)
        .field("m", none)
        .with(SampleField::raw("n", TypeCode::UUID, &[0x5a; 16]));
    let numbers = "18446744073709551615 -9223372036854775808 \
                   340282366920938463463374607431768211455 \
                   -170141183460469231731687303715884105728 0.1 true";
    let numbers: Vec<_> = numbers.split(' ').collect();
    let [a, b, c, d, e, f] = numbers[..] else { panic!("six numbers") };
    assert_eq!(
        text_fields(&sample),
        format!(
            " a={a} b={b} c={c} d={d} e={e} f={f} g=λ h=dead i=2026-01-02T03:04:05.120Z \
             j=2026-01-02T03:04:05.000000001Z k=0.0010 l=1 m=null \
             n=5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a"
        )
    );
    assert_eq!(
        json_fields(&sample),
        format!(
            r#","a":{a},"b":{b},"c":{c},"d":{d},"e":{e},"f":{f},"g":"λ","h":"dead","i":"2026-01-02T03:04:05.120Z","j":"2026-01-02T03:04:05.000000001Z","k":0.0010,"l":1,"m":null,"n":"5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a""#
        )
    );
}

#[test]
fn floats_that_are_no_numbers_are_strings_in_json() {
    let sample = Sample::new("x")
        .field("a", f64::NAN)
        .field("b", f64::INFINITY)
        .field("c", f32::NEG_INFINITY)
        .field("d", 1e300)
        .field("e", -f64::NAN);
    assert_eq!(text_fields(&sample), " a=NaN b=inf c=-inf d=1e300 e=NaN");
    assert_eq!(
        json_fields(&sample),
        r#","a":"NaN","b":"Infinity","c":"-Infinity","d":1e300,"e":"NaN""#
    );
}

#[test]
fn lists_keep_their_elements_apart() {
    let empty: [u8; 0] = [];
    let sample = Sample::new("x")
        .field("a", [1_u16, 2, 3])
        .field("b", vec!["plain", "two words", "a,b", "[", "", "say \"hi\""])
        .field("c", empty)
        .field("d", [1.5, f64::NAN])
        .field("e", ['a', ',', ']'])
        .field("f", [Ticks(1_767_323_045_000_000_000)]);
    assert_eq!(
        text_fields(&sample),
        concat!(
            r#" a=[1,2,3] b=[plain,"two words","a,b","[","","say \"hi\""] c=[] d=[1.5,NaN]"#,
            r#" e=[a,",","]"] f=[2026-01-02T03:04:05Z]"#
        )
    );
    assert_eq!(
        json_fields(&sample),
        concat!(
            r#","a":[1,2,3],"b":["plain","two words","a,b","[","","say \"hi\""],"c":[],"#,
            r#""d":[1.5,"NaN"],"e":["a",",","]"],"f":["2026-01-02T03:04:05Z"]"#
        )
    );
}

#[test]
fn what_was_cut_ends_with_an_ellipsis() {
    let sample = Sample::new("x")
        .with(SampleField::new("a", &"abcdef", 3))
        .with(SampleField::new("b", &"two words", 5))
        .with(SampleField::new("c", &"abcdef", 0))
        .with(SampleField::new("d", &Bytes(&[1, 2, 3]), 2))
        .with(SampleField::new("e", &[1_u32, 2, 3], 8))
        .with(SampleField::new("f", &[1_u32], 0))
        .with(SampleField::new("g", &Bytes(&[1]), 0));
    assert_eq!(text_fields(&sample), " a=abc… b=\"two w…\" c=… d=0102… e=[1,2,…] f=[…] g=…");
    assert_eq!(
        json_fields(&sample),
        r#","a":"abc…","b":"two w…","c":"…","d":"0102…","e":[1,2,"…"],"f":["…"],"g":"…""#
    );
}

#[test]
fn the_text_of_an_event_shows_its_values_without_quotes() {
    let sample = Sample::new("{{{a}}} {b}: {c} {d} {e} {f} {a}\t{none}")
        .field("a", "two \"w\\")
        .field("b", "x\ny")
        .field("c", [" ", "b"])
        .field("d", 'é')
        .with(SampleField::new("e", &"abc", 2))
        .with(SampleField::new("f", &Bytes(&[1, 2]), 1));
    let text = text_line(&sample);
    let event = r#"{two "w\} x\ny: [" ",b] é ab… 01… two "w\\t{none}"#;
    assert_eq!(
        text,
        format!(
            "[2026-01-02T03:04:05.123456Z] [INFO     ] {event} a=\"two \\\"w\\\\\" b=\"x\\ny\" \
             c=[\" \",b] d=é e=ab… f=01…"
        )
    );
    let json: serde_json::Value = serde_json::from_str(&json_line(&sample)).unwrap();
    assert_eq!(json["event"], "{two \"w\\} x\ny: [\" \",b] é ab… 01… two \"w\\\t{none}");
}

#[test]
fn the_call_wins_over_the_context_and_the_first_of_equals_wins() {
    let sample = Sample::new("x")
        .field("a", 1_u8)
        .field("a", 2_u8)
        .bound("b", 3_u8)
        .bound("a", 4_u8)
        .bound("b", 5_u8);
    assert_eq!(text_fields(&sample), " a=1 b=3");
    assert_eq!(json_fields(&sample), r#","a":1,"b":3"#);
}

#[test]
fn fields_with_reserved_names_move_under_one_object() {
    let sample = Sample::new("x")
        .field("level", 3_u8)
        .field("size", 0.1)
        .field("fields", "inner")
        .bound("level", 4_u8)
        .bound("symbol", "BTCUSDT")
        .bound("pri", 5_u8);
    assert_eq!(text_fields(&sample), " level=3 size=0.1 fields=inner symbol=BTCUSDT pri=5");
    assert_eq!(
        json_fields(&sample),
        r#","size":0.1,"symbol":"BTCUSDT","fields":{"level":3,"fields":"inner","pri":5}"#
    );
}

#[test]
fn names_are_escaped_like_values() {
    let sample = Sample::new("x")
        .field("order.id", 1_u8)
        .field("two words", 2_u8)
        .field("", 3_u8)
        .bound("a\n\"=", 4_u8);
    assert_eq!(text_fields(&sample), r#" order.id=1 "two words"=2 ""=3 "a\n\"="=4"#);
    assert_eq!(json_fields(&sample), r#","order.id":1,"two words":2,"":3,"a\n\"=":4"#);
}

#[test]
fn the_category_decides_the_message_id() {
    let message_id = |sample: &Sample| {
        let json: serde_json::Value = serde_json::from_str(&json_line(sample)).unwrap();
        json["msgid"].as_str().map(str::to_owned)
    };
    let trade = Some("trade".to_owned());
    assert_eq!(message_id(&Sample::new("x").trade()), trade);
    assert_eq!(message_id(&Sample::new("x").field("category", "trade")), trade);
    assert_eq!(message_id(&Sample::new("x").field("category", "other")), None);
    assert_eq!(message_id(&Sample::new("x").bound("category", "trade")), trade);
    let both = Sample::new("x").field("category", "other").bound("category", "trade");
    assert_eq!(message_id(&both), None);
}

#[test]
fn values_that_cannot_be_decoded_do_not_cost_the_line() {
    let whole = Sample::new("x {b}").field("a", 1_u8).field("b", "text").field("c", 2_u8);
    let mut cut = whole.finish();
    cut.arguments.truncate(3);
    assert_eq!(
        line(&mut TextFormatter::new(false), &cut),
        "[2026-01-02T03:04:05.123456Z] [INFO     ] x <undecodable> a=1 b=<undecodable> \
         c=<undecodable>"
    );
}

#[test]
fn colours_stand_around_level_and_names_only() {
    let sample = Sample::new("x").level(Level::Error).field("a", "b c").finish();
    let coloured = line(&mut TextFormatter::new(true), &sample);
    assert_eq!(
        coloured,
        "[2026-01-02T03:04:05.123456Z] [\u{1b}[31mERROR    \u{1b}[0m] x \
         \u{1b}[36ma\u{1b}[0m=\"b c\""
    );
    let stripped =
        coloured.replace("\u{1b}[31m", "").replace("\u{1b}[36m", "").replace("\u{1b}[0m", "");
    assert_eq!(stripped, line(&mut TextFormatter::new(false), &sample));
}
