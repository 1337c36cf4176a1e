//! A reader that follows the log as `tail -F` does, while it is written and rotated.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

/// How far the reader has come.
#[derive(Default)]
struct Progress {
    /// How many files it went on to.
    opened: AtomicU64,
    /// The writer is done.
    ended: AtomicBool,
}

/// Reads an open file and, whenever the path names another one, the old one to its end and then
/// that.
fn follow(path: &Path, mut file: File, progress: &Progress) -> Vec<u8> {
    let mut seen = Vec::new();
    loop {
        // ORDERING: Acquire, so that the last read below sees all that was written before the end.
        let ended = progress.ended.load(Ordering::Acquire);
        let inode = file.metadata().expect("an open file").ino();
        let moved = fs::metadata(path).is_ok_and(|found| found.ino() != inode);
        let read = file.read_to_end(&mut seen).expect("a readable log");
        if moved {
            file = File::open(path).expect("the new file is there");
            // ORDERING: Release, pairs with the writer's Acquire load before its next write.
            progress.opened.fetch_add(1, Ordering::Release);
        } else if ended && read == 0 {
            return seen;
        }
    }
}

fn a_follower_sees_each_line_once(backups: u32) {
    const LINES: usize = 60_000;
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 64 * 1024, backups);
    let progress = Progress::default();
    let first = File::open(&path).expect("the log is there");
    let seen = thread::scope(|scope| {
        let reader = scope.spawn(|| follow(&path, first, &progress));
        let (mut next, mut turn) = (0, 0);
        while next < LINES {
            // A file that comes and goes between two looks is missed by `tail -F`, too.
            // ORDERING: Acquire, pairs with the reader's Release.
            while progress.opened.load(Ordering::Acquire) < log.rotations() {
                thread::yield_now();
            }
            let end = (next + 1 + turn * 37 % 400).min(LINES);
            let lines = (next..end).map(|n| format!("{n} {}", "y".repeat(n * 13 % 71)));
            log.write(&batch(lines)).expect("a written batch");
            (next, turn) = (end, turn + 1);
        }
        // ORDERING: Release, pairs with the reader's Acquire.
        progress.ended.store(true, Ordering::Release);
        reader.join().expect("the reader")
    });
    assert!(log.rotations() > 20, "{} rotations", log.rotations());
    let text = String::from_utf8(seen).expect("no torn character");
    assert!(text.ends_with('\n') && !text.contains('\0'));
    assert_eq!(text.lines().count(), LINES);
    for (n, line) in text.lines().enumerate() {
        assert_eq!(line, format!("{n} {}", "y".repeat(n * 13 % 71)));
    }
}

#[test]
fn a_follower_sees_each_line_once_through_rotations() {
    a_follower_sees_each_line_once(2);
}

#[test]
fn a_follower_sees_each_line_once_without_backups() {
    a_follower_sees_each_line_once(0);
}
