//! What others do to a live log or segment: the rotation of logrotate, and worse.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// What is done to a file, and undone if it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meddling {
    Truncated,
    CopiedAndTruncated,
    Unlinked,
    Renamed,
    RenamedAndCreated,
    DirectoryRemoved,
    /// For who obeys modes: see `capabilities.rs`.
    Unreadable,
    Immutable,
    Locked,
}

/// Does it; again for so long, where a rotation or the engine's own repair came in between.
fn done<T>(patience: Duration, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        let outcome = call();
        let passing = outcome.as_ref().is_err_and(|error| {
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty)
        });
        if !passing || Instant::now() >= deadline {
            return outcome;
        }
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

    /// Does it to a file, which must be there within `patience`; what is put away goes to `aside`. While
    /// it lasts, `meanwhile` happens. False if this machine does not let it be done.
    pub(crate) fn happen(
        self,
        (file, aside): (&Path, &Path),
        patience: Duration,
        meanwhile: impl FnOnce(),
    ) -> io::Result<bool> {
        let truncate = || done(patience, || File::options().write(true).open(file)?.set_len(0));
        match self {
            Meddling::Truncated => truncate()?,
            Meddling::CopiedAndTruncated => {
                done(patience, || fs::copy(file, aside).map(drop))?;
                truncate()?;
            }
            Meddling::Unlinked => done(patience, || fs::remove_file(file))?,
            Meddling::Renamed => done(patience, || fs::rename(file, aside))?,
            Meddling::RenamedAndCreated => {
                done(patience, || fs::rename(file, aside))?;
                fs::write(file, "")?;
            }
            Meddling::DirectoryRemoved => {
                done(patience, || fs::remove_dir_all(file.parent().unwrap()))?;
                meanwhile();
            }
            Meddling::Unreadable => {
                // A rotation may give it another name meanwhile.
                let held = done(patience, || File::open(file))?;
                held.set_permissions(Permissions::from_mode(0o0))?;
                let again = File::open(format!("/proc/self/fd/{}", held.as_raw_fd()));
                let refused = again.expect_err("a file without permissions was opened");
                assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
                meanwhile();
                held.set_permissions(Permissions::from_mode(0o600))?;
            }
            Meddling::Immutable => {
                if !chattr("+i", file) {
                    return Ok(false);
                }
                meanwhile();
                assert!(chattr("-i", file));
            }
            Meddling::Locked => {
                let locked = File::open(file)?;
                flock(&locked, FlockOperation::LockExclusive)?;
                meanwhile();
            }
        }
        Ok(true)
    }
}

fn chattr(flag: &str, path: &Path) -> bool {
    let changed = Command::new("chattr").arg(flag).arg(path).output();
    changed.is_ok_and(|output| output.status.success())
}
