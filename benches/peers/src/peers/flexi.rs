//! flexi_logger in its asynchronous mode: an unbounded queue. The line is formatted by the caller,
//! with the format that has a time stamp.

use std::error::Error;

use flexi_logger::{FileSpec, Logger, WriteMode, opt_format};

use super::FILE;
use crate::bench::Bench;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let handle = Logger::try_with_str("info")?
        .log_to_file(FileSpec::try_from(bench.directory().join(FILE))?)
        .write_mode(WriteMode::Async)
        .format(opt_format)
        .start()?;
    formatted!(bench, log::info)?;
    handle.shutdown();
    bench.in_file();
    Ok(())
}
