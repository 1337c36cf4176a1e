//! asm (temporary)
use tapelog::*;
#[inline(never)]
pub fn producer_at(p: &Producer, at: Ticks, a: u64, b: u64, c: f64) { info!(p, at: at, "x", a, b, c); }
#[inline(never)]
pub fn logger_at(p: &MetaLogger, at: Ticks, a: u64, b: u64, c: f64) { info!(p, at: at, "x", a, b, c); }
#[inline(never)]
pub fn producer_own(p: &Producer, a: u64, b: u64, c: f64) { info!(p, "x", a, b, c); }
fn main() {
    let (log, _guard) = MetaLogger::builder().log_to_console(false).log_dir("/tmp/asmlogs").build().unwrap();
    let p = log.producer();
    let n: u64 = std::env::args().nth(1).map_or(1000, |s| s.parse().unwrap());
    let at = now();
    for i in 0..n { producer_at(&p, at, i, i, 0.5); logger_at(&log, at, i, i, 0.5); producer_own(&p, i, i, 0.5); }
}
