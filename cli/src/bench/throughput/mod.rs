//! How many records a second get through the engine, and what the same bytes alone would take.
//!
//! Each case has an engine of its own. Its producers push for a given time; the time that counts
//! runs until the last record is in the page cache. Right behind it, in the same round, a control
//! moves the same bytes in the same pieces to the same kind of files and does nothing else: that
//! is the limit.

mod check;
mod control;
mod files;
mod load;
mod naps;

use std::path::Path;
use std::time::Duration;

use tapelog::testing::without_rotation_warning;
use tapelog::{Level, MetaLogger, Overflow, StartError};

use super::model::{NapControl, Throughput};
use super::plan::Plan;
use super::problem::Problem;
use crate::failure::Failure;

/// How long a call waits for room: the most that the engine allows.
const BLOCK: Duration = Duration::from_millis(5);
/// The ring's default size.
const RING_BYTES: u64 = 8 << 20;
/// Journal segments, as by default.
const JOURNAL_SEGMENT_BYTES: u64 = 16 << 20;
const JOURNAL_SEGMENTS: u32 = 8;
/// Logs are rotated at this size, and all of them are kept so that every line can be counted.
const LOG_FILE_BYTES: u64 = 64 << 20;
const LOG_FILES: u32 = 1_000;

/// Where the records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Into the journal alone, through a mapping.
    JournalMapped,
    /// Into the journal alone, by `write`.
    JournalPlain,
    /// Into expert.log as text.
    Text,
    /// Into expert.log as JSON.
    Json,
    /// Into the three logs; a tenth are trade events, a tenth are errors.
    AllThree,
}

const TARGETS: [Target; 5] =
    [Target::JournalMapped, Target::JournalPlain, Target::Text, Target::Json, Target::AllThree];

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::JournalMapped => "journal_mapped",
            Self::JournalPlain => "journal_plain",
            Self::Text => "text",
            Self::Json => "json",
            Self::AllThree => "all_three",
        }
    }

    /// Whether logs are rendered.
    fn renders(self) -> bool {
        !matches!(self, Self::JournalMapped | Self::JournalPlain)
    }
}

/// What all cases came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) cases: Vec<Throughput>,
    pub(super) naps: NapControl,
    pub(super) problems: Vec<Problem>,
}

/// The figures of one round of one case.
#[derive(Debug, Clone, Copy)]
struct Round {
    records: u64,
    seconds: f64,
    lost: u64,
    file_bytes: u64,
    bytes_dirtied: u64,
    control_bytes_per_s: f64,
}

impl Round {
    fn records_per_s(&self) -> f64 {
        self.records as f64 / self.seconds
    }
}

/// The engine did not start.
#[derive(Debug, thiserror::Error)]
#[error("the engine for throughput case {} did not start", target.name())]
struct NoEngine {
    target: Target,
    source: StartError,
}

/// Measures all cases, in turn over several rounds. `say` is told what is being measured.
///
/// # Errors
/// If an engine does not start or files cannot be read or written. Records that are lost, missing
/// or wrong are no error here: they are among the outcome's problems.
pub(super) fn run(plan: &Plan, mut say: impl FnMut(&str)) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let cases = || TARGETS.into_iter().flat_map(|target| [(target, 1), (target, 2)]);
    let mut rounds: Vec<Vec<Round>> = cases().map(|_| Vec::new()).collect();
    for number in 1..=plan.throughput_rounds {
        for ((target, producers), rounds) in cases().zip(&mut rounds) {
            say(&format!("throughput {}, {producers} producers, round {number}", target.name()));
            rounds.push(round(target, producers, plan, &mut outcome.problems)?);
        }
        say(&format!("naps beside busy threads, round {number}"));
        naps::add_round(&mut outcome.naps);
    }
    outcome.cases = cases().zip(rounds).map(|(case, rounds)| median(case, rounds)).collect();
    let losers = outcome.cases.iter().filter(|case| case.lost > 0);
    outcome.problems.extend(losers.map(refused));
    Ok(outcome)
}

