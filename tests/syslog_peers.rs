//! Real daemons understand what we send: rsyslogd and syslog-ng receive generated entries over UDP,
//! TCP and a unix socket, and every field that they parsed equals what was logged.
//!
//! The daemons run in the foreground on loopback, each with a configuration of its own. They are
//! looked for in the path, in `/usr/sbin`, and where `.ci/syslog-daemons` puts them. Where one is
//! missing its tests say so and end.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

#[path = "syslog_peers/daemon.rs"]
mod daemon;

use std::collections::BTreeMap;

use daemon::Daemon;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use support::{Desk, PATIENCE, until};
use tapelog::{
    DynamicValue, Level, UnixNanos, context, critical, debug, error, info, trade, warning,
};

const ENTRIES: usize = 1_000;

/// So many are sent before the daemon is waited for: a socket's buffer is small.
const AT_ONCE: usize = 50;

const HOST: &str = "desk-7.example";
const PROGRAM: &str = "peer-test";

/// What a daemon understood of a message.
#[derive(Debug, PartialEq)]
struct Parsed {
    pri: String,
    facility: String,
    severity: String,
    timestamp: String,
    hostname: String,
    app: String,
    procid: String,
    msgid: String,
    /// By element and name.
    parameters: BTreeMap<String, BTreeMap<String, String>>,
    msg: String,
}

/// A generated entry.
#[derive(Debug, Clone)]
struct Sample {
    kind: Kind,
    nanos: i64,
    note: String,
    long: String,
    whole: i64,
    real: f64,
    flag: bool,
    bound: String,
    dynamic: BTreeMap<String, String>,
}

/// How it is logged.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    At(Level),
    Trade,
    Dynamic(Level),
}

impl Kind {
    fn level(self) -> Level {
        match self {
            Self::At(level) | Self::Dynamic(level) => level,
            Self::Trade => Level::Info,
        }
    }
}

fn samples(longest: usize) -> Vec<Sample> {
    let level = || {
        let levels = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];
        prop::sample::select(levels.to_vec())
    };
    let kind = prop_oneof![
        level().prop_map(Kind::At),
        Just(Kind::Trade),
        level().prop_map(Kind::Dynamic),
    ];
    let character = prop_oneof![
        8 => proptest::char::range(' ', '~'),
        2 => prop::sample::select(r#""\]['=;{}<> "#.chars().collect::<Vec<_>>()),
        1 => any::<char>(),
        1 => prop::sample::select(vec!['\0', '\n', '\r', '\t', '\u{1b}', '\u{85}', '\u{202e}']),
    ];
    let text = |longest| vec(character.clone(), 0..longest).prop_map(String::from_iter);
    let long = vec(proptest::char::range('a', '~'), 0..longest).prop_map(String::from_iter);
    // In names rsyslog takes no notice of the case, and syslog-ng shows a dot as nesting.
    let dynamic = btree_map("[a-z][a-z0-9_:;<>{}\\\\-]{0,20}", text(20), 0..4);
    let nanos = 946_684_800_000_000_000..2_145_916_800_000_000_000_i64;
    let real = prop::num::f64::NORMAL;
    let sample =
        (kind, nanos, text(60), long, any::<i64>(), real, any::<bool>(), text(30), dynamic)
            .prop_map(|(kind, nanos, note, long, whole, real, flag, bound, dynamic)| Sample {
                kind,
                nanos,
                note,
                long,
                whole,
                real,
                flag,
                bound,
                dynamic,
            });
    let mut runner = TestRunner::deterministic();
    (0..ENTRIES).map(|_| sample.new_tree(&mut runner).unwrap().current()).collect()
}

/// A text as one line: what the documentation says of characters that could do harm.
fn on_one_line(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                shown.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
            }
            other => shown.push(other),
        }
    }
    shown
}

