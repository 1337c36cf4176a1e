//! A step of the clock, taken and told.

use super::Drain;
use crate::clock::Calibration;
use crate::level::Level;
use crate::record::UnixNanos;
use crate::site::Site;

static CLOCK_STEP: Site = Site::new(
    Level::Warning,
    false,
    "logger.clock_step",
    ("tapelog::writer", file!(), line!()),
    &["before", "after"],
);

/// UTC at the moment of a step, by the old line and by the new one.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockStep {
    before: UnixNanos,
    after: UnixNanos,
}

impl Drain {
    /// The line from here on, if it is a new one. A step is told by an entry, which is made behind it.
    pub(super) fn calibrate(&mut self, ticks: u64) -> Option<Calibration> {
        let before = self.calibrator.current();
        let line = self.calibrator.poll(ticks);
        if let Some(line) = line.filter(|line| line.stepped) {
            let (before, after) = (before.to_unix(line.ticks), line.to_unix(line.ticks));
            self.clock_step = Some(ClockStep { before, after });
        }
        if let Some(ClockStep { before, after }) = self.clock_step
            && self.core.push_own(&CLOCK_STEP, &(((), before), after)).is_ok()
        {
            // Where there was no room for it, the next pass tries again.
            self.clock_step = None;
        }
        line
    }
}
