//! The journal as a whole: what is written is what is read.

mod support;

mod corruption;
mod crashes;
mod empty;
mod flips;
mod live;
mod memory;
mod oddities;
mod order;
mod round_trip;
pub(crate) mod seeds;
mod segments;
mod taken;
mod verify;

/// How many damages are tried: CI's number, or what `TEST_DAMAGES` says.
pub(crate) fn damages(ci: u32) -> u32 {
    std::env::var("TEST_DAMAGES").map_or(ci, |damages| damages.parse().expect("a number"))
}
