//! The list of parameters: meaning, default, bounds, what is accepted, an example. The model, the
//! guide, the schema, the command line's help and the errors are all made of it.

use std::path::PathBuf;
use std::time::Duration;

use super::describe::Parameter;
use super::error::Origin;
use super::form::{Bytes, Flag, Form, Number, OrNone, Text, TextOrNone, Word, span, span_or_zero};
use super::kinds::{
    Backtrace, BigInts, Idle, LogFormat, Overflow, Preset, SyncPolicy, Threading, TimePrecision,
    TimeZone, UseColors,
};
use super::layers::{Given, Trail, Unread};
use super::model::{changeable, parameters};
use super::raw::Raw;
use super::special::{Facility, List, Mode, WhenFull, WhenToSync};
use crate::level::Level;

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const U32: u64 = u32::MAX as u64;
const LEVELS: &str = "trace, debug, info, warning, error or critical";
const A_FILE: &str = "a file name or a path, relative to log_dir or absolute, without `..`";

parameters! {
    /// A set of defaults for a purpose: `development`, `production`, `backtesting` or
    /// `ultra_low_latency`. Its values stand just above the built-in ones, below all others.
    preset: Option<Preset> = None,
        OrNone(Word), "none, development, production, backtesting or ultra_low_latency",
        r#""production""#, restart;
    /// The program's name: APP-NAME in the structured formats. 1 to 48 printable ASCII characters.
    log_name: String = "metaexpert".to_owned(),
        Text, "1 to 48 printable ASCII characters without spaces (RFC 5424, APP-NAME)",
        r#""my_bot""#, restart;
    /// The least severe level of `expert.log`.
    log_level: Level = Level::Info,
        Word, LEVELS,
        r#""debug""#, live;
    /// The least severe level of trade events, whatever `log_level` says.
    trade_log_level: Level = Level::Info,
        Word, LEVELS,
        r#""info""#, live;
    /// The least severe level on the console. Default: `log_level`.
    console_level: Level = Level::Info,
        Word, LEVELS,
        r#""warning""#, live;
    /// The least severe level that is kept in the journal; the logs show no more than the journal
    /// has. Default: the lowest of `log_level`, `console_level` and, with `syslog`, `syslog_level`.
    journal_level: Level = Level::Info,
        Word, LEVELS,
        r#""debug""#, live;
    /// Levels by module, below `log_level`: `info,my_bot::risk=debug`. A directive without a module is
    /// the level of all others, in place of `log_level`; where a higher layer sets `log_level`, that
    /// decides, and while running that level alone can change. Empty: none.
    log_filter: String = String::new(),
        TextOrNone, "none, or levels and module=level pairs with commas between them",
        r#""info,my_bot::risk=debug""#, restart;
    /// The directory of the logs and of the journal; created when missing.
    log_dir: PathBuf = PathBuf::from("logs"),
        Text, "a directory: a path, relative to the working directory or absolute",
        r#""/var/log/my_bot""#, restart;
    /// The log of everything: a name or a path, relative to `log_dir` or absolute, without `..`.
    log_file: PathBuf = PathBuf::from("expert.log"),
        Text, A_FILE,
        r#""bot.log""#, restart;
    /// The log of trade events, always JSON Lines.
    trade_log_file: PathBuf = PathBuf::from("trades.log"),
        Text, A_FILE,
        r#""audit/trades.log""#, restart;
    /// The log of ERROR and CRITICAL entries.
    error_log_file: PathBuf = PathBuf::from("errors.log"),
        Text, A_FILE,
        r#""/var/log/bot-errors.log""#, restart;
    /// Whether anything is written to files; if not, no directory, journal or tmpfs file is made. One
    /// of `log_to_file`, `log_to_console` and `syslog` is on: nothing is logged otherwise.
    log_to_file: bool = true,
        Flag, "true or false",
        "false", restart;
    /// Whether `expert.log`, `trades.log` and `errors.log` are written. If not, the journal alone
    /// holds the entries (`tapelog cat` shows them); with the console off, too, nothing reads it
    /// while it is written, so that no view ever holds it back.
    render_logs: bool = true,
        Flag, "true or false",
        "false", restart;
    /// Whether entries are shown on stderr.
    log_to_console: bool = true,
        Flag, "true or false",
        "false", live;
    /// JSON instead of text in `expert.log` and `errors.log`: the short way to `log_format`. Where the
    /// two ask for different forms, the one of the higher layer decides.
    structured_logging: bool = false,
        Flag, "true or false",
        "true", restart;
    /// The form of `expert.log` and `errors.log`. Default: text, or JSON with `structured_logging`.
    log_format: Option<LogFormat> = None,
        OrNone(Word), "text, json, logfmt or rfc5424",
        r#""logfmt""#, restart;
    /// What a line of text looks like: `%(time) %(level) %(event) %(fields)` and other named parts.
    /// Empty: the usual line.
    text_pattern: String = String::new(),
        TextOrNone, "none, or a text with named parts such as %(time), %(level), %(event), %(fields)",
        r#""%(time) %(level) %(event) %(fields)""#, restart;
    /// In which time zone text shows times.
    time_zone: TimeZone = TimeZone::Utc,
        Word, "utc or local",
        r#""local""#, restart;
    /// How many digits of a second text shows.
    time_precision: TimePrecision = TimePrecision::Micros,
        Word, "ms, us or ns",
        r#""ms""#, restart;
    /// How JSON shows integers beyond 2^53. As numbers they are exact, but jq 1.6, JavaScript and
    /// others read them as floating-point numbers, rounded; as strings nobody rounds them.
    json_big_ints: BigInts = BigInts::Number,
        Word, "number or string",
        r#""string""#, restart;
    /// Whether a call returns once its record is in the ring. If not, it waits until the entry is
    /// in the logs, at most 5 ms; entries that take longer are counted. The contract that tapelog was
    /// written to has `false` as the default; ours is `true`, because a trading thread must not wait.
    async_logging: bool = true,
        Flag, "true or false",
        "false", restart;
    /// The size at which a log is rotated, in bytes: 1 to 1 GiB. A WARNING `logger.fast_rotation`
    /// names this key if a log is rotated more than once a second; told once an hour at most.
    log_max_file_size: u64 = 10 << 20,
        Bytes(1..=GIB), "1 byte to 1 GiB",
        r#""50MiB""#, restart;
    /// How many rotated files of each log are kept. If that is lowered, the start removes those with
    /// higher numbers, and tells how many. Where something else rotates the logs to names of the same kind
    /// (logrotate without `dateext`), it must be at least what that keeps.
    log_backup_count: u32 = 5,
        Number(0..=U32), "0 to 4294967295",
        "10", restart;
    /// When the console shows colours: `auto` and `always` on a terminal, which `TERM=dumb` and
    /// `NO_COLOR` make none of for `auto`; what is no terminal never gets any.
    use_colors: UseColors = UseColors::Auto,
        Word, "auto, always or never",
        r#""never""#, restart;
    /// The size of the ring, in bytes, its tables included.
    ring_bytes: u64 = 8 << 20,
        Bytes(256 * KIB..=GIB), "a multiple of block_bytes from 256 KiB to 1 GiB, at least 16 blocks",
        r#""64MiB""#, restart;
    /// The size of the ring's blocks, in bytes: a power of two from 4 KiB to 1 MiB. A record takes
    /// at most a quarter of one.
    block_bytes: u32 = 64 << 10,
        Bytes(4 * KIB..=1024 * KIB), "a power of two from 4 KiB to 1 MiB",
        r#""128KiB""#, restart;
    /// How many blocks are kept for WARNING and above and for trade events.
    reserve_blocks: u32 = 2,
        Number(0..=U32), "at most a quarter of the ring's blocks",
        "8", restart;
    /// Whether the ring asks for huge pages. Where the kernel gives none (tmpfs has to be mounted with
    /// `huge=advise`), one notice says so and the ring has ordinary ones.
    huge_pages: bool = false,
        Flag, "true or false",
        "true", restart;
    /// Whether the memory that log calls touch is locked, so that it is never swapped out. Where
    /// RLIMIT_MEMLOCK is too low, one notice says so and the memory is as usual.
    mlock: bool = false,
        Flag, "true or false",
        "true", restart;
    /// Whether a core dump holds the ring's memory. Without it a crash's dump holds nothing that was
    /// logged and not yet written; recovery does not need a dump.
    dump_ring: bool = false,
        Flag, "true or false",
        "true", restart;
    /// Where the ring's file is made: a directory on tmpfs. Default: `/dev/shm/tapelog-<uid>`.
    ring_dir: PathBuf = PathBuf::new(),
        Text, "an absolute path on tmpfs",
        r#""/dev/shm/my_bot""#, restart;
    /// What happens to a record when the ring is full.
    overflow: Overflow = Overflow::Drop,
        WhenFull, "drop, block or block(DURATION) with at most 5 ms",
        r#""block(2ms)""#, restart;
    /// The size of a journal segment, in bytes: a multiple of 4 KiB, at least 512 KiB, at most 1
    /// GiB, and room for two blocks.
    journal_segment_bytes: u64 = 16 << 20,
        Bytes(512 * KIB..=GIB), "a multiple of 4 KiB from 512 KiB to 1 GiB, at least two blocks and 64 KiB",
        r#""64MiB""#, restart;
    /// How many journal segments are kept: at least 3.
    journal_segments: u32 = 8,
        Number(3..=4096), "3 to 4096",
        "16", restart;
    /// Whether segments are written through a memory mapping. If not, they are written by `write`:
    /// for copy-on-write and network file systems.
    journal_mapped: bool = true,
        Flag, "true or false",
        "false", restart;
    /// So much room, in bytes, is left free on the log directory's file system, but never more than a
    /// twentieth of it: below that no new segment is made, and the logs go no further, so that a
    /// program that logs does not take the last room from others. 0: off.
    disk_reserve: u64 = 64 << 20,
        Bytes(0..=1024 * GIB), "0 (off) to 1024 GiB",
        r#""1GiB""#, restart;
    /// What the drain does when the ring is empty: sleep (see `nap`), or look again at once, which takes a
    /// whole core.
    idle: Idle = Idle::Park,
        Word, "park, spin or yield",
        r#""spin""#, restart;
    /// The drain's shortest sleep: 1 µs to 1 ms. Sleeps grow to 1 ms when the ring stays empty, and when it
    /// is silent to what costs 0.6 % of a core, 20 ms at most; with `sync = critical` never above 1 ms.
    nap: Duration = Duration::from_micros(50),
        span(Duration::from_micros(1), Duration::from_millis(1)), "1 µs to 1 ms",
        r#""100us""#, restart;
    /// How many threads do the writing.
    threading: Threading = Threading::Dedicated,
        Word, "dedicated or shared",
        r#""shared""#, restart;
    /// The processor that the drain is pinned to.
    writer_cpu: Option<u32> = None,
        OrNone(Number(0..=U32)), "none, or the number of a processor",
        "3", restart;
    /// The processor that the view thread is pinned to.
    view_cpu: Option<u32> = None,
        OrNone(Number(0..=U32)), "none, or the number of a processor",
        "2", restart;
    /// How long an entry waits in a view for earlier ones of other threads: at most 1 s.
    order_window: Duration = Duration::from_millis(10),
        span(Duration::ZERO, Duration::from_secs(1)), "at most 1 s",
        r#""50ms""#, restart;
    /// How long the guard's drop renders before it leaves the rest to the next start.
    shutdown_timeout: Duration = Duration::from_secs(5),
        span(Duration::ZERO, Duration::from_secs(3600)), "at most an hour",
        r#""30s""#, restart;
    /// When the journal and the logs are brought to the disk without being asked. `critical` has the
    /// drain look every millisecond, which takes some percent of a core of a silent program, too.
    sync: SyncPolicy = SyncPolicy::None,
        WhenToSync, "none, critical, or interval(DURATION) from 10 ms to an hour",
        r#""interval(1s)""#, restart;
    /// Whether a hole in a mapped segment (a truncated file, a disk that gave way) is survived: a
    /// handler of SIGBUS puts memory there and passes on every other SIGBUS. If not, segments are
    /// written by `write`.
    sigbus_guard: bool = true,
        Flag, "true or false",
        "false", restart;
    /// How often an entry `logger.metrics` tells how the logger is doing, in the journal and at INFO
    /// in `expert.log`, never on the console: 100 ms to 24 h, or 0 for never.
    metrics_interval: Duration = Duration::from_secs(60),
        span_or_zero(Duration::from_millis(100), Duration::from_secs(24 * 3600)), "0 (off), or 100 ms to 24 h",
        r#""10s""#, restart;
    /// A log call that takes this long is told by a WARNING `logger.slow_call` that names it, if it
    /// is one of the timed ones: 1 µs to 1 min, or 0 for never.
    latency_warning: Duration = Duration::from_millis(10),
        span_or_zero(Duration::from_micros(1), Duration::from_secs(60)), "0 (off), or 1 µs to 1 min",
        r#""1ms""#, restart;
    /// Which entries carry a backtrace.
    backtrace: Backtrace = Backtrace::Off,
        Word, "off, error or critical",
        r#""error""#, restart;
    /// Whether a panic is logged as CRITICAL, with its place, and flushed.
    panic_hook: bool = false,
        Flag, "true or false",
        "true", restart;
    /// Whether SIGTERM and SIGINT flush the logs before they end the process, as `exit` with a live
    /// guard does then, and SIGHUP reads the configuration file again.
    handle_signals: bool = false,
        Flag, "true or false",
        "true", restart;
    /// Names whose values are masked, besides the built-in ones (`password`, `passwd`, `token`,
    /// `api_key`, `api_secret`, `secret`, `secret_key`, `private_key`, `passphrase`, `access_token`,
    /// `refresh_token`, `authorization`, `signature`, `mnemonic`, `account_number`); one behind a
    /// `-` is not masked. Whatever the case and the joints: `apiKey` is `api_key`. A `*` in front or
    /// behind stands for any beginning or end: `*_secret`. Of `account_id` the last three characters
    /// are kept; named here, it is masked whole, and `name:n` keeps the last n characters, 0 to 8.
    mask_keys: Vec<String> = Vec::new(),
        List(&[',', '\n']), "field names, each with a `-` before it if it is not to be masked; with commas between them in a variable or argument",
        r#"["pin", "-token"]"#, live;
    /// Regular expressions of secrets inside texts, besides the built-in patterns: what one matches is
    /// masked, or only what its first group matches if it has one. At most 64, of 1 KiB each.
    mask_patterns: Vec<String> = Vec::new(),
        List(&['\n']), "regular expressions; in a variable one on each line",
        r#"["ssn=[0-9-]{11}"]"#, restart;
    /// The permissions of every file in `log_dir`, whatever the umask is. The ring is always private.
    file_mode: u32 = 0o600,
        Mode(0o600), "permission bits that let the owner read and write: 0o600 to 0o777",
        "0o640", restart;
    /// The permissions of every directory that is made, whatever the umask is; one that is there keeps
    /// its own.
    dir_mode: u32 = 0o700,
        Mode(0o700), "permission bits that let the owner read, write and enter: 0o700 to 0o777",
        "0o750", restart;
    /// The group that owns the files, by number.
    file_group: Option<u32> = None,
        OrNone(Number(0..=U32)), "none, or the number of a group",
        "1000", restart;
    /// The syslog facility in the structured formats, 0 to 23 (RFC 5424, table 1). Default: local0.
    facility: u8 = 16,
        Facility, "0 to 23, or a name such as user, daemon, local0 (RFC 5424, table 1)",
        r#""local3""#, restart;
    /// The host's name in the structured formats. Default: the name of the machine.
    hostname: String = String::new(),
        Text, "1 to 255 printable ASCII characters without spaces (RFC 5424, HOSTNAME)",
        r#""desk-7""#, restart;
    /// The enterprise number of our structured data in syslog messages (RFC 5424, section 7.2.2).
    enterprise_number: u32 = 32473,
        Number(1..=U32), "1 to 4294967295",
        "32473", restart;
    /// Where syslog messages are sent: `udp://host:514`, `tcp://host:601`, `unix:/dev/log`. Empty:
    /// nowhere. A TCP stream counts octets (RFC 6587); the stream of a unix socket, which daemons
    /// read by lines, ends each message with a line feed.
    syslog: String = String::new(),
        TextOrNone, "none, udp://HOST:PORT, tcp://HOST:PORT or unix:/PATH",
        r#""udp://127.0.0.1:514""#, restart;
    /// The least severe level that is sent to syslog. Default: `log_level`.
    syslog_level: Level = Level::Info,
        Word, LEVELS,
        r#""warning""#, live;
}
