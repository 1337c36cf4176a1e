//! Who wrote a segment, as the first page of its file tells.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::process::{Pid, test_kill_process};

/// Bytes of the header's fixed part; `docs/format.md` describes them.
const HEADER_BYTES: usize = 224;
const MAGIC: &[u8] = b"TAPELOG\0";
const PID_OFFSET: usize = 80;
const HOST_LENGTH_OFFSET: usize = 84;
const HOST_OFFSET: usize = 88;
const HOST_BYTES_MAX: usize = 64;
const FACILITY_OFFSET: usize = 152;
const PROGRAM_LENGTH_OFFSET: usize = 153;
const PROGRAM_OFFSET: usize = 156;
const PROGRAM_BYTES_MAX: usize = 48;

const _: () = assert!(HOST_OFFSET + HOST_BYTES_MAX <= FACILITY_OFFSET);
const _: () = assert!(PROGRAM_OFFSET + PROGRAM_BYTES_MAX <= HEADER_BYTES);

/// A process on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The process's id.
    pub(super) pid: u32,
    /// The machine's name, at most 64 bytes of it.
    pub(super) host: String,
    /// What the program calls itself: `log_name`.
    pub(super) program: String,
    /// Its syslog facility.
    pub(super) facility: u8,
}

impl Origin {
    /// Who wrote the segment at `path`; `None` if its header cannot be read.
    pub(super) fn of(path: &Path) -> Option<Origin> {
        let mut header = [0; HEADER_BYTES];
        File::open(path).and_then(|mut file| file.read_exact(&mut header)).ok()?;
        if !header.starts_with(MAGIC) {
            return None;
        }
        let text = |offset: usize, bytes: usize, bytes_max: usize| {
            String::from_utf8_lossy(&header[offset..offset + bytes.min(bytes_max)]).into_owned()
        };
        let host_bytes = u32_at(&header, HOST_LENGTH_OFFSET) as usize;
        let program_bytes = usize::from(header[PROGRAM_LENGTH_OFFSET]);
        Some(Origin {
            pid: u32_at(&header, PID_OFFSET),
            host: text(HOST_OFFSET, host_bytes, HOST_BYTES_MAX),
            program: text(PROGRAM_OFFSET, program_bytes, PROGRAM_BYTES_MAX),
            facility: header[FACILITY_OFFSET],
        })
    }

    /// Whether that process, or another one that got its number, is alive on this machine.
    pub(super) fn is_running(&self) -> bool {
        let here = rustix::system::uname();
        let is_here = here.nodename().to_bytes().starts_with(self.host.as_bytes());
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // Another user's process must not be asked, but it is there.
        let is_alive = |pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
        is_here && pid.is_some_and(is_alive)
    }
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_running_and_a_foreign_machine_s_is_unknown() {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let own = Origin { pid: std::process::id(), host, program: "p".to_owned(), facility: 16 };
        assert!(own.is_running());
        assert!(!Origin { pid: 0, ..own.clone() }.is_running());
        assert!(!Origin { pid: u32::MAX, ..own.clone() }.is_running());
        assert!(!Origin { host: "another machine".to_owned(), ..own }.is_running());
    }
}
