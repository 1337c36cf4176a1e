//! The demo's market: a feed of ticks, recorded or generated, and the strategy that trades on it.
//!
//! ```text
//! feed (recording) ─┐
//!                   ├─▶ Tick ─▶ strategy ─▶ StrategyLog
//! generator ────────┘
//! ```
//!
//! Nothing here knows of tapelog: the strategy tells a [`strategy::StrategyLog`] what happens, and
//! the demo implements that trait with the logging macros. The same run without logging is the same
//! code with [`strategy::Silent`] in its place.

pub(crate) mod decimal;
pub(crate) mod feed;
pub(crate) mod generator;
pub(crate) mod strategy;
pub(crate) mod tick;
