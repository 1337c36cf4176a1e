//! The entries that tell how the logger itself is doing: `logger.metrics`, `logger.slow_call`,
//! `logger.fast_rotation`, what files failed, and what was recovered after a crash.
//!
//! They are made by the janitor, which has no part in any record's way, and go through the ring like
//! any other entry, each through a lane that is given back at once; so every reader of a journal
//! understands them. One that finds no room is made anew a second later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::level::Level;
use crate::metrics::{APART_MIN, FastRotation, Flow, SlowCall, Snapshot, Where};
use crate::record::{Args, Sink, Stored, TypeCode};
use crate::shared::{CallTimes, Core, Ended, JournalGap, Stats};
use crate::site::Site;

/// The target of these entries.
pub(crate) const TARGET: &str = "tapelog::metrics";

/// The text of the entry that tells how the logger is doing.
pub(crate) const METRICS: &str = "logger.metrics";

/// The target of the entries that tell of dead processes' rings.
const RECOVERY_TARGET: &str = "tapelog::recovery";

/// The text of the entry that tells what a dead process had left.
const RECOVERED: &str = "logger.recovered";

/// The text of the entry that tells of a ring that could not be brought home, or not all of it.
const RECOVERY_FAILED: &str = "logger.recovery_failed";

/// The text of the entry that tells that entries are in no file of the journal.
const JOURNAL_GAP: &str = "logger.journal_gap";

/// The text of the entry that tells of a slow call.
const SLOW_CALL: &str = "logger.slow_call";

/// The text of the entry that tells that a log is rotated too often.
const FAST_ROTATION: &str = "logger.fast_rotation";

/// The target of the entries that tell of files.
const FILES_TARGET: &str = "tapelog::files";

/// The text of the entry that tells that a file could not be used, and can be again.
const FILE_FAILED: &str = "logger.file_failed";

/// How often it is looked whether a call was slow, and so how often one is told at most.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked what became of dead processes' rings, until that is known of all.
const LOOK_RECOVERED: Duration = Duration::from_millis(20);

/// How long the janitor may sleep when there is nothing to report.
const FOREVER: Duration = Duration::from_secs(3600);

/// Makes the engine's own entries when they are due.
#[derive(Debug)]
pub(crate) struct Reporter {
    core: Arc<Core>,
    /// `metrics_interval`; none: off.
    interval: Option<Duration>,
    /// Whether slow calls are told, or there are files that can fail or be rotated too often.
    looks: bool,
    /// When the interval ends.
    due: Instant,
    /// When these are looked for next.
    look: Instant,
    before: Before,
}

/// Where the counts stood when the interval began.
#[derive(Debug)]
struct Before {
    at: Instant,
    calls: Snapshot,
    records: u64,
    bytes: u64,
}

/// What one entry `logger.metrics` tells.
struct Report {
    stats: Stats,
    calls: CallTimes,
    flow: Flow,
    interval: Duration,
    used_bytes_max: u64,
    drain_lag_max: Duration,
}

/// Gives the fields of `logger.metrics` their names and values, in one list.
macro_rules! fields {
    ($report:ident: $($name:ident = $value:expr,)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        impl Report {
            fn values(&self) -> Numbers {
                let $report = self;
                Numbers([$($value),*])
            }
        }
    };
}

fields! { report:
    // Over the interval.
    interval_ms = report.interval.as_millis() as u64,
    samples = report.calls.samples,
    call_p50_ns = nanos(report.calls.p50),
    call_p99_ns = nanos(report.calls.p99),
    call_p999_ns = nanos(report.calls.p999),
    call_max_ns = nanos(report.calls.max),
    records_per_s = report.flow.records_per_s,
    bytes_per_s = report.flow.bytes_per_s,
    ring_used_bytes_max = report.used_bytes_max,
    drain_lag_us_max = micros(report.drain_lag_max),
    // At its end.
    ring_bytes = report.stats.ring_bytes,
    blocks = u64::from(report.stats.blocks),
    free_blocks = u64::from(report.stats.free_blocks),
    view_lag_us = micros(report.stats.view_lag),
    // Since the start.
    lost_full = report.stats.lost.full,
    lost_lane = report.stats.lost.lane,
    lost_reentrant = report.stats.lost.reentrant,
    lost_closed = report.stats.lost.closed,
    lost_view_lag = report.stats.lost.view_lag,
    lost_disk = report.stats.lost.disk,
    lost_trade = report.stats.lost.trade,
    lost_total = report.stats.lost.total(),
    rotations = report.stats.rotations,
    masked = report.stats.masked,
}

