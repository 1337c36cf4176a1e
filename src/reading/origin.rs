//! Whether the process that wrote a segment is still there.

use rustix::process::{Pid, test_kill_process};

use crate::journal::SegmentHeader;

/// Whether the segment's process, or another one that got its number, is alive on this machine.
pub(super) fn is_running(origin: &SegmentHeader) -> bool {
    let here = rustix::system::uname();
    let is_here = here.nodename().to_bytes().starts_with(origin.host.as_bytes());
    let pid = i32::try_from(origin.pid).ok().and_then(Pid::from_raw);
    // Another user's process must not be asked, but it is there.
    let is_alive = |pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
    is_here && pid.is_some_and(is_alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_running_and_a_foreign_machine_s_is_unknown() {
        let own = SegmentHeader {
            sequence: 1,
            use_id: 1,
            writer: 1,
            segment_bytes: 1,
            created_unix_nanos: 0,
            order_window_nanos: 0,
            pid: std::process::id(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            program: "program".to_owned(),
            facility: 16,
        };
        assert!(is_running(&own));
        assert!(!is_running(&SegmentHeader { pid: 0, ..own.clone() }));
        assert!(!is_running(&SegmentHeader { pid: u32::MAX, ..own.clone() }));
        assert!(!is_running(&SegmentHeader { host: "another machine".to_owned(), ..own }));
    }
}
