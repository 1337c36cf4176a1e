//! tapelog itself, with its defaults; only the logs are not rotated, so that every line can be
//! counted, and a full ring blocks.

use std::error::Error;
use std::time::{Duration, Instant};

use tapelog::{Builder, MetaLogger, Overflow, info};

use crate::bench::Bench;
use crate::case::Case;

pub(super) const EXPERT_LOG: &str = "expert.log";

const PATIENCE: Duration = Duration::from_secs(30);

/// The longest that a call may wait for room.
const LONGEST_WAIT: Duration = Duration::from_millis(5);

fn builder(bench: &Bench) -> Builder {
    MetaLogger::builder()
        .log_dir(bench.directory())
        .log_to_console(false)
        .log_max_file_size(1_u64 << 30)
        .overflow(Overflow::Block(LONGEST_WAIT))
}

/// The three calls through one of the faces.
macro_rules! calls {
    ($bench:ident, |$a:ident| $($first:tt)*) => {
        match $bench.case() {
            Case::IntIntDouble => $bench.calls(|$a| {
                info!($($first)*, "order", seq = $a.seq, next = $a.next, price = $a.price)
            }),
            Case::IntIntString40 => $bench.calls(|$a| {
                info!($($first)*, "order", seq = $a.seq, next = $a.next, text = $a.text)
            }),
            Case::NoArgs => $bench.calls(|$a| {
                let _ = $a;
                info!($($first)*, "order")
            }),
        }
    };
}

pub(super) fn producer(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let (log, _guard) = builder(bench).build()?;
    let producer = log.producer();
    log.warm_up();
    calls!(bench, |a| producer)?;
    rendered(bench, &log)
}

pub(super) fn stamped(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let (log, _guard) = builder(bench).build()?;
    let producer = log.producer();
    log.warm_up();
    calls!(bench, |a| producer, at: a.at)?;
    rendered(bench, &log)
}

pub(super) fn meta_logger(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let (log, _guard) = builder(bench).build()?;
    log.warm_up();
    calls!(bench, |a| log)?;
    rendered(bench, &log)
}

fn rendered(bench: &mut Bench, log: &MetaLogger) -> Result<(), Box<dyn Error>> {
    log.flush(PATIENCE)?;
    bench.in_file();
    Ok(())
}

/// Without views; the journal keeps every segment, so that every record can be counted.
pub(super) fn journal(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let (log, _guard) = builder(bench).render_logs(false).journal_segments(40_u32).build()?;
    let producer = log.producer();
    log.warm_up();
    calls!(bench, |a| producer, at: a.at)?;
    let start = Instant::now();
    loop {
        let stats = log.stats();
        if stats.journaled + stats.lost.total() >= bench.logged() {
            break;
        }
        if start.elapsed() > PATIENCE {
            return Err(format!(
                "{} of {} records are in the journal after {PATIENCE:?}",
                stats.journaled,
                bench.logged()
            )
            .into());
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    bench.in_file();
    Ok(())
}
