//! The two ways in which frames reach a segment file, behind one small trait.

mod mapped;
mod plain;

use std::fmt::Debug;
use std::io;

pub(super) use mapped::MappedWriter;
pub(super) use plain::PlainWriter;

/// Where an appender puts the frames of one segment.
///
/// Frames are asked for in file order without holes. What [`SegmentWriter::publish`] has not named
/// may or may not have reached the file.
pub(super) trait SegmentWriter: Debug + Send {
    /// The next `bytes` bytes of the segment, which begin at `offset`, to be filled by the caller.
    ///
    /// # Errors
    /// What the file system said; the segment is of no use afterwards.
    fn room(&mut self, offset: u32, bytes: usize) -> io::Result<&mut [u8]>;

    /// Writes `bytes` into the header page at `at`.
    ///
    /// # Errors
    /// What the file system said.
    fn put_header(&mut self, at: usize, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything in front of `cursor` visible to readers.
    ///
    /// # Errors
    /// What the file system said; the cursor then stands where it stood.
    fn publish(&mut self, cursor: u64) -> io::Result<()>;

    /// Forgets what was not published, before the segment is used anew.
    fn reset(&mut self);
}
