//! Starting an engine: every part is made here and handed to the thread that works with it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::directory;
use super::ending::{self, Joined};
use super::error::StartError;
use super::{panics, signals};
use crate::clock::{Calibrator, Source};
use crate::config::{Configuration, SyncPolicy};
use crate::handlers::{Console, FileOptions, SyslogCounts, find_stderr, finish_notices, notice};
use crate::journal::{
    self, Appender, JournalOptions, MEMORY_SEGMENT_BYTES, MEMORY_SEGMENTS, SegmentIndex,
    SegmentStore,
};
use crate::level::Level;
use crate::metrics::Metrics;
use crate::processors::{Chain, Masking};
use crate::record::{GAP_RECORD_BYTES, Gap};
use crate::recovery::{self, Found};
use crate::ring::{GapRecord, Pages, Ring, RingConfig, RingDrain, RingError};
use crate::shared::{Claim, Control, Core, Followers, Levels, Part, make, ticks_now};
use crate::site::{self, Site, SiteArea};
use crate::stack::Stacks;
use crate::writer::{
    self, CaptureSink, Drain, Janitor, LogFile, Logs, Outlets, Resume, Syncer, SyslogOutlet,
    SyslogThread, View,
};

/// Bytes of the first segment that are ready before the start returns.
const PREPARED_BYTES: u64 = 4 << 20;

/// The least that a ring can be.
const SMALLEST_RING_BYTES: u64 = 256 << 10;
const SMALLEST_BLOCK_BYTES: u32 = 4 << 10;

/// How long the gate waits for calls that are under way.
pub(super) const GATE_WAIT: Duration = Duration::from_millis(10);

/// So long behind `shutdown_timeout` a thread may take to end that has nothing left to wait for but files.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// Where an engine's entries go.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Into the log directory.
    Directory,
    /// To the console alone.
    Memory,
    /// To a test.
    Capture(CaptureSink),
}

/// A running engine, as its guard holds it.
#[derive(Debug)]
pub(crate) struct Engine {
    core: Arc<Core>,
    threads: Vec<JoinHandle<()>>,
    syslog: Option<SyslogThread>,
    /// There is one if the policy `sync` asks for it.
    syncer: Option<JoinHandle<()>>,
    pid: u32,
}

/// What an engine is started with besides its configuration.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// The processors, if there are any.
    pub(crate) chain: Option<Box<Chain>>,
    /// Whether it says nothing of logs that are rotated too often.
    pub(crate) rotations_untold: bool,
}

/// Starts an engine.
pub(crate) fn start(
    configuration: Configuration,
    place: Place,
    wishes: Wishes,
) -> Result<(Arc<Core>, Engine), StartError> {
    let mut configuration = configuration.at_home();
    find_stderr();
    let control = Arc::new(Control::default());
    let in_files = matches!(place, Place::Directory);
    if in_files {
        directory::take(&configuration, &control)?;
    } else {
        let segment = MEMORY_SEGMENT_BYTES.max(4 * u64::from(configuration.block_bytes));
        configuration.journal_segment_bytes = configuration.journal_segment_bytes.min(segment);
        configuration.journal_segments = configuration.journal_segments.min(MEMORY_SEGMENTS);
    }
    // Before this engine's own ring is made there, which must not be taken for one of them.
    let owned = in_files && control.owns_directory();
    let strays = if owned { recovery::find(&configuration) } else { Found::default() };
    let (core, ring_drain, calibrator) = make_core(configuration, control, in_files)?;
    if wishes.rotations_untold {
        core.metrics.fast_rotations.mute();
    }
    let mut threads = Vec::new();
    let engine = run(&core, (ring_drain, strays), calibrator, (place, wishes.chain), &mut threads)
        .inspect_err(|_| ending::give_up(&core, threads))?;
    watch_process(&core);
    Ok((core, engine))
}

/// An engine without threads, where none can be started: it refuses every record and counts it.
pub(crate) fn start_closed() -> Result<Arc<Core>, StartError> {
    let mut configuration = Configuration::built_in();
    configuration.ring_bytes = SMALLEST_RING_BYTES;
    configuration.block_bytes = SMALLEST_BLOCK_BYTES;
    configuration.log_to_file = false;
    let (core, _drain, _) = make_core(configuration, Arc::default(), false)?;
    core.ring.close_gate(Duration::ZERO);
    core.control.set_without_views();
    core.control.stop();
    core.control.update(true, |progress| {
        progress.drain_ended = true;
        progress.views_ended = true;
    });
    Ok(core)
}

