//! What stands around the janitor in the library: here, a store of segments in memory, and an engine
//! that keeps no files, so that nothing is looked after.

pub(crate) mod record {
    //! Stamps.

    #[derive(Debug, Clone, Copy)]
    pub(crate) struct UnixNanos(pub(crate) i64);
}

pub(crate) mod handlers {
    //! The last resort: there is nothing to tell.

    pub(crate) fn notice(_text: &str) {}
}

pub(crate) mod shared {
    //! What loggers and writer share. The janitor asks most of it for files only.

    #![allow(clippy::unused_self, reason = "as in the library")]

    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use crate::journal::JournalError;
    use crate::record::UnixNanos;

    #[derive(Debug, Default)]
    pub(crate) struct Core {
        pub(crate) control: Arc<Control>,
        pub(crate) configuration: Configuration,
    }

    impl Core {
        pub(crate) fn look_for_ring(&self) {}
    }

    #[derive(Debug, Default)]
    pub(crate) struct Configuration {
        pub(crate) log_dir: PathBuf,
        pub(crate) disk_reserve: u64,
        pub(crate) render_logs: bool,
        pub(crate) dir_mode: u32,
    }

    impl Configuration {
        pub(crate) fn log_paths(&self) -> [PathBuf; 3] {
            Default::default()
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Control {
        outage: Outage,
    }

    impl Control {
        pub(crate) fn in_files(&self) -> bool {
            false
        }

        pub(crate) fn outage(&self) -> &Outage {
            &self.outage
        }

        pub(crate) fn progress(&self) -> Progress {
            Progress::default()
        }

        pub(crate) fn claim(&self) -> Option<&Claim> {
            None
        }

        pub(crate) fn set_shortage(&self, _found: Option<String>) {}

        pub(crate) fn wake_drain(&self) {}

        pub(crate) fn note_segment_taken(&self, _sequence: u64) {}

        pub(crate) fn count_taken(&self, _records: u64) {}
    }

    #[derive(Debug, Default)]
    pub(crate) struct Outage;

    impl Outage {
        pub(crate) fn failed(&self, _part: Part, _error: FileError, _consequence: &str) {}

        pub(crate) fn made_up_for(&self, _error: FileError) {}

        pub(crate) fn works(&self, _part: Part, _missed: u64) {}

        pub(crate) fn settle(&self, _all: bool) {}
    }

    #[derive(Debug, Default)]
    pub(crate) struct Progress {
        pub(crate) in_memory_records: u64,
        pub(crate) journal_in_memory: bool,
        pub(crate) journal: Position,
    }

    #[derive(Debug, Default)]
    pub(crate) struct Position {
        pub(crate) sequence: u64,
    }

    #[derive(Debug)]
    pub(crate) enum Part {
        Journal,
        Directory,
        Name,
        Room,
    }

    impl Part {
        pub(crate) const CONSOLE_ONLY: &str = "";
    }

    /// What failed: nobody asks.
    #[derive(Debug)]
    pub(crate) struct FileError;

    impl FileError {
        pub(crate) fn refused(_action: &'static str, _path: &Path, _message: String) -> Self {
            Self
        }
    }

    impl From<&JournalError> for FileError {
        fn from(_error: &JournalError) -> Self {
            Self
        }
    }

    /// No time passes.
    pub(crate) fn utc_now() -> UnixNanos {
        UnixNanos(0)
    }

    #[derive(Clone, Debug)]
    pub(crate) struct JournalGap {
        pub(crate) reason: String,
        pub(crate) in_memory: bool,
        pub(crate) from: UnixNanos,
        pub(crate) until: UnixNanos,
        pub(crate) records: u64,
    }

    #[derive(Debug)]
    pub(crate) struct Claim;

    impl Claim {
        pub(crate) fn is_held(&self) -> bool {
            true
        }

        pub(crate) fn take(&self) -> Result<(), Refusal> {
            Ok(())
        }

        pub(crate) fn directory(&self) -> &Path {
            Path::new("")
        }
    }

    #[derive(Debug)]
    pub(crate) enum Refusal {
        InUse(u32),
        Trap(String),
        Disk(FileError),
    }

    pub(crate) fn make_parents(_paths: &[PathBuf], _mode: u32) -> Result<(), Refusal> {
        Ok(())
    }
}

pub(crate) mod journal {
    //! Segments in memory.

    use std::collections::{BTreeMap, VecDeque};
    use std::fmt;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use crate::record::UnixNanos;
    use shuttle::rand::Rng;
    use shuttle::sync::Mutex;

