//! The journal as a whole: what is written is what is read.

mod support;

mod corruption;
mod crashes;
mod flips;
mod live;
mod memory;
mod oddities;
mod order;
mod round_trip;
pub(crate) mod seeds;
mod segments;
mod verify;
