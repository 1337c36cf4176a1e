//! A program that panics: with `panic_hook`, errors.log tells of it, also where a panic ends the
//! process at once (`panic = "abort"`). Takes the log directory as its argument.

use std::error::Error;

use tapelog::{Backtrace, MetaLogger, info};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "logs".to_owned());
    let builder = MetaLogger::builder().log_dir(directory).panic_hook(true);
    let (log, _guard) = builder.backtrace(Backtrace::Critical).build()?;
    info!(log, "about to divide");
    let positions: Vec<u32> = Vec::new();
    let mean = positions.iter().sum::<u32>() / positions.len() as u32;
    info!(log, "never there", mean);
    Ok(())
}
