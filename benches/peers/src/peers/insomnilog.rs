//! insomnilog, which can only drop: its queue is made 1 MiB long instead of 128 KiB, and what is
//! missing is counted. It flushes after every line, so it gets a writer that does not heed that.

use std::error::Error;
use std::sync::Arc;

use insomnilog::{BackendOptions, LogLevel, PatternFormatter, Sink, StreamSink};

use super::FILE;
use super::writer::Quiet;
use crate::bench::Bench;

const QUEUE_BYTES: usize = 1 << 20;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let file = Quiet::new(&bench.directory().join(FILE))?;
    let options = BackendOptions { queue_capacity: QUEUE_BYTES, ..BackendOptions::default() };
    let guard = insomnilog::start(options)?;
    let sink = StreamSink::new(PatternFormatter::default(), LogLevel::Info, file.clone());
    let sink: Arc<dyn Sink> = Arc::new(sink);
    let logger = insomnilog::create_logger("peers", vec![sink], LogLevel::Info)
        .map_err(|error| error.to_string())?;
    insomnilog::preallocate_thread();
    formatted!(bench, insomnilog::log_info, logger)?;
    drop(guard);
    file.finish()?;
    bench.in_file();
    Ok(())
}
