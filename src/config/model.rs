//! The parameters. One list gives the model, its layers and the builder's methods.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{ConfigError, Origin};
use crate::level::Level;

/// What happens to a record when the ring is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused at once and counted.
    Drop,
    /// The call waits for room until the deadline, at most 5 ms; then the record is refused and
    /// counted.
    Block(Duration),
}

/// What the drain does when the ring is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Idle {
    /// Sleeps for `nap`, growing to 1 ms when it stays quiet. After a second of silence a nap is as
    /// long as keeps the drain below 1 % of a core: 1 to 20 ms, by what waking up costs here.
    Park,
    /// Polls without a pause: for a core of its own (`writer_cpu`).
    Spin,
    /// Polls, giving the core to others in between.
    Yield,
}

/// How many threads do the writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Threading {
    /// One drains the ring into the journal, one renders the logs.
    Dedicated,
    /// One thread does both in turn.
    Shared,
}

/// When the console shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UseColors {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// On every terminal, also on a dumb one, unless `NO_COLOR` is set.
    Always,
    /// Never.
    Never,
}

/// The form of the lines in `expert.log` and `errors.log`; `trades.log` is always JSON Lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogFormat {
    /// `[time] [LEVEL] text key=value …`, or what `text_pattern` says.
    Text,
    /// One JSON object a line, with the elements of RFC 5424.
    Json,
    /// `time=… level=… event="…" key=value …`.
    Logfmt,
    /// Syslog messages (RFC 5424), one a line.
    Rfc5424,
}

/// In which time zone the text format shows times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeZone {
    /// Coordinated universal time, marked by `Z`.
    Utc,
    /// The machine's zone, marked by its offset: `+02:00`.
    Local,
}

/// How many digits of a second the text format shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimePrecision {
    /// Three.
    Millis,
    /// Six.
    Micros,
    /// Nine.
    Nanos,
}

/// How JSON shows integers beyond 2^53, which some readers round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BigInts {
    /// As exact numbers.
    Number,
    /// As strings.
    String,
}

/// Which entries carry a backtrace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backtrace {
    /// None.
    Off,
    /// ERROR and CRITICAL.
    Error,
    /// CRITICAL.
    Critical,
}

/// When the journal and the logs are brought to the disk without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// Never: a power cut takes what the kernel had not written yet.
    None,
    /// So often: 10 ms to an hour.
    Interval(Duration),
    /// At once behind every CRITICAL entry and every trade event.
    Critical,
}

