//! While a writer runs and rotates, another process reads the three logs as `tail -F` does: it sees
//! only whole lines, no NUL, no line twice and none left out.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use support::{Desk, LOGS, child, number, role, wait};
use tapelog::{Overflow, try_error, try_info, try_trade};

const ROUNDS: u64 = 60_000;
const BACKUPS: u32 = 200;

/// The reader makes this file once it has opened the logs.
const READY: &str = "ready";

/// One log, read as it grows.
struct Follower {
    path: PathBuf,
    file: File,
    /// The part of a line that has come so far: in flight as long as the file may grow.
    partial: Vec<u8>,
    next: u64,
    files: u64,
    ended: bool,
}

impl Follower {
    fn new(path: &Path) -> Self {
        let deadline = Instant::now() + support::PATIENCE;
        let file = loop {
            match File::open(path) {
                Ok(file) => break file,
                Err(error) => assert!(Instant::now() < deadline, "{path:?}: {error}"),
            }
            thread::sleep(Duration::from_micros(100));
        };
        Follower { path: path.into(), file, partial: Vec::new(), next: 0, files: 1, ended: false }
    }

    /// Reads what is new; goes on to the next file once this one was renamed and read to its end.
    fn poll(&mut self) -> bool {
        // Looked up before reading: a file that has been renamed does not grow any more.
        let moved = fs::metadata(&self.path)
            .is_ok_and(|found| found.ino() != self.file.metadata().unwrap().ino());
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).unwrap();
        let any = !bytes.is_empty();
        self.take(&bytes);
        if moved && let Some(next) = self.newer() {
            assert!(self.partial.is_empty(), "{:?}: a rotated file ends inside a line", self.path);
            self.file = next;
            self.files += 1;
        }
        any || moved
    }

    /// The file that was begun after the open one, wherever both are by now.
    fn newer(&self) -> Option<File> {
        let inode = self.file.metadata().unwrap().ino();
        let rotated = |number: u32| match number {
            0 => self.path.clone(),
            _ => PathBuf::from(format!("{}.{number}", self.path.display())),
        };
        let is_it = |number| fs::metadata(rotated(number)).is_ok_and(|found| found.ino() == inode);
        let number = (1..=BACKUPS).find(|number| is_it(*number))?;
        let newer = File::open(rotated(number - 1)).ok()?;
        // If everything moved on meanwhile, the next poll looks again.
        (is_it(number) && newer.metadata().unwrap().ino() != inode).then_some(newer)
    }

    fn take(&mut self, bytes: &[u8]) {
        assert!(!bytes.contains(&0), "{:?} holds a NUL", self.path);
        self.partial.extend_from_slice(bytes);
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        for line in std::str::from_utf8(&whole).expect("whole characters").lines() {
            self.line(line);
        }
    }

    fn line(&mut self, line: &str) {
        let sequence = if line.starts_with('{') {
            let line = support::json(line);
            if line["event"] == "logger.gap" {
                return;
            }
            if line["event"] == "the end" {
                self.ended = true;
                return;
            }
            line["sequence"].as_u64().unwrap_or_else(|| panic!("{line}"))
        } else {
            assert!(line.starts_with("[20"), "no line begins here: {line}");
            if line.contains("] logger.gap ") {
                return;
            }
            if line.contains("] the end") {
                self.ended = true;
                return;
            }
            // expert.log has the entries of the other two as well.
            let begins = line.contains("] round ") || self.path.ends_with("errors.log");
            if !begins {
                assert!(line.contains("] sold ") || line.contains("] rejected "), "{line}");
                return;
            }
            number(line, "sequence")
        };
        assert_eq!(sequence, self.next, "{:?}: a line is missing or stands twice", self.path);
        self.next += 1;
    }
}

fn follow(directory: &Path) {
    let mut followers = LOGS.map(|log| Follower::new(&directory.join(log)));
    fs::write(directory.join(READY), "").unwrap();
    let deadline = Instant::now() + support::PATIENCE;
    while followers.iter().any(|follower| !follower.ended) {
        assert!(Instant::now() < deadline, "the logs do not end");
        let busy = followers.iter_mut().map(Follower::poll).filter(|any| *any).count();
        if busy == 0 {
            thread::sleep(Duration::from_micros(200));
        }
    }
    for follower in &followers {
        assert_eq!(follower.next, ROUNDS, "{:?}", follower.path);
        assert!(follower.partial.is_empty(), "{:?}", follower.path);
        println!("{:?}: {} files followed", follower.path.file_name(), follower.files);
    }
}

#[test]
fn who_follows_the_logs_sees_whole_lines_each_once() {
    if let Some(directory) = role() {
        return follow(Path::new(&directory));
    }
    let desk = Desk::new();
    let (log, guard) = desk
        .builder()
        .log_max_file_size(256_u64 << 10)
        .log_backup_count(BACKUPS)
        .overflow(Overflow::Block(Duration::from_millis(5)))
        .build()
        .unwrap();
    let test = "who_follows_the_logs_sees_whole_lines_each_once";
    let mut command = child(test, &desk.logs().display().to_string());
    let mut reader = command.stdout(Stdio::inherit()).spawn().unwrap();
    support::until("the reader", || desk.logs().join(READY).exists());
    let padding = "x".repeat(100);
    for sequence in 0..ROUNDS {
        let pad = &padding[..(sequence * 13 % 100) as usize];
        while try_info!(log, "round", sequence, pad).is_err() {}
        while try_trade!(log, "sold", sequence, pad).is_err() {}
        while try_error!(log, "rejected", sequence, pad).is_err() {}
    }
    // An error and a trade event in one, so that it is in all three logs.
    while try_error!(log, "the end", category = "trade").is_err() {}
    log.flush(support::PATIENCE).unwrap();
    let stats = log.stats();
    let status = wait(&mut reader);
    drop(guard);
    assert!(status.success(), "the reader found something");
    println!("{} rotations, {} refusals", stats.rotations, stats.lost.total());
    assert!(stats.rotations >= 20, "{} rotations", stats.rotations);
}
