//! tracing with tracing-subscriber's default format and tracing-appender's non-blocking writer, not
//! lossy. The line is formatted by the caller. The appender takes any writer: it gets a buffered one.

use std::error::Error;

use tracing::info;
use tracing_appender::non_blocking::NonBlockingBuilder;

use super::writer::buffered;
use crate::bench::Bench;
use crate::case::Case;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let file = buffered(&bench.directory().join(super::FILE))?;
    let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(file);
    tracing_subscriber::fmt().with_writer(writer).with_ansi(false).init();
    match bench.case() {
        Case::IntIntDouble => {
            bench.calls(|a| info!(seq = a.seq, next = a.next, price = a.price, "order"))
        }
        Case::IntIntString40 => {
            bench.calls(|a| info!(seq = a.seq, next = a.next, text = a.text, "order"))
        }
        Case::NoArgs => bench.calls(|_| info!("order")),
    }?;
    drop(guard);
    bench.in_file();
    Ok(())
}
