//! Goal: every line of JSON obeys the schema that is shipped, whatever it tells: an independent
//! validator and jq say so.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Desk, PATIENCE, child, json, role, until};
use tapelog::reading::{Format, Journal};
use tapelog::recovery::rings;
use tapelog::testing::{CrashPoint, FileCall, fail, hold_drain, panic_at, shift_clock};
use tapelog::{
    Backtrace, BigInts, Bytes, Decimal, Level, LogFormat, MetaLogger, Overflow, UnixNanos, context,
    critical, debug, error, info, now, trade, try_info, warning,
};

/// Logs entries of every kind: all levels, values of every type, reserved names, lists such as the
/// chain of an error and a backtrace, a trade, a gap, the metrics, a slow call.
fn log_every_kind(log: &MetaLogger) {
    log.log(Level::Trace, "the finest", &[]).unwrap();
    debug!(log, "debug", u8 = u8::MAX, u64 = u64::MAX, u128 = u128::MAX, i128 = i128::MIN);
    info!(log, "floats", f = 0.1, single = 0.1_f32, nan = f64::NAN, inf = f64::NEG_INFINITY);
    warning!(log, "others", flag = true, c = '\u{85}', bytes = Bytes(&[1, 255]), none = None::<u8>);
    info!(
        log,
        "times",
        tick = now(),
        time = UnixNanos(-1),
        price = Decimal { mantissa: 1, scale: 9 }
    );
    info!(
        log,
        "lists",
        some = Some(1),
        empty = [0_u8; 0],
        texts = ["a", "\u{1b}"],
        nan = [f64::NAN]
    );
    info!(
        log,
        "reserved {level}",
        level = 3,
        event = "x",
        fields = 1,
        timestamp_ns = 2,
        pri = "\""
    );
    let log = log.bind(context! { symbol = "BTCUSDT", severity = "high", hostname = "mine" });
    error!(
        log,
        "",
        error = ["order refused", "no margin"],
        backtrace = ["0: main at src/main.rs:7"]
    );
    critical!(log, "cut", long = "x".repeat(60_000));
    trade!(log, "filled {qty} @ {price}", qty = 3_u64, price = 70_000.5);
    info!(log, "a trade by its field", category = "trade");
}

/// Fills the ring until calls wait in vain, which makes a gap and a slow call.
fn lose_some(log: &MetaLogger) {
    let held = hold_drain(log);
    while try_info!(log, "fills").is_ok() {}
    for call in 0..3_u64 {
        assert!(try_info!(log, "the slow one", call).is_err());
    }
    drop(held);
}

/// Every line of an engine that had all kinds of entries.
fn every_kind(big_ints: BigInts) -> Vec<String> {
    let desk = Desk::new();
    let builder = desk.builder().log_format(LogFormat::Json).log_level(Level::Trace);
    let builder = builder
        .ring_bytes(256_u64 << 10)
        .block_bytes(16_u32 << 10)
        .overflow(Overflow::Block(Duration::from_millis(2)));
    let timed = builder
        .latency_warning(Duration::from_millis(1))
        .metrics_interval(Duration::from_millis(100))
        .json_big_ints(big_ints);
    let (log, guard) = timed.build().unwrap();
    log_every_kind(&log);
    log.flush(PATIENCE).unwrap();
    lose_some(&log);
    let told = |what: &str| {
        log.flush(PATIENCE).unwrap();
        desk.lines("expert.log").iter().any(|line| line.contains(what))
    };
    for what in ["\"logger.gap\"", "\"logger.metrics\"", "\"logger.slow_call\""] {
        until(what, || {
            thread::sleep(Duration::from_millis(50));
            info!(log, "what was lost is told with the next entry");
            told(what)
        });
    }
    drop(guard);
    support::LOGS.iter().flat_map(|log| desk.lines(log)).collect()
}

fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/log-line.schema.json")
}

/// Reads the schema and lines of JSON; prints the number of each line that does not obey.
const VALIDATE: &str = "
import json, sys
try:
    import jsonschema
