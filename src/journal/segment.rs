//! One segment file on its way through the writer: prepared, written, retired, recycled.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::guard::Guard;
use super::layout::{FIRST_OFFSET, SegmentHeader};
use super::mapping::Mapping;
use super::writer::{MappedWriter, PlainWriter, SegmentWriter};
use crate::files::{self, FileCall};

/// An open segment file and the means to write it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<File>,
    pub(super) writer: Box<dyn SegmentWriter>,
    pub(super) mapping: Option<Arc<Mapping>>,
    /// Whether it lies in anonymous memory, and is gone with the process.
    pub(super) in_memory: bool,
    /// Whether its writer is cutting it.
    pub(super) cutting: Cutting,
}

/// Set by a segment's writer before it cuts the file to what is published: a file that is shorter than it
/// was is nobody else's doing then.
#[derive(Debug, Clone, Default)]
pub(super) struct Cutting(Arc<AtomicBool>);

impl Cutting {
    pub(super) fn begin(&self) {
        // ORDERING: Release, in front of the system call that cuts.
        // PAIRS WITH: the Acquire load in `has_begun`, behind the one that has found the file short.
        // IF WEAKENED: the writer's own cut might be told as somebody's.
        self.0.store(true, Ordering::Release);
    }

    /// Asked behind a look at the file's length.
    pub(super) fn has_begun(&self) -> bool {
        // ORDERING: Acquire, see `begin`.
        // PAIRS WITH: the Release store there.
        // IF WEAKENED: the same.
        self.0.load(Ordering::Acquire)
    }
}

impl Segment {
    /// Opens `file`, which has its full length, for writing: through a mapping if `mapped`, and if
    /// the guard, where there is one, can watch it.
    pub(super) fn new(
        header: SegmentHeader,
        file: Arc<File>,
        mapped: bool,
        guard: Option<&Arc<Guard>>,
        in_memory: bool,
    ) -> io::Result<Self> {
        let mapping = if mapped { Mapping::new(&file, guard)?.map(Arc::new) } else { None };
        let writer: Box<dyn SegmentWriter> = match &mapping {
            Some(mapping) => Box::new(MappedWriter::new(Arc::clone(mapping))),
            None if in_memory => Box::new(PlainWriter::in_memory(Arc::clone(&file))),
            None => Box::new(PlainWriter::new(Arc::clone(&file))),
        };
        Ok(Self { header, file, writer, mapping, in_memory, cutting: Cutting::default() })
    }

    /// Cuts the file to `length` if it is longer; gives what it had in front of that.
    pub(super) fn cut(&self, length: u64) -> (Option<u64>, io::Result<()>) {
        let found = match files::call(FileCall::Stat, || self.file.metadata()) {
            Ok(found) => found.len(),
            Err(error) => return (None, Err(error)),
        };
        if found <= length {
            return (Some(found), Ok(()));
        }
        self.cutting.begin();
        (Some(found), files::call(FileCall::SetLength, || self.file.set_len(length)))
    }

    /// How many pages of its mapping lie in no file.
    pub(super) fn holes(&self) -> u32 {
        self.mapping.as_ref().map_or(0, |mapping| mapping.holes())
    }

    /// Makes the first `bytes` bytes resident and writable, so that storing there does not fault;
    /// returns what is left to do.
    pub(super) fn populate(&self, bytes: u64) -> Option<Populate> {
        let mapping = self.mapping.as_ref()?;
        let start = (bytes as usize).min(mapping.len());
        mapping.populate(0, start);
        (start < mapping.len()).then(|| Populate { mapping: Arc::clone(mapping), start })
    }
}

/// A segment that is ready to be written.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) segment: Segment,
}

impl Prepared {
    /// The segment's number.
    pub(crate) fn sequence(&self) -> u64 {
        self.segment.header.sequence
    }

    /// Whether it lies in anonymous memory.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.segment.in_memory
    }

    /// Whether it is written through a mapping.
    pub(crate) fn is_mapped(&self) -> bool {
        self.segment.mapping.is_some()
    }
}

/// The part of a segment that is not populated yet.
#[derive(Debug)]
pub(super) struct Populate {
    mapping: Arc<Mapping>,
    start: usize,
}

impl Populate {
    /// Makes the next `bytes` bytes resident and writable; returns what is left to do.
    pub(super) fn step(mut self, bytes: u64) -> Option<Populate> {
        self.mapping.populate(self.start, bytes as usize);
        self.start = self.start.saturating_add(bytes as usize);
        (self.start < self.mapping.len()).then_some(self)
    }
}

/// A segment that is written, or given up, and may be recycled once its readers have passed it.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(super) segment: Segment,
    /// Up to where it was published.
    pub(super) published: u32,
    /// How many records were.
    pub(super) records: u64,
    /// How long the file was before its writer cut it, if it did.
    pub(super) found: Option<u64>,
    /// Why it was given up, if it was.
    pub(super) failure: Option<io::Error>,
}

impl Retired {
    /// How many of its pages a SIGBUS was caught for.
    pub(crate) fn holes(&self) -> u32 {
        self.segment.holes()
    }

    /// The segment's number.
    #[cfg(test)]
    pub(crate) fn sequence(&self) -> u64 {
        self.segment.header.sequence
    }
}

impl From<Prepared> for Retired {
    /// A prepared segment that nobody needs any more.
    fn from(prepared: Prepared) -> Self {
        let segment = prepared.segment;
        Retired { segment, published: FIRST_OFFSET, records: 0, found: None, failure: None }
    }
}
