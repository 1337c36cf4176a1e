//! The child's records as they stand in the journal and in the log.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use tapelog::reading::{Format, Journal, ReadError};

use super::{THREADS, mark};
use crate::demo::units::grouped;

/// The child's records at one place.
#[derive(Debug, Default)]
pub(super) struct Found {
    run: u64,
    /// Of each thread, how many there are without a hole, in their order.
    counts: [u64; THREADS],
    /// Records that are torn, or are not the next of their thread.
    wrong: u64,
    line: Vec<u8>,
}

impl Found {
    pub(super) fn in_journal(directory: &Path, run: u64) -> Result<Self, ReadError> {
        let mut found = Found { run, ..Found::default() };
        Journal::open(directory)?.write_to(Format::Text, &mut found)?;
        Ok(found)
    }

    pub(super) fn in_log(directory: &Path, run: u64) -> io::Result<Self> {
        let mut found = Found { run, ..Found::default() };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // A rotation that was killed leaves a hole, so all numbers are looked at.
            let number = match name.strip_prefix("expert.log") {
                Some("") => Some(0),
                Some(rotated) => rotated.strip_prefix('.').and_then(|it| it.parse::<u32>().ok()),
                None => None,
            };
            files.extend(number.map(|number| (number, path)));
        }
        files.sort_unstable_by(|one, other| other.cmp(one));
        for (_, path) in files {
            for line in BufReader::new(File::open(path)?).lines() {
                found.take(&line?);
            }
        }
        Ok(found)
    }

    /// Takes a line in, if it is one of the child's.
    fn take(&mut self, line: &str) {
        let value = |name: &str| {
            let field = line.rsplit(' ').find_map(|part| part.strip_prefix(name));
            field.and_then(|value| value.strip_prefix('=')?.parse::<u64>().ok())
        };
        if !line.contains("] in flight ") || value("run") != Some(self.run) {
            return;
        }
        let parts = value("thread").zip(value("sequence")).zip(value("mark"));
        let next = parts.and_then(|((thread, sequence), found)| {
            let sound = found == mark(self.run, thread, sequence);
            let next = self.counts.get_mut(thread as usize)?;
            (sound && *next == sequence).then_some(next)
        });
        match next {
            Some(next) => *next += 1,
            None => self.wrong += 1,
        }
    }

    /// Whether everything is there that was acknowledged, once and in order. One record more of
    /// each thread may be: it was committed, and the child died before it could say so.
    pub(super) fn holds(&self, acknowledged: &[u64]) -> bool {
        let there = self.counts.iter().zip(acknowledged);
        self.wrong == 0
            && there.into_iter().all(|(found, sure)| found.abs_diff(*sure) <= 1 && found >= sure)
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }
}

/// Lines are written to it.
impl Write for Found {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(byte);
            if byte.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.take(String::from_utf8_lossy(&line).trim_end());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = self.counts.iter().sum();
        write!(f, "{:>12} records, each once, whole, in the order of its thread", grouped(sum))?;
        if self.wrong > 0 {
            write!(f, "; {} ARE NOT", grouped(self.wrong))?;
        }
        Ok(())
    }
}