except ImportError as error:
    print(error)
    sys.exit(3)
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for number, line in enumerate(open(sys.argv[2], encoding='utf-8', newline='\\n')):
    for error in validator.iter_errors(json.loads(line)):
        print(number, error.message[:300])
        break
";

/// The numbers of the lines that do not obey the schema, and why; `None`, with a reason printed,
/// where there is no validator.
fn invalid(lines: &[String]) -> Option<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lines.json");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let mut python = Command::new("python3");
    let output = match python.args(["-c", VALIDATE]).arg(schema()).arg(&path).output() {
        Ok(output) => output,
        Err(error) => {
            support::skip(format_args!("no python3 ({error})"));
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() == Some(3) {
        support::skip(format_args!("python3 -m pip install jsonschema ({})", said.trim()));
        return None;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(said.lines().map(str::to_owned).collect())
}

/// Whether both values say the same: numbers as they are in floating point, which is exact up to 2^53.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let known = |(key, one)| other.get(key).is_some_and(|other| same(one, other));
            one.len() == other.len() && one.iter().all(known)
        }
        _ => one == other,
    }
}

/// Whether a number in the value is an integer beyond 2^53.
fn has_big_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let integer = text.trim_start_matches('-').bytes().all(|digit| digit.is_ascii_digit());
            integer && number.as_f64().is_some_and(|number| number.abs() > 2_f64.powi(53))
        }
        Value::Array(values) => values.iter().any(has_big_integer),
        Value::Object(values) => values.values().any(has_big_integer),
        _ => false,
    }
}

/// jq gives out each line as it is; older ones round integers beyond 2^53.
fn assert_jq_reads(lines: &[String]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lines.json");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    match Command::new("jq").args(["-c", "."]).arg(&path).output() {
        Ok(output) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && complaint.is_empty(), "{complaint}");
            let read = String::from_utf8(output.stdout).unwrap();
            assert_eq!(read.lines().count(), lines.len());
            for (ours, read) in lines.iter().zip(read.lines()) {
                assert!(same(&json(ours), &json(read)), "{ours}\nis read as\n{read}");
            }
        }
        Err(error) => support::skip(format_args!("no jq ({error})")),
    }
}