macro_rules! parameters {
    ($($(#[doc = $doc:expr])+ $key:ident: $type:ty = $default:expr;)*) => {
        /// The effective configuration: a value for every parameter.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct Configuration {
            $($(#[doc = $doc])+ pub $key: $type,)*
            /// Whether `console_level` was left to follow `log_level`.
            pub(crate) console_follows: bool,
            /// Whether `journal_level` was left to follow the other levels.
            pub(crate) journal_follows: bool,
            /// Whether `syslog_level` was left to follow `log_level`.
            pub(crate) syslog_follows: bool,
        }

        /// One layer of settings: what is not set is left to the layers below.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Settings {
            $(pub(super) $key: Option<$type>,)*
        }

        impl Settings {
            $($(#[doc = $doc])+
            #[must_use]
            pub fn $key(mut self, value: impl Into<$type>) -> Self {
                self.$key = Some(value.into());
                self
            })*
        }

        /// Gives a builder, which holds its own layer in `self.$layer`, a method per parameter.
        macro_rules! parameter_methods {
            ($layer:ident) => {
                $($(#[doc = $doc])+
                pub fn $key(mut self, value: impl Into<$type>) -> Self {
                    self.$layer = self.$layer.$key(value);
                    self
                })*
            };
        }
        pub(crate) use parameter_methods;

        impl Configuration {
            /// Every parameter's built-in default.
            pub(crate) fn built_in() -> Self {
                Self {
                    $($key: $default,)*
                    console_follows: true,
                    journal_follows: true,
                    syslog_follows: true,
                }
            }

            /// Lays the layers over the built-in defaults, lowest first, and checks the result.
            ///
            /// # Errors
            /// [`ConfigError`] lists every value that is out of its range.
            pub(crate) fn resolve(layers: [(Origin, Settings); 2]) -> Result<Self, ConfigError> {
                let mut configuration = Self::built_in();
                let mut origins = Vec::new();
                for (origin, layer) in layers {
                    $(if let Some(value) = layer.$key {
                        configuration.$key = value;
                        origins.push((stringify!($key), origin));
                    })*
                }
                configuration.follow_defaults(&origins);
                configuration.check(&origins)?;
                Ok(configuration)
            }
        }
    };
}

parameters! {
    /// The program's name: APP-NAME in the structured formats. 1 to 48 printable ASCII characters.
    log_name: String = "metaexpert".to_owned();
    /// The least severe level of `expert.log`.
    log_level: Level = Level::Info;
    /// The least severe level of trade events, whatever `log_level` says.
    trade_log_level: Level = Level::Info;
    /// The least severe level on the console. Default: `log_level`.
    console_level: Level = Level::Info;
    /// The least severe level that is kept in the journal; the logs show no more than the journal
    /// has. Default: the lowest of `log_level`, `console_level` and, with `syslog`, `syslog_level`.
    journal_level: Level = Level::Info;
    /// Levels by module, below `log_level`: `info,my_bot::risk=debug`. A directive without a module is
    /// the level of all others. Empty: none.
    log_filter: String = String::new();
    /// The directory of the logs and of the journal; created when missing.
    log_dir: PathBuf = PathBuf::from("logs");
    /// The log of everything: a name or a path, relative to `log_dir` or absolute, without `..`.
    log_file: PathBuf = PathBuf::from("expert.log");
    /// The log of trade events, always JSON Lines.
    trade_log_file: PathBuf = PathBuf::from("trades.log");
    /// The log of ERROR and CRITICAL entries.
    error_log_file: PathBuf = PathBuf::from("errors.log");
    /// Whether anything is written to files; if not, no directory, journal or tmpfs file is made. One
    /// of files, console and `syslog` is needed.
    log_to_file: bool = true;
    /// Whether `expert.log`, `trades.log` and `errors.log` are written. If not, the journal alone
    /// holds the entries (`tapelog cat` shows them); with the console off, too, nothing reads it
    /// while it is written, so that no view ever holds it back.
    render_logs: bool = true;
    /// Whether entries are shown on stderr.
    log_to_console: bool = true;
    /// JSON instead of text in `expert.log` and `errors.log`.
    structured_logging: bool = false;
    /// The form of `expert.log` and `errors.log`. Default: text, or JSON with `structured_logging`.
    log_format: Option<LogFormat> = None;
    /// What a line of text looks like: `%(time) %(level) %(event) %(fields)` and other named parts.
    /// Empty: the usual line.
    text_pattern: String = String::new();
    /// In which time zone text shows times.
    time_zone: TimeZone = TimeZone::Utc;
    /// How many digits of a second text shows.
    time_precision: TimePrecision = TimePrecision::Micros;
    /// How JSON shows integers beyond 2^53.
    json_big_ints: BigInts = BigInts::Number;
    /// Whether a call returns once its record is in the ring. If not, it waits until the entry is
    /// in the logs, at most 5 ms; entries that take longer are counted.
    async_logging: bool = true;
    /// The size at which a log is rotated, in bytes: 1 to 1 GiB.
    log_max_file_size: u64 = 10 << 20;
    /// How many rotated files of each log are kept.
    log_backup_count: u32 = 5;
    /// When the console shows colours.
    use_colors: UseColors = UseColors::Auto;
    /// The size of the ring, in bytes, its tables included.
    ring_bytes: u64 = 8 << 20;
    /// The size of the ring's blocks, in bytes: a power of two from 4 KiB to 1 MiB. A record takes
    /// at most a quarter of one.
    block_bytes: u32 = 64 << 10;
    /// How many blocks are kept for WARNING and above and for trade events.
    reserve_blocks: u32 = 2;
    /// Whether the ring asks for huge pages. Where the kernel gives none (tmpfs has to be mounted with
    /// `huge=advise`), one notice says so and the ring has ordinary ones.
    huge_pages: bool = false;
    /// Whether the memory that log calls touch is locked, so that it is never swapped out. Where
    /// RLIMIT_MEMLOCK is too low, one notice says so and the memory is as usual.
    mlock: bool = false;
    /// Where the ring's file is made: a directory on tmpfs. Default: `/dev/shm/tapelog-<uid>`.
    ring_dir: PathBuf = PathBuf::new();
    /// What happens to a record when the ring is full.
    overflow: Overflow = Overflow::Drop;
    /// The size of a journal segment, in bytes: a multiple of 4 KiB, at least 512 KiB, at most 1
    /// GiB, and room for two blocks.
    journal_segment_bytes: u64 = 16 << 20;
    /// How many journal segments are kept: at least 3.
    journal_segments: u32 = 8;
    /// Whether segments are written through a memory mapping. If not, they are written by `write`:
    /// for copy-on-write and network file systems.
    journal_mapped: bool = true;
    /// What the drain does when the ring is empty.
    idle: Idle = Idle::Park;
    /// The drain's shortest sleep: 1 µs to 1 ms.
    nap: Duration = Duration::from_micros(50);
    /// How many threads do the writing.
    threading: Threading = Threading::Dedicated;
    /// The processor that the drain is pinned to.
    writer_cpu: Option<u32> = None;
    /// The processor that the view thread is pinned to.
    view_cpu: Option<u32> = None;
    /// How long an entry waits in a view for earlier ones of other threads: at most 1 s.
    order_window: Duration = Duration::from_millis(10);
    /// How long the guard's drop renders before it leaves the rest to the next start.
    shutdown_timeout: Duration = Duration::from_secs(5);
    /// When the journal and the logs are brought to the disk without being asked.
    sync: SyncPolicy = SyncPolicy::None;
    /// Whether a hole in a mapped segment (a truncated file, a disk that gave way) is survived: a
    /// handler of SIGBUS puts memory there and passes on every other SIGBUS. If not, segments are
    /// written by `write`.
    sigbus_guard: bool = true;
    /// How often an entry `logger.metrics` tells how the logger is doing, in the journal and at INFO
    /// in `expert.log`, never on the console: 100 ms to 24 h, or 0 for never.
    metrics_interval: Duration = Duration::from_secs(60);
    /// A log call that takes this long is told by a WARNING `logger.slow_call` that names it, if it
    /// is one of the timed ones: 1 µs to 1 min, or 0 for never.
    latency_warning: Duration = Duration::from_millis(10);
    /// Which entries carry a backtrace.
    backtrace: Backtrace = Backtrace::Off;
    /// Whether a panic is logged as CRITICAL, with its place, and flushed.
    panic_hook: bool = false;
    /// Whether SIGTERM and SIGINT flush the logs before they end the process, and SIGHUP reads the
    /// configuration file again.
    handle_signals: bool = false;
    /// Names whose values are masked, besides the built-in ones (`password`, `passwd`, `token`,
    /// `api_key`, `api_secret`, `secret`, `secret_key`, `private_key`, `passphrase`, `access_token`,
    /// `refresh_token`, `authorization`, `signature`, `mnemonic`, `account_number`); one behind a
    /// `-` is not masked. Whatever the case and the joints: `apiKey` is `api_key`. Of `account_id`
    /// the last three characters are kept; named here, it is masked whole.
    mask_keys: Vec<String> = Vec::new();
    /// Regular expressions of secrets inside texts, besides the built-in patterns.
    mask_patterns: Vec<String> = Vec::new();
    /// The permissions of every file, before the umask has any say.
    file_mode: u32 = 0o600;
    /// The permissions of every directory.
    dir_mode: u32 = 0o700;
    /// The group that owns the files, by number.
    file_group: Option<u32> = None;
    /// The syslog facility in the structured formats, 0 to 23 (RFC 5424, table 1). Default: local0.
    facility: u8 = 16;
    /// The host's name in the structured formats. Default: the system's.
    hostname: String = String::new();
    /// The enterprise number of our structured data in syslog messages (RFC 5424, section 7.2.2).
    enterprise_number: u32 = 32473;
    /// Where syslog messages are sent: `udp://host:514`, `tcp://host:601`, `unix:/dev/log`. Empty:
    /// nowhere.
    syslog: String = String::new();
    /// The least severe level that is sent to syslog. Default: `log_level`.
    syslog_level: Level = Level::Info;
}
