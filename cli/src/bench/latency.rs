//! Runs a mode: an engine of its own, all cases in turn over several rounds, then the comparison.

use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tapelog::{MetaLogger, Overflow, StartError};

use super::cases::{self, Strings, Subjects};
use super::machine::Counter;
use super::mode::Mode;
use super::model::{Case, Percentiles};
use super::pin;
use super::plan::Plan;
use super::problem::Problem;
use super::samples::Samples;
use super::series::What;
use super::stopwatch::{Stopwatch, Track};
use super::stores::Stores;
use super::verify::{self, Verdict};
use crate::failure::Failure;

/// How long the logs may take to catch up.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
/// How far the engine's calibrated clock may stand beside the system's, in nanoseconds.
const CLOCK_TOLERANCE_NS: i64 = 1_000_000_000;
/// A journal is laid out for this many records more than there will be, in percent.
const SPARE_PERCENT: u64 = 50;
/// What a frame takes beside its records, at most.
const FRAME_BYTES: u64 = 256;

/// What a mode came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) mode: Mode,
    pub(super) cases: Vec<Case>,
    /// One reading of the counter, and the empty timer pair, timed as the calls were.
    pub(super) clock: Option<Percentiles>,
    pub(super) timer_pair: Option<Percentiles>,
    /// The store control, timed as the calls were.
    pub(super) stores: Option<Percentiles>,
    /// How long the engine took to start.
    pub(super) start: Duration,
    /// How many segments the journal has.
    pub(super) segments: usize,
    pub(super) intact: u64,
    pub(super) problems: Vec<Problem>,
}

/// The engine did not start.
#[derive(Debug, thiserror::Error)]
#[error("the engine for mode {} did not start", mode.name())]
struct NoEngine {
    mode: Mode,
    source: StartError,
}

/// Measures a mode. `floor_ns` is shown beside its figures if it measures none of its own.
///
/// # Errors
/// If the engine does not start, a thread cannot be pinned, or the journal cannot be read. Records
/// that are missing or differ are no error here: they are among the outcome's problems.
pub(super) fn run(
    mode: Mode,
    plan: &Plan,
    counter: Counter,
    floor_ns: f64,
) -> Result<Outcome, Failure> {
    let directory = plan.files.directory(mode.name());
    let begin = Instant::now();
    let (log, guard) = MetaLogger::builder()
        .log_name("tapelog-bench")
        .log_dir(&directory)
        .log_to_console(false)
        .overflow(Overflow::Drop)
        .journal_segment_bytes(mode.segment_bytes())
        .journal_segments(segments(mode, plan))
        .writer_cpu(plan.cpus.writer)
        .view_cpu(plan.cpus.view)
        .build()
        .map_err(|source| NoEngine { mode, source })?;
    let start = begin.elapsed();
    let strings = Strings::new();
    let first_time = unix_nanos();
    let tracks = measure(mode, plan, counter, &log, &strings)?;
    let mut problems = Vec::new();
    if let Err(unfinished) = log.flush(FLUSH_TIMEOUT) {
        problems.push(Problem::Unproven(unfinished.to_string()));
    }
    let span = first_time - CLOCK_TOLERANCE_NS..=unix_nanos() + CLOCK_TOLERANCE_NS;
    let stats = log.stats();
    drop(log);
    drop(guard);
    let verdict = verify::journal(&directory, &tracks, &strings, span)?;
    let segments = std::fs::read_dir(directory.join("journal"))?.count();
    std::fs::remove_dir_all(&directory)?;
    problems.extend(verdict.problems.iter().cloned().map(Problem::Unproven));
    problems.extend(losses(mode, &verdict, stats.lost.total()));
    let intact = verdict.intact;
    let samples = |what| samples_of(&tracks, what, counter, mode);
    let clock = samples(What::Clock).map(|clock| clock.percentiles());
    let timer_pair = samples(What::TimerPair).map(|pair| pair.percentiles());
    let stores = samples(What::Stores).map(|stores| stores.percentiles());
    let floor = if mode.timing().calls_per_sample() == 1 { timer_pair } else { clock };
    let cases = rows(&tracks, mode, counter, floor.map_or(floor_ns, |floor| floor.p50), &verdict);
    Ok(Outcome { mode, cases, clock, timer_pair, stores, start, segments, intact, problems })
}

/// Measures the floors alone: for a run of which no mode has done it.
///
/// Gives one reading of the counter, timed by twenty, and the empty timer pair.
pub(super) fn floors(counter: Counter) -> Result<(Percentiles, Percentiles), Failure> {
    let (log, _captured) = tapelog::testing::capture();
    let (meet, stores) = (Barrier::new(1), Stores::warmed());
    let times = |mode, what| {
        let mut stopwatch = Stopwatch::new(mode, &[], 0, &meet, &log, counter);
        stopwatch.begin(20_000);
        cases::floors(&mut stopwatch, &stores);
        samples_of(&[stopwatch.into_tracks()], what, counter, mode)
            .map(|samples| samples.percentiles())
            .ok_or_else(|| Failure::from("the clock was not measured"))
    };
    Ok((times(Mode::Saturated, What::Clock)?, times(Mode::Cold, What::TimerPair)?))
}

