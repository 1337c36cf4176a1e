//! The rules of the parameters.

use std::path::{Component, Path, PathBuf};

use super::describe::{self, parameters};
use super::error::{ConfigError, Origin, Problem};
use super::layers;
use super::masking::{MaskKey, PATTERNS_MAX, compile_pattern};
use super::parameters::Configuration;
use super::syslog::SyslogTarget;
use crate::filter::Filter;

const KIB: u64 = 1 << 10;

/// Collects what is wrong.
struct Findings<'a> {
    configuration: &'a Configuration,
    /// Keys of which something is known to be wrong: their values are not looked at again.
    known: Vec<String>,
    problems: Vec<Problem>,
}

impl Findings<'_> {
    /// Notes a parameter whose value is not what the list of parameters says.
    fn check(&mut self, holds: bool, key: &'static str) {
        let value = self.configuration.written(key);
        self.refuse_unless(holds, key, format_args!("{value}"), own_rule(key));
    }

    /// Notes that values do not go together. To blame is the one of the highest layer, of several
    /// there the first: nobody is told to correct what he did not set. Beside each key stands what
    /// would be accepted.
    fn relate(&mut self, holds: bool, keys: &[(&str, &str)]) {
        // What is wrong already says nothing of others.
        let wrong = |key: &str| self.known.iter().any(|known| known == key);
        if holds || keys.iter().any(|(key, _)| wrong(key)) {
            return;
        }
        let layer = |(key, _): &&(&str, &str)| self.configuration.origin(key).layer();
        // Of equal ones `max_by_key` takes the last.
        if let Some((key, accepted)) = keys.iter().rev().max_by_key(layer) {
            let value = self.configuration.written(key);
            self.refuse_unless(false, key, format_args!("{value}"), accepted);
        }
    }

    /// Notes a parameter whose value is not accepted.
    fn refuse_unless(
        &mut self,
        holds: bool,
        key: &str,
        value: impl std::fmt::Debug,
        accepted: &str,
    ) {
        if holds || self.known.iter().any(|known| known == key) {
            return;
        }
        self.problems.push(Problem {
            key: key.to_owned(),
            value: format!("{value:?}"),
            origin: self.configuration.origin(key),
            accepted: layers::accepted(accepted),
            suggestion: None,
        });
    }
}

/// What is accepted for a parameter, as the list of parameters says it.
fn own_rule(key: &str) -> &'static str {
    describe::parameter(key).map_or("another value", |known| known.accepted)
}

impl Configuration {
    /// Fills in the defaults that follow other parameters or the machine.
    pub(super) fn follow_defaults(&mut self) {
        self.follow_levels();
        if !self.is_set("ring_dir") {
            let uid = rustix::process::getuid().as_raw();
            self.ring_dir = PathBuf::from(format!("/dev/shm/tapelog-{uid}"));
        }
        if !self.is_set("hostname") {
            self.hostname = printable_host(&rustix::system::uname().nodename().to_string_lossy());
        }
        self.settle_form();
    }

    /// Finds what is wrong besides the problems known already, and lists all in the order of the
    /// parameters.
    pub(super) fn check(&self, known: Vec<Problem>) -> Vec<Problem> {
        let keys = known.iter().map(|problem| problem.key.clone()).collect();
        let mut findings = Findings { configuration: self, known: keys, problems: known };
        for key in self.out_of_bounds() {
            findings.check(false, key);
            findings.known.push(key.to_owned());
        }
        self.check_names(&mut findings);
        self.check_files(&mut findings);
        self.check_ring(&mut findings);
        self.check_journal(&mut findings);
        self.check_formats(&mut findings);
        let place = |problem: &Problem| {
            parameters().iter().position(|known| known.key == problem.key).unwrap_or(usize::MAX)
        };
        findings.problems.sort_by_key(place);
        findings.problems
    }

