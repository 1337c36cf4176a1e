//! What a run measures, where, and how much of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Arguments;
use super::mode::Mode;
use super::series::CaseName;
use crate::failure::escaped;
use clap::ValueEnum;

const ROUNDS: u32 = 5;
const THROUGHPUT_ROUNDS: u32 = 3;
const THROUGHPUT_TIME: Duration = Duration::from_millis(1_200);
const THROUGHPUT_TIME_QUICK: Duration = Duration::from_millis(200);

/// What was asked for.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) quick: bool,
    pub(super) modes: Vec<Mode>,
    pub(super) cases: Vec<CaseName>,
    pub(super) rounds: u32,
    /// Calls of each series in each round, if not the mode's own number.
    calls: Option<u64>,
    pub(super) throughput: bool,
    pub(super) throughput_rounds: u32,
    /// How long the producers of a throughput case push.
    pub(super) throughput_time: Duration,
    pub(super) cpus: Cpus,
    pub(super) files: Files,
}

/// Which processors the threads are pinned to.
#[derive(Debug, Clone)]
pub(super) struct Cpus {
    pub(super) producers: Vec<u32>,
    pub(super) writer: Option<u32>,
    pub(super) view: Option<u32>,
}

/// Where journals and logs are written; removed when it is dropped.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
}

/// The directory for the files cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make {} for the files of the run: --dir names another directory", .path.display())]
pub(super) struct NoDirectory {
    path: PathBuf,
    source: io::Error,
}

impl Plan {
    /// # Errors
    /// [`NoDirectory`] if the run has no place for its files.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, NoDirectory> {
        let Arguments { quick, throughput_only, latency_only, .. } = *arguments;
        let narrowed = !arguments.only.is_empty() || !arguments.case.is_empty();
        let seconds = arguments.seconds.map(Duration::from_secs_f64);
        let time = if quick { THROUGHPUT_TIME_QUICK } else { THROUGHPUT_TIME };
        Ok(Self {
            quick,
            modes: if throughput_only { Vec::new() } else { all_unless_given(&arguments.only) },
            cases: all_unless_given(&arguments.case),
            rounds: arguments.rounds.unwrap_or(ROUNDS),
            calls: arguments.calls,
            throughput: throughput_only || !(latency_only || narrowed),
            throughput_rounds: arguments.rounds.unwrap_or(THROUGHPUT_ROUNDS),
            throughput_time: seconds.unwrap_or(time),
            cpus: Cpus {
                producers: arguments.producer_cpu.clone(),
                writer: arguments.writer_cpu,
                view: arguments.view_cpu,
            },
            files: Files::new(arguments.dir.as_deref())?,
        })
    }

    /// Calls of each series in a round, on each thread: whole groups.
    pub(super) fn calls(&self, mode: Mode) -> u64 {
        let calls = match self.calls {
            Some(calls) if mode != Mode::Loop => calls,
            _ => mode.calls(self.quick),
        };
        calls.next_multiple_of(mode.timing().calls_per_group())
    }
}

fn all_unless_given<T: ValueEnum + PartialEq>(given: &[T]) -> Vec<T> {
    let all = T::value_variants().iter();
    all.filter(|value| given.is_empty() || given.contains(value)).cloned().collect()
}

impl Cpus {
    /// The processor of a producing thread.
    pub(super) fn producer(&self, thread: u32) -> Option<u32> {
        self.producers.get(thread as usize).copied()
    }
}

impl Files {
    /// Makes a directory of its own, in `parent` or in the system's directory for temporary files.
    fn new(parent: Option<&Path>) -> Result<Self, NoDirectory> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let root = parent.join(format!("tapelog-bench-{}", std::process::id()));
        match fs::create_dir_all(&root) {
            Ok(()) => Ok(Self { root }),
            Err(source) => Err(NoDirectory { path: root, source }),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A directory that nothing else uses; it need not be there yet.
    pub(super) fn directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            let root = escaped(&self.root.display().to_string());
            eprintln!("tapelog: cannot remove {root}: {error}");
        }
    }
}
