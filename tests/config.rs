//! The configuration: wrong values are told so that a stranger can act, the layers lie over each
//! other as promised, and the guide says what the model does.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "config/files.rs"]
mod files;
#[path = "config/guide.rs"]
mod guide;
#[path = "config/layers.rs"]
mod layers;
#[path = "config/reload.rs"]
mod reload;
mod support;
#[path = "config/wrong.rs"]
mod wrong;
