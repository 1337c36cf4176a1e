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
    ]),
    row(3, "abort, exit, SIGSEGV, SIGTERM, out of memory", "a child ends so", &[]),
    row(4, "power cut", "ext4 in a file, FS_IOC_SHUTDOWN", &[
        times("row_04_what_was_synced_survives_a_power_cut", "TEST_POWER_CUTS", 1_000, 50),
    ]),
    row(5, "full disk", "tmpfs, ext4 and btrfs in a file", &[]),
    row(6, "file system calls that fail", "a gate in the library; strace", &[]),
    row(7, "live files meddled with", "a second process", &[]),
    row(8, "two processes, one directory", "2 to 8 starters", &[]),
    row(9, "writer stopped or panicking, ring full", "a hook", &[]),
    row(10, "fork", "fork while logging", &[]),
    row(11, "signal handlers, thread destructors, thread churn", "a timer; short threads", &[]),
    row(12, "clock steps, uneven counter", "an injected clock", &[]),
    row(13, "console closed or stuck", "a pipe that nobody reads", &[]),
    row(14, "low limits", "rlimits, no room for the ring", &[]),
    row(15, "malformed files", "bytes flipped, files cut, random bytes", &[]),
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
