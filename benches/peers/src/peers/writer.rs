//! A file for loggers that take any writer and flush it after every line.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What is written by one `write` call.
const BUFFER_BYTES: usize = 64 << 10;

/// A new file with a buffer.
pub(super) fn buffered(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(BUFFER_BYTES, File::create_new(path)?))
}

/// A buffered file that does not heed `flush`, only [`finish`](Quiet::finish): a system call less
/// for each line.
#[derive(Debug, Clone)]
pub(super) struct Quiet(Arc<Mutex<BufWriter<File>>>);

impl Quiet {
    pub(super) fn new(path: &Path) -> io::Result<Quiet> {
        Ok(Quiet(Arc::new(Mutex::new(buffered(path)?))))
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Write for Quiet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
