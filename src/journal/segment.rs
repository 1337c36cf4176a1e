//! One segment file on its way through the writer: prepared, written, retired, recycled.

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::{Advice, MmapRaw};

use super::layout::SegmentHeader;
use super::writer::{MappedWriter, PlainWriter, SegmentWriter};

/// An open segment file and the means to write it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<File>,
    pub(super) writer: Box<dyn SegmentWriter>,
    pub(super) mapping: Option<Arc<MmapRaw>>,
}

impl Segment {
    /// Opens `file`, which has its full length, for writing.
    pub(super) fn new(header: SegmentHeader, file: Arc<File>, mapped: bool) -> io::Result<Self> {
        if !mapped {
            let writer = Box::new(PlainWriter::new(Arc::clone(&file)));
            return Ok(Self { header, file, writer, mapping: None });
        }
        let mapping = Arc::new(MmapRaw::map_raw(&*file)?);
        let writer = Box::new(MappedWriter::new(Arc::clone(&mapping)));
        Ok(Self { header, file, writer, mapping: Some(mapping) })
    }

    /// Makes the first `bytes` bytes resident and writable, so that storing there does not fault;
    /// returns what is left to do.
    pub(super) fn populate(&self, bytes: u64) -> Option<Populate> {
        let mapping = self.mapping.as_ref()?;
        let start = (bytes as usize).min(mapping.len());
        populate(mapping, 0, start);
        (start < mapping.len()).then(|| Populate { mapping: Arc::clone(mapping), start })
    }
}

/// Makes a range resident and writable. Failure costs only speed: the stores will fault.
fn populate(mapping: &MmapRaw, start: usize, bytes: usize) {
    let bytes = bytes.min(mapping.len().saturating_sub(start));
    if bytes > 0 {
        // Kernels before 5.14 refuse: pages are then made by the first store.
        let _ = mapping.advise_range(Advice::PopulateWrite, start, bytes);
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
}

/// The part of a segment that is not populated yet.
#[derive(Debug)]
pub(super) struct Populate {
    mapping: Arc<MmapRaw>,
    start: usize,
}

impl Populate {
    /// Makes the next `bytes` bytes resident and writable; returns what is left to do.
    pub(super) fn step(mut self, bytes: u64) -> Option<Populate> {
        populate(&self.mapping, self.start, bytes as usize);
        self.start = self.start.saturating_add(bytes as usize);
        (self.start < self.mapping.len()).then_some(self)
    }
}

/// A segment that is written, or given up, and may be recycled once its readers have passed it.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(super) segment: Segment,
}

#[cfg(test)]
impl Retired {
    /// The segment's number.
    #[cfg(test)]
    pub(crate) fn sequence(&self) -> u64 {
        self.segment.header.sequence
    }
}

impl From<Prepared> for Retired {
    /// A prepared segment that nobody needs any more.
    fn from(prepared: Prepared) -> Self {
        Retired { segment: prepared.segment }
    }
}
