//! `tapelog bench`: the laboratory.
#![allow(dead_code, reason = "the command is not wired in yet")]

#[cfg(test)]
mod fixture;
pub(crate) mod model;
pub(crate) mod report;
