//! The control for lost calls: threads that nap as a waiting call does, beside busy ones.
//!
//! A call that waits for room naps and looks again. It can only be lost when it, or the drain that
//! makes room, does not run for as long as a call may wait. How often the system leaves a napping
//! thread aside that long, while other threads keep the cores busy, is seen here without a logger.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use super::BLOCK;
use crate::bench::model::NapControl;

/// How long a waiting call naps between two looks, about.
const NAP: Duration = Duration::from_micros(50);
/// How long the control takes in each round.
const ROUND: Duration = Duration::from_millis(700);
/// As many threads as are never at rest in a case that renders: a producer and the view.
const BUSY: usize = 2;
/// As many as nap: a waiting call and the drain.
const NAPPING: usize = 2;

/// Adds one round's naps to those of the rounds before.
pub(super) fn add_round(control: &mut NapControl) {
    let end = Instant::now() + ROUND;
    thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                while Instant::now() < end {
                    black_box(());
                }
            });
        }
        let napping: Vec<_> = (0..NAPPING).map(|_| scope.spawn(|| nap_until(end))).collect();
        for naps in napping.into_iter().filter_map(|thread| thread.join().ok()) {
            control.naps += naps.naps;
            control.late += naps.late;
            control.longest_ms = control.longest_ms.max(naps.longest_ms);
        }
    });
    control.seconds += ROUND.as_secs_f64();
}

fn nap_until(end: Instant) -> NapControl {
    let mut naps = NapControl::default();
    let mut before = Instant::now();
    while before < end {
        thread::sleep(NAP);
        let now = Instant::now();
        let took = now - before;
        naps.naps += 1;
        naps.late += u64::from(took > BLOCK);
        naps.longest_ms = naps.longest_ms.max(took.as_secs_f64() * 1e3);
        before = now;
    }
    naps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_are_counted_over_all_rounds() {
        let mut control = NapControl::default();
        add_round(&mut control);
        let first = control.naps;
        add_round(&mut control);
        assert!(first > 0 && control.naps > first, "{control:?}");
        assert!(control.longest_ms >= 0.05 && control.late <= control.naps, "{control:?}");
        assert!((control.seconds - 1.4).abs() < 1e-9);
    }
}
