//! Which entry goes where, and in which form.

use std::fs::File;
use std::sync::Arc;

use crate::clock::Source;
use crate::definition::SiteSpec;
use crate::entry::{Entry, OwnEntry};
use crate::formatters::{Formatter, TextFormatter};
use crate::handlers::{Batch, Console, StderrNotice, settle_notices};
use crate::journal;
use crate::level::{Category, Level};
use crate::processors::Chain;
use crate::record::UnixNanos;
use crate::shared::{Core, FileError, ViewCounts};
use crate::stack::Shower;

use super::capture::CaptureSink;
use super::forms::{Form, Forms};
use super::logs::{LogFile, Logs};
use super::reporter;
use super::symbols::SymbolThread;
use super::syslog::SyslogOutlet;

/// The view's outlets with their formatters.
#[derive(Debug)]
pub(crate) struct Outlets {
    core: Arc<Core>,
    logs: Option<Logs>,
    console: Option<ConsoleOutlet>,
    syslog: Option<SyslogOutlet>,
    capture: Option<CaptureSink>,
    /// None without processors.
    chain: Option<Box<Chain>>,
    forms: Forms,
    backtraces: Option<Box<Shower<SymbolThread>>>,
    fallback: StderrNotice,
    counts: ViewCounts,
    rotations_done: u64,
}

#[derive(Debug)]
struct ConsoleOutlet {
    console: Console,
    batch: Batch,
    /// Set when lines are coloured, and so differ from those in files.
    coloured: Option<TextFormatter>,
}

impl ConsoleOutlet {
    fn new(console: Console, forms: &Forms) -> Self {
        Self { coloured: console.colours().then(|| forms.coloured()), console, batch: Batch::new() }
    }
}

/// Bytes after which a log's batch is written.
const BATCH_BYTES: usize = 256 << 10;

impl Outlets {
    pub(crate) fn new(
        core: Arc<Core>,
        logs: Option<Logs>,
        console: Option<Console>,
        syslog: Option<SyslogOutlet>,
        capture: Option<CaptureSink>,
    ) -> Self {
        let forms = Forms::new(&core.configuration);
        let console = console.map(|console| ConsoleOutlet::new(console, &forms));
        Self {
            logs,
            console,
            syslog,
            capture,
            chain: None,
            forms,
            backtraces: Some(Box::new(Shower::new(SymbolThread::new(&core.configuration)))),
            fallback: StderrNotice::stderr(),
            counts: ViewCounts::default(),
            rotations_done: 0,
            core,
        }
    }

    /// The same with processors, which every entry but those of losses goes through.
    pub(crate) fn with_processors(self, chain: Option<Box<Chain>>) -> Self {
        Self { chain, ..self }
    }

    /// Renders an entry into every log it belongs to. `skip` names logs that have it already.
    pub(crate) fn entry(&mut self, entry: &Entry<'_>, late: bool, skip: &mut Skips) {
        if !entry.site().has_backtrace {
            return self.route(entry, late, skip);
        }
        // Taken out meanwhile, because what is routed is borrowed from it.
        let Some(mut backtraces) = self.backtraces.take() else {
            return self.route(entry, late, skip);
        };
        self.route(&backtraces.show(entry).unwrap_or(*entry), late, skip);
        self.backtraces = Some(backtraces);
    }

    fn route(&mut self, entry: &Entry<'_>, late: bool, skip: &mut Skips) {
        self.counts.late += u64::from(late);
        // A loss is told whatever the levels are.
        let is_gap = is_gap(entry);
        self.counts.records += u64::from(!is_gap);
        match self.chain.take() {
            Some(mut chain) if !is_gap => {
                if let Some(processed) = chain.process(entry) {
                    self.show(&processed, is_gap, skip);
                }
                self.chain = Some(chain);
            }
            chain => {
                self.chain = chain;
                self.show(entry, is_gap, skip);
            }
        }
    }