/// As many numbers as the entry has fields.
#[derive(Clone, Copy)]
struct Numbers([u64; NAMES.len()]);

impl Args for Numbers {
    const FIXED: usize = 8 * NAMES.len();

    fn extra(&self, _cap: usize) -> usize {
        0
    }

    fn put(&self, sink: &mut Sink<'_>, _cap: usize) {
        self.0.iter().for_each(|number| sink.put(&number.to_le_bytes()));
    }

    fn types(tell: &mut dyn FnMut(TypeCode)) {
        NAMES.iter().for_each(|_| tell(TypeCode::U64));
    }

    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.0.iter().for_each(|number| tell(TypeCode::U64, number));
    }
}

static METRICS_SITE: Site =
    Site::new(Level::Info, false, METRICS, (TARGET, file!(), line!()), NAMES);

static SLOW_SITE: Site = Site::new(
    Level::Warning,
    false,
    SLOW_CALL,
    (TARGET, file!(), line!()),
    &["took_us", "text", "module", "file", "line", "suppressed"],
);

static ROTATION_SITE: Site = Site::new(
    Level::Warning,
    false,
    FAST_ROTATION,
    (TARGET, file!(), line!()),
    &["key", "value", "log", "apart_ms", "apart_ms_min"],
);

static RECOVERED_SITE: Site = Site::new(
    Level::Warning,
    false,
    RECOVERED,
    (RECOVERY_TARGET, file!(), line!()),
    &["records", "lost", "unreadable", "of_pid", "ring"],
);

static FAILED_SITE: Site = Site::new(
    Level::Error,
    false,
    RECOVERY_FAILED,
    (RECOVERY_TARGET, file!(), line!()),
    &["of_pid", "ring", "reason"],
);

static JOURNAL_GAP_SITE: Site = Site::new(
    Level::Warning,
    false,
    JOURNAL_GAP,
    (TARGET, file!(), line!()),
    &["records", "from", "until", "reason"],
);

static FILE_SITE: Site = Site::new(
    Level::Error,
    false,
    FILE_FAILED,
    (FILES_TARGET, file!(), line!()),
    &["file", "action", "errno", "reason", "from", "until", "failures", "missed"],
);

impl Reporter {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let configuration = &core.configuration;
        let now = Instant::now();
        let interval = configuration.metrics_interval;
        Self {
            interval: (!interval.is_zero()).then_some(interval),
            looks: !configuration.latency_warning.is_zero() || configuration.log_to_file,
            due: now + interval,
            look: now + LOOK,
            before: Before { at: now, calls: Snapshot::default(), records: 0, bytes: 0 },
            core,
        }
    }

    /// Makes what is due: how long until the next time.
    pub(crate) fn poll(&mut self) -> Duration {
        if self.core.control.stopping() {
            return FOREVER;
        }
        let now = Instant::now();
        let mut pause = FOREVER;
        if !tell_recovered(&self.core) {
            pause = LOOK_RECOVERED;
        }
        if self.looks {
            if now >= self.look {
                tell_slow_call(&self.core);
                tell_fast_rotation(&self.core);
                tell_file_failures(&self.core);
                self.look = now + LOOK;
            }
            pause = pause.min(self.look - now);
        }
        if let Some(interval) = self.interval {
            if now >= self.due {
                let told = self.tell_metrics(now);
                // The next one is due when it would have been; intervals that were slept over are
                // left out.
                let behind = (now - self.due).as_nanos() % interval.as_nanos();
                let rest = interval - Duration::from_nanos(behind as u64);
                self.due = now + if told { rest } else { rest.min(LOOK) };
            }
            pause = pause.min(self.due - now);
        }
        pause
    }

    /// Makes an entry `logger.metrics`: whether there was room for it.
    fn tell_metrics(&mut self, now: Instant) -> bool {
        let core = &*self.core;
        let stats = Stats::of(core);
        let calls = core.metrics.calls();
        let interval = now - self.before.at;
        let flow = Flow::of(
            stats.accepted.saturating_sub(self.before.records),
            stats.journal_bytes.saturating_sub(self.before.bytes),
            interval,
        );
        let used = u64::from(stats.blocks - stats.free_blocks);
        core.metrics.used_blocks.note(used);
        let used = core.metrics.used_blocks.take_recent();
        let drain_lag = core.metrics.drain_lag.take_recent();
        let report = Report {
            calls: CallTimes::of(&calls.since(&self.before.calls), core),
            flow,
            interval,
            used_bytes_max: used * u64::from(core.configuration.block_bytes),
            drain_lag_max: core.duration_of(drain_lag),
            stats,
        };
        if core.push_own(&METRICS_SITE, &report.values()).is_err() {
            core.metrics.used_blocks.put_back(used);
            core.metrics.drain_lag.put_back(drain_lag);
            return false;
        }
        core.metrics.set_flow(flow);
        let (records, bytes) = (report.stats.accepted, report.stats.journal_bytes);
        self.before = Before { at: now, calls, records, bytes };
        true
    }
}

