//! Whole lines: golden ones, and the rules that hold for any names and values.

mod abnf;
mod golden;
mod injection;
mod logfmt;
mod pattern;
mod plans;
mod properties;
mod python;
mod rfc5424;
