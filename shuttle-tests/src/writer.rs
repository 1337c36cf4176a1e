//! The janitor and its clients, as they ship, and nobody to report to.

#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../src/writer/janitor.rs"]
pub(crate) mod janitor;
#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../src/writer/supply.rs"]
pub(crate) mod supply;

pub(crate) mod keeper;
mod reporter;
