//! Row 6 from outside: system calls of a living logger that strace has fail, one kind after the other.
//!
//! The tests of the row reach each call through a gate inside the library. This reaches the system
//! calls themselves, whoever makes them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tapelog::reading::Journal;
use tapelog::{MetaLogger, SyncPolicy, context, try_info};

use crate::figures::Figures;
use crate::run::{Outcome, Result, Wanted};

pub(crate) const ROW: u32 = 6;
pub(crate) const FAULT: &str = "system calls made to fail by strace";

/// The calls by which a living logger meets the file system; kinds of one thing are alternatives.
const CALLS: [&str; 12] = [
    "openat,openat2",
    "write,writev",
    "pwrite64,pwritev",
    "pread64",
    "fallocate,ftruncate",
    "fsync,fdatasync,msync",
    "rename,renameat,renameat2",
    "unlink,unlinkat",
    "statx,fstat,newfstatat",
    "fchmod,fchmodat,fchown",
    "statfs,fstatfs",
    FLOCK,
];
/// Made when the lock's file is gone.
const FLOCK: &str = "flock";
const ERRORS: [&str; 7] = ["ENOSPC", "EDQUOT", "EIO", "EINTR", "EMFILE", "EROFS", "EACCES"];

/// How long calls fail.
const FAILING: Duration = Duration::from_millis(300);
/// So many entries of its own the engine makes in an outage at most.
const OWN_MAX: u64 = 50;
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the child logs until its standard input says something else.
pub(crate) fn child(directory: &Path) -> ExitCode {
    match log_until_told(directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn log_until_told(directory: &Path) -> std::result::Result<(), String> {
    let builder = MetaLogger::builder().code_only().log_dir(directory.join("logs"));
    let builder = builder.ring_dir(directory.join("rings")).log_to_console(false);
    let builder = builder.ring_bytes(1_u64 << 20).block_bytes(16_u32 << 10);
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(64_u32);
    let builder = builder.sync(SyncPolicy::Interval(Duration::from_millis(50)));
    let builder = builder.log_max_file_size(256_u64 << 10).log_backup_count(3_u32);
    let builder = builder.metrics_interval(Duration::ZERO).latency_warning(Duration::ZERO);
    let (log, guard) = builder.build().map_err(|error| error.to_string())?;
    let bound = log.bind(context! { strategy = "grid" });
    let told = std::thread::spawn(|| std::io::stdin().read_line(&mut String::new()));
    println!("ready");
    let mut calls = 0_u64;
    while !told.is_finished() {
        // So many that segments are made and old logs removed all the time.
        for _ in 0..100 {
            // What is refused is counted; the totals are compared below.
            let _refused = try_info!(bound, "entry", number = calls);
            calls += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let began = Instant::now();
    let expert = directory.join("logs/expert.log");
    let first = calls;
    loop {
        let _refused = try_info!(bound, "entry", number = calls);
        calls += 1;
        let text = fs::read_to_string(&expert).unwrap_or_default();
        let newest = text.lines().filter_map(number).next_back();
        // What is in memory alone at the end, verify tells to be missing.
        let in_file = !log.stats().journal_in_memory;
        if in_file && newest.is_some_and(|number| number >= first) {
            break;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("the log does not come back: {:?}", log.stats()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let back = began.elapsed();
    drop(guard);
    let stats = log.stats();
    // What the engine says of files that failed, and of a journal in memory, are entries, too.
    let own = (stats.accepted + stats.lost.total()).checked_sub(calls);
    if own.is_none_or(|own| own > OWN_MAX) || stats.journaled != stats.accepted {
        return Err(format!("{calls} calls, and {stats:?}"));
    }
    println!("{calls} calls, {} lost; back in {} ms", stats.lost.total(), back.as_millis());
    Ok(())
}

/// The number of a line's entry.
fn number(line: &str) -> Option<u64> {
    let (_, fields) = line.split_once("] entry number=")?;
    fields.split(' ').next()?.parse().ok()
}

/// Runs a child under each combination.
pub(crate) fn run(wanted: Wanted) -> Result {
    let began = Instant::now();
    let rounds = if let Wanted::Times(times) = wanted { times } else { 1 };
    let mut result = Result {
        row: ROW,
        fault: FAULT,
        test: "torture/src/strace.rs".to_owned(),
        sized: true,
        asked: format!("{} x {} x {rounds}", CALLS.len(), ERRORS.len()),
        outcome: Outcome::Passed,
        took: Duration::ZERO,
        figures: Figures::default(),
    };
    let version = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    if let Err(error) = version {
        result.figures.hear(ROW, &format!("skipped: strace does not run here ({error})"));
        result.outcome = Outcome::Skipped;
        return result;
    }
    let mut slowest = 0;
    let combinations = CALLS.iter().flat_map(|calls| ERRORS.map(|error| (*calls, error)));
    for (at, (calls, error)) in (0..rounds).flat_map(|_| combinations.clone()).enumerate() {
        // All of them, or every second or third one.
        let which = 1 + at % 3;
        match inject(calls, error, which) {
            Ok((told, 0)) => {
                println!("  FAILED: {calls} {error} 1+{which}: not made in that time; {told}");
                result.outcome = Outcome::Failed;
            }
            Ok((told, failed)) => {
                let (pushed, back) = told.split_once("; ").unwrap_or((&told, ""));
                println!("  {calls} {error} 1+{which}: {failed} failed; {told}");
                result.figures.hear(ROW, &format!("row 06: 1 outage by strace, {pushed}"));
                slowest = slowest.max(millis(back));
            }
            Err(problem) => {
                println!("  FAILED: {calls} {error} 1+{which}: {problem}");
                result.outcome = Outcome::Failed;
            }
        }
    }
    result.took = began.elapsed();
    result.figures.hear(ROW, &format!("row 06: back within {slowest}ms at most"));
    result
}

/// The number in `back in 12 ms`.
fn millis(told: &str) -> u64 {
    told.split(' ').find_map(|word| word.parse().ok()).unwrap_or(0)
}

/// Has calls fail for a while under a living logger; gives what it tells of itself afterwards, and how many
/// calls have failed.
fn inject(calls: &str, error: &str, which: usize) -> std::result::Result<(String, usize), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("--child").arg(directory.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let trace = directory.path().join("trace");
    let told = under_strace(&mut child, calls, error, which, &trace);
    if told.is_err() {
        // It may have ended by itself.
        let _dead = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let told = told?;
    if !status.success() {
        return Err(told);
    }
    whole_lines(&directory.path().join("logs/expert.log"))?;
    let journal =
        Journal::open(directory.path().join("logs")).map_err(|error| error.to_string())?;
    let verified = journal.verify(&mut |_| {}).map_err(|error| error.to_string())?;
    if !verified.is_intact() {
        return Err(format!("{verified:?}"));
    }
    let trace = fs::read_to_string(&trace).map_err(|error| error.to_string())?;
    Ok((told, trace.matches("(INJECTED)").count()))
}

fn under_strace(
    child: &mut Child,
    calls: &str,
    error: &str,
    which: usize,
    trace: &Path,
) -> std::result::Result<String, String> {
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut line = || lines.next().and_then(|line| line.ok()).ok_or("the child ended");
    while line()? != "ready" {}
    let mut strace = Command::new("strace");
    strace.args(["-f", "-p", &child.id().to_string(), "-o"]).arg(trace);
    strace.args(["-e", &format!("trace={calls}"), "-e"]);
    strace.arg(format!("inject={calls}:error={error}:when=1+{which}"));
    strace.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut strace = strace.spawn().map_err(|error| format!("strace: {error}"))?;
    let mut attached = BufReader::new(strace.stderr.take().ok_or("no output")?).lines();
    let told = attached.next().and_then(|line| line.ok()).unwrap_or_default();
    if calls == FLOCK {
        let lock = trace.with_file_name("logs").join(".tapelog.lock");
        fs::remove_file(lock).map_err(|error| error.to_string())?;
    }
    std::thread::sleep(FAILING);
    // The calls of the child work again when its tracer has let go of it.
    let tracer = Pid::from_child(&strace);
    kill_process(tracer, Signal::INT).map_err(|error| format!("strace: {error}"))?;
    strace.wait().map_err(|error| error.to_string())?;
    if !told.contains("attached") {
        return Err(format!("strace does not trace: {told}"));
    }
    let mut input = child.stdin.take().ok_or("no input")?;
    input.write_all(b"enough\n").map_err(|error| error.to_string())?;
    Ok(line()?)
}

/// Every line of a log is whole, and no entry stands twice.
fn whole_lines(log: &Path) -> std::result::Result<(), String> {
    let text = fs::read_to_string(log).map_err(|error| error.to_string())?;
    let numbers: Vec<_> = text.lines().filter_map(number).collect();
    let rising = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let whole = text.ends_with('\n') && text.lines().all(|line| line.starts_with('['));
    if rising && whole { Ok(()) } else { Err(format!("{} has torn lines", log.display())) }
}