    /// What readers find: the entries of each segment, and whether it has ended.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Index(Arc<Mutex<BTreeMap<u64, Pages>>>);

    #[derive(Debug, Clone, Default)]
    pub(crate) struct Pages {
        pub(crate) entries: Vec<u64>,
        pub(crate) ended: bool,
    }

    impl Index {
        pub(crate) fn with<R>(&self, work: impl FnOnce(&mut BTreeMap<u64, Pages>) -> R) -> R {
            work(&mut self.0.lock().expect("no thread panics inside"))
        }
    }

    /// A segment that is ready.
    #[derive(Debug)]
    pub(crate) struct Prepared(pub(crate) u64);

    impl Prepared {
        pub(crate) fn sequence(&self) -> u64 {
            self.0
        }

        pub(crate) fn is_in_memory(&self) -> bool {
            false
        }
    }

    /// A segment that is written.
    #[derive(Debug)]
    pub(crate) struct Retired(pub(crate) u64);

    /// A segment that somebody has taken away: there is none.
    #[derive(Debug)]
    pub(crate) struct Taken {
        pub(crate) sequence: u64,
        pub(crate) path: PathBuf,
        pub(crate) since: UnixNanos,
        pub(crate) records: u64,
    }

    /// The disk refused.
    #[derive(Debug)]
    pub(crate) struct JournalError;

    impl fmt::Display for JournalError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the disk is full")
        }
    }

    /// There is room.
    pub(crate) fn shortage(
        _directory: &Path,
        _reserve: u64,
        _wanted: u64,
    ) -> Result<Option<String>, JournalError> {
        Ok(None)
    }

    /// Keeps `segments` of them; the disk refuses now and then.
    #[derive(Debug)]
    pub(crate) struct SegmentStore {
        index: Index,
        segments: usize,
        next: u64,
        idle: VecDeque<u64>,
        outside: usize,
    }

    impl SegmentStore {
        pub(crate) fn new(index: Index, segments: usize) -> Self {
            Self { index, segments, next: 1, idle: VecDeque::new(), outside: 0 }
        }

        pub(crate) fn prepare(
            &mut self,
            oldest_needed: u64,
        ) -> Result<Option<Prepared>, JournalError> {
            if shuttle::rand::thread_rng().gen_bool(0.1) {
                return Err(JournalError);
            }
            if self.idle.len() + self.outside >= self.segments {
                let Some(&oldest) = self.idle.front().filter(|&&oldest| oldest < oldest_needed)
                else {
                    return Ok(None);
                };
                self.idle.pop_front();
                self.index.with(|found| found.remove(&oldest));
            }
            let sequence = self.next;
            self.next += 1;
            self.outside += 1;
            self.index.with(|found| found.insert(sequence, Pages::default()));
            Ok(Some(Prepared(sequence)))
        }

        /// As [`SegmentStore::prepare`]: there are no files.
        pub(crate) fn prepare_file(
            &mut self,
            oldest_needed: u64,
        ) -> Result<Option<Prepared>, JournalError> {
            self.prepare(oldest_needed)
        }

        pub(crate) fn populate_more(&mut self) -> bool {
            false
        }

        pub(crate) fn release_memory(&mut self, _oldest_needed: u64) {}

        pub(crate) fn trouble(&self) -> Option<&JournalError> {
            None
        }

        pub(crate) fn take_made_up_for(&mut self) -> Option<JournalError> {
            None
        }

        pub(crate) fn misplaced(&self) -> impl Iterator<Item = (u64, PathBuf)> {
            std::iter::empty()
        }

        pub(crate) fn note_if_taken(&mut self, _retired: &Retired) {}

        pub(crate) fn take_taken(&mut self) -> Vec<Taken> {
            Vec::new()
        }

        pub(crate) fn hold_off(&mut self, _why: String) -> u64 {
            0
        }

        pub(crate) fn recycle(&mut self, retired: Retired) {
            self.outside -= 1;
            self.idle.push_back(retired.0);
        }

        pub(crate) fn discard(&mut self, prepared: Prepared) {
            self.outside -= 1;
            self.index.with(|found| {
                let later = found.keys().next_back().is_some_and(|&last| last > prepared.0);
                assert!(!later, "a reader would take the missing segment for recycled");
                let removed = found.remove(&prepared.0);
                assert!(removed.is_some_and(|pages| pages.entries.is_empty()), "it was written");
            });
        }
    }
}
