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
use super::keeper::{for_the_host, lent};
use super::logs::{LogFile, Logs, Outcome};
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
    /// Which outlets have the entry under way.
    had: Had,
    forms: Forms,
    backtraces: Option<Box<Shower<SymbolThread>>>,
    fallback: StderrNotice,
    counts: ViewCounts,
    rotations_done: u64,
    /// Whether the lines of the batch that expert.log missed were shown on stderr.
    shown: bool,
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
            had: Had::default(),
            forms,
            backtraces: Some(Box::new(Shower::new(SymbolThread::new(&core)))),
            fallback: StderrNotice::stderr(),
            counts: ViewCounts::default(),
            rotations_done: 0,
            shown: false,
            core,
        }
    }

    /// The same with processors, which every entry but those of losses goes through.
    pub(crate) fn with_processors(self, chain: Option<Box<Chain>>) -> Self {
        Self { chain, ..self }
    }

    /// Renders an entry into every log it belongs to. `skip` names logs that have it already.
    pub(crate) fn entry(&mut self, entry: &Entry<'_>, late: bool, skip: &mut Skips) {
        if entry.site().has_backtrace {
            // Lent, because what is routed is borrowed from it.
            lent(
                self,
                |outlets| &mut outlets.backtraces,
                |outlets, backtraces| {
                    let shown = backtraces.as_mut().and_then(|backtraces| backtraces.show(entry));
                    outlets.route(&shown.unwrap_or(*entry), skip);
                },
            );
        } else {
            self.route(entry, skip);
        }
        self.had = Had::default();
        self.counts.late += u64::from(late);
        self.counts.records += u64::from(!is_gap(entry));
    }

    fn route(&mut self, entry: &Entry<'_>, skip: &mut Skips) {
        // A loss is told whatever the levels are.
        let is_gap = is_gap(entry);
        if is_gap || self.chain.is_none() {
            return self.show(entry, is_gap, skip);
        }
        lent(
            self,
            |outlets| &mut outlets.chain,
            |outlets, chain| {
                let masking = &outlets.core.masking;
                let processed =
                    chain.as_mut().map(|chain| for_the_host(|| chain.process(entry, masking)));
                if let Some(processed) = processed.flatten() {
                    outlets.show(&processed, is_gap, skip);
                }
            },
        );
    }

    /// The same of a line that is no entry of the journal: no log has it already.
    pub(crate) fn tell(&mut self, entry: &Entry<'_>) {
        let lines = |log: &mut LogFile| log.batch().lines();
        let before = self.logs.as_mut().map(|logs| logs.each().map(lines));
        self.entry(entry, false, &mut Skips::default());
        let logs = self.logs.iter_mut().flat_map(Logs::each);
        for (log, before) in logs.zip(before.into_iter().flatten()) {
            if log.batch().lines() > before {
                log.note_told();
            }
        }
    }

    /// After a panic: what is written is not written again.
    pub(crate) fn mend(&mut self) {
        self.logs.iter_mut().flat_map(Logs::each).for_each(LogFile::mend);
    }

    /// Gives up the entry under way, which cannot be shown.
    pub(crate) fn give_up(&mut self) {
        self.had = Had::default();
    }

    fn show(&mut self, entry: &Entry<'_>, is_gap: bool, skip: &mut Skips) {
        let levels = &self.core.levels;
        let level = entry.level();
        let target = &*entry.site().target;
        let in_log = is_gap || levels.shows_in_log(level, target);
        let is_trade = entry.category() == Category::Trade;
        let trade = is_trade && (is_gap || levels.shows_in_trades(level));
        if let Some(capture) = self.capture.as_ref().filter(|_| self.had.lacks(Had::CAPTURE)) {
            capture.entry(entry);
            self.had.note(Had::CAPTURE);
        }
        if self.logs.is_some() {
            self.render_logs(entry, in_log, trade, skip);
        }
        let levels = &self.core.levels;
        let on_console =
            levels.console_is_on() && (is_gap || levels.shows_on_console(level, target));
        if on_console
            && self.capture.is_none()
            && !is_metrics(entry)
            && self.had.lacks(Had::CONSOLE)
        {
            self.render_console(entry);
            self.had.note(Had::CONSOLE);
        }
        if let Some(syslog) = &mut self.syslog
            && (is_gap || self.core.levels.shows_in_syslog(level, target))
            && self.had.lacks(Had::SYSLOG)
        {
            syslog.entry(entry);
            self.had.note(Had::SYSLOG);
        }
    }

    /// Each form is rendered once: what two logs show alike is copied from one to the other.
    fn render_logs(&mut self, entry: &Entry<'_>, in_log: bool, trade: bool, skip: &mut Skips) {
        let Some(logs) = &mut self.logs else { return };
        let (forms, had) = (&mut self.forms, &mut self.had);
        let form = forms.log();
        let mut rendered = None;
        if in_log {
            let expert = (&mut logs.expert, &mut skip.expert, Had::EXPERT);
            if put(expert, had, |out| forms.line(form, entry, out)) {
                rendered = Some(logs.expert.batch().last_line());
            }
            if entry.level() >= Level::Error {
                let errors = (&mut logs.errors, &mut skip.errors, Had::ERRORS);
                put(errors, had, |out| match rendered {
                    Some(line) => out.extend_from_slice(line),
                    None => forms.line(form, entry, out),
                });
            }
        }
        if trade {
            let trades = (&mut logs.trades, &mut skip.trades, Had::TRADES);
            put(trades, had, |out| match rendered {
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

    /// Has each log tell the lines that it missed in the run before.
    pub(super) fn miss_from_before(&mut self, missing: [u64; 3]) {
        let logs = self.logs.iter_mut().flat_map(Logs::each);
        logs.zip(missing).for_each(|(log, missing)| log.miss_from_before(missing));
    }

    /// The logs, for who notes their lengths.
    pub(crate) fn logs(&self) -> Option<&Logs> {
        self.logs.as_ref()
    }

    /// How many entries of the journal each log has got.
    pub(crate) fn log_entries(&self) -> [u64; 3] {
        self.logs.as_ref().map_or([0; 3], |Logs { expert, trades, errors }| {
            [expert, trades, errors].map(LogFile::entries)
        })
    }

    /// Whether a line waits to be written to a log.
    pub(crate) fn has_lines(&mut self) -> bool {
        let mut logs = self.logs.iter_mut().flat_map(Logs::each);
        logs.any(|log| !log.batch().is_empty())
    }

    /// Whether a log may get a line now: of an entry, or of what it missed.
    pub(crate) fn is_due(&mut self) -> bool {
        self.logs.iter_mut().flat_map(Logs::each).any(|log| log.is_due())
    }

    /// Looks where the logs are.
    pub(crate) fn look(&mut self) {
        let ours = self.core.control.owns_directory();
        self.logs.iter_mut().flat_map(Logs::each).for_each(|log| log.look(ours));
    }

    /// As [`LogFile::is_beyond_note`], of any log.
    pub(crate) fn is_beyond_note(&mut self) -> bool {
        self.logs.iter_mut().flat_map(Logs::each).any(|log| log.is_beyond_note())
    }

    /// The cursor has noted where they are.
    pub(crate) fn note_noted(&mut self) {
        self.logs.iter_mut().flat_map(Logs::each).for_each(LogFile::note_noted);
    }

    /// How often the logs were rotated.
    pub(crate) fn rotations(&mut self) -> u64 {
        self.logs.iter_mut().flat_map(Logs::each).map(|log| log.rotations()).sum()
    }

    /// Writes what has gathered, or, where a log was rotated on the way, a part of it; whether that was
    /// all.
    pub(crate) fn write(&mut self) -> bool {
        let mut all = true;
        if let Some(logs) = &mut self.logs {
            let form = self.forms.log();
            let logs = logs.each().into_iter();
            for (at, (log, form)) in logs.zip([form, Form::Json, form]).enumerate() {
                if !log.is_due() {
                    continue;
                }
                let forms = &mut self.forms;
                // What errors.log holds was in the batch of expert.log, too: it is shown once.
                let fallback = (at < 2 || !self.shown).then_some(&mut self.fallback);
                let outcome = log.write(fallback, |missing, why, lines| {
                    if let Some(gap) = missed_lines(missing, why) {
                        lines.line(|out| forms.line(form, &gap.entry(), out));
                    }
                });
                self.shown |= at == 0 && outcome == Outcome::Missed;
                all &= outcome != Outcome::Rotated;
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
        if all {
            self.shown = false;
            self.rotate_if_asked();
        }
        all
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
pub(super) const NOT_WRITTEN: &str = "the file could not be written";

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

/// The outlets that have an entry already. Where its rendering panics, it is shown again, and these
/// get it only once.
#[derive(Debug, Clone, Copy, Default)]
struct Had(u8);

impl Had {
    const EXPERT: u8 = 1;
    const ERRORS: u8 = 2;
    const TRADES: u8 = 4;
    const CAPTURE: u8 = 8;
    const CONSOLE: u8 = 16;
    const SYSLOG: u8 = 32;

    #[inline]
    fn lacks(self, outlet: u8) -> bool {
        self.0 & outlet == 0
    }

    #[inline]
    fn note(&mut self, outlet: u8) {
        self.0 |= outlet;
    }
}

impl Skips {
    /// With the entries that were added since there were so many `before`.
    pub(crate) fn and(self, before: [u64; 3], now: [u64; 3]) -> Self {
        let with = |skip: u64, at: usize| skip.saturating_add(now[at] - before[at]);
        Self {
            expert: with(self.expert, 0),
            trades: with(self.trades, 1),
            errors: with(self.errors, 2),
        }
    }
}

/// Adds a line to a log, unless the log has it already; whether it was added.
#[inline]
fn put(
    (log, skip, outlet): (&mut LogFile, &mut u64, u8),
    had: &mut Had,
    render: impl FnOnce(&mut Vec<u8>),
) -> bool {
    if !had.lacks(outlet) {
        return false;
    }
    let added = *skip == 0;
    if added {
        log.batch().line(render);
    } else {
        *skip -= 1;
    }
    had.note(outlet);
    added
}