fn log_all(desk: &Desk, daemon: &Daemon, transport: &str, samples: &[Sample]) {
    let url = match transport {
        "unix" => format!("unix:{}", daemon.socket.display()),
        _ => format!("{transport}://127.0.0.1:{}", daemon.port),
    };
    let builder = desk.builder().syslog(url);
    let builder = builder.log_level(Level::Debug).hostname(HOST).log_name(PROGRAM);
    let builder = builder.facility(17_u8).structured_logging(true);
    let (log, guard) = builder.build().unwrap();
    for (n, sample) in samples.iter().enumerate() {
        log_one(&log.bind(context! { bound = &*sample.bound, desk = 7 }), n, sample);
        if n % AT_ONCE == AT_ONCE - 1 {
            until("the daemon's lines", || daemon.lines().len() > n);
        }
    }
    drop(guard);
    let stats = log.stats();
    assert_eq!((stats.syslog_sent, stats.syslog_dropped, stats.syslog_cut), (ENTRIES as u64, 0, 0));
    until("the daemon's lines", || daemon.lines().len() >= ENTRIES);
}

fn log_one(log: &tapelog::MetaLogger, n: usize, sample: &Sample) {
    let Sample { kind, note, long, whole, real, flag, dynamic, .. } = sample;
    let (time, note, long) = (UnixNanos(sample.nanos), &**note, &**long);
    macro_rules! at {
        ($macro:ident) => {
            $macro!(log, at: time, "{note}", note, n, long, whole = *whole, real = *real,
                flag = *flag)
        };
    }
    match kind {
        Kind::Trade => at!(trade),
        Kind::At(Level::Debug) => at!(debug),
        Kind::At(Level::Info) => at!(info),
        Kind::At(Level::Warning) => at!(warning),
        Kind::At(Level::Error) => at!(error),
        Kind::At(_) => at!(critical),
        Kind::Dynamic(level) => {
            let mut fields: Vec<(&str, DynamicValue<'_>)> = vec![("n", (n as u64).into())];
            fields.extend(dynamic.iter().map(|(name, value)| (&**name, (&**value).into())));
            log.log(*level, &note.replace('{', "{{").replace('}', "}}"), &fields).unwrap();
        }
    }
    if n % AT_ONCE == AT_ONCE - 1 {
        log.flush(PATIENCE).unwrap();
    }
}

/// What a daemon is to make of an entry. `stamped` is its time in `expert.log`.
fn expected(n: usize, sample: &Sample, stamped: &str, sequence: &str) -> Parsed {
    let mut fields = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        fields.insert(name.to_owned(), value);
    };
    match sample.kind {
        Kind::Dynamic(_) => {
            for (name, value) in &sample.dynamic {
                put(name, on_one_line(value));
            }
        }
        _ => {
            put("note", on_one_line(&sample.note));
            put("long", sample.long.clone());
            put("whole", sample.whole.to_string());
            put("flag", sample.flag.to_string());
        }
    }
    put("n", n.to_string());
    put("bound", on_one_line(&sample.bound));
    put("desk", "7".to_owned());
    let severity = match sample.kind.level() {
        Level::Debug => 7,
        Level::Info => 6,
        Level::Warning => 4,
        Level::Error => 3,
        _ => 2,
    };
    let meta = BTreeMap::from([("sequenceId".to_owned(), sequence.to_owned())]);
    Parsed {
        pri: (17 * 8 + severity).to_string(),
        facility: "17".to_owned(),
        severity: severity.to_string(),
        timestamp: match sample.kind {
            Kind::Dynamic(_) => stamped.to_owned(),
            _ => {
                let time = jiff::Timestamp::from_nanosecond(sample.nanos.into()).unwrap();
                let micros = time.as_microsecond();
                format!("{:.6}", jiff::Timestamp::from_microsecond(micros).unwrap())
            }
        },
        hostname: HOST.to_owned(),
        app: PROGRAM.to_owned(),
        procid: std::process::id().to_string(),
        msgid: if sample.kind == Kind::Trade { "trade" } else { "-" }.to_owned(),
        parameters: BTreeMap::from([("meta".to_owned(), meta), ("ctx@32473".to_owned(), fields)]),
        msg: on_one_line(&sample.note),
    }
}

