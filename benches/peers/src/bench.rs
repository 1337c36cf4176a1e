//! The child's side: one peer, one case, one mode, timed.

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tapelog::{Ticks, now};

use crate::case::{Arguments, Case, Mode};
use crate::machine::pin;

/// Calls that are timed together.
const BATCH: usize = 20;
/// Calls before the first one that counts: they touch the code and go once through rings of 1 MiB.
pub(crate) const WARM_UP: u64 = 20_000;
/// Between 20 of them, so that no queue is full.
const WARM_UP_GAP: Duration = Duration::from_micros(20);
/// For what they left in queues.
const WARM_UP_PAUSE: Duration = Duration::from_millis(15);
const BATCH_PAUSE: Duration = Duration::from_millis(2);
const CALL_PAUSE: Duration = Duration::from_micros(200);

/// How much one child measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) batches: usize,
    pub(crate) calls: usize,
    /// A saturated run ends with the first of the two.
    pub(crate) saturated: Duration,
    pub(crate) saturated_calls: usize,
}

impl Amount {
    pub(crate) const FULL: Amount = Amount {
        batches: 150,
        calls: 15_000,
        saturated: Duration::from_millis(150),
        saturated_calls: 4_000_000,
    };
    pub(crate) const QUICK: Amount = Amount {
        batches: 30,
        calls: 2_000,
        saturated: Duration::from_millis(30),
        saturated_calls: 500_000,
    };

    fn samples(self, mode: Mode) -> usize {
        match mode {
            Mode::Batch20 => self.batches,
            Mode::PerCall => self.calls,
            Mode::Saturated => self.saturated_calls,
        }
    }
}

/// What a child found: durations in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Calls made, those of the warm-up included: so many lines must be in the file.
    pub(crate) logged: u64,
    /// Calls, or batches, that were timed.
    pub(crate) samples: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    /// From the first call after the warm-up until all lines were in the file.
    pub(crate) seconds: f64,
    /// What one reading of the time stamp counter cost in this process.
    pub(crate) rdtsc_floor: f64,
    /// Two readings with nothing in between.
    pub(crate) timer_pair: f64,
}

/// One peer's measurement: [`calls`](Bench::calls), then [`in_file`](Bench::in_file).
#[derive(Debug)]
pub(crate) struct Bench {
    case: Case,
    mode: Mode,
    amount: Amount,
    directory: PathBuf,
    cores: [usize; 2],
    ticks_per_ns: f64,
    /// Ticks of each call or batch; as long as may be needed and touched beforehand.
    samples: Vec<u32>,
    taken: usize,
    logged: u64,
    started: Ticks,
    ended: Option<Ticks>,
}

impl Bench {
    pub(crate) fn new(
        case: Case,
        mode: Mode,
        amount: Amount,
        directory: PathBuf,
        cores: [usize; 2],
        ticks_per_ns: f64,
    ) -> Bench {
        Bench {
            case,
            mode,
            amount,
            directory,
            cores,
            ticks_per_ns,
            samples: vec![u32::MAX; amount.samples(mode)],
            taken: 0,
            logged: 0,
            started: now(),
            ended: None,
        }
    }

    pub(crate) fn case(&self) -> Case {
        self.case
    }

