//! The README's hottest loop: a producer, and one reading of the clock for the whole event.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let (log, _guard) = tapelog::MetaLogger::builder().log_dir("logs").build()?;

    use tapelog::{info, now};

    let producer = log.producer(); // a lane of the ring of its own
    let received = now(); // one rdtsc for the whole event
    info!(producer, at: received, "quote", bid = 70_000.0, ask = 70_000.1);

    Ok(())
}
