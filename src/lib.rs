//! tapelog

mod ring;
mod sync;

pub use ring::PushError;
