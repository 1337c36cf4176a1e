//! Goal: each log has the form that is configured, and the command line's reader gives out the same
//! lines.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

#[path = "../src/formatters/tests/abnf.rs"]
#[allow(dead_code, reason = "the formatters' own tests look at all of a message")]
mod abnf;
mod support;

use abnf::{Msg, syslog_msg};
use support::{Desk, child, json, role};
use tapelog::reading::{Format, Journal};
use tapelog::{
    Builder, LogFormat, MetaLogger, TimePrecision, TimeZone, UnixNanos, context, error, info, trade,
};

fn log_some(log: &MetaLogger) {
    let log = log.bind(context! { symbol = "BTCUSDT" });
    info!(log, at: UnixNanos(1_767_323_045_123_456_789), "bar closed", open = 70_000.5);
    trade!(log, at: UnixNanos(1_767_323_045_123_456_790), "filled {qty}", qty = 3_u64);
    error!(log, at: UnixNanos(1_767_323_046_000_000_000), "two\nlines", why = "größer");
}

/// The lines of the three logs, and those of the reader.
fn logged(
    configure: impl FnOnce(Builder) -> Builder,
    format: Format,
) -> ([Vec<String>; 3], String) {
    let desk = Desk::new();
    let builder = configure(desk.builder().hostname("desk7"));
    let (log, guard) = builder.build().unwrap();
    log_some(&log);
    drop(guard);
    let mut read = Vec::new();
    Journal::open(desk.logs()).unwrap().write_to(format, &mut read).unwrap();
    (support::LOGS.map(|log| desk.lines(log)), String::from_utf8(read).unwrap())
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn logfmt_is_the_form_of_two_logs_and_trades_stay_json() {
    let ([expert, trades, errors], read) =
        logged(|builder| builder.log_format(LogFormat::Logfmt), Format::Logfmt);
    let time = "time=2026-01-02T03:04:0";
    let expected = [
        format!("{time}5.123456Z level=info event=\"bar closed\" open=70000.5 symbol=BTCUSDT"),
        format!("{time}5.123456Z level=info event=\"filled 3\" qty=3 symbol=BTCUSDT"),
        format!("{time}6.000000Z level=error event=\"two\\nlines\" why=größer symbol=BTCUSDT"),
    ];
    assert_eq!(expert, expected);
    assert_eq!(errors, expected[2..]);
    assert_eq!(json(&trades[0])["msgid"], "trade");
    assert_eq!(read, joined(&expert));
}

#[test]
fn syslog_messages_obey_the_grammar_and_say_who_logged() {
    let ([expert, trades, errors], read) = logged(
        |builder| {
            let builder = builder.log_format(LogFormat::Rfc5424).facility(3_u8);
            builder.log_name("bot").enterprise_number(32473_u32)
        },
        Format::Rfc5424,
    );
    let messages: Vec<_> =
        expert.iter().map(|line| syslog_msg(line.as_bytes()).expect(line)).collect();
    let priorities: Vec<_> = messages.iter().map(|message| message.priority).collect();
    assert_eq!(priorities, [30, 30, 27]);
    let pid = std::process::id().to_string();
    for message in &messages {
        let [host, program] = [&message.hostname, &message.app_name].map(|name| name.as_deref());
        assert_eq!((host, program), (Some("desk7"), Some("bot")));
        assert_eq!(message.procid.as_deref(), Some(&*pid));
        assert_eq!(message.elements[1].id, "ctx@32473");
    }
    assert_eq!(messages[1].msgid.as_deref(), Some("trade"));
    assert_eq!(messages[2].msg, Some(Msg::Any(br"two\nlines".to_vec())));
    assert_eq!(messages[2].elements[1].params[0], ("why".to_owned(), "größer".to_owned()));
    assert_eq!(errors, expert[2..]);
    assert_eq!(json(&trades[0])["facility"], 3);
    assert_eq!(read, joined(&expert));
}

#[test]
fn a_pattern_and_a_precision_are_those_of_the_text_logs() {
    let ([expert, trades, _], _) = logged(
        |builder| {
            builder
                .text_pattern("%(level:>8) %(time) %(host)/%(name) %(event) | %(context)")
                .time_precision(TimePrecision::Nanos)
        },
        Format::Text,
    );
    let expected = [
        "    INFO 2026-01-02T03:04:05.123456789Z desk7/metaexpert bar closed | symbol=BTCUSDT",
        "    INFO 2026-01-02T03:04:05.123456790Z desk7/metaexpert filled 3 | symbol=BTCUSDT",
        "   ERROR 2026-01-02T03:04:06.000000000Z desk7/metaexpert two\\nlines | symbol=BTCUSDT",
    ];
    assert_eq!(expert, expected);
    assert_eq!(json(&trades[0])["timestamp"], "2026-01-02T03:04:05.123456Z");
}

/// JSON, logfmt and syslog messages stay in UTC.
#[test]
fn the_machine_s_zone_is_that_of_the_environment_and_of_text_alone() {
    let test = "the_machine_s_zone_is_that_of_the_environment_and_of_text_alone";
    if role().is_none() {
        // The zone is the process's: one that no machine has by itself.
        let mut command = child(test, "zone");
        command.env("TZ", "<+0545>-5:45");
        support::run(command);
        return;
    }
    let local = |builder: Builder| builder.time_zone(TimeZone::Local);
    let ([expert, trades, errors], _) = logged(local, Format::Text);
    for line in [&expert[0], &expert[1]] {
        assert!(line.starts_with("[2026-01-02T08:49:05.123456+05:45] "), "{line}");
    }
    assert!(errors[0].starts_with("[2026-01-02T08:49:06.000000+05:45] "), "{errors:?}");
    assert_eq!(json(&trades[0])["timestamp"], "2026-01-02T03:04:05.123456Z");
    let pattern = |builder: Builder| local(builder).text_pattern("%(time) %(event)");
    let ([expert, ..], _) = logged(pattern, Format::Text);
    assert_eq!(expert[0], "2026-01-02T08:49:05.123456+05:45 bar closed");
    for form in [LogFormat::Json, LogFormat::Logfmt, LogFormat::Rfc5424] {
        let ([expert, ..], _) = logged(|builder| local(builder).log_format(form), Format::Text);
        assert!(expert[0].contains("2026-01-02T03:04:05.123456Z"), "{form:?}: {expert:?}");
    }
}

#[test]
fn structured_logging_is_the_short_way_for_json_and_another_form_is_refused() {
    let ([short, ..], _) = logged(|builder| builder.structured_logging(true), Format::Json);
    let ([long, ..], read) = logged(|builder| builder.log_format(LogFormat::Json), Format::Json);
    assert_eq!(short, long);
    assert_eq!(read, joined(&long));
    let desk = Desk::new();
    let builder = desk.builder().structured_logging(true).log_format(LogFormat::Logfmt);
    let error = builder.text_pattern("%(evnt)").build().unwrap_err().to_string();
    for part in ["log_format", "structured_logging", "text_pattern", "did you mean `%(event)`?"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    assert!(!desk.logs().exists());
}