/// What loggers and writer share.
fn make_core(
    configuration: Configuration,
    control: Arc<Control>,
    in_files: bool,
) -> Result<(Arc<Core>, RingDrain, Calibrator), StartError> {
    let (ring, ring_drain) = make_ring(&configuration, in_files, &control)?;
    let calibrator = Calibrator::start(Source::SYSTEM);
    let line = calibrator.current();
    let warning_ticks = line.ticks_in(configuration.latency_warning.as_nanos() as u64);
    let metrics = Metrics::new(ring.lanes(), warning_ticks)
        .map_err(|source| StartError::System { what: "memory for the metrics", source })?;
    if configuration.mlock && ring.page_troubles().is_empty() {
        lock_metrics(&metrics, &control);
    }
    let core = Arc::new(Core {
        levels: Levels::new(&configuration),
        record_bytes_max: ring.max_record_bytes(),
        pid: std::process::id(),
        ticks_per_second: line.ticks_in(1_000_000_000),
        control: Arc::clone(&control),
        metrics: Arc::new(metrics),
        filter: AtomicU32::new(Core::next_filter()),
        masking: Arc::new(Masking::new(&configuration.mask_keys, &configuration.mask_patterns)),
        urgent: AtomicU32::new(0),
        syslog: Arc::new(SyslogCounts::default()),
        stacks: Stacks::new(configuration.backtrace),
        followers: Followers::default(),
        alive: Arc::new(()),
        reread: Mutex::default(),
        ring_id: ring.id(),
        ring,
        configuration,
    });
    let weak: Weak<dyn SiteArea> = Arc::downgrade(&(Arc::clone(&core) as Arc<dyn SiteArea>));
    site::attach(weak);
    Ok((core, ring_drain, calibrator))
}

/// Installs in the host what the configuration allows.
fn watch_process(core: &Arc<Core>) {
    if core.configuration.panic_hook {
        panics::watch(core);
    }
    if core.configuration.handle_signals
        && let Err(error) = signals::watch(core)
    {
        let reason = format!("handle_signals = true, but signals are not handled: {error}");
        notice(&reason);
        core.control.degrade(&reason);
    }
}

fn make_ring(
    configuration: &Configuration,
    in_files: bool,
    control: &Control,
) -> Result<(Arc<Ring>, RingDrain), StartError> {
    let config = RingConfig {
        ring_bytes: usize::try_from(configuration.ring_bytes).unwrap_or(usize::MAX),
        block_bytes: configuration.block_bytes,
        reserve_blocks: configuration.reserve_blocks,
        lanes: None,
        dir: in_files.then(|| configuration.ring_dir.clone()),
        pages: Pages {
            huge: configuration.huge_pages,
            locked: configuration.mlock,
            hidden: !configuration.dump_ring,
        },
        owner: recovery::owner_of(&configuration.log_dir),
        gap: GapRecord { bytes: GAP_RECORD_BYTES, write: write_gap },
        clock: ticks_now,
    };
    let refused = |error: RingError| StartError::Ring { reason: error.to_string() };
    let (ring, drain) = Ring::create(config).map_err(refused)?;
    if let Some(reason) = ring.fallback_reason() {
        let reason = format!(
            "{reason}; the ring lies in ordinary memory: a killed process loses what is in it"
        );
        notice(&reason);
        control.degrade(&reason);
    }
    for trouble in ring.page_troubles() {
        notice(trouble);
        control.degrade(trouble);
    }
    Ok((ring, drain))
}

fn lock_metrics(metrics: &Metrics, control: &Control) {
    if let Err(error) = metrics.pages().lock() {
        let trouble = format!(
            "mlock = true, and the ring is locked, but not the memory in which log calls are timed \
             ({error}): raise RLIMIT_MEMLOCK by 1 MiB"
        );
        notice(&trouble);
        control.degrade(&trouble);
    }
}

fn write_gap(out: &mut [u8], info: &crate::ring::GapInfo) {
    if let Some(whole) = out.first_chunk_mut() {
        let gap: Gap = writer::gap_of(info);
        gap.write(whole);
    }
}

impl SiteArea for Core {
    fn define_site(&self, id: u32, definition: &[u8]) -> bool {
        self.ring.definitions().define_site(id, definition)
    }

    fn looks_at(&self, site: &Site) -> bool {
        let masked = self.masking.names().treatments(site.fields(), site.text()).is_some();
        masked || !site.is_trade() && self.filters_out(site)
    }

    fn traces(&self, level: Level) -> bool {
        self.stacks.wanted(level)
    }
}

