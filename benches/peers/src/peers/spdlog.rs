//! spdlog-rs: a thread pool of one behind a queue that blocks, a buffered file. The message is
//! formatted by the caller, the line by the pool's thread.

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;

use spdlog::sink::{AsyncPoolSink, FileSink, OverflowPolicy, Sink};
use spdlog::{Logger, ThreadPool};

use super::{FILE, QUEUE_RECORDS};
use crate::bench::Bench;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let file = FileSink::builder().path(bench.directory().join(FILE)).build_arc()?;
    let capacity = NonZeroUsize::new(QUEUE_RECORDS).ok_or("an empty queue")?;
    let pool = Arc::new(ThreadPool::builder().capacity(capacity).build()?);
    let sink = AsyncPoolSink::builder()
        .sink(file.clone())
        .thread_pool(Arc::clone(&pool))
        .overflow_policy(OverflowPolicy::Block)
        .build_arc()?;
    let logger = Logger::builder().sink(sink).build_arc()?;
    formatted!(bench, spdlog::info, logger: logger)?;
    // The last owner of the pool waits for its thread, which handles what is queued.
    drop(logger);
    drop(pool);
    file.flush()?;
    bench.in_file();
    Ok(())
}
