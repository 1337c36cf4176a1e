//! One segment file on its way through the writer: prepared, written, retired, recycled.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::guard::Guard;
use super::layout::SegmentHeader;
use super::mapping::Mapping;
use super::writer::{MappedWriter, PlainWriter, SegmentWriter};

/// An open segment file and the means to write it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<File>,
    pub(super) writer: Box<dyn SegmentWriter>,
    pub(super) mapping: Option<Arc<Mapping>>,
    /// Whether it lies in anonymous memory, and is gone with the process.
    pub(super) in_memory: bool,
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
        Ok(Self { header, file, writer, mapping, in_memory })
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
    /// Whether anything was published in it.
    pub(super) published: bool,
    /// How many records were.
    pub(super) records: u64,
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
        Retired { segment: prepared.segment, published: false, records: 0, failure: None }
    }
}
