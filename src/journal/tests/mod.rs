//! The journal as a whole: what is written is what is read.

mod support;

mod round_trip;