    fn show(&mut self, entry: &Entry<'_>, is_gap: bool, skip: &mut Skips) {
        let levels = &self.core.levels;
        let level = entry.level();
        let target = &*entry.site().target;
        let in_log = is_gap || levels.shows_in_log(level, target);
        let is_trade = entry.category() == Category::Trade;
        let trade = is_trade && (is_gap || levels.shows_in_trades(level));
        if let Some(capture) = &self.capture {
            capture.entry(entry);
        }
        if self.logs.is_some() {
            self.render_logs(entry, in_log, trade, skip);
        }
        let levels = &self.core.levels;
        let on_console =
            levels.console_is_on() && (is_gap || levels.shows_on_console(level, target));
        if on_console && self.capture.is_none() && !is_metrics(entry) {
            self.render_console(entry);
        }
        if let Some(syslog) = &mut self.syslog
            && (is_gap || self.core.levels.shows_in_syslog(level, target))
        {
            syslog.entry(entry);
        }
    }

    /// Each form is rendered once: what two logs show alike is copied from one to the other.
    fn render_logs(&mut self, entry: &Entry<'_>, in_log: bool, trade: bool, skip: &mut Skips) {
        let Some(logs) = &mut self.logs else { return };
        let forms = &mut self.forms;
        let form = forms.log();
        let mut rendered = None;
        if in_log {
            if put(&mut logs.expert, &mut skip.expert, |out| forms.line(form, entry, out)) {
                rendered = Some(logs.expert.batch().last_line());
            }
            if entry.level() >= Level::Error {
                put(&mut logs.errors, &mut skip.errors, |out| match rendered {
                    Some(line) => out.extend_from_slice(line),
                    None => forms.line(form, entry, out),
                });
            }
        }
        if trade {
            put(&mut logs.trades, &mut skip.trades, |out| match rendered {
                Some(line) if form == Form::Json => out.extend_from_slice(line),
                _ => forms.line(Form::Json, entry, out),
            });
        }
    }

    fn render_console(&mut self, entry: &Entry<'_>) {
        let forms = &mut self.forms;
        // It may have been off at the start.
        let colours = self.core.configuration.use_colors;
        let outlet = self
            .console
            .get_or_insert_with(|| ConsoleOutlet::new(Console::stderr(colours.into()), forms));
        outlet.batch.line(|out| match &mut outlet.coloured {
            Some(coloured) => coloured.line(entry, out),
            None => forms.line(Form::Text, entry, out),
        });
    }

