//! Time: raw ticks for producers, and the calibrations that turn ticks into UTC.

mod calibration;
mod ticks;

pub(crate) use calibration::{Calibration, Calibrator, Source, shift_clock};
pub use ticks::{Ticks, now};
pub(crate) use ticks::{distrust_counter, now_after_loads, wait_for_loads};
