//! `tapelog demo --crash`: a child logs at full speed and kills itself; nothing it was told to be
//! accepted is missing afterwards.

mod acknowledged;
mod found;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tapelog::testing::without_rotation_warning;
use tapelog::{Builder, MetaLogger, context, try_info};

use super::recovered::{PATIENCE, recovered};
use super::units::grouped;
use crate::failure::{Failure, outln};
use acknowledged::Acknowledged;
use found::Found;

/// Threads that log.
const THREADS: usize = 2;
/// How long they do.
const LIFE: Duration = Duration::from_millis(100);

/// The child did not do what it should.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the child did not kill itself: {0}")]
    Child(std::process::ExitStatus),
}

/// All of the journal is kept, so that all of it can be looked at; nothing of the environment is
/// heeded, because the logs are read back.
fn builder(directory: &Path) -> Builder {
    let builder = MetaLogger::builder()
        .code_only()
        .log_name("tapelog-demo")
        .log_dir(directory)
        .log_to_console(false)
        .journal_segments(256_u32)
        .log_backup_count(1_000_u32)
        .latency_warning(Duration::ZERO)
        .metrics_interval(Duration::ZERO);
    without_rotation_warning(builder)
}

/// The value that belongs to a record: one that is torn has another.
pub(super) fn mark(run: u64, thread: u64, sequence: u64) -> u64 {
    (run ^ thread << 56 ^ sequence).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Logs until it kills itself; runs in the child.
pub(super) fn live_and_die(directory: &Path, run: u64) -> Result<ExitCode, Failure> {
    let acknowledged = Acknowledged::open(directory, run)?;
    let (log, _guard) = builder(directory).build()?;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, acknowledged) = (&log, &acknowledged);
            scope.spawn(move || {
                let number = thread as u64;
                let bound = log.bind(context! { run, thread = number });
                let producer = log.producer();
                let mut sequence = 0;
                loop {
                    let mark = mark(run, number, sequence);
                    if try_info!(producer.with(&bound), "in flight", sequence, mark).is_ok() {
                        sequence += 1;
                        acknowledged.set(thread, sequence);
                    }
                }
            });
        }
        thread::sleep(LIFE);
        // In full flight: the other threads are inside a log call, or just before one.
        let _sent = kill_process(getpid(), Signal::KILL);
    });
    Ok(ExitCode::FAILURE)
}

/// Runs the child, starts again where it has died, and compares.
pub(super) fn run(directory: &Path) -> Result<ExitCode, Failure> {
    std::fs::create_dir_all(directory)?;
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos() as u64;
    let acknowledged = Acknowledged::open(directory, run)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["demo", "--crash-run", &run.to_string(), "--dir"])
        .arg(directory)
        .stdin(Stdio::null())
        .spawn()?;
    let status = child.wait()?;
    if std::os::unix::process::ExitStatusExt::signal(&status) != Some(9) {
        return Err(Problem::Child(status).into());
    }
    let counts: Vec<u64> = (0..THREADS).map(|thread| acknowledged.of(thread)).collect();
    acknowledged.remove()?;
    let recovered = start_again(directory)?;
    let journal = Found::in_journal(directory, run)?;
    let log = Found::in_log(directory, run)?;
    let sum: u64 = counts.iter().sum();
    outln!(
        "  child         process {}, {THREADS} threads, killed by itself after {} ms\n  \
           acknowledged  {:>12} records\n  \
           recovered     {:>12} of them were in its ring alone\n  \
           journal       {journal}\n  \
           expert.log    {log}",
        child.id(),
        LIFE.as_millis(),
        grouped(sum),
        grouped(recovered),
    );
    let whole = journal.holds(&counts) && log.holds(&counts) && journal.counts() == log.counts();
    outln!(
        "\n{}",
        if whole { "acknowledged = recovered: nothing is lost" } else { "records are missing" }
    );
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts the logger where the child has died: how many records it brought home.
fn start_again(directory: &Path) -> Result<u64, Failure> {
    let (log, guard) = builder(directory).build()?;
    recovered(&log)?;
    log.flush(PATIENCE)?;
    let recovered = log.stats().recovered;
    guard.shutdown();
    Ok(recovered)
}
