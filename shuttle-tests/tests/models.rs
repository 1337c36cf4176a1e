//! Runs every model; see the library for what they are.

#[test]
fn shutdown_drains_what_many_producers_were_told_is_accepted() {
    shuttle_tests::shutdown_drains_what_many_producers_were_told_is_accepted();
}

#[test]
fn shutdown_while_threads_come_and_go_loses_nothing() {
    shuttle_tests::shutdown_while_threads_come_and_go_loses_nothing();
}

#[test]
fn a_segment_is_recycled_only_behind_the_view() {
    shuttle_tests::a_segment_is_recycled_only_behind_the_view();
}

#[test]
fn the_end_leaves_no_segment_unused() {
    shuttle_tests::the_end_leaves_no_segment_unused();
}
