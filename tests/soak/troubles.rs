//! Everything that goes wrong around the trading loop, one after the other, at random.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tapelog::MetaLogger;
use tapelog::testing::{CrashPoint, FileCall, fail_every, hold_drain, panic_at};

use crate::FILES;
use crate::flat::backlogs;
use crate::meddling::Meddling;
use crate::support::disk::{Disk, fill};
use crate::support::{PATIENCE, child};
use crate::trader::{Pushed, burst};

const ERRNOS: [i32; 7] =
    [libc::ENOSPC, libc::EDQUOT, libc::EIO, libc::EINTR, libc::EMFILE, libc::EROFS, libc::EACCES];

/// Something that goes wrong.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Something is done to a live log.
    Meddled,
    /// Something is done to the segment that is written, or the next one.
    JournalMeddled,
    /// The disk is filled, and freed.
    DiskFilled,
    /// File system calls fail.
    CallsFailed,
    /// A second process wants the directory.
    SecondProcess,
    /// The drain takes nothing.
    DrainHeld,
    /// Another thread fills the ring.
    RingFilled,
    /// A thread of the writer panics.
    WriterPanics,
    /// All logs are rotated.
    Rotated,
}

/// Where the writer may panic.
const POINTS: [CrashPoint; 11] = [
    CrashPoint::FramesWritten,
    CrashPoint::CursorWritten,
    CrashPoint::PassDone,
    CrashPoint::SegmentBegun,
    CrashPoint::SegmentUnnamed,
    CrashPoint::SegmentHeaded,
    CrashPoint::SegmentNamed,
    CrashPoint::FileRenamed,
    CrashPoint::BatchNoted,
    CrashPoint::EntriesRendered,
    CrashPoint::BatchWritten,
];

const ALL: [Trouble; 9] = [
    Trouble::Meddled,
    Trouble::JournalMeddled,
    Trouble::DiskFilled,
    Trouble::CallsFailed,
    Trouble::SecondProcess,
    Trouble::DrainHeld,
    Trouble::RingFilled,
    Trouble::WriterPanics,
    Trouble::Rotated,
];

/// What is done to a segment; a new file in its place would be somebody else's, and stay.
const JOURNAL_MEDDLING: [Meddling; 7] = [
    Meddling::Truncated,
    Meddling::Unlinked,
    Meddling::Renamed,
    Meddling::DirectoryRemoved,
    Meddling::Unreadable,
    Meddling::Immutable,
    Meddling::Locked,
];

/// Whether a log goes on for a moment without a name.
fn takes_the_name(what: Meddling) -> bool {
    use Meddling::{DirectoryRemoved, Renamed, RenamedAndCreated, Unlinked};
    matches!(what, Unlinked | Renamed | RenamedAndCreated | DirectoryRemoved)
}

/// Makes trouble, and keeps the books.
#[derive(Debug)]
pub(crate) struct Troubles {
    log: MetaLogger,
    logs: PathBuf,
    /// What is put away, on the same disk.
    aside: PathBuf,
    /// The disk that may be filled, if there is one.
    disk: Option<PathBuf>,
    random: u64,
    /// How often each trouble was made.
    pub(crate) made: BTreeMap<String, u64>,
    pub(crate) skipped: BTreeSet<String>,
    /// All of them, with those of the beginning.
    pub(crate) all: u64,
    /// How often a log that was written had no name.
    pub(crate) nameless: u64,
    /// What the calls of bursts came to.
    pub(crate) pushed: Pushed,
}

