//! `tapelog bench`: the laboratory.
#![allow(dead_code, reason = "the command is not wired in yet")]

pub(crate) mod model;
