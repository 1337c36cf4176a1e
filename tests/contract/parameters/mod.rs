//! One test for each parameter: its default, what it refuses, and what it does.

mod engine;
mod entries;
mod files;
mod journal;
mod ring;
