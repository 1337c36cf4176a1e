//! What the scenarios share: a directory to log to, the logs read back, and child processes.

#![allow(dead_code, reason = "every scenario uses a part of this")]

pub(crate) mod disk;

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tapelog::testing::without_rotation_warning;
use tapelog::{Builder, MetaLogger};
use tempfile::TempDir;

/// Long enough for any writer on a busy machine; nobody waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The three logs by their default names.
pub(crate) const LOGS: [&str; 3] = ["expert.log", "trades.log", "errors.log"];

/// A directory that is gone when the test is over.
#[derive(Debug)]
pub(crate) struct Desk {
    root: TempDir,
    ring: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory"), ring: tmpfs() }
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The log directory.
    pub(crate) fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// A builder that logs here and keeps the console quiet.
    pub(crate) fn builder(&self) -> Builder {
        builder(&self.logs()).ring_dir(self.ring_dir())
    }

    /// Where the ring's file lies.
    pub(crate) fn ring_dir(&self) -> PathBuf {
        self.ring.path().join("rings")
    }

    /// How many rings lie there.
    pub(crate) fn rings(&self) -> usize {
        fs::read_dir(self.ring_dir()).map_or(0, Iterator::count)
    }

    /// The lines of a log in the order they were written, rotated files included.
    pub(crate) fn lines(&self, log: &str) -> Vec<String> {
        lines(&self.logs().join(log))
    }

    /// The same as JSON.
    pub(crate) fn json(&self, log: &str) -> Vec<Value> {
        self.lines(log).iter().map(|line| json(line)).collect()
    }
}

/// A directory in memory that is gone when the test is over.
pub(crate) fn tmpfs() -> TempDir {
    let place = if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" };
    let named = tempfile::Builder::new().prefix("tapelog-test-").tempdir_in(place);
    named.expect("a directory in memory")
}

/// A builder that logs to `directory` and keeps the console quiet. Tests count entries, and a busy
/// machine may stop any call for long, so slow calls and metrics are told only where a test asks for it,
/// and logs that are small on purpose not at all. What the environment says has no part in it.
pub(crate) fn builder(directory: &Path) -> Builder {
    let builder = MetaLogger::builder().code_only().log_dir(directory).log_to_console(false);
    let builder = builder.latency_warning(Duration::ZERO).metrics_interval(Duration::ZERO);
    without_rotation_warning(builder)
}

/// The files of a log, the oldest first.
pub(crate) fn files(log: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = (1..)
        .map(|number| PathBuf::from(format!("{}.{number}", log.display())))
        .take_while(|path| path.exists())
        .collect();
    files.reverse();
    files.push(log.to_owned());
    files
}

/// A log. While a line is being written, a reader may see a part of it: it is read again then.
fn whole(path: &Path) -> String {
    let read = || fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let is_whole = |text: &str| text.is_empty() || text.ends_with('\n');
    let mut text = read();
    for _ in 0..100 {
        if is_whole(&text) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
        text = read();
    }
    assert!(is_whole(&text), "{path:?} ends inside a line");
    text
}

/// The lines of a log in the order they were written, rotated files included. Every file must
/// consist of whole lines.
pub(crate) fn lines(log: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for path in files(log) {
        let text = whole(&path);
        assert!(!text.contains('\0'), "{path:?} holds a NUL");
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

/// Says why something is not tested here; also where the harness keeps to itself what tests print.
pub(crate) fn skip(why: fmt::Arguments<'_>) {
    let _told = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A line of JSON.
pub(crate) fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The unquoted value behind ` name=` in a line of text.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// The same as a number.
pub(crate) fn number(line: &str, name: &str) -> u64 {
    let value = field(line, name).unwrap_or_else(|| panic!("no {name} in {line}"));
    value.parse().unwrap_or_else(|error| panic!("{name}: {error} in {line}"))
}

/// How often a fault is injected: `ci` times, or as often as the environment variable says, by which
/// the program `torture` asks for a long run.
pub(crate) fn times(variable: &str, ci: u64) -> u64 {
    let parse =
        |times: String| times.parse().unwrap_or_else(|error| panic!("{variable}={times}: {error}"));
    std::env::var(variable).map_or(ci, parse)
}

const ROLE: &str = "TEST_ROLE_OF_TAPELOG";

/// The role of this process, if a test started it as a child.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// This test program again, to run only `test`, which finds itself in the given role.
pub(crate) fn child(test: &str, role: &str) -> Command {
    let program = std::env::current_exe().expect("the test's own path");
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command.stdin(Stdio::null());
    command
}

/// Runs a child to its end, which must be a success.
pub(crate) fn run(mut command: Command) -> Output {
    let output = command.output().expect("a child process");
    assert!(
        output.status.success(),
        "{:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// Waits for a child, but not for ever.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("the child's status") {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().expect("a child to kill");
            panic!("the child did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something holds, but not for ever.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The middle one of some times, the shorter one of two: a busy machine may stop anybody for long, but not
/// most of the time.
pub(crate) fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[(times.len() - 1) / 2]
}

/// Every file below a directory that holds `text`.
pub(crate) fn holders(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry of a directory").path();
        if path.is_dir() {
            found.extend(holders(&path, text));
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// How much memory this process has resident.
pub(crate) fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let number = line.split_whitespace().next().and_then(|number| number.parse().ok());
    number.expect("a number of KiB")
}
