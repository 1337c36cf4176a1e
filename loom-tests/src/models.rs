//! The models.

mod blocks;
mod definitions;
mod gaps;
mod lanes;
mod shutdown;

pub use blocks::{
    a_block_changes_hands_once, a_full_ring_refuses_and_loses_nothing_else,
    commit_publishes_the_record,
};
pub use definitions::{
    a_context_is_defined_before_it_is_read, a_context_slot_is_reclaimed_only_after_a_pass,
    a_site_is_defined_before_it_is_read,
};
pub use gaps::{a_gap_record_is_never_lost, a_loss_is_counted_in_its_kind};
pub use lanes::{a_shared_lane_has_one_producer_at_a_time, lanes_come_and_go};
pub use shutdown::shutdown_drains_everything;
