//! The rules of the parameters.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::error::{ConfigError, Origin, Problem};
use super::formats;
use super::model::{Configuration, Overflow};

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
/// No call waits longer than this for room, or for its entry to be written.
const WAIT_MAX: Duration = Duration::from_millis(5);

/// Collects what is wrong.
struct Findings<'a> {
    origins: &'a [(&'static str, Origin)],
    problems: Vec<Problem>,
}

impl Findings<'_> {
    fn refuse_unless(
        &mut self,
        holds: bool,
        key: &'static str,
        value: impl std::fmt::Debug,
        accepted: &str,
    ) {
        if holds {
            return;
        }
        let origin = self.origins.iter().rev().find(|(set, _)| *set == key);
        self.problems.push(Problem {
            key,
            value: format!("{value:?}"),
            origin: origin.map_or(Origin::Default, |(_, origin)| *origin),
            accepted: accepted.to_owned(),
        });
    }
}

impl Configuration {
    /// Fills in the defaults that follow other parameters or the machine.
    pub(super) fn follow_defaults(&mut self, origins: &[(&'static str, Origin)]) {
        let set = |key| origins.iter().any(|(known, _)| *known == key);
        self.console_follows = !set("console_level");
        self.journal_follows = !set("journal_level");
        if self.console_follows {
            self.console_level = self.log_level;
        }
        if self.journal_follows {
            self.journal_level = self.log_level.min(self.console_level);
        }
        if !set("ring_dir") {
            let uid = rustix::process::getuid().as_raw();
            self.ring_dir = PathBuf::from(format!("/dev/shm/tapelog-{uid}"));
        }
        if !set("hostname") {
            self.hostname = printable_host(&rustix::system::uname().nodename().to_string_lossy());
        }
    }

    /// Refuses values out of range, all of them at once.
    pub(super) fn check(&self, origins: &[(&'static str, Origin)]) -> Result<(), ConfigError> {
        let mut findings = Findings { origins, problems: Vec::new() };
        self.check_names(&mut findings);
        self.check_files(&mut findings);
        self.check_ring(&mut findings);
        self.check_journal(&mut findings);
        self.check_times(&mut findings);
        for (key, value, accepted) in formats::refused(self) {
            findings.refuse_unless(false, key, format_args!("{value}"), &accepted);
        }
        if findings.problems.is_empty() { Ok(()) } else { Err(ConfigError::new(findings.problems)) }
    }

    fn check_names(&self, findings: &mut Findings<'_>) {
        let printable = |text: &str, max: usize| {
            !text.is_empty()
                && text.len() <= max
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let name = &self.log_name;
        let accepted = "1 to 48 printable ASCII characters without spaces (RFC 5424, APP-NAME)";
        findings.refuse_unless(printable(name, 48), "log_name", name, accepted);
        let host = &self.hostname;
        let accepted = "1 to 255 printable ASCII characters without spaces (RFC 5424, HOSTNAME)";
        findings.refuse_unless(printable(host, 255), "hostname", host, accepted);
        for key in &self.mask_keys {
            let name = key.strip_prefix('-').unwrap_or(key);
            let accepted = "a field's name, or a `-` and the name of one that is not to be masked";
            let named = name.chars().any(char::is_alphanumeric);
            findings.refuse_unless(named, "mask_keys", key, accepted);
        }
        let facility = self.facility;
        findings.refuse_unless(facility <= 23, "facility", facility, "0 to 23 (RFC 5424, table 1)");
    }

    fn check_files(&self, findings: &mut Findings<'_>) {
        let accepted = "at least one of log_to_file and log_to_console must be true";
        let anywhere = self.log_to_file || self.log_to_console;
        findings.refuse_unless(anywhere, "log_to_file", self.log_to_file, accepted);
        let size = self.log_max_file_size;
        let accepted = "1 byte to 1 GiB";
        findings.refuse_unless((1..=GIB).contains(&size), "log_max_file_size", size, accepted);
        let files = [
            ("log_file", &self.log_file),
            ("trade_log_file", &self.trade_log_file),
            ("error_log_file", &self.error_log_file),
        ];
        for (at, (key, path)) in files.iter().enumerate() {
            let accepted = "a file name or a path, relative to log_dir or absolute, without `..`";
            findings.refuse_unless(names_a_file(path), key, path, accepted);
            let taken = files[..at].iter().find(|(_, other)| self.log(other) == self.log(path));
            if let Some((other, _)) = taken {
                let accepted = format!("another file than {other} has");
                findings.refuse_unless(false, key, path, &accepted);
            }
        }
        for (key, path) in files {
            let log = self.log(path);
            let backup_of = |other: &Path| {
                let (log, other) = (log.as_os_str().as_encoded_bytes(), self.log(other));
                let number = log.strip_prefix(other.as_os_str().as_encoded_bytes());
                number.and_then(|rest| rest.strip_prefix(b".")).is_some_and(|number| {
                    !number.is_empty() && number.iter().all(u8::is_ascii_digit)
                })
            };
            let own = log.starts_with(self.log_dir.join("journal"))
                || log == self.log_dir.join(".tapelog.lock")
                || files.iter().any(|(_, other)| backup_of(other));
            let accepted =
                "a file that is neither tapelog's own nor the rotated file of another log";
            findings.refuse_unless(!own, key, path, accepted);
        }
        for (key, mode) in [("file_mode", self.file_mode), ("dir_mode", self.dir_mode)] {
            let accepted = "permission bits that let the owner read and write: 0o600 to 0o777";
            let usable = mode <= 0o777 && mode & 0o600 == 0o600;
            findings.refuse_unless(usable, key, format_args!("{mode:#o}"), accepted);
        }
    }

    fn check_ring(&self, findings: &mut Findings<'_>) {
        let block = u64::from(self.block_bytes);
        let accepted = "a power of two from 4 KiB to 1 MiB";
        let block_fits = block.is_power_of_two() && (4 * KIB..=1024 * KIB).contains(&block);
        findings.refuse_unless(block_fits, "block_bytes", block, accepted);
        let ring = self.ring_bytes;
        let accepted = "a multiple of block_bytes from 256 KiB to 1 GiB, at least 16 blocks";
        let fits = (256 * KIB..=GIB).contains(&ring)
            && (!block_fits || ring / block >= 16 && ring.is_multiple_of(block));
        findings.refuse_unless(fits, "ring_bytes", ring, accepted);
        let reserve = self.reserve_blocks;
        let accepted = "at most a quarter of the ring's blocks";
        let fits = u64::from(reserve) <= ring / block.max(1) / 4;
        findings.refuse_unless(fits, "reserve_blocks", reserve, accepted);
        if let Overflow::Block(wait) = self.overflow {
            findings.refuse_unless(wait <= WAIT_MAX, "overflow", self.overflow, "at most 5 ms");
        }
        let dir = &self.ring_dir;
        findings.refuse_unless(dir.is_absolute(), "ring_dir", dir, "an absolute path on tmpfs");
    }

    fn check_journal(&self, findings: &mut Findings<'_>) {
        let bytes = self.journal_segment_bytes;
        let accepted = "a multiple of 4 KiB from 512 KiB to 1 GiB, at least two blocks";
        let fits = bytes.is_multiple_of(4 * KIB)
            && (512 * KIB..=GIB).contains(&bytes)
            && bytes >= 2 * u64::from(self.block_bytes) + 64 * KIB;
        findings.refuse_unless(fits, "journal_segment_bytes", bytes, accepted);
        let kept = self.journal_segments;
        findings.refuse_unless((3..=4096).contains(&kept), "journal_segments", kept, "3 to 4096");
    }

    fn check_times(&self, findings: &mut Findings<'_>) {
        let nap = self.nap;
        let range = Duration::from_micros(1)..=Duration::from_millis(1);
        findings.refuse_unless(range.contains(&nap), "nap", nap, "1 µs to 1 ms");
        let window = self.order_window;
        let fits = window <= Duration::from_secs(1);
        findings.refuse_unless(fits, "order_window", window, "at most 1 s");
        let timeout = self.shutdown_timeout;
        let fits = timeout <= Duration::from_secs(3600);
        findings.refuse_unless(fits, "shutdown_timeout", timeout, "at most an hour");
        let interval = self.metrics_interval;
        let range = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
        let fits = interval.is_zero() || range.contains(&interval);
        findings.refuse_unless(fits, "metrics_interval", interval, "0 (off), or 100 ms to 24 h");
        let warning = self.latency_warning;
        let range = Duration::from_micros(1)..=Duration::from_secs(60);
        let fits = warning.is_zero() || range.contains(&warning);
        findings.refuse_unless(fits, "latency_warning", warning, "0 (off), or 1 µs to 1 min");
    }

    /// The paths of expert.log, trades.log and errors.log.
    pub(crate) fn log_paths(&self) -> [PathBuf; 3] {
        [&self.log_file, &self.trade_log_file, &self.error_log_file].map(|file| self.log(file))
    }

    /// Where a log lies.
    pub(crate) fn log(&self, file: &Path) -> PathBuf {
        self.log_dir.join(file)
    }
}

/// The system's name with what RFC 5424 does not allow in a HOSTNAME replaced.
fn printable_host(name: &str) -> String {
    let usable = |c: char| if c.is_ascii_graphic() { c } else { '-' };
    let name: String = name.chars().take(255).map(usable).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

fn names_a_file(path: &Path) -> bool {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    !climbs && path.file_name().is_some() && !path.as_os_str().as_encoded_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::super::model::Settings;
    use super::*;
    use crate::level::Level;

    fn resolve(code: Settings) -> Result<Configuration, ConfigError> {
        let defaults = Settings::default().log_level(Level::Debug).log_name("mine");
        Configuration::resolve([(Origin::CodeDefault, defaults), (Origin::Code, code)])
    }

    #[test]
    fn code_parameters_win_over_code_defaults_and_levels_follow() {
        let both = resolve(Settings::default().log_level(Level::Error)).unwrap();
        assert_eq!((both.log_level, both.console_level), (Level::Error, Level::Error));
        assert_eq!(both.log_name, "mine");
        assert_eq!(both.trade_log_level, Level::Info, "an audit log is not emptied by log_level");
        let defaults = resolve(Settings::default()).unwrap();
        assert_eq!(defaults.journal_level, Level::Debug);
        assert!(!defaults.hostname.is_empty());
    }

    #[test]
    fn every_problem_is_listed_with_key_value_origin_and_what_is_accepted() {
        let wrong = Settings::default()
            .block_bytes(5_000_u32)
            .log_file("../expert.log")
            .trade_log_file("errors.log")
            .overflow(Overflow::Block(Duration::from_secs(1)))
            .log_to_file(false)
            .log_to_console(false);
        let error = resolve(wrong).unwrap_err();
        let keys: Vec<_> = error.problems().iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["log_to_file", "log_file", "error_log_file", "block_bytes", "overflow"]);
        let text = error.to_string();
        assert!(text.contains("block_bytes = 5000 (from the program's code): a power of two"));
        assert!(text.starts_with("wrong log configuration, 5 problems:"));
    }

    #[test]
    fn a_strange_name_of_the_machine_is_made_printable() {
        assert_eq!(printable_host("büro 7"), "b-ro-7");
        assert_eq!(printable_host(""), "-");
    }

    #[test]
    fn the_edges_of_the_ranges_are_accepted() {
        for settings in [
            Settings::default().log_max_file_size(1_u64),
            Settings::default().log_max_file_size(GIB),
            Settings::default().log_backup_count(0_u32),
            Settings::default().ring_bytes(256 * KIB).block_bytes(4096_u32),
            Settings::default().overflow(Overflow::Block(WAIT_MAX)),
            Settings::default().nap(Duration::from_micros(1)),
            Settings::default().metrics_interval(Duration::ZERO),
            Settings::default().metrics_interval(Duration::from_millis(100)),
            Settings::default().metrics_interval(Duration::from_secs(86_400)),
            Settings::default().latency_warning(Duration::ZERO),
            Settings::default().latency_warning(Duration::from_micros(1)),
            Settings::default().huge_pages(true).mlock(true),
        ] {
            resolve(settings.clone()).unwrap_or_else(|error| panic!("{settings:?}: {error}"));
        }
        for settings in [
            Settings::default().log_max_file_size(0_u64),
            Settings::default().log_max_file_size(GIB + 1),
            Settings::default().nap(Duration::ZERO),
            Settings::default().metrics_interval(Duration::from_millis(99)),
            Settings::default().metrics_interval(Duration::from_secs(86_401)),
            Settings::default().latency_warning(Duration::from_nanos(999)),
            Settings::default().latency_warning(Duration::from_secs(61)),
            Settings::default().journal_segments(2_u32),
            Settings::default().file_mode(0o400_u32),
            Settings::default().reserve_blocks(1000_u32),
            Settings::default().ring_bytes(1_000_000_u64),
            Settings::default().ring_bytes(2 * GIB),
            Settings::default().trade_log_file("expert.log.1"),
            Settings::default().log_file("journal/expert.log"),
            Settings::default().log_file(".tapelog.lock"),
        ] {
            assert_eq!(resolve(settings).unwrap_err().problems().len(), 1);
        }
    }
}
