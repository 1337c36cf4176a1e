//! The fault table: which faults there are, and how long their tests are to go on.

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) fault: &'static str,
    /// How it is injected.
    pub(crate) how: &'static str,
    /// The tests of the row that can be asked for more than CI has time for.
    pub(crate) long: &'static [Long],
}

/// A test that goes on as long as an environment variable says.
#[derive(Debug)]
pub(crate) struct Long {
    /// The function's name.
    pub(crate) test: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) size: Size,
}

/// How much a test is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// What one run has; there is no more to ask for.
    Once,
    /// So many times; the test is run again and again for `step` of them each.
    Times { long: u64, step: u64 },
    /// So many seconds, in one run.
    Seconds { long: u64 },
}

const fn row(number: u32, fault: &'static str, how: &'static str, long: &'static [Long]) -> Row {
    Row { number, fault, how, long }
}

const fn times(test: &'static str, variable: &'static str, long: u64, step: u64) -> Long {
    Long { test, variable, size: Size::Times { long, step } }
}

const fn seconds(test: &'static str, variable: &'static str, long: u64) -> Long {
    Long { test, variable, size: Size::Seconds { long } }
}

/// All of them.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 21] = [
    row(1, "SIGKILL at a random moment", "a child of 1 to 8 producers is killed", &[
        times("row_01_every_acknowledged_record_is_recovered_once_after_a_kill",
            "TEST_KILLS", 100_000, 500),
    ]),
    row(2, "SIGKILL at each step of writing and recovery", "a hook at each point", &[
        times("row_02_a_death_between_any_two_steps_of_the_writer_loses_and_repeats_nothing",
            "TEST_KILLS", 5_000, 50),
        times("row_02_a_death_between_any_two_steps_of_recovery_loses_and_repeats_nothing",
            "TEST_KILLS", 5_000, 50),
        times("row_02_recovery_can_be_killed_and_run_again", "TEST_KILLS", 5_000, 50),
        times("row_02_a_death_inside_a_push_leaves_every_record_whole_or_not_there",
            "TEST_KILLS", 5_000, 52),
        times("row_02_a_death_while_a_segment_is_made_new_out_of_an_old_one_loses_nothing_of_the_logs",
            "TEST_KILLS", 5_000, 50),
        times("row_02_a_death_inside_a_rotation_that_removes_the_oldest_file_loses_and_repeats_nothing",
            "TEST_KILLS", 5_000, 50),
        times("row_02_a_death_while_a_ring_is_set_aside_leaves_it_to_the_next_start",
            "TEST_KILLS", 5_000, 50),
    ]),
    row(3, "abort, exit, SIGSEGV, SIGTERM, out of memory", "a child ends so", &[
        times("row_03_however_a_process_ends_every_accepted_record_is_recovered",
            "TEST_ENDS", 1_000, 20),
        times("row_03_with_the_guard_exit_and_sigterm_leave_nothing_to_the_next_start",
            "TEST_ENDS", 1_000, 20),
    ]),
    row(4, "power cut", "ext4 in a file, FS_IOC_SHUTDOWN", &[
        times("row_04_what_was_synced_survives_a_power_cut", "TEST_POWER_CUTS", 1_000, 50),
    ]),
    row(5, "full disk", "tmpfs, ext4 and btrfs in a file", &[
        times("row_05_a_full_tmpfs_costs_no_entry_untold_and_is_come_back_from",
            "TEST_FULL_DISKS", 1_000, 5),
        times("row_05_a_full_ext4_costs_no_entry_untold_and_is_come_back_from",
            "TEST_FULL_DISKS", 1_000, 5),
        times("row_05_a_full_btrfs_costs_no_entry_untold_and_is_come_back_from",
            "TEST_FULL_DISKS", 1_000, 5),
    ]),
    row(6, "file system calls that fail", "a gate in the library; strace", &[]),
    row(7, "live files meddled with", "a second process", &[
        times("row_07_a_live_log_comes_back_whatever_is_done_to_it_and_what_it_misses_is_counted",
            "TEST_MEDDLINGS", 5_000, 20),
        times("row_07_the_journal_comes_back_whatever_is_done_to_its_files", "TEST_TAKINGS", 700, 3),
    ]),
    row(8, "two processes, one directory", "2 to 8 starters", &[
        times("row_08_of_many_starters_exactly_one_owns_the_directory_and_the_others_are_told_who",
            "TEST_STARTS", 5_000, 20),
    ]),
    row(9, "writer stopped or panicking, ring full", "a hook", &[
        seconds("row_09_refused_calls_are_quick_and_counted_to_the_last", "TEST_HELD_SECONDS", 600),
        times("row_09_the_drain_goes_on_after_a_panic_at_any_point", "TEST_PANICS", 500, 5),
        times("row_09_the_views_go_on_after_a_panic_at_any_point", "TEST_PANICS", 500, 5),
        times("row_09_the_janitor_goes_on_after_a_panic_at_any_point", "TEST_PANICS", 500, 5),
        times("row_09_the_syncer_goes_on_after_a_panic", "TEST_PANICS", 500, 5),
        times("row_09_every_message_goes_to_syslog_although_its_thread_panics",
            "TEST_PANICS", 500, 5),
        times("row_09_a_recovery_that_panics_at_any_point_goes_on", "TEST_KILLS", 500, 5),
    ]),
    row(10, "fork", "fork while logging", &[
        times("row_10_children_are_refused_and_the_parent_goes_on", "TEST_FORKS", 1_000, 51),
    ]),
    row(11, "signal handlers, thread destructors, thread churn", "a timer; short threads", &[
        seconds("row_11_a_signal_handler_logs_while_its_thread_does", "TEST_SECONDS", 600),
        times("row_11_ten_thousand_short_threads_lose_nothing_and_share_few_lanes",
            "TEST_THREADS", 1_000_000, 100_000),
    ]),
    row(12, "clock steps, uneven counter", "an injected clock", &[]),
    row(13, "console closed or stuck", "a pipe that nobody reads", &[]),
    row(14, "low limits", "rlimits, no room for the ring", &[]),
    row(15, "malformed files", "bytes flipped, files cut, random bytes", &[
        times("row_15_the_corpus_and_a_hundred_thousand_changes_of_it_are_read_to_some_end",
            "TEST_DAMAGES", 10_000_000, 10_000_000),
        times("row_15_the_corpus_of_feeds_and_changes_of_it_are_read_to_some_end",
            "TEST_DAMAGES", 1_000_000, 1_000_000),
        times("row_15_several_damages_at_once_never_panic_or_hang", "TEST_DAMAGES", 1_000_000, 10_000),
        times("row_15_noise_is_no_journal", "TEST_DAMAGES", 1_000_000, 10_000),
        times("row_15_random_bytes_in_a_ring_neither_panic_nor_hang",
            "TEST_DAMAGES", 1_000_000, 100_000),
        times("row_15_a_ring_that_makes_no_sense_harms_nothing", "TEST_DAMAGES", 6_000, 6_000),
        times("row_15_a_cursor_with_a_right_crc_costs_no_entry_of_the_run_that_finds_it",
            "TEST_CURSORS", 5_000, 5_000),
    ]),
    row(16, "log injection", "hostile text in every field", &[
        times("row_16_no_field_forges_a_line_or_commands_a_terminal",
            "TEST_CASES", 1_000_000, 100_000),
    ]),
    row(17, "traps at our paths", "links, pipes, directories, foreign owners", &[]),
    row(18, "umask", "a child with each", &[]),
    row(19, "secrets", "synthetic keys; files, console and memory are searched", &[
        times("row_19_no_key_under_a_sensitive_name_is_anywhere", "TEST_KEYS", 10_000, 10_000),
        times("row_19_keys_inside_texts_are_masked_in_every_file", "TEST_KEYS", 10_000, 10_000),
    ]),
    row(20, "RFC 5424", "our own grammar; rsyslog and syslog-ng", &[
        times("row_20_a_frame_of_any_entry_obeys_the_grammar_and_gives_the_fields_back",
            "TEST_CASES", 100_000, 100_000),
    ]),
    row(21, "soak", "faults of rows 5 to 9 at random", &[
        seconds("row_21_a_trading_loop_goes_on_whatever_happens_around_it",
            "TEST_SOAK_SECONDS", 24 * 3600),
    ]),
];
