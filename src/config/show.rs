//! The effective configuration as a file would say it.

use std::fmt::Write;

use super::parameters::Configuration;
use super::units::show_bytes;
use crate::one_line::OneLine;
use crate::writer::CURSOR_BYTES;

/// The file that says who owns the log directory: one line, and so one block of the disk.
const LOCK_BYTES: u64 = 4 << 10;

impl Configuration {
    /// The whole configuration as TOML, the origin of each value beside it, and what follows from
    /// it: how much the disk and the memory hold at most. Reading it gives the same configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let lines: Vec<(&str, String)> =
            self.shown().iter().map(|(key, value)| (*key, format!("{key} = {value}"))).collect();
        let mut out = String::from("# The effective configuration of tapelog.\n");
        for (key, line) in lines {
            let origin = self.origin(key).to_string();
            // Infallible: a String takes whatever comes.
            let _written = writeln!(out, "{line:<44} # {}", OneLine(&origin));
        }
        for note in self.bounds() {
            let _written = writeln!(out, "# {note}");
        }
        out
    }

    /// How many bytes the logs and their rotated files take at most, and how many the journal
    /// does; both 0 without files. A line longer than `log_max_file_size` has a file to itself,
    /// and that file is as long as the line. Beside them there are the views' cursor and the lock, with
    /// 68 KiB.
    #[must_use]
    pub fn disk_bytes_max(&self) -> (u64, u64) {
        if !self.log_to_file {
            return (0, 0);
        }
        let files = 3 * (u64::from(self.log_backup_count) + 1);
        let logs = if self.render_logs { files.saturating_mul(self.log_max_file_size) } else { 0 };
        (logs, u64::from(self.journal_segments).saturating_mul(self.journal_segment_bytes))
    }

    fn bounds(&self) -> Vec<String> {
        let size = |bytes: u64| show_bytes(bytes).unwrap_or_else(|| format!("{bytes} bytes"));
        let (logs, journal) = self.disk_bytes_max();
        let mut notes = vec![format!(
            "On the disk at most {}: logs {}, journal {}.",
            size(logs.saturating_add(journal)),
            size(logs),
            size(journal)
        )];
        if self.log_to_file {
            let cursor = if self.render_logs { CURSOR_BYTES } else { 0 };
            notes.push(format!(
                "And {} beside them: .tapelog.lock {}, journal/views.cursor {}.",
                size(LOCK_BYTES + cursor),
                size(LOCK_BYTES),
                size(cursor)
            ));
        }
        if logs > 0 {
            notes.push(format!(
                "  logs: 3 logs x (1 + log_backup_count {}) files x log_max_file_size {}",
                self.log_backup_count,
                size(self.log_max_file_size)
            ));
        }
        if journal > 0 {
            notes.push(format!(
                "  journal: journal_segments {} x journal_segment_bytes {}",
                self.journal_segments,
                size(self.journal_segment_bytes)
            ));
        }
        notes.push(format!("In memory for the ring: {}.", size(self.ring_bytes)));
        notes
    }
}