fn refused(case: &Throughput) -> Problem {
    let Throughput { name, producers, lost, rounds, .. } = case;
    Problem::Counted(format!(
        "{name}, {producers} producers: {lost} records were refused and counted as lost in \
         {rounds} rounds, though a call may wait for 5 ms"
    ))
}

/// One round of one case, its control included.
fn round(
    target: Target,
    producers: u32,
    plan: &Plan,
    problems: &mut Vec<Problem>,
) -> Result<Round, Failure> {
    let directory = plan.files.directory("throughput");
    let (log, guard) = start(target, &directory, plan)?;
    load::warm_up(target, plan.quick, &log)?;
    let log_bytes = files::log_bytes(&directory)?;
    let load = load::run(target, producers, plan, &log)?;
    let log_bytes = files::log_bytes(&directory)? - log_bytes;
    drop(log);
    drop(guard);
    let found = check::files(target, &directory, &load)?;
    let name = target.name();
    let told = |what| Problem::Unproven(format!("{name}, {producers} producers: {what}"));
    problems.extend(found.iter().map(told));
    std::fs::remove_dir_all(&directory)?;
    let file_bytes = if target.renders() { log_bytes } else { load.journal_bytes };
    let control_bytes_per_s = control::bytes_per_s(target, file_bytes, &directory)?;
    Ok(Round {
        records: load.written,
        seconds: load.time.as_secs_f64(),
        lost: load.lost,
        file_bytes,
        bytes_dirtied: load.bytes_dirtied,
        control_bytes_per_s,
    })
}

fn start(
    target: Target,
    directory: &Path,
    plan: &Plan,
) -> Result<(MetaLogger, tapelog::Guard), NoEngine> {
    let builder = MetaLogger::builder()
        .log_name("tapelog-bench")
        .log_dir(directory)
        .log_to_console(false)
        .log_level(Level::Info)
        .journal_level(Level::Debug)
        .render_logs(target.renders())
        .structured_logging(target == Target::Json)
        .log_max_file_size(LOG_FILE_BYTES)
        .log_backup_count(LOG_FILES)
        .ring_bytes(RING_BYTES)
        .overflow(Overflow::Block(BLOCK))
        // The engine writes no entries of its own, so that each one counted is one that was pushed.
        .metrics_interval(Duration::ZERO)
        .latency_warning(Duration::ZERO)
        .journal_mapped(target != Target::JournalPlain)
        .journal_segment_bytes(JOURNAL_SEGMENT_BYTES)
        .journal_segments(JOURNAL_SEGMENTS)
        .writer_cpu(plan.cpus.writer)
        .view_cpu(plan.cpus.view);
    let started = without_rotation_warning(builder).build();
    started.map_err(|source| NoEngine { target, source })
}

/// The figures of the median round; what was lost is the sum of all rounds.
fn median((target, producers): (Target, u32), mut rounds: Vec<Round>) -> Throughput {
    let round_records_per_s = rounds.iter().map(Round::records_per_s).collect();
    let lost = rounds.iter().map(|round| round.lost).sum();
    let count = rounds.len() as u32;
    rounds.sort_by(|one, other| one.records_per_s().total_cmp(&other.records_per_s()));
    let round = rounds[rounds.len() / 2];
    let bytes_per_s = round.file_bytes as f64 / round.seconds;
    Throughput {
        name: target.name().to_owned(),
        producers,
        records: round.records,
        seconds: round.seconds,
        records_per_s: round.records_per_s(),
        bytes_per_s,
        lost,
        file_bytes: round.file_bytes,
        bytes_dirtied: round.bytes_dirtied,
        rounds: count,
        round_records_per_s,
        control_bytes_per_s: round.control_bytes_per_s,
        share_of_control: bytes_per_s / round.control_bytes_per_s,
        overflow: "block 5 ms".to_owned(),
    }
}
