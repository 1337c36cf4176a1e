//! Runs every model; see the library for what they are.

#[test]
fn commit_publishes_the_record() {
    loom_tests::commit_publishes_the_record();
}

#[test]
fn a_full_ring_refuses_and_loses_nothing_else() {
    loom_tests::a_full_ring_refuses_and_loses_nothing_else();
}

#[test]
fn a_block_changes_hands_once() {
    loom_tests::a_block_changes_hands_once();
}

#[test]
fn lanes_come_and_go() {
    loom_tests::lanes_come_and_go();
}

#[test]
fn a_shared_lane_has_one_producer_at_a_time() {
    loom_tests::a_shared_lane_has_one_producer_at_a_time();
}

#[test]
fn a_gap_record_is_never_lost() {
    loom_tests::a_gap_record_is_never_lost();
}

#[test]
fn a_loss_is_counted_in_its_kind() {
    loom_tests::a_loss_is_counted_in_its_kind();
}

#[test]
fn shutdown_drains_everything() {
    loom_tests::shutdown_drains_everything();
}

#[test]
fn a_site_is_defined_before_it_is_read() {
    loom_tests::a_site_is_defined_before_it_is_read();
}

#[test]
fn a_context_slot_is_reclaimed_only_after_a_pass() {
    loom_tests::a_context_slot_is_reclaimed_only_after_a_pass();
}

#[test]
fn a_context_is_defined_before_it_is_read() {
    loom_tests::a_context_is_defined_before_it_is_read();
}
