//! Real daemons understand what we send: rsyslogd and syslog-ng receive generated entries over UDP,
//! TCP and a unix socket, and every field that they parsed equals what was logged.
//!
//! The daemons run in the foreground on loopback, each with a configuration of its own. They are
//! looked for in the path, in `/usr/sbin`, and where `.ci/syslog-daemons` puts them. Where one is
//! missing its tests say so and end.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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

/// The unix socket, beside everything else of a daemon.
const SOCKET: &str = "log.socket";

/// A daemon that listens on one port of UDP and of TCP, and on a unix socket; ended when dropped.
struct Daemon {
    child: Child,
    port: u16,
    socket: PathBuf,
    output: PathBuf,
    log: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
        if std::thread::panicking() {
            println!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

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

/// Where programs of packages that were unpacked and not installed are.
fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("syslog-daemons")
}

/// A daemon's program, with its directory of libraries if it was unpacked.
fn program(name: &str) -> Option<(PathBuf, Option<PathBuf>)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = Path::new("/usr/sbin").to_owned();
    let installed = std::env::split_paths(&path).chain([system]).map(|dir| dir.join(name));
    if let Some(found) = installed.into_iter().find(|path| path.is_file()) {
        return Some((found, None));
    }
    let found = unpacked().join("usr/sbin").join(name);
    if found.is_file() {
        return Some((found, Some(unpacked())));
    }
    support::skip(format_args!(
        "no {name} here; `.ci/syslog-daemons` unpacks it into {}",
        found.display()
    ));
    None
}

/// The directories below `root/usr/lib` and `root/lib` that hold libraries.
fn libraries(root: &Path) -> std::ffi::OsString {
    let mut found = Vec::new();
    for base in ["usr/lib", "lib"] {
        let Ok(entries) = fs::read_dir(root.join(base)) else { continue };
        found.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
    std::env::join_paths(found).unwrap()
}

/// A directory of that name somewhere below `root/usr/lib`, with a file of modules in it.
fn modules(root: &Path, name: &str, module: &str) -> PathBuf {
    let pending = [root.join("usr/lib").join(name)];
    let triples = fs::read_dir(root.join("usr/lib")).unwrap();
    let triples = triples.map(|entry| entry.unwrap().path().join(name));
    let mut candidates: Vec<_> = pending.into_iter().chain(triples).collect();
    let versions = candidates.iter().filter_map(|path| fs::read_dir(path).ok()).flatten();
    let versions: Vec<_> = versions.map(|entry| entry.unwrap().path()).collect();
    candidates.extend(versions);
    let holds = |path: &PathBuf| path.join(module).is_file();
    candidates.into_iter().find(holds).expect("the daemon's modules")
}

/// A port that is free for UDP and TCP.
fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Daemon {
    fn start(
        desk: &Desk,
        (program, root): (PathBuf, Option<PathBuf>),
        configure: fn(&Path, u16) -> String,
        arguments: fn(&mut Command, &Path, Option<&Path>),
    ) -> Self {
        let port = free_port();
        let output = desk.path("out.json");
        let directory = desk.path("");
        fs::write(desk.path("daemon.conf"), configure(&directory, port)).unwrap();
        let log = desk.path("daemon.log");
        let told = fs::File::create(&log).unwrap();
        let mut command = Command::new(program);
        if let Some(root) = &root {
            command.env("LD_LIBRARY_PATH", libraries(root));
        }
        arguments(&mut command, &directory, root.as_deref());
        command.stdin(Stdio::null()).stdout(told.try_clone().unwrap()).stderr(told);
        let mut child = command.spawn().unwrap();
        until("the daemon", || {
            let ended = child.try_wait().unwrap();
            let told = || fs::read_to_string(&log).unwrap();
            assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", told());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let socket = desk.path(SOCKET);
        until("the daemon's socket", || socket.exists());
        Self { child, port, socket, output, log }
    }

    fn rsyslog(desk: &Desk) -> Option<Self> {
        let program = program("rsyslogd")?;
        Some(Self::start(desk, program, rsyslog_configuration, |command, directory, root| {
            command.arg("-n").arg("-f").arg(directory.join("daemon.conf"));
            command.arg("-i").arg(directory.join("pid"));
            if let Some(root) = root {
                command.arg("-M").arg(modules(root, "rsyslog", "imudp.so"));
            }
        }))
    }

    fn syslog_ng(desk: &Desk) -> Option<Self> {
        let program = program("syslog-ng")?;
        Some(Self::start(desk, program, syslog_ng_configuration, |command, directory, root| {
            command.arg("-F").arg("--no-caps").arg("-f").arg(directory.join("daemon.conf"));
            command.arg("-R").arg(directory.join("persist"));
            command.arg("-c").arg(directory.join("control"));
            command.arg("-p").arg(directory.join("pid"));
            if let Some(root) = root {
                let modules = modules(root, "syslog-ng", "libsyslogformat.so");
                command.arg(format!("--module-path={}", modules.display()));
            }
        }))
    }

    /// What it wrote so far.
    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }
}

fn rsyslog_configuration(directory: &Path, port: u16) -> String {
    let property = |(out, name): (&str, &str)| {
        format!("  property(outname=\"{out}\" name=\"{name}\" format=\"jsonf\")\n")
    };
    let properties: String = [
        ("pri", "pri"),
        ("facility", "syslogfacility"),
        ("severity", "syslogseverity"),
        ("hostname", "hostname"),
        ("app", "app-name"),
        ("procid", "procid"),
        ("msgid", "msgid"),
        ("parameters", "$!rfc5424-sd"),
        ("msg", "msg"),
    ]
    .map(property)
    .concat();
    let directory = directory.display();
    format!(
        r#"global(workDirectory="{directory}" maxMessageSize="64k" preserveFQDN="on" net.enableDNS="off"
  parser.escapeControlCharactersOnReceive="off")
module(load="imudp") module(load="imtcp") module(load="mmpstrucdata")
module(load="imuxsock" SysSock.Use="off")
template(name="all" type="list" option.jsonf="on") {{
{properties}  property(outname="timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
}}
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="in")
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="in")
input(type="imuxsock" socket="{directory}/{SOCKET}" useSpecialParser="off" parseHostname="on"
  ignoreTimestamp="off" useSysTimeStamp="off" rateLimit.Interval="0" ruleset="in")
ruleset(name="in") {{
  action(type="mmpstrucdata" sd_name.lowercase="off")
  action(type="omfile" file="{directory}/out.json" template="all")
}}
"#
    )
}

fn syslog_ng_configuration(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        r#"@version: 3.35
options {{
  keep-hostname(yes); use-dns(no); dns-cache(no); stats-freq(0);
  ts-format(iso); frac-digits(6); log-msg-size(65536);
}};
source in {{
  syslog(transport("udp") ip("127.0.0.1") port({port}));
  syslog(transport("tcp") ip("127.0.0.1") port({port}));
  unix-dgram("{directory}/{SOCKET}" flags(syslog-protocol));
}};
destination out {{
  file("{directory}/out.json" template("$(format-json --key .SDATA.* pri=${{PRI}}
    facility=${{FACILITY_NUM}} severity=${{LEVEL_NUM}} timestamp=${{S_ISODATE}} hostname=${{HOST}}
    app=${{PROGRAM}} procid=${{PID}} msgid=${{MSGID}} msg=${{MSG}})\n"));
}};
log {{ source(in); destination(out); }};
"#
    )
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
