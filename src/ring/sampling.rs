//! Which calls of a lane are to be timed: about one in 1,024.
//!
//! A *sample point* is a place in the lane's stream of bytes. The lane's limit stands there instead
//! of at the block's end, so the record that would go past it takes the cold path, and the others
//! pay nothing. Points lie at random distances, so a record's chance is its length over their mean
//! distance, whatever pattern the lengths have.

use crate::sync::{Plain32, Plain64};

/// How many calls a sampled one stands for, more or less.
pub(crate) const SAMPLED_ONE_IN: u32 = 1024;

/// The mean distance is learnt anew when so many records have passed since the last sample.
const RECORDS_MIN: u32 = 64;

/// When a lane samples next; a part of the producer's own state. Places count the bytes of all of
/// the lane's blocks, whole ones, from its first.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Sampling {
    /// The next sample point; 0 before the first one.
    point: Plain64,
    /// Where the last sample was taken.
    from: Plain64,
    /// The lane's number of records then.
    records: Plain32,
    /// The mean distance between two points, in bytes.
    distance: Plain32,
}

impl Sampling {
    /// Gives the state to a new owner of the lane; points lie `distance` bytes apart at first.
    pub(super) fn begin(&self, distance: u32) {
        self.point.set(0);
        self.from.set(0);
        self.records.set(0);
        self.distance.set(distance);
    }

    /// The next sample point at or behind `place`, where the lane has `records` records.
    pub(super) fn next_point(&self, place: u64, records: u32) -> u64 {
        if self.point.get() <= place {
            self.draw(place, records);
        }
        self.point.get()
    }

    /// Draws the next sample point behind `place`.
    pub(super) fn draw(&self, place: u64, records: u32) {
        let passed = records.wrapping_sub(self.records.get());
        if passed >= RECORDS_MIN {
            let bytes = place.saturating_sub(self.from.get()) * u64::from(SAMPLED_ONE_IN);
            let distance = u32::try_from(bytes / u64::from(passed)).unwrap_or(u32::MAX);
            self.distance.set(distance);
        }
        let distance = u64::from(self.distance.get());
        // From half the distance to one and a half, by the golden ratio's multiples of the place.
        let random = place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        self.point.set(place + distance / 2 + (distance * random >> 32) + 1);
        self.from.set(place);
        self.records.set(records);
    }

    /// How many calls a sampled one stands for whose record has `len` bytes.
    pub(super) fn weight(&self, len: u32) -> u64 {
        u64::from((self.distance.get() / len.max(1)).max(1))
    }
}