#[test]
fn every_kind_of_line_obeys_the_schema_and_is_read_by_jq() {
    for big_ints in [BigInts::Number, BigInts::String] {
        let lines = every_kind(big_ints);
        let kinds: std::collections::BTreeSet<_> =
            lines.iter().map(|line| json(line)["level"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds.len(), Level::ALL.len(), "{kinds:?}");
        let entries: Vec<_> = lines.iter().map(|line| json(line)).collect();
        let debug = entries.iter().find(|entry| entry["event"] == "debug").unwrap();
        let strings = big_ints == BigInts::String;
        let expected = if strings { json!(u64::MAX.to_string()) } else { json!(u64::MAX) };
        assert_eq!(debug["u64"], expected);
        let numbers = entries.iter().filter(|entry| has_big_integer(entry)).count();
        assert_eq!(numbers > 0, !strings, "{numbers} with big integers");
        assert_jq_reads(&lines);
        if let Some(invalid) = invalid(&lines) {
            assert_eq!(invalid, Vec::<String>::new(), "of {} lines", lines.len());
        }
    }
}

/// What the engine says of itself beside what [`every_kind`] has; the last two take damaged files.
const OWN: [&str; 11] = [
    "panic",
    "logger.configuration",
    "logger.reload",
    "logger.fast_rotation",
    "logger.file_failed",
    "logger.journal_gap",
    "logger.writer_panic",
    "logger.clock_step",
    "logger.recovered",
    "logger.recovery_failed",
    "logger.undecodable",
];

/// What an engine's variables begin with that says all that it can.
const PREFIX: &str = "TAPELOG_TALKATIVE_";

/// An engine that says all that it can; its file is `desk.toml`.
fn talkative(root: &Path, rings: &Path) -> (MetaLogger, tapelog::Guard) {
    let builder = MetaLogger::builder().env_prefix(PREFIX);
    let builder = builder.config_file(root.join("desk.toml")).log_dir(root.join("logs"));
    let builder = builder.ring_dir(rings).log_to_console(false);
    let builder = builder.structured_logging(true).latency_warning(Duration::ZERO);
    let builder = builder.panic_hook(true).backtrace(Backtrace::Critical);
    let builder = builder.log_max_file_size(64_u64 << 10).log_backup_count(10_000_u32);
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(64_u32);
    builder.metrics_interval(Duration::from_secs(60)).build().unwrap()
}

/// Meddles with an engine until it has told everything, and ends without an end of its own.
fn have_it_all_told(root: &Path, rings: &Path) -> ! {
    fs::write(root.join("desk.toml"), "log_level = \"info\"\n").unwrap();
    let (log, _guard) = talkative(root, rings);
    let expert = root.join("logs/expert.log");
    let wait_for = |event: &str| {
        until(event, || {
            (0..50).for_each(|_| info!(log, "meddled with", text = "x".repeat(100)));
            log.flush(PATIENCE).unwrap();
            thread::sleep(Duration::from_millis(20));
            // Between two of its names a rotated file is in no list; the next look finds it.
            support::files(&expert).iter().any(|file| {
                fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("\"{event}\"")))
            })
        });
    };
    let worker = thread::Builder::new().name("risk".to_owned());
    assert!(worker.spawn(|| panic!("limit of {} exceeded", 7)).unwrap().join().is_err());
    wait_for("panic");
    wait_for("logger.configuration");
    wait_for("logger.fast_rotation");
    fs::write(root.join("desk.toml"), "log_level = \"debug\"\n").unwrap();
    log.reload().unwrap();
    wait_for("logger.reload");
    let fault = fail(FileCall::Write, libc::EIO, 3);
    until("failed writes", || {
        info!(log, "cannot be written");
        log.flush(PATIENCE).unwrap();
        fault.failed() > 0
    });
    drop(fault);
    wait_for("logger.file_failed");
    let full = fail(FileCall::Allocate, libc::ENOSPC, u64::MAX);
    let fault = fail(FileCall::Rename, libc::ENOSPC, u64::MAX);
    until("a journal in memory", || {
        (0..500).for_each(|_| info!(log, "no room", text = "x".repeat(500)));
        log.flush(PATIENCE).unwrap();
        log.stats().journal_in_memory
    });
    drop((full, fault));
    wait_for("logger.journal_gap");
    panic_at(CrashPoint::FramesWritten, 1);
    wait_for("logger.writer_panic");
    shift_clock(3_600 * 1_000_000_000);
    wait_for("logger.clock_step");
    std::process::abort()
}

/// Leaves a dead process's ring that makes no sense beside the one that is there.
fn leave_a_senseless_ring(ring_dir: &Path) {
    let ring = rings(ring_dir).unwrap().remove(0).path;
    let mut bytes = fs::read(&ring).unwrap();
    // In its header.
    bytes[24] ^= 2;
    fs::write(ring_dir.join("1-00000000000000aa.ring"), bytes).unwrap();
}

/// Gives the first record of a journal a site that nothing defines, as docs/format.md has it, and
/// tells what the reader makes of it.
fn undecodable(journal: &Path) -> String {
    let mut segments: Vec<_> =
        fs::read_dir(journal).unwrap().map(|file| file.unwrap().path()).collect();
    segments.sort();
    let mut bytes = fs::read(&segments[0]).unwrap();
    let number = |bytes: &[u8], at: usize| {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    };
    let mut frame = 4096;
    while bytes[frame + 8] != 1 {
        frame += number(&bytes, frame + 4);
    }
    let end = frame + number(&bytes, frame + 4);
    bytes[frame + 104 + 4..][..4].copy_from_slice(&77_777_u32.to_le_bytes());
    let crc = crc_fast::crc32_iscsi(&bytes[frame + 4..end]);
    bytes[frame..frame + 4].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segments[0], bytes).unwrap();
    let mut read = Vec::new();
    Journal::open(journal.parent().unwrap()).unwrap().write_to(Format::Json, &mut read).unwrap();
    String::from_utf8(read).unwrap()
}