fn journal_options(core: &Core, place: journal::Place) -> JournalOptions {
    let configuration = &core.configuration;
    JournalOptions {
        place,
        segment_bytes: configuration.journal_segment_bytes,
        segments: configuration.journal_segments,
        mapped: configuration.journal_mapped,
        guarded: configuration.sigbus_guard,
        reserve_bytes: configuration.disk_reserve,
        hidden: !configuration.dump_ring,
        prepare_bytes: PREPARED_BYTES,
        ring_id: core.ring.id(),
        order_window_nanos: configuration.order_window.as_nanos() as u64,
        host: configuration.hostname.clone(),
        program: configuration.log_name.clone(),
        facility: configuration.facility,
    }
}

/// The journal's store with its first segment, which lies in memory where the disk has no room for
/// one now.
fn open_journal(
    core: &Core,
    in_files: bool,
    resume: &mut Resume,
) -> Result<(SegmentStore, SegmentIndex, journal::Prepared), StartError> {
    let place = if in_files {
        journal::Place::Directory {
            path: core.configuration.log_dir.join("journal"),
            file_mode: core.configuration.file_mode,
            dir_mode: core.configuration.dir_mode,
        }
    } else {
        journal::Place::Memory
    };
    let options = journal_options(core, place);
    let opened = match core.control.owns_directory() {
        true => SegmentStore::open(options),
        // The janitor looks at it when it is.
        false => SegmentStore::detached(options),
    };
    let (mut store, index) =
        opened.map_err(|error| StartError::Refused { reason: error.to_string() })?;
    if resume.place().is_some_and(|place| !store.begin_behind(place)) {
        resume.disbelieve(core);
    }
    let oldest_needed = resume.oldest_needed();
    let mut prepare = |oldest_needed| {
        store.prepare(oldest_needed).map_err(|error| no_memory(io::Error::other(error)))
    };
    // Where everything there is waits to be rendered, the view will tell what it misses.
    let prepared = match prepare(oldest_needed)? {
        None => prepare(u64::MAX)?,
        prepared => prepared,
    };
    let first = prepared.ok_or_else(|| no_memory(io::ErrorKind::OutOfMemory.into()))?;
    Ok((store, index, first))
}

/// Makes the journal's directory and finds what the last run left there.
fn make_journal_directory(core: &Core) -> Resume {
    let configuration = &core.configuration;
    if !core.control.owns_directory() {
        return Resume::unread(core);
    }
    // Where that fails, the journal fails in the same way, and is kept in memory.
    match make(&configuration.log_dir.join("journal"), configuration.dir_mode) {
        Ok(()) if configuration.render_logs => Resume::load(core),
        Ok(()) => Resume::forget(core),
        Err(_) => Resume::unread(core),
    }
}

fn no_memory(source: io::Error) -> StartError {
    StartError::System { what: "memory for the journal", source }
}

/// The outlets that the configuration asks for.
fn outlets(core: &Arc<Core>, place: &Place, syslog: Option<SyslogOutlet>) -> Outlets {
    let configuration = &core.configuration;
    let mut number = 0;
    let open = |path: PathBuf| {
        let options = FileOptions {
            path,
            max_bytes: configuration.log_max_file_size,
            backups: configuration.log_backup_count,
            mode: configuration.file_mode,
            group: configuration.file_group,
        };
        let part = Part::Log(number);
        number += 1;
        LogFile::open(options, &core.control, part)
    };
    let rendered = matches!(place, Place::Directory) && configuration.render_logs;
    let logs = rendered.then(|| {
        let [expert, trades, errors] = configuration.log_paths().map(open);
        Logs { expert, trades, errors }
    });
    let capture = match place {
        Place::Capture(sink) => Some(sink.clone()),
        Place::Directory | Place::Memory => None,
    };
    let wanted = core.levels.console_is_on() && capture.is_none();
    let console = wanted.then(|| Console::stderr(configuration.use_colors.into()));
    Outlets::new(Arc::clone(core), logs, console, syslog, capture)
}

/// The outlet for syslog and its thread, where a receiver is configured. Tests send nothing.
fn start_syslog(
    core: &Arc<Core>,
    place: &Place,
) -> Result<Option<(SyslogOutlet, SyslogThread)>, StartError> {
    let target = match place {
        Place::Capture(_) => None,
        Place::Directory | Place::Memory => core.configuration.syslog_target().ok().flatten(),
    };
    let started = target.map(|target| writer::start_syslog(core, target)).transpose();
    started.map_err(|source| StartError::System { what: "a thread", source })
}