/// Runs all rounds on the mode's threads, which are not the one that made the engine: pinning
/// them pins nothing else.
fn measure(
    mode: Mode,
    plan: &Plan,
    counter: Counter,
    log: &MetaLogger,
    strings: &Strings,
) -> Result<Vec<Vec<Track>>, Failure> {
    let meet = Barrier::new(mode.threads() as usize);
    let one = |thread| {
        let pinned = pin::to(plan.cpus.producer(thread));
        log.warm_up();
        let subjects = Subjects::of(log, strings);
        let mut stopwatch = Stopwatch::new(mode, &plan.cases, thread, &meet, log, counter);
        cases::each(&subjects, &mut stopwatch);
        stopwatch.begin(plan.calls(mode));
        for _ in 0..plan.rounds {
            cases::each(&subjects, &mut stopwatch);
        }
        pinned.map(|()| stopwatch.into_tracks())
    };
    let finished: Vec<_> = thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> =
            (0..mode.threads()).map(|thread| scope.spawn(move || one(thread))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut tracks = Vec::new();
    for thread in finished {
        let measured = thread.map_err(|_| io::Error::other("a measuring thread panicked"))?;
        tracks.push(measured?);
    }
    Ok(tracks)
}

/// As many segments as hold every record of the mode.
fn segments(mode: Mode, plan: &Plan) -> u32 {
    let group = mode.timing().calls_per_group();
    let groups = plan.calls(mode) / group * u64::from(plan.rounds) + 1;
    // Both stamps, both faces; a frame for each call at worst, for slow ones.
    let of_case = |case: &super::series::CaseName| {
        let frames = if mode == Mode::Cold { group } else { group.min(2) };
        4 * groups * (group * case.record_bytes_max() + frames * FRAME_BYTES)
    };
    let bytes: u64 =
        plan.cases.iter().filter(|case| case.record_bytes_max() > 0).map(of_case).sum();
    let bytes = bytes * u64::from(mode.threads()) * (100 + SPARE_PERCENT) / 100;
    u32::try_from(bytes / mode.segment_bytes()).unwrap_or(u32::MAX).saturating_add(8)
}

fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as i64
}

/// What is wrong about the records that are missing.
fn losses(mode: Mode, verdict: &Verdict, counted: u64) -> Vec<Problem> {
    let missing = verdict.missing_total();
    let mut problems = Vec::new();
    if missing != counted {
        problems.push(Problem::Unproven(format!(
            "{missing} records are missing in the journal, the logger counted {counted} as lost"
        )));
    }
    if missing > 0 && !mode.may_lose() {
        let text = format!("{missing} records were lost: the figures do not count");
        problems.push(Problem::Counted(text));
    }
    problems
}

/// The samples of all threads, round by round.
fn samples_of(tracks: &[Vec<Track>], what: What, counter: Counter, mode: Mode) -> Option<Samples> {
    let mut rounds: Vec<Vec<u64>> = Vec::new();
    for track in tracks.iter().flatten().filter(|track| track.what == what) {
        rounds.resize(rounds.len().max(track.rounds.len()), Vec::new());
        for (all, of_thread) in rounds.iter_mut().zip(&track.rounds) {
            all.extend_from_slice(of_thread);
        }
    }
    let calls_per_sample = mode.timing().calls_per_sample();
    let found = rounds.iter().any(|round| !round.is_empty());
    found.then(|| Samples::new(rounds, counter.nanos_per_tick, calls_per_sample))
}

fn rows(
    tracks: &[Vec<Track>],
    mode: Mode,
    counter: Counter,
    floor_p50: f64,
    verdict: &Verdict,
) -> Vec<Case> {
    let series = tracks.iter().take(1).flatten().filter_map(|track| match track.what {
        What::Call(series) => Some((series, track)),
        What::Clock | What::TimerPair | What::Stores => None,
    });
    let row = |(series, track): (super::series::Series, &Track)| {
        let samples = samples_of(tracks, What::Call(series), counter, mode)?;
        let lost = verdict.missing.iter().find(|(missing, _)| *missing == series);
        let measured: usize = track.rounds.iter().map(Vec::len).sum();
        let calls = measured as u64 * mode.timing().calls_per_sample();
        Some(Case {
            name: series.case.name().to_owned(),
            stamp: series.stamp.name().to_owned(),
            face: series.face.name().to_owned(),
            mode: mode.name().to_owned(),
            rounds: track.rounds.len() as u32,
            calls: calls * u64::from(mode.threads()),
            times: samples.percentiles(),
            lost: lost.map_or(0, |(_, lost)| *lost),
            floor_p50,
            round_p50: samples.of_rounds(0.5),
            round_p99: samples.of_rounds(0.99),
            histogram: samples.histogram(),
            overflow: "drop".to_owned(),
        })
    };
    series.filter_map(row).collect()
}
