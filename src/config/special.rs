//! Forms of particular parameters: permissions, facilities, policies, lists.

use std::time::Duration;

use super::form::{Form, NONE, Number, Shape, Text};
use super::kinds::{Overflow, SyncPolicy};
use super::raw::Raw;
use super::units::{read_duration, show_duration};

/// Permissions in octal digits, at least these: those that the owner needs.
#[derive(Debug)]
pub(super) struct Mode(pub(super) u32);

impl Form<u32> for Mode {
    fn read(&self, raw: &Raw) -> Option<u32> {
        match raw {
            Raw::Octal(mode) => u32::try_from(*mode).ok(),
            Raw::Text(text) => {
                let text = text.trim();
                let digits = text.strip_prefix("0o").unwrap_or(text);
                let octal = digits.bytes().all(|digit| digit.is_ascii_digit());
                if octal { u32::from_str_radix(digits, 8).ok() } else { None }
            }
            _ => None,
        }
    }

    fn show(&self, value: &u32) -> Raw {
        Raw::Octal((*value).into())
    }

    fn fits(&self, value: &u32) -> bool {
        (self.0..=0o777).contains(value)
    }

    fn shape(&self) -> Shape {
        Shape::Mode { min: self.0 }
    }
}

/// A syslog facility: its name or its number.
#[derive(Debug)]
pub(super) struct Facility;

/// The facilities by number (RFC 5424, table 1).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

impl Form<u8> for Facility {
    fn read(&self, raw: &Raw) -> Option<u8> {
        let text = raw.trimmed().unwrap_or_default();
        let named = FACILITIES.iter().position(|name| text.eq_ignore_ascii_case(name));
        match named {
            Some(number) => u8::try_from(number).ok(),
            None => Number(0..=23).read(raw),
        }
    }

    fn show(&self, value: &u8) -> Raw {
        match FACILITIES.get(usize::from(*value)) {
            Some(name) => Raw::text(*name),
            None => Raw::Integer((*value).into()),
        }
    }

    fn fits(&self, value: &u8) -> bool {
        usize::from(*value) < FACILITIES.len()
    }

    fn shape(&self) -> Shape {
        Shape::WordsOrNumber { words: FACILITIES.to_vec(), max: 23 }
    }
}

/// The duration in `word(duration)`.
fn in_brackets(text: &str, word: &str) -> Option<Duration> {
    let head = text.get(..word.len())?;
    let rest = text.get(word.len()..)?.trim_start();
    let inner = rest.strip_prefix('(')?.strip_suffix(')')?;
    if head.eq_ignore_ascii_case(word) { read_duration(inner) } else { None }
}

/// `drop`, `block` for as long as a call may wait at most, or `block(2ms)`.
#[derive(Debug)]
pub(super) struct WhenFull;

/// No call waits longer than this for room, or for its entry to be written.
pub(super) const WAIT_MAX: Duration = Duration::from_millis(5);

impl Form<Overflow> for WhenFull {
    fn read(&self, raw: &Raw) -> Option<Overflow> {
        let text = raw.trimmed()?;
        match text.to_ascii_lowercase().as_str() {
            "drop" => Some(Overflow::Drop),
            "block" => Some(Overflow::Block(WAIT_MAX)),
            _ => in_brackets(text, "block").map(Overflow::Block),
        }
    }

    fn show(&self, value: &Overflow) -> Raw {
        match value {
            Overflow::Drop => Raw::text("drop"),
            Overflow::Block(wait) => Raw::Text(format!("block({})", show_duration(*wait))),
        }
    }

    fn fits(&self, value: &Overflow) -> bool {
        !matches!(value, Overflow::Block(wait) if *wait > WAIT_MAX)
    }

    fn shape(&self) -> Shape {
        Shape::WordsOrSpans { words: vec!["drop", "block"], spans: vec!["block"] }
    }
}

/// `none`, `critical` or `interval(1s)`.
#[derive(Debug)]
pub(super) struct WhenToSync;

impl Form<SyncPolicy> for WhenToSync {
    fn read(&self, raw: &Raw) -> Option<SyncPolicy> {
        let text = raw.trimmed()?;
        match text.to_ascii_lowercase().as_str() {
            NONE => Some(SyncPolicy::None),
            "critical" => Some(SyncPolicy::Critical),
            _ => in_brackets(text, "interval").map(SyncPolicy::Interval),
        }
    }

    fn show(&self, value: &SyncPolicy) -> Raw {
        match value {
            SyncPolicy::None => Raw::text(NONE),
            SyncPolicy::Critical => Raw::text("critical"),
            SyncPolicy::Interval(time) => Raw::Text(format!("interval({})", show_duration(*time))),
        }
    }

    fn fits(&self, value: &SyncPolicy) -> bool {
        let range = Duration::from_millis(10)..=Duration::from_secs(3600);
        !matches!(value, SyncPolicy::Interval(time) if !range.contains(time))
    }

    fn shape(&self) -> Shape {
        Shape::WordsOrSpans { words: vec![NONE, "critical"], spans: vec!["interval"] }
    }
}

/// A list; in a variable or an argument its items stand between these characters.
#[derive(Debug)]
pub(super) struct List(pub(super) &'static [char]);

impl Form<Vec<String>> for List {
    fn read(&self, raw: &Raw) -> Option<Vec<String>> {
        match raw {
            Raw::Text(text) => {
                let items = text.split(self.0).map(str::trim);
                Some(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            Raw::List(items) => items.iter().map(|item| Text.read(item)).collect(),
            _ => None,
        }
    }

    fn show(&self, value: &Vec<String>) -> Raw {
        Raw::List(value.iter().map(Raw::text).collect())
    }

    fn shape(&self) -> Shape {
        Shape::List
    }
}