/// A line of a daemon's output, with what the daemons show differently made alike: syslog-ng calls a
/// missing MSGID empty and writes `Z` as `+00:00`; rsyslog keeps the byte order mark in the text.
fn parsed(line: &str) -> Parsed {
    let value: Value = support::json(line);
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let parameters = match (&value["parameters"], &value["_SDATA"]) {
        (Value::String(inner), _) => support::json(inner),
        (_, elements) => elements.clone(),
    };
    let strings = |object: &Value| -> BTreeMap<String, String> {
        let each = object.as_object().unwrap().iter();
        each.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    };
    let elements = parameters.as_object().unwrap().iter();
    Parsed {
        pri: text("pri"),
        facility: text("facility"),
        severity: text("severity"),
        timestamp: text("timestamp").replace("+00:00", "Z"),
        hostname: text("hostname"),
        app: text("app"),
        procid: text("procid"),
        msgid: Some(text("msgid")).filter(|id| !id.is_empty()).unwrap_or("-".to_owned()),
        parameters: elements.map(|(id, element)| (id.clone(), strings(element))).collect(),
        msg: text("msg").trim_start_matches('\u{feff}').to_owned(),
    }
}

fn compare(desk: &Desk, daemon: &Daemon, samples: &[Sample]) {
    let stamps: BTreeMap<u64, String> = desk
        .json("expert.log")
        .iter()
        .map(|line| (line["n"].as_u64().unwrap(), line["timestamp"].as_str().unwrap().to_owned()))
        .collect();
    let mut seen = vec![false; ENTRIES];
    let lines = daemon.lines();
    assert_eq!(lines.len(), ENTRIES, "each message once");
    for (at, line) in lines.iter().enumerate() {
        let mut parsed = parsed(line);
        let fields = parsed.parameters.get_mut("ctx@32473").expect("our element");
        let n: usize = fields["n"].parse().unwrap();
        let sample = &samples[n];
        if !matches!(sample.kind, Kind::Dynamic(_)) {
            let real: f64 = fields.remove("real").expect("a real number").parse().unwrap();
            assert_eq!(real.to_bits(), sample.real.to_bits(), "{line}");
        }
        let sequence = (at + 1).to_string();
        let expected = expected(n, sample, &stamps[&(n as u64)], &sequence);
        assert_eq!(parsed, expected, "{line}\n{sample:?}");
        assert!(!std::mem::replace(&mut seen[n], true), "{n} came twice");
    }
    println!("row 20: {ENTRIES} messages, every field as it was logged");
}

fn send_and_compare(start: fn(&Desk) -> Option<Daemon>, transport: &str, longest: usize) {
    let desk = Desk::new();
    let Some(daemon) = start(&desk) else { return };
    let samples = samples(longest);
    log_all(&desk, &daemon, transport, &samples);
    compare(&desk, &daemon, &samples);
}

#[test]
fn row_20_rsyslog_understands_every_field_over_udp() {
    send_and_compare(Daemon::rsyslog, "udp", 200);
}

#[test]
fn row_20_rsyslog_understands_every_field_over_tcp() {
    send_and_compare(Daemon::rsyslog, "tcp", 6_000);
}

#[test]
fn row_20_syslog_ng_understands_every_field_over_udp() {
    send_and_compare(Daemon::syslog_ng, "udp", 200);
}

#[test]
fn row_20_syslog_ng_understands_every_field_over_tcp() {
    send_and_compare(Daemon::syslog_ng, "tcp", 6_000);
}

#[test]
fn row_20_rsyslog_understands_every_field_over_a_unix_socket() {
    send_and_compare(Daemon::rsyslog, "unix", 6_000);
}

#[test]
fn row_20_syslog_ng_understands_every_field_over_a_unix_socket() {
    send_and_compare(Daemon::syslog_ng, "unix", 6_000);
}