/// Puts the parts together and starts the threads; after a failure, those that run are in `threads`.
fn run(
    core: &Arc<Core>,
    (ring, strays): (RingDrain, Found),
    calibrator: Calibrator,
    (place, chain): (Place, Option<Box<Chain>>),
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<Engine, StartError> {
    let in_files = matches!(place, Place::Directory);
    let mut resume = if in_files { make_journal_directory(core) } else { Resume::default() };
    // Before segments are recycled that tell how far the rings came.
    let recovery = recovery::prepare(strays, &core.configuration);
    let (store, index, first) = open_journal(core, in_files, &mut resume)?;
    let recovery = recovery::begin(recovery, first.is_in_memory(), &core.control);
    core.control.set_in_files(in_files);
    core.control.update(false, |progress| progress.journal_in_memory = first.is_in_memory());
    // Torn lines were taken back: now the logs can be opened.
    let (outlet, syslog) = start_syslog(core, &place)?.unzip();
    let outlets = outlets(core, &place, outlet).with_processors(chain);
    let sequence = first.sequence();
    core.control.set_journal_mapped(first.is_mapped());
    let mut appender = Appender::new(first, calibrator.current());
    if core.configuration.sync == SyncPolicy::Critical {
        appender.watch_urgent();
    }
    let (janitor, supply, floor) = Janitor::new(store, core);
    let view = if outlets.is_empty() {
        floor.raise(u64::MAX);
        core.control.set_without_views();
        None
    } else {
        Some(View::new(Arc::clone(core), outlets, floor, index, sequence, resume))
    };
    let mut drain = Drain::new(ring, appender, calibrator, supply, core);
    drain.recover_first(recovery);
    let syncer = start_threads(core, janitor, (drain, view), threads)
        .map_err(|source| StartError::System { what: "a thread", source })?;
    let threads = std::mem::take(threads);
    Ok(Engine { core: Arc::clone(core), threads, syslog, syncer, pid: std::process::id() })
}

/// Starts the threads; gives the one that syncs, if there is one, and adds the others to `threads`.
///
/// # Errors
/// The system refuses one. Those that run already are all in `threads`.
fn start_threads(
    core: &Arc<Core>,
    janitor: Janitor,
    (drain, view): (Drain, Option<View>),
    threads: &mut Vec<JoinHandle<()>>,
) -> io::Result<Option<JoinHandle<()>>> {
    threads.push(writer::keep(core, "tapelog-janitor", |keeper| janitor.run(keeper))?);
    let syncer = Syncer::new(core)
        .map(|syncer| writer::keep(core, "tapelog-sync", |keeper| syncer.run(keeper)))
        .transpose()?;
    match writer::start_agents(core, drain, view, threads) {
        Ok(()) => Ok(syncer),
        Err(error) => {
            threads.extend(syncer);
            Err(error)
        }
    }
}

impl Engine {
    /// Writes everything out and ends the threads; see [`Guard`].
    pub(crate) fn shutdown(mut self) {
        if std::process::id() != self.pid {
            // A forked child: the threads, the files and the ring are its parent's.
            let threads = std::mem::take(&mut self.threads);
            std::mem::forget((threads, self.syncer.take()));
            std::mem::forget(self.syslog.take());
            return;
        }
        let core = &self.core;
        panics::unwatch(core);
        let deadline = Instant::now() + core.configuration.shutdown_timeout;
        ending::tell_the_last(core, core.configuration.shutdown_timeout / 2);
        let busy = core.ring.close_gate(GATE_WAIT);
        core.control.stop();
        let left = deadline.saturating_duration_since(Instant::now());
        if core.control.wait_until(left, |progress| progress.views_ended).is_err() {
            core.control.abandon_views();
        }
        let threads = self.threads.drain(..);
        let Joined { all, sound } = ending::join_by(threads, deadline.max(Instant::now()) + GRACE);
        let whole = busy == 0 && sound;
        if let Some(syslog) = self.syslog.take() {
            syslog.finish(deadline);
        }
        self.sync_the_end(deadline);
        ending::say_what_is_left(&self.core);
        if whole {
            ending::remove_ring(&self.core);
        }
        if self.core.configuration.handle_signals {
            signals::unwatch(&self.core);
        }
        finish_notices();
        // Who is left behind may write there yet: nobody else gets the directory.
        if all {
            self.core.control.claim().into_iter().for_each(Claim::release);
        }
    }

    /// Lets the syncer bring the end to the disk. One that the disk does not let go of is left
    /// behind when the time is over.
    fn sync_the_end(&mut self, deadline: Instant) {
        let Some(syncer) = self.syncer.take() else { return };
        self.core.control.wake_syncer();
        while !syncer.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if syncer.is_finished() {
            // A panic there was printed where it happened.
            let _done = syncer.join();
        } else {
            notice("the disk is not done with the last entries: a power cut may take them");
        }
    }
}