/// Makes an entry of each ring of a dead process that was dealt with; whether no more will come.
pub(crate) fn tell_recovered(core: &Core) -> bool {
    let done = core.control.progress().recovery_done;
    let mut list = core.control.recovered();
    while let Some(ring) = list.rings.get(list.told) {
        let path = ring.path.to_string_lossy();
        let told = match &ring.failure {
            Some(reason) => {
                let args = ((((), ring.pid), &*path), reason.as_str());
                core.push_own(&FAILED_SITE, &args)
            }
            None => Ok(()),
        };
        let counts = ((((), ring.records), ring.lost), ring.unreadable);
        let whole = ring.failure.is_none();
        let told = told.and_then(|()| match whole || ring.records > 0 {
            true => core.push_own(&RECOVERED_SITE, &((counts, ring.pid), &*path)),
            false => Ok(()),
        });
        if told.is_err() {
            // There is no room now: later.
            return false;
        }
        list.told += 1;
    }
    done
}

/// Makes an entry `logger.journal_gap` of a time in which the journal was in memory alone; whether
/// there was room for it.
pub(super) fn tell_journal_gap(core: &Core, gap: &JournalGap) -> bool {
    let args = (((((), gap.records), gap.from), gap.until), gap.reason.as_str());
    let told = core.push_own(&JOURNAL_GAP_SITE, &args).is_ok();
    if told && gap.in_memory {
        core.ring.note_in_memory_told(gap.records);
    }
    told
}

/// Makes an entry `logger.slow_call`, if a call was slow since the last one.
pub(crate) fn tell_slow_call(core: &Core) {
    let Some(SlowCall { place, ticks, suppressed }) = core.metrics.slow.take() else { return };
    let (text, module, file, line) = match &place {
        Where::Site(site) => {
            let (target, file, line) = site.place();
            (site.text(), target, file, line)
        }
        Where::Text(text) => (std::str::from_utf8(text).unwrap_or_default(), "", "", 0),
    };
    let took_us = micros(core.duration_of(ticks));
    let args = (((((((), took_us), text), module), file), line), suppressed);
    if core.push_own(&SLOW_SITE, &args).is_err() {
        core.metrics.slow.put_back(SlowCall { place, ticks, suppressed });
    }
}

/// Makes an entry `logger.fast_rotation`, which names the key that decides, if a log is rotated more
/// than once a second.
pub(crate) fn tell_fast_rotation(core: &Core) {
    let Some(FastRotation { log, apart }) = core.metrics.fast_rotations.take() else { return };
    let (path, value) = (log.to_string_lossy(), core.configuration.log_max_file_size);
    let (apart_ms, least_ms) = (apart.as_millis() as u64, APART_MIN.as_millis() as u64);
    let args = ((((((), "log_max_file_size"), value), &*path), apart_ms), least_ms);
    if core.push_own(&ROTATION_SITE, &args).is_err() {
        drop(path);
        core.metrics.fast_rotations.put_back(FastRotation { log, apart });
    }
}

/// Makes an entry `logger.file_failed` of each file that could not be used and can be again, or that stays
/// away without holding anything up: the ring's. What finds no room now is told later.
pub(crate) fn tell_file_failures(core: &Core) {
    core.control.outage().tell_ended(|Ended { error, missed }| {
        let file = error.path.to_string_lossy();
        let what = ((((), &*file), error.action), error.errno);
        let when = ((((what, &*error.message), error.since), error.until), error.count);
        core.push_own(&FILE_SITE, &(when, *missed)).is_ok()
    });
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
