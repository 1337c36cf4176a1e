//! Time: raw ticks for producers, and the calibrations that turn ticks into UTC.

mod calibration;
mod ticks;

pub(crate) use calibration::{Calibration, Calibrator, Source};
pub(crate) use ticks::now_after_loads;
pub use ticks::{Ticks, now};
