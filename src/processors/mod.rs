//! What is done to entries between the call and the line.

mod mask;

pub(crate) use mask::{Masked, Masking, TextScreen, Treatment};
