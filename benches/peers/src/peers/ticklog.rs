//! ticklog, blocking when its ring of 1 MiB is full. Formatted by its drain thread, which spins.

use std::error::Error;

use ticklog::{Backpressure, FileSink};

use super::FILE;
use crate::bench::Bench;

/// `configure!` defines this and the next one in the crate's root, which is where ticklog's macros
/// find them; in a module they have to be said again.
macro_rules! __ticklog_max_level {
    () => {
        ticklog::Level::Info
    };
}

macro_rules! __ticklog_backpressure {
    () => {
        Backpressure::Block
    };
}

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let guard = ticklog::configure! {
        sink: FileSink::truncate(bench.directory().join(FILE))?,
        backpressure: Backpressure::Block,
    }?;
    ticklog::warm_up()?;
    formatted!(bench, ticklog::info)?;
    drop(guard);
    bench.in_file();
    Ok(())
}
