//! What the files of a run hold, and what the kernel counted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes whose pages this process has dirtied so far, by `write` or through a mapping; 0 where the
/// kernel does not tell. A page that is dirty already does not count again.
pub(super) fn bytes_dirtied() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// A log and its rotated files, the oldest first.
///
/// # Errors
/// If the directory cannot be listed.
pub(super) fn of_log(directory: &Path, name: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(file) = path.file_name().and_then(|file| file.to_str()) else { continue };
        let backup = match file.strip_prefix(name) {
            Some("") => Some(0_u32),
            Some(rest) => rest.strip_prefix('.').and_then(|number| number.parse().ok()),
            None => None,
        };
        if let Some(backup) = backup {
            files.push((backup, path));
        }
    }
    files.sort_unstable_by_key(|(backup, _)| std::cmp::Reverse(*backup));
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// The size of the three logs, rotated files included.
///
/// # Errors
/// If the directory cannot be listed.
pub(super) fn log_bytes(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for name in ["expert.log", "trades.log", "errors.log"] {
        for path in of_log(directory, name)? {
            bytes += fs::metadata(path)?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_log_are_listed_oldest_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["expert.log", "expert.log.2", "expert.log.10", "trades.log", "expert.logs"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let files = of_log(root.path(), "expert.log").unwrap();
        let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["expert.log.10", "expert.log.2", "expert.log"]);
    }
}
