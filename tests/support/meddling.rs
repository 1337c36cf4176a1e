//! What others do to a live log: the rotation of logrotate, and worse.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

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

/// Does it; again, where a rotation or the engine's own repair came in between.
fn done(mut call: impl FnMut() -> io::Result<()>) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = call() {
        let passing = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty);
        assert!(passing && Instant::now() < deadline, "{error}");
        std::thread::sleep(Duration::from_millis(1));
    }
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
        let truncate = || done(|| File::options().write(true).open(log)?.set_len(0));
        match self {
            Meddling::Truncated => truncate(),
            Meddling::CopiedAndTruncated => {
                done(|| fs::copy(log, aside).map(drop));
                truncate();
            }
            Meddling::Unlinked => done(|| fs::remove_file(log)),
            Meddling::Renamed => done(|| fs::rename(log, aside)),
            Meddling::RenamedAndCreated => {
                done(|| fs::rename(log, aside));
                fs::write(log, "").unwrap();
            }
            Meddling::DirectoryRemoved => {
                done(|| fs::remove_dir_all(log.parent().unwrap()));
                meanwhile();
            }
            Meddling::Unreadable => {
                done(|| fs::set_permissions(log, Permissions::from_mode(0o0)));
                meanwhile();
                done(|| fs::set_permissions(log, Permissions::from_mode(0o600)));
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
