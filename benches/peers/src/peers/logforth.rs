//! logforth: its asynchronous appender with its default, unbounded queue, its file, its text layout,
//! behind the `log` facade. Its file makes a system call for every line.

use std::error::Error;

use log::LevelFilter;
use logforth::append::asynchronous::AsyncBuilder;
use logforth::append::file::FileBuilder;
use logforth::bridge::log::LogBridge;
use logforth::layout::TextLayout;

use crate::bench::Bench;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let file = FileBuilder::new(bench.directory(), "peer")
        .filename_suffix("log")
        .layout(TextLayout::default().no_color())
        .build()?;
    let queue = AsyncBuilder::new("logforth").overflow_block().append(file).build();
    let logger = logforth::core::builder().dispatch(|dispatch| dispatch.append(queue)).build();
    log::set_boxed_logger(Box::new(LogBridge::new(logger)))?;
    log::set_max_level(LevelFilter::Info);
    formatted!(bench, log::info)?;
    log::logger().flush();
    bench.in_file();
    Ok(())
}
