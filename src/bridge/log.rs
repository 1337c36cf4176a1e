//! The bridge from the crate `log`.

use std::time::Duration;

use ::log::kv::{self, Key, Value, VisitSource, VisitValue};
use ::log::{LevelFilter, Log, Metadata, Record};

use super::fields::{Fields, Place};
use crate::call::Stamp;
use crate::definition::CATEGORY;
use crate::level::Level;
use crate::logger::MetaLogger;
use crate::shared::Levels;

/// What `log::logger().flush()` waits for at most.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Takes what libraries log through the crate `log`.
///
/// Level, target, file, line and message are the record's own. Key-values become fields of their
/// types: integers, floats, booleans, characters and strings; others are formatted on the caller.
/// The target is what `log_filter` goes by.
///
/// Costs and limits are told in [`bridge`](crate::bridge). `log::logger().flush()` waits until all
/// that was accepted is in the logs, one second at most.
///
/// ```
/// let (log, captured) = tapelog::testing::capture();
/// tapelog::bridge::log::LogBridge::new(&log).install()?;
///
/// log::warn!(target: "venue::feed", attempt = 3; "connection lost");
///
/// let entries = captured.entries();
/// assert_eq!(entries[0].event, "connection lost");
/// assert_eq!(entries[0].fields["attempt"], "3");
/// # Ok::<(), tapelog::bridge::log::InstallError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LogBridge {
    log: MetaLogger,
}

/// The crate `log` has a logger already.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error(
    "the crate `log` has a logger already, and takes one in the life of a process: install tapelog's \
     bridge first, or hand a LogBridge to what is installed as one of its targets"
)]
pub struct InstallError {
    source: ::log::SetLoggerError,
}

impl LogBridge {
    /// A bridge to this logger: what is bound to it stands on every entry.
    ///
    /// It does nothing until it is [installed](LogBridge::install), or used as a target of another
    /// logger; then `log::set_max_level` is that one's to call.
    #[must_use]
    pub fn new(log: &MetaLogger) -> Self {
        Self { log: log.clone() }
    }

    /// Makes this the process's logger of the crate `log`, and sets `log::max_level`, which then
    /// follows every change of level: calls that no log keeps cost one comparison.
    ///
    /// It stays for the life of the process. After the end of the engine, records are refused and
    /// counted.
    ///
    /// # Errors
    /// [`InstallError`] if there is one already; nothing has changed then.
    pub fn install(self) -> Result<(), InstallError> {
        let core = self.log.core().clone();
        ::log::set_boxed_logger(Box::new(self)).map_err(|source| InstallError { source })?;
        // There is one installed bridge in a process, so nobody else has set it.
        core.followers.log.get_or_init(|| follow);
        follow(&core.levels);
        Ok(())
    }

    fn place<'a>(metadata: &Metadata<'a>) -> Place<'a> {
        let level = level_of(metadata.level());
        Place { level, target: metadata.target(), file: "", line: 0 }
    }
}

/// Lets the macros of `log` know what is wanted at all.
fn follow(levels: &Levels) {
    ::log::set_max_level(match Level::from_code(levels.least_kept()) {
        Some(Level::Trace) => LevelFilter::Trace,
        Some(Level::Debug) => LevelFilter::Debug,
        Some(Level::Info) => LevelFilter::Info,
        Some(Level::Warning) => LevelFilter::Warn,
        Some(Level::Error) => LevelFilter::Error,
        // `log` has nothing that is more severe than an error.
        Some(Level::Critical) | None => LevelFilter::Off,
    });
}

fn level_of(level: ::log::Level) -> Level {
    match level {
        ::log::Level::Error => Level::Error,
        ::log::Level::Warn => Level::Warning,
        ::log::Level::Info => Level::Info,
        ::log::Level::Debug => Level::Debug,
        ::log::Level::Trace => Level::Trace,
    }
}

impl Log for LogBridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let Place { level, target, .. } = Self::place(metadata);
        self.log.keeps(level, target, self.log.is_trade())
    }

    fn log(&self, record: &Record<'_>) {
        let place = Self::place(record.metadata());
        let may_be_trade =
            self.log.is_trade() || record.key_values().get(Key::from(CATEGORY)).is_some();
        if !self.log.keeps(place.level, place.target, may_be_trade) {
            return;
        }
        let stamp = Stamp::own();
        let mut fields = Fields::default();
        fields.message(*record.args());
        // Collecting refuses nothing; a source that breaks off has given what it had.
        let _given = record.key_values().visit(&mut Pairs(&mut fields));
        let file = record.file().unwrap_or_default();
        let place = Place { file, line: record.line().unwrap_or_default(), ..place };
        fields.submit(&self.log, stamp, place, "");
    }

    fn flush(&self) {
        // The trait has no way to tell; what is not in the logs yet is still on its way.
        let _unfinished = self.log.flush(FLUSH_TIMEOUT);
    }
}

/// Collects the key-values of a record.
struct Pairs<'a, 'k>(&'a mut Fields<Key<'k>>);

impl<'k> VisitSource<'k> for Pairs<'_, 'k> {
    fn visit_pair(&mut self, key: Key<'k>, value: Value<'k>) -> Result<(), kv::Error> {
        value.visit(OneValue { fields: self.0, key })
    }
}

/// Collects one of them.
struct OneValue<'a, 'k> {
    fields: &'a mut Fields<Key<'k>>,
    key: Key<'k>,
}

macro_rules! visit {
    ($($method:ident: $type:ty => $collect:ident),* $(,)?) => {$(
        fn $method(&mut self, value: $type) -> Result<(), kv::Error> {
            self.fields.$collect(self.key.clone(), value);
            Ok(())
        }
    )*};
}

impl<'v> VisitValue<'v> for OneValue<'_, '_> {
    visit!(
        visit_bool: bool => bool,
        visit_u64: u64 => unsigned,
        visit_i64: i64 => signed,
        visit_u128: u128 => wide,
        visit_i128: i128 => wide_signed,
        visit_f64: f64 => float,
        visit_char: char => char,
        visit_str: &str => str,
    );

    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.fields.formatted(self.key.clone(), format_args!("{value}"));
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.fields.none(self.key.clone());
        Ok(())
    }
}
