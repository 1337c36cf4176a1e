//! The models.

mod rotation;
mod shutdown;

pub use rotation::{a_segment_is_recycled_only_behind_the_view, the_end_leaves_no_segment_unused};
pub use shutdown::{
    shutdown_drains_what_many_producers_were_told_is_accepted,
    shutdown_while_threads_come_and_go_loses_nothing,
};

use std::sync::atomic::{AtomicU64, Ordering};

/// Runs a model under random schedules, and under those that preempt at few, hard places; tells how
/// many. `TEST_SCHEDULES` says how many of each are run instead of `usual`.
fn check(what: &str, usual: usize, model: fn()) {
    static RUN: AtomicU64 = AtomicU64::new(0);
    let asked = std::env::var("TEST_SCHEDULES").ok().and_then(|asked| asked.parse().ok());
    let schedules = asked.unwrap_or(usual);
    let counted = move || {
        // ORDERING: Relaxed, a count.
        // PAIRS WITH: nothing.
        // IF WEAKENED: it is the weakest already.
        RUN.fetch_add(1, Ordering::Relaxed);
        model();
    };
    shuttle::check_random(counted, schedules);
    shuttle::check_pct(counted, schedules, 3);
    println!("{what}: {} schedules", 2 * schedules);
}
