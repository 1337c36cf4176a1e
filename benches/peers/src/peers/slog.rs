//! slog with slog-async, which blocks when its queue is full, and slog-term's full format. The
//! values are boxed by the caller and formatted by the thread behind the queue.

use std::error::Error;

use slog::{Drain, Logger, info, o};
use slog_async::OverflowStrategy;
use slog_term::{FullFormat, PlainSyncDecorator};

use super::writer::Quiet;
use super::{FILE, QUEUE_RECORDS};
use crate::bench::Bench;
use crate::case::Case;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let file = Quiet::new(&bench.directory().join(FILE))?;
    let format = FullFormat::new(PlainSyncDecorator::new(file.clone())).build().fuse();
    let (drain, guard) = slog_async::Async::new(format)
        .chan_size(QUEUE_RECORDS)
        .overflow_strategy(OverflowStrategy::Block)
        .build_with_guard();
    let log = Logger::root(drain.fuse(), o!());
    match bench.case() {
        Case::IntIntDouble => bench.calls(|a| {
            info!(log, "order"; "seq" => a.seq, "next" => a.next, "price" => a.price);
        }),
        Case::IntIntString40 => bench.calls(|a| {
            info!(log, "order"; "seq" => a.seq, "next" => a.next, "text" => a.text);
        }),
        Case::NoArgs => bench.calls(|_| {
            info!(log, "order");
        }),
    }?;
    drop(guard);
    file.finish()?;
    bench.in_file();
    Ok(())
}