    /// Where a peer writes.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn logged(&self) -> u64 {
        self.logged
    }

    /// Makes the calls, on the producer's core, and times them. Generic, so that a call is inlined
    /// as it is in a program.
    pub(crate) fn calls(&mut self, mut call: impl FnMut(&Arguments)) -> Result<(), Box<dyn Error>> {
        pin(self.cores[0])?;
        for number in 1..=WARM_UP {
            call(&self.arguments());
            if number % BATCH as u64 == 0 {
                self.pause(WARM_UP_GAP);
            }
        }
        self.pause(WARM_UP_PAUSE);
        self.started = now();
        match self.mode {
            Mode::Batch20 => self.batches(call),
            Mode::PerCall => self.single_calls(call),
            Mode::Saturated => self.without_pause(call),
        }
        Ok(())
    }

    fn batches(&mut self, mut call: impl FnMut(&Arguments)) {
        for _ in 0..self.amount.batches {
            let batch: [Arguments; BATCH] = std::array::from_fn(|_| self.arguments());
            let batch = black_box(batch);
            let before = now();
            for arguments in &batch {
                call(arguments);
            }
            self.take(before, now());
            self.pause(BATCH_PAUSE);
        }
    }

    fn single_calls(&mut self, mut call: impl FnMut(&Arguments)) {
        for number in 1..=self.amount.calls {
            let arguments = black_box(self.arguments());
            let before = now();
            call(&arguments);
            self.take(before, now());
            if number % BATCH == 0 {
                self.pause(CALL_PAUSE);
            }
        }
    }

    /// The end of one call is the beginning of the next, so that one reading of the counter and
    /// the making of the arguments are in each.
    fn without_pause(&mut self, mut call: impl FnMut(&Arguments)) {
        let deadline = now().0 + self.ticks(self.amount.saturated);
        let mut last = now();
        while self.taken < self.amount.saturated_calls && last.0 < deadline {
            let mut arguments = Arguments::of(self.logged, last);
            self.logged += 1;
            arguments = black_box(arguments);
            call(&arguments);
            let end = now();
            self.take(last, end);
            last = end;
        }
    }

    fn arguments(&mut self) -> Arguments {
        self.logged += 1;
        Arguments::of(self.logged - 1, now())
    }

    fn take(&mut self, before: Ticks, after: Ticks) {
        self.samples[self.taken] = u32::try_from(after.0 - before.0).unwrap_or(u32::MAX);
        self.taken += 1;
    }

    fn ticks(&self, time: Duration) -> u64 {
        (time.as_nanos() as f64 * self.ticks_per_ns) as u64
    }

    fn pause(&self, time: Duration) {
        let (start, ticks) = (now(), self.ticks(time));
        while now().0 - start.0 < ticks {
            std::hint::spin_loop();
        }
    }

    /// The peer says that all lines are in the file, in the page cache at least.
    pub(crate) fn in_file(&mut self) {
        self.ended = Some(now());
    }

    /// The figures of this child.
    pub(crate) fn measured(mut self) -> Result<Measured, Box<dyn Error>> {
        let ended = self.ended.ok_or("the peer never said that its lines are in the file")?;
        let (rdtsc_floor, timer_pair) = (self.floor(BATCH), self.floor(0));
        let calls = if self.mode == Mode::Batch20 { BATCH } else { 1 };
        let samples = &mut self.samples[..self.taken];
        samples.sort_unstable();
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0]
            .map(|share| percentile(samples, share) / self.ticks_per_ns / calls as f64);
        Ok(Measured {
            logged: self.logged,
            samples: self.taken as u64,
            p50,
            p99,
            p999,
            max,
            seconds: (ended.0 - self.started.0) as f64 / self.ticks_per_ns / 1e9,
            rdtsc_floor,
            timer_pair,
        })
    }

    /// What so many readings of the counter take, one of them: the median of 1000; with 0, what the
    /// timer pair itself takes.
    fn floor(&self, readings: usize) -> f64 {
        let mut ticks: Vec<u32> = (0..1000)
            .map(|_| {
                let before = now();
                for _ in 0..readings {
                    black_box(now());
                }
                (now().0 - before.0) as u32
            })
            .collect();
        ticks.sort_unstable();
        percentile(&ticks, 0.5) / self.ticks_per_ns / readings.max(1) as f64
    }
}

/// The sample below which this share of them lies: nearest rank; 0 without samples.
pub(crate) fn percentile(sorted: &[u32], share: f64) -> f64 {
    let rank = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(rank).copied().map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<u32> = (1..=1001).collect();
        let found = [0.0, 0.5, 0.99, 0.999, 1.0].map(|share| percentile(&samples, share));
        assert_eq!(found, [1.0, 501.0, 991.0, 1000.0, 1001.0]);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
