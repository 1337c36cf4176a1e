//! Call sites whose machine code can be looked at: one function for each case.
//!
//! `cargo build --release --example sites`, then for each of the functions below
//! `objdump -d --no-show-raw-insn --disassemble=site_producer_at target/release/examples/sites`
//!
//! The program itself calls each of them, so that none is left out.

#![allow(unsafe_code, reason = "the functions keep their names, for objdump")]

use std::error::Error;
use std::hint::black_box;

use tapelog::{MetaLogger, Producer, Ticks, debug, info, now};

/// Three numbers, the caller's stamp, a lane of one's own.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn site_producer_at(log: &Producer, at: Ticks, a: u64, b: u64, c: f64) {
    info!(log, at: at, "e", a, b, c);
}

/// The same with a stamp read by the call.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn site_producer_own(log: &Producer, a: u64, b: u64, c: f64) {
    info!(log, "e", a, b, c);
}

/// The caller's stamp, the thread's lane.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn site_logger_at(log: &MetaLogger, at: Ticks, a: u64, b: u64, c: f64) {
    info!(log, at: at, "e", a, b, c);
}

/// The same with a stamp read by the call.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn site_logger_own(log: &MetaLogger, a: u64, b: u64, c: f64) {
    info!(log, "e", a, b, c);
}

/// One number.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn site_one_i64(log: &Producer, at: Ticks, a: i64) {
    info!(log, at: at, "e", a);
}

/// A number and a string.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn site_string(log: &Producer, at: Ticks, a: u64, text: &str) {
    info!(log, at: at, "e", a, text);
}

/// A level that is not kept.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn site_disabled(log: &Producer, a: u64) {
    debug!(log, "e", a);
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::temp_dir().join(format!("tapelog-sites-{}", std::process::id()));
    let (log, guard) =
        MetaLogger::builder().log_dir(root.as_path()).log_to_console(false).build()?;
    let producer = log.producer();
    for n in black_box(1..3) {
        site_producer_at(&producer, now(), n, n + 1, 0.5);
        site_producer_own(&producer, n, n + 1, 0.5);
        site_logger_at(&log, now(), n, n + 1, 0.5);
        site_logger_own(&log, n, n + 1, 0.5);
        site_one_i64(&producer, now(), -1);
        site_string(&producer, now(), n, "0123456789012345678901234567890123456789");
        site_disabled(&producer, n);
    }
    drop(guard);
    std::fs::remove_dir_all(&root)?;
    Ok(())
}
