//! `tapelog bench`: the laboratory.
#![allow(dead_code, reason = "the command is not wired in yet")]

pub(crate) mod compare;
#[cfg(test)]
mod fixture;
pub(crate) mod model;
pub(crate) mod report;