impl Troubles {
    pub(crate) fn new(log: &MetaLogger, home: &Path, logs: &Path, disk: Option<&Disk>) -> Self {
        let aside = home.join("aside");
        fs::create_dir_all(&aside).unwrap();
        let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
        println!("seed {seed}");
        Self {
            log: log.clone(),
            logs: logs.to_owned(),
            aside,
            disk: disk.map(|disk| disk.path().to_owned()),
            random: seed,
            made: BTreeMap::new(),
            skipped: BTreeSet::new(),
            all: 0,
            nameless: 0,
            pushed: Pushed::default(),
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn millis(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis((from + self.below(to - from)) as u64)
    }

    /// Makes each kind of trouble once, and the longest backlogs that there can be: buffers are as long
    /// afterwards as they will ever be.
    pub(crate) fn begin(&mut self) {
        for trouble in ALL {
            self.make(trouble);
        }
        self.make_backlogs();
    }

    /// The longest backlogs that there can be: buffers that a panic has taken along are there again.
    pub(crate) fn make_backlogs(&mut self) {
        let (log, pushed) = (&self.log, &mut self.pushed);
        backlogs(log, || pushed.add(burst(log, Duration::from_millis(1))));
    }

    /// Makes trouble until then.
    pub(crate) fn go_on_until(&mut self, deadline: Instant) {
        while Instant::now() < deadline {
            let trouble = self.one_of(&ALL);
            let what = self.make(trouble);
            *self.made.entry(what).or_default() += 1;
            let pause = self.millis(20, 400);
            thread::sleep(pause);
        }
    }

    /// Makes one kind of trouble, and ends it; gives its name.
    fn make(&mut self, trouble: Trouble) -> String {
        self.all += 1;
        let lasts = self.millis(20, 400);
        match trouble {
            Trouble::Meddled => return self.meddle(lasts),
            Trouble::JournalMeddled => return self.meddle_with_journal(lasts),
            Trouble::DiskFilled => {
                if let Some(disk) = &self.disk {
                    let ballast = disk.join("ballast");
                    fill(&ballast);
                    thread::sleep(lasts);
                    fs::remove_file(&ballast).unwrap();
                }
            }
            Trouble::CallsFailed => {
                let (call, errno) = (self.one_of(&FileCall::ALL), self.one_of(&ERRNOS));
                // An interrupted call is made again at once: it must not fail for ever.
                let every = 1 + u64::from(errno == libc::EINTR) + self.below(3) as u64;
                let fault = fail_every(call, errno, every);
                thread::sleep(lasts);
                drop(fault);
                return format!("{call:?} failed");
            }
            Trouble::SecondProcess => {
                let role = self.logs.display().to_string();
                let told = crate::support::run(child(crate::TEST, &role));
                let told = String::from_utf8_lossy(&told.stdout).into_owned();
                // Where the directory was taken away, there may be nothing to be told of.
                assert!(told.contains("refused: "), "{told}");
            }
            Trouble::DrainHeld => {
                let held = hold_drain(&self.log);
                thread::sleep(lasts);
                drop(held);
            }
            Trouble::RingFilled => self.pushed.add(burst(&self.log, lasts / 4)),
            Trouble::WriterPanics => {
                panic_at(self.one_of(&POINTS), 1 + self.below(3) as u32);
                thread::sleep(lasts);
            }
            Trouble::Rotated => self.log.rotate(),
        }
        format!("{trouble:?}")
    }

    /// Does something to one of the logs.
    fn meddle(&mut self, lasts: Duration) -> String {
        let (what, log) = (self.one_of(&Meddling::ALL), self.one_of(&FILES));
        let path = self.logs.join(log);
        // It is not there while the views cannot make it.
        let there = fs::metadata(&path).is_ok();
        // The directory that all of them are in has the journal, too: taken_files.rs.
        let whole = what == Meddling::DirectoryRemoved && path.parent() == Some(&self.logs);
        let done = there && !whole && {
            let aside = self.aside.join("log");
            let done = what.happen((&path, &aside), PATIENCE, || thread::sleep(lasts)).unwrap();
            // Nothing is there where nothing was put away.
            let _missing = fs::remove_file(&aside);
            if !done {
                self.skipped.insert(format!("a log {what:?}"));
            }
            self.nameless += u64::from(done && takes_the_name(what));
            done
        };
        if done { format!("{what:?}") } else { "nothing".to_owned() }
    }

    /// Does something to one of the two newest segments.
    fn meddle_with_journal(&mut self, lasts: Duration) -> String {
        let what = self.one_of(&JOURNAL_MEDDLING);
        let segments = segments(&self.logs);
        let newest = segments.len().saturating_sub(1 + self.below(2));
        let Some(segment) = segments.get(newest) else { return "nothing".to_owned() };
        let path = self.logs.join("journal").join(segment);
        let aside = self.aside.join("segment");
        let done = what.happen((&path, &aside), Duration::ZERO, || thread::sleep(lasts));
        let _missing = fs::remove_file(&aside);
        match done {
            Ok(true) => format!("a segment {what:?}"),
            // It was made new under another name, or given up because of what was done before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => "nothing".to_owned(),
            Err(error) => panic!("{what:?}: {error}"),
            Ok(false) => {
                self.skipped.insert(format!("a segment {what:?}"));
                "nothing".to_owned()
            }
        }
    }
}

/// The segments of the journal, the oldest first.
pub(crate) fn segments(logs: &Path) -> Vec<String> {
    let names = fs::read_dir(logs.join("journal")).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".tape")).collect();
    names.sort_unstable();
    names
}
