//! Whether the process that wrote a segment is still there.
//!
//! The header's host is a configured name and says nothing here. A number that another process has
//! by now, or has on another machine, does no harm: reading then ends at the cursor.

use rustix::process::{Pid, test_kill_process};

use crate::journal::SegmentHeader;

/// Whether the segment's process, or another one that has its number, is alive.
pub(super) fn is_running(origin: &SegmentHeader) -> bool {
    let pid = i32::try_from(origin.pid).ok().and_then(Pid::from_raw);
    // Another user's process must not be asked, but it is there.
    let is_alive = |pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
    pid.is_some_and(is_alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_running_and_impossible_ones_are_not() {
        let own = SegmentHeader {
            sequence: 1,
            use_id: 1,
            writer: 1,
            segment_bytes: 1,
            created_unix_nanos: 0,
            order_window_nanos: 0,
            pid: std::process::id(),
            host: "anything".to_owned(),
            program: "program".to_owned(),
            facility: 16,
            after: 0,
        };
        assert!(is_running(&own));
        assert!(!is_running(&SegmentHeader { pid: 0, ..own.clone() }));
        assert!(!is_running(&SegmentHeader { pid: u32::MAX, ..own }));
    }
}
