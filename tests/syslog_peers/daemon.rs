//! The daemons: found, configured, started, ended.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{self, Desk, until};

/// The unix socket, beside everything else of a daemon.
const SOCKET: &str = "log.socket";

/// A daemon that listens on one port of UDP and of TCP, and on a unix socket; ended when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) port: u16,
    pub(crate) socket: PathBuf,
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

    pub(crate) fn rsyslog(desk: &Desk) -> Option<Self> {
        let program = program("rsyslogd")?;
        Some(Self::start(desk, program, rsyslog_configuration, |command, directory, root| {
            command.arg("-n").arg("-f").arg(directory.join("daemon.conf"));
            command.arg("-i").arg(directory.join("pid"));
            if let Some(root) = root {
                command.arg("-M").arg(modules(root, "rsyslog", "imudp.so"));
            }
        }))
    }

    pub(crate) fn syslog_ng(desk: &Desk) -> Option<Self> {
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
    pub(crate) fn lines(&self) -> Vec<String> {
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