    /// Whether nothing is to be rendered at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.logs.is_none()
            && self.console.is_none()
            && self.syslog.is_none()
            && self.capture.is_none()
    }

    /// Counts records from here on.
    pub(crate) fn begin_run(&mut self) {
        self.counts.records = 0;
    }

    /// Whether enough has gathered to be written.
    pub(crate) fn is_full(&mut self) -> bool {
        let logs = self.logs.as_mut().is_some_and(|logs| {
            logs.each().into_iter().any(|log| log.batch().bytes().len() >= BATCH_BYTES)
        });
        let console = self.console.as_ref().map_or(0, |outlet| outlet.batch.bytes().len());
        let syslog = self.syslog.as_ref().map_or(0, SyslogOutlet::gathered_bytes);
        logs || console.max(syslog) >= BATCH_BYTES
    }

    /// The logs, for who notes their lengths.
    pub(crate) fn logs(&self) -> Option<&Logs> {
        self.logs.as_ref()
    }

    /// Whether a line waits to be written to a log.
    pub(crate) fn has_lines(&mut self) -> bool {
        self.logs
            .as_mut()
            .is_some_and(|logs| logs.each().into_iter().any(|log| !log.batch().is_empty()))
    }

    /// Writes what has gathered.
    pub(crate) fn write(&mut self) {
        if let Some(logs) = &mut self.logs {
            let form = self.forms.log();
            let ours = self.core.control.owns_directory();
            for (log, form) in logs.each().into_iter().zip([form, Form::Json, form]) {
                log.look(ours);
                if !log.is_due() {
                    continue;
                }
                let forms = &mut self.forms;
                log.write(&mut self.fallback, |missing, why, lines| {
                    if let Some(gap) = missed_lines(missing, why) {
                        lines.line(|out| forms.line(form, &gap.entry(), out));
                    }
                });
                if let Some(fast) = log.take_fast_rotation() {
                    self.core.metrics.fast_rotations.note(fast);
                }
            }
        }
        if let Some(outlet) = &mut self.console {
            outlet.console.write(&outlet.batch);
            outlet.batch.clear();
            outlet.console.settle();
        }
        if let Some(syslog) = &mut self.syslog {
            syslog.write();
        }
        self.fallback.settle();
        settle_notices();
        self.rotate_if_asked();
    }

    fn rotate_if_asked(&mut self) {
        let asked = self.core.control.rotations_asked();
        if asked == self.rotations_done {
            return;
        }
        self.rotations_done = asked;
        if let Some(logs) = &mut self.logs {
            for log in logs.each() {
                log.rotate();
            }
        }
    }

    /// Backups that rotations removed, to be closed by who has time for it.
    pub(crate) fn take_removed(&mut self) -> impl Iterator<Item = File> {
        let logs = self.logs.as_mut().map(Logs::each);
        logs.into_iter().flatten().filter_map(LogFile::take_removed)
    }

    /// Brings the logs to the disk; all of them are tried, and the first failure is told.
    pub(crate) fn sync(&mut self) -> Result<(), String> {
        let Some(logs) = &mut self.logs else { return Ok(()) };
        let outcomes = logs.each().map(LogFile::sync);
        outcomes.into_iter().collect()
    }

    /// What was done so far.
    pub(crate) fn counts(&mut self) -> ViewCounts {
        let mut counts = self.counts;
        if let Some(logs) = &mut self.logs {
            counts.trade_lines = logs.trades.lines();
            counts.error_lines = logs.errors.lines();
            for log in logs.each() {
                counts.log_lines += log.lines();
                counts.missed += log.missed();
                counts.rotations += log.rotations();
            }
        }
        let chain = self.chain.as_ref().map(|chain| chain.counts()).unwrap_or_default();
        (counts.filtered, counts.processor_panics) = (chain.filtered, chain.panics);
        counts.console_dropped = self.console.as_ref().map_or(0, |outlet| outlet.console.dropped());
        counts
    }
}

/// Whether the entry tells of lost records instead of being one.
fn is_gap(entry: &Entry<'_>) -> bool {
    let site = entry.site();
    site.level == Level::Warning && *site.text == *GAP && *site.target == *journal::ENTRY_TARGET
}

/// Whether the entry tells how the logger is doing: never on the console.
fn is_metrics(entry: &Entry<'_>) -> bool {
    let site = entry.site();
    *site.target == *reporter::TARGET && *site.text == *reporter::METRICS
}

/// The text of entries that tell of losses.
pub(super) const GAP: &str = "logger.gap";

/// Why it misses them.
const NOT_WRITTEN: &str = "the file could not be written";

/// The line that stands in a log for those that it missed while it could not be written.
fn missed_lines(missing: u64, why: Option<&FileError>) -> Option<OwnEntry> {
    let spec = SiteSpec {
        level: Level::Warning,
        trade: false,
        line: line!(),
        text: GAP,
        target: module_path!(),
        file: file!(),
        fields: &["lost", "reason", "file", "errno"],
    };
    let time = UnixNanos((Source::SYSTEM.unix_nanos)());
    let reason =
        why.map_or_else(|| NOT_WRITTEN.to_owned(), |why| format!("{NOT_WRITTEN}: {}", why.message));
    let file = why.map(|why| why.path.to_string_lossy()).unwrap_or_default();
    let errno = why.and_then(|why| why.errno);
    OwnEntry::new(spec, &(((((), missing), &*reason), &*file), errno), time)
}

/// How many entries each log has already, from before a crash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Skips {
    pub(crate) expert: u64,
    pub(crate) trades: u64,
    pub(crate) errors: u64,
}

/// Adds a line to a log, unless the log has it already; whether it was added.
#[inline]
fn put(log: &mut LogFile, skip: &mut u64, render: impl FnOnce(&mut Vec<u8>)) -> bool {
    if *skip > 0 {
        *skip -= 1;
        return false;
    }
    log.batch().line(render);
    true
}
