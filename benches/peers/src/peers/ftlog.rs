//! ftlog with its defaults, except that a full queue blocks. The message is formatted by the caller.

use std::error::Error;

use ftlog::appender::FileAppender;

use super::FILE;
use crate::bench::Bench;

/// ftlog's own default.
const QUEUE_RECORDS: usize = 100_000;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let guard = ftlog::builder()
        .bounded(QUEUE_RECORDS, true)
        .root(FileAppender::new(bench.directory().join(FILE)))
        .try_init()?;
    formatted!(bench, log::info)?;
    drop(guard);
    bench.in_file();
    Ok(())
}
