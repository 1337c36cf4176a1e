//! The syslog outlet: entries as RFC 5424 messages to the courier's thread.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::keeper::keep;
use crate::config::SyslogTarget;
use crate::definition::SiteSpec;
use crate::entry::{Entry, OwnEntry};
use crate::formatters::{Formatter, Rfc5424Formatter};
use crate::handlers::{Courier, Feed, Stop, SyslogCounts, WAITING_BYTES_MAX, feed, notice};
use crate::level::Level;
use crate::record::UnixNanos;
use crate::shared::Core;

/// How often a loss is told on stderr at most.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// How long after the deadline the thread's end is waited for: one wait of its own, and a margin.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// The view's side of syslog.
#[derive(Debug)]
pub(crate) struct SyslogOutlet {
    formatter: Rfc5424Formatter,
    feed: Feed,
    frame: Vec<u8>,
    /// When the first and the last entry were stamped that found no room since the last gap.
    lost: Option<(UnixNanos, UnixNanos)>,
    told: Option<Instant>,
}

/// The thread that sends, as the engine holds it.
#[derive(Debug)]
pub(crate) struct SyslogThread {
    handle: JoinHandle<()>,
    stop: Arc<Stop>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
    counts: Arc<SyslogCounts>,
    target: SyslogTarget,
}

/// Starts the thread that sends to `target`.
///
/// # Errors
/// The system refuses another thread.
pub(crate) fn start_syslog(
    core: &Arc<Core>,
    target: SyslogTarget,
) -> io::Result<(SyslogOutlet, SyslogThread)> {
    let counts = Arc::clone(&core.syslog);
    let (feed, chunks) = feed(Arc::clone(&counts));
    let stop = Arc::new(Stop::default());
    let mut courier = Courier::new(target.clone(), chunks, Arc::clone(&counts), Arc::clone(&stop));
    let (ending, ended) = bounded(0);
    let handle = keep(core, "tapelog-syslog", move |mut keeper| {
        keeper.keep(|| courier.begin());
        while keeper.keep(|| courier.step()) != Some(ControlFlow::Break(())) {
            keeper.pause();
        }
        drop(ending);
    })?;
    let configuration = &core.configuration;
    let identity = super::forms::identity(configuration);
    let formatter = Rfc5424Formatter::new(&identity, configuration.enterprise_number);
    let outlet = SyslogOutlet { formatter, feed, frame: Vec::new(), lost: None, told: None };
    Ok((outlet, SyslogThread { handle, stop, ended, counts, target }))
}

impl SyslogOutlet {
    /// Renders an entry and puts it behind those that wait.
    pub(crate) fn entry(&mut self, entry: &Entry<'_>) {
        self.tell_loss();
        self.frame.clear();
        self.formatter.line(entry, &mut self.frame);
        if !self.feed.message(&self.frame) {
            let time = entry.time();
            self.lost = Some(self.lost.map_or((time, time), |(first, last)| {
                (UnixNanos(first.0.min(time.0)), UnixNanos(last.0.max(time.0)))
            }));
            self.complain();
        }
    }

    /// Hands over what has gathered, and tells of losses where nothing follows them.
    pub(crate) fn write(&mut self) {
        self.tell_loss();
        self.feed.hand_over();
    }

    /// Bytes that have gathered.
    pub(crate) fn gathered_bytes(&self) -> usize {
        self.feed.gathered_bytes()
    }

    /// One entry `logger.gap` stands where messages are missing.
    fn tell_loss(&mut self) {
        let lost = self.feed.untold();
        if lost == 0 {
            return;
        }
        let now = UnixNanos((crate::clock::Source::SYSTEM.unix_nanos)());
        let (first, last) = self.lost.take().unwrap_or((now, now));
        let spec = SiteSpec {
            level: Level::Warning,
            trade: false,
            line: line!(),
            text: super::routing::GAP,
            target: module_path!(),
            file: file!(),
            fields: &["lost", "reason", "first", "last"],
        };
        let fields = &(((((), lost), "syslog took no more"), first), last);
        if let Some(gap) = OwnEntry::new(spec, fields, now) {
            self.frame.clear();
            self.formatter.line(&gap.entry(), &mut self.frame);
            self.feed.gap(lost, &self.frame);
        }
    }

    fn complain(&mut self) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            self.told = Some(Instant::now());
            notice(&format!(
                "syslog: {} MiB of messages wait for the receiver; further ones are dropped and \
                 counted until there is room",
                WAITING_BYTES_MAX >> 20,
            ));
        }
    }
}

impl SyslogThread {
    /// Lets the thread send what waits until the deadline, and ends it. The outlet must be gone.
    ///
    /// A thread that waits for the system's resolver is left to itself: it ends with its answer.
    pub(crate) fn finish(self, deadline: Instant) {
        let dropped = self.counts.dropped();
        self.stop.at(deadline);
        let ended = self.ended.recv_deadline(deadline.max(Instant::now()) + LAST_MOMENT);
        if ended == Err(RecvTimeoutError::Disconnected) {
            // Its keeper lets no panic end it.
            let _ended = self.handle.join();
        }
        self.counts.close();
        let left = self.counts.dropped().saturating_sub(dropped);
        if left > 0 {
            notice(&format!(
                "syslog {}: {left} messages were not sent before the end; the journal has them",
                self.target,
            ));
        }
    }
}
