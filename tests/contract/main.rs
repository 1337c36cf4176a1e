//! The contract: one test for each requirement, each measured success and each parameter, named
//! after it, and the table that says where else each of them is proven.
//!
//! A test here is the short form: it starts an engine, does what the contract speaks of, and looks at
//! what a user would see. What is subtle about it has tests of its own; `docs/requirements.md` names
//! them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "getrusage of the calling thread")]

#[path = "../support/calls.rs"]
mod calls;
mod common;
mod functional;
mod parameters;
mod success;
#[path = "../support/mod.rs"]
mod support;
mod table;
