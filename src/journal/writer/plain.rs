//! Plain writes: for file systems where mapped stores are not safe, and as the reference.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::SegmentWriter;
use crate::crash::{self, CrashPoint};
use crate::files;
use crate::journal::layout::CURSOR_OFFSET;

/// Frames are gathered to about this size and written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Gathers frames in memory and writes them with `pwrite`.
#[derive(Debug)]
pub(in crate::journal) struct PlainWriter {
    file: Arc<File>,
    write: Write,
    buffer: Vec<u8>,
    /// Where the buffer's first byte belongs.
    start: u64,
}

/// Writes bytes at an offset of a file.
type Write = fn(&File, &[u8], u64) -> io::Result<()>;

impl PlainWriter {
    /// A writer onto `file`, whose header is written already.
    pub(in crate::journal) fn new(file: Arc<File>) -> Self {
        Self::by(files::write_all_at, file)
    }

    /// The same for a file in memory, which is on no disk that could fail.
    pub(in crate::journal) fn in_memory(file: Arc<File>) -> Self {
        Self::by(|file, bytes, offset| file.write_all_at(bytes, offset), file)
    }

    fn by(write: Write, file: Arc<File>) -> Self {
        Self { file, write, buffer: Vec::with_capacity(BUFFER_BYTES), start: 0 }
    }

    fn write_out(&mut self) -> io::Result<()> {
        (self.write)(&self.file, &self.buffer, self.start)?;
        self.start += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl SegmentWriter for PlainWriter {
    fn room(&mut self, offset: u32, bytes: usize) -> io::Result<&mut [u8]> {
        if self.buffer.len() + bytes > BUFFER_BYTES {
            self.write_out()?;
        }
        if self.buffer.is_empty() {
            self.start = offset.into();
        }
        debug_assert_eq!(self.start + self.buffer.len() as u64, u64::from(offset));
        let filled = self.buffer.len();
        self.buffer.resize(filled + bytes, 0);
        Ok(&mut self.buffer[filled..])
    }

    fn put_header(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        (self.write)(&self.file, bytes, at as u64)
    }

    fn publish(&mut self, cursor: u64) -> io::Result<()> {
        self.write_out()?;
        crash::pass(CrashPoint::FramesInTheFile);
        (self.write)(&self.file, &cursor.to_le_bytes(), CURSOR_OFFSET as u64)
    }

    fn reset(&mut self) {
        self.buffer.clear();
    }
}
