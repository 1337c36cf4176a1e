//! What others do to a live log: the rotation of logrotate, and worse.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// What is done to a log, and undone if it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meddling {
    Truncated,
    CopiedAndTruncated,
    Unlinked,
    Renamed,
    RenamedAndCreated,
    DirectoryRemoved,
    Unreadable,
    Immutable,
    Locked,
}

impl Meddling {
    pub(crate) const ALL: [Meddling; 9] = [
        Meddling::Truncated,
        Meddling::CopiedAndTruncated,
        Meddling::Unlinked,
        Meddling::Renamed,
        Meddling::RenamedAndCreated,
        Meddling::DirectoryRemoved,
        Meddling::Unreadable,
        Meddling::Immutable,
        Meddling::Locked,
    ];

    /// Does it to a log, which must be there; what is put away goes to `aside`. While it lasts,
    /// `meanwhile` happens. False if this machine does not let it be done.
    pub(crate) fn happen(self, log: &Path, aside: &Path, meanwhile: impl FnOnce()) -> bool {
        let truncate = || File::options().write(true).open(log).unwrap().set_len(0).unwrap();
        match self {
            Meddling::Truncated => truncate(),
            Meddling::CopiedAndTruncated => {
                fs::copy(log, aside).unwrap();
                truncate();
            }
            Meddling::Unlinked => fs::remove_file(log).unwrap(),
            Meddling::Renamed => fs::rename(log, aside).unwrap(),
            Meddling::RenamedAndCreated => {
                fs::rename(log, aside).unwrap();
                fs::write(log, "").unwrap();
            }
            Meddling::DirectoryRemoved => {
                fs::remove_dir_all(log.parent().unwrap()).unwrap();
                meanwhile();
            }
            Meddling::Unreadable => {
                fs::set_permissions(log, Permissions::from_mode(0o0)).unwrap();
                meanwhile();
                fs::set_permissions(log, Permissions::from_mode(0o600)).unwrap();
            }
            Meddling::Immutable => {
                if !chattr("+i", log) {
                    return false;
                }
                meanwhile();
                assert!(chattr("-i", log));
            }
            Meddling::Locked => {
                let locked = File::open(log).unwrap();
                flock(&locked, FlockOperation::LockExclusive).unwrap();
                meanwhile();
            }
        }
        true
    }
}

fn chattr(flag: &str, path: &Path) -> bool {
    let changed = Command::new("chattr").arg(flag).arg(path).output();
    changed.is_ok_and(|output| output.status.success())
}