    fn check_names(&self, findings: &mut Findings<'_>) {
        let printable = |text: &str, max: usize| {
            !text.is_empty()
                && text.len() <= max
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        findings.check(printable(&self.log_name, 48), "log_name");
        findings.check(printable(&self.hostname, 255), "hostname");
        if let Err(accepted) = Filter::parse(&self.log_filter) {
            findings.refuse_unless(false, "log_filter", &self.log_filter, &accepted);
        }
        self.check_masking(findings);
    }

    fn check_masking(&self, findings: &mut Findings<'_>) {
        for key in wrong_keys(&self.mask_keys) {
            findings.refuse_unless(false, "mask_keys", key, MaskKey::ACCEPTED);
        }
        let patterns = &self.mask_patterns;
        let accepted = format!("at most {PATTERNS_MAX} patterns");
        let few = patterns.len() <= PATTERNS_MAX;
        findings.refuse_unless(few, "mask_patterns", patterns.len(), &accepted);
        for pattern in patterns {
            if let Err(accepted) = compile_pattern(pattern) {
                findings.refuse_unless(false, "mask_patterns", pattern, &accepted);
            }
        }
        if let Err(accepted) = self.syslog_target() {
            findings.refuse_unless(false, "syslog", &self.syslog, &accepted);
        }
    }

    fn check_formats(&self, findings: &mut Findings<'_>) {
        let wrong = self.wrong_pattern();
        let accepted = wrong.as_deref().unwrap_or_default();
        findings.refuse_unless(wrong.is_none(), "text_pattern", &self.text_pattern, accepted);
        let json = "json, because structured_logging = true is the short way to say log_format = json; \
                    for another format leave structured_logging out";
        findings.relate(!self.contradicts_itself(), &[("log_format", json)]);
    }

    fn check_files(&self, findings: &mut Findings<'_>) {
        let anywhere = self.log_to_file || self.log_to_console || !self.syslog.is_empty();
        let keys = [
            ("log_to_file", "true, because log_to_console is false and syslog is not set"),
            ("log_to_console", "true, because log_to_file is false and syslog is not set"),
            ("syslog", "a receiver, because log_to_file and log_to_console are false"),
        ];
        findings.relate(anywhere, &keys);
        findings.check(names_a_path(&self.log_dir), "log_dir");
        let files = [
            ("log_file", &self.log_file),
            ("trade_log_file", &self.trade_log_file),
            ("error_log_file", &self.error_log_file),
        ];
        let places = files.map(|(_, path)| place_of(&self.log(path)));
        for (at, (key, path)) in files.iter().enumerate() {
            findings.check(names_a_file(path), key);
            let taken = places[..at].iter().position(|other| *other == places[at]);
            if let Some((other, _)) = taken.map(|other| files[other]) {
                let than = [other, key].map(|than| format!("another file than {than} has"));
                findings.relate(false, &[(key, &than[0]), (other, &than[1])]);
            }
        }
        let [journal, lock] =
            ["journal", ".tapelog.lock"].map(|own| place_of(&self.log_dir.join(own)));
        for ((key, path), log) in files.iter().zip(&places) {
            let backup_of = |other: &PathBuf| {
                let [log, other] = [log, other].map(|path| path.as_os_str().as_encoded_bytes());
                let number = log.strip_prefix(other).and_then(|rest| rest.strip_prefix(b"."));
                number.is_some_and(|number| {
                    !number.is_empty() && number.iter().all(u8::is_ascii_digit)
                })
            };
            let own = log.starts_with(&journal) || *log == lock || places.iter().any(backup_of);
            let accepted = "a file that is neither tapelog's own nor the rotated file \
                            of another log";
            findings.refuse_unless(!own, key, path, accepted);
        }
    }

    fn check_ring(&self, findings: &mut Findings<'_>) {
        let block = u64::from(self.block_bytes);
        findings.check(block.is_power_of_two(), "block_bytes");
        let sound = block.is_power_of_two() && (4 * KIB..=1024 * KIB).contains(&block);
        let blocks = self.ring_bytes / block.max(1);
        let whole = blocks >= 16 && self.ring_bytes.is_multiple_of(block);
        let is = |key| format!("{key} = {}", self.written(key));
        let multiple = format!("{}; {}", own_rule("ring_bytes"), is("block_bytes"));
        let part = format!("a power of two of which {} holds at least 16", is("ring_bytes"));
        let keys = [("ring_bytes", &*multiple), ("block_bytes", &part)];
        findings.relate(!sound || whole, &keys);
        let reserved = u64::from(self.reserve_blocks) <= blocks / 4;
        let ring = format!("{} and {}", is("ring_bytes"), is("block_bytes"));
        let quarter = blocks / 4;
        let quarter = format!("{}, 0 to {quarter} with {ring}", own_rule("reserve_blocks"));
        let reserve = is("reserve_blocks");
        let four_times = format!("at least four times as many blocks as {reserve}");
        let part = format!("a power of two of which ring_bytes holds four times {reserve}");
        let keys =
            [("reserve_blocks", &*quarter), ("ring_bytes", &four_times), ("block_bytes", &part)];
        // A ring that is wrong already says nothing of its reserve.
        findings.relate(!sound || !whole || reserved, &keys);
        let dir = self.ring_dir.is_absolute() && names_a_path(&self.ring_dir);
        findings.check(dir, "ring_dir");
    }

    fn check_journal(&self, findings: &mut Findings<'_>) {
        let bytes = self.journal_segment_bytes;
        let roomy = bytes >= 2 * u64::from(self.block_bytes) + 64 * KIB;
        findings.check(bytes.is_multiple_of(4 * KIB), "journal_segment_bytes");
        let is = |key| format!("{key} = {}", self.written(key));
        let two = format!("{}; {}", own_rule("journal_segment_bytes"), is("block_bytes"));
        let half = format!(
            "a power of two of which {} holds two, and 64 KiB more",
            is("journal_segment_bytes")
        );
        let keys = [("journal_segment_bytes", &*two), ("block_bytes", &half)];
        findings.relate(roomy, &keys);
    }

    /// Where syslog messages go, if anywhere.
    ///
    /// # Errors
    /// What is wrong with the key `syslog`.
    pub(crate) fn syslog_target(&self) -> Result<Option<SyslogTarget>, String> {
        match &*self.syslog {
            "" => Ok(None),
            url => SyslogTarget::parse(url).map(Some),
        }
    }

    /// The paths of `expert.log`, `trades.log` and `errors.log`.
    #[must_use]
    pub fn log_paths(&self) -> [PathBuf; 3] {
        [&self.log_file, &self.trade_log_file, &self.error_log_file].map(|file| self.log(file))
    }

    /// Where a log lies.
    pub(crate) fn log(&self, file: &Path) -> PathBuf {
        self.log_dir.join(file)
    }
}

/// Where a path leads: absolute, and without links among its directories as far as they are there. What
/// it names itself is not looked at.
fn place_of(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = path.ancestors().skip(1).find_map(|above| {
        let real = std::fs::canonicalize(above).ok()?;
        path.strip_prefix(above).ok().map(|below| real.join(below))
    });
    real.unwrap_or(path)
}

fn wrong_keys(keys: &[String]) -> impl Iterator<Item = &String> {
    keys.iter().filter(|key| MaskKey::parse(key).is_none())
}

/// Refuses what is no key of `mask_keys`; for a change while running.
pub(crate) fn check_mask_keys(keys: &[String]) -> Result<(), ConfigError> {
    let problem = |key| Problem {
        key: "mask_keys".to_owned(),
        value: format!("{key:?}"),
        origin: Origin::Code,
        accepted: layers::accepted(MaskKey::ACCEPTED),
        suggestion: None,
    };
    let problems: Vec<_> = wrong_keys(keys).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::new(problems)) }
}

/// The system's name with what RFC 5424 does not allow in a HOSTNAME replaced.
fn printable_host(name: &str) -> String {
    let usable = |c: char| if c.is_ascii_graphic() { c } else { '-' };
    let name: String = name.chars().take(255).map(usable).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

fn names_a_path(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.as_os_str().as_encoded_bytes().contains(&0)
}

fn names_a_file(path: &Path) -> bool {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    !climbs && path.file_name().is_some() && names_a_path(path)
}

#[cfg(test)]
mod tests;
