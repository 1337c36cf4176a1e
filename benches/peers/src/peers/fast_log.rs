//! fast_log with its defaults: an unbounded queue, two threads behind it. The message is formatted by
//! the caller.

use std::error::Error;

use fast_log::Config;
use log::LevelFilter;

use super::FILE;
use crate::bench::Bench;

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let path = bench.directory().join(FILE);
    let path = path.to_str().ok_or("fast_log takes paths of UTF-8 only: choose another --dir")?;
    fast_log::init(Config::new().level(LevelFilter::Info).file(path))?;
    formatted!(bench, log::info)?;
    fast_log::flush()?.wait();
    bench.in_file();
    Ok(())
}