#[test]
fn what_the_engine_says_of_itself_obeys_the_schema_and_is_read_by_jq() {
    let test = "what_the_engine_says_of_itself_obeys_the_schema_and_is_read_by_jq";
    if let Some(directories) = role() {
        let (root, rings) = directories.split_once(' ').unwrap();
        have_it_all_told(Path::new(root), Path::new(rings));
    }
    let desk = Desk::new();
    let root = desk.path("");
    let role = format!("{} {}", root.display(), desk.ring_dir().display());
    let mut running = child(test, &role);
    // The code says otherwise, which is told.
    let ended = running.env(format!("{PREFIX}LOG_TO_CONSOLE"), "true").output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{told}");
    leave_a_senseless_ring(&desk.ring_dir());
    let (log, guard) = talkative(&root, &desk.ring_dir());
    critical!(log, "with a backtrace");
    for event in ["\"logger.recovered\"", "\"logger.recovery_failed\""] {
        until(event, || desk.lines("expert.log").iter().any(|line| line.contains(event)));
    }
    drop(guard);
    let mut lines: Vec<_> = support::LOGS.iter().flat_map(|log| desk.lines(log)).collect();
    let traced = lines.iter().find(|line| line.contains("\"with a backtrace\"")).unwrap();
    assert!(json(traced)["backtrace"].as_array().is_some_and(|calls| calls.len() > 3), "{traced}");
    lines.extend(undecodable(&desk.logs().join("journal")).lines().map(str::to_owned));
    for event in OWN {
        let event = format!("\"{event}\"");
        assert!(lines.iter().any(|line| line.contains(&event)), "no {event}");
    }
    assert_jq_reads(&lines);
    if let Some(invalid) = invalid(&lines) {
        assert_eq!(invalid, Vec::<String>::new(), "of {} lines", lines.len());
    }
}

/// What makes a line no line of ours: a replacement in a good one.
const DAMAGES: [(&str, &str); 18] = [
    (r#""level":"info""#, r#""level":"INFO""#),
    (r#""level":"info""#, r#""level":"error""#),
    (r#""level":"info","#, ""),
    (r#""event":"x""#, r#""event":7"#),
    ("03:04:05.123456Z", "03:04:05Z"),
    ("03:04:05.123456Z", "03:04:05.123456+00:00"),
    ("2026-01-02T", "2026-13-02T"),
    (r#""pri":134"#, r#""pri":192"#),
    (r#""pri":134"#, r#""pri":"134""#),
    (r#""facility":16"#, r#""facility":24"#),
    (r#""severity":6"#, r#""severity":5"#),
    (r#""version":1"#, r#""version":2"#),
    (r#""hostname":"desk7""#, r#""hostname":"two words""#),
    (r#""app_name":"metaexpert""#, r#""app_name":"""#),
    (r#""msgid":null"#, r#""msgid":"other""#),
    (r#""timestamp_ns":"1767323045123456789""#, r#""timestamp_ns":1767323045123456789"#),
    (r#""a":1"#, r#""a":{"b":1}"#),
    (r#""a":1"#, r#""fields":{"a":1}"#),
];

#[test]
fn the_schema_refuses_what_is_no_line_of_ours() {
    let desk = Desk::new();
    let builder = desk.builder().log_format(LogFormat::Json).hostname("desk7");
    let (log, guard) = builder.build().unwrap();
    info!(log, at: UnixNanos(1_767_323_045_123_456_789), "x", a = 1);
    drop(guard);
    let good = desk.lines("expert.log").remove(0);
    let mut lines = vec![good.clone()];
    for (from, to) in DAMAGES {
        assert!(good.contains(from), "{from} is not in {good}");
        lines.push(good.replacen(from, to, 1));
    }
    if let Some(invalid) = invalid(&lines) {
        let numbers: Vec<usize> =
            invalid.iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
        assert_eq!(numbers, (1..=DAMAGES.len()).collect::<Vec<_>>(), "{invalid:#?}");
    }
}
