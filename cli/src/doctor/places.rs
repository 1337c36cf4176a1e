//! Where the ring and the logs lie: file systems, room, owners, modes.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatFs, access, statfs};
use tapelog::Configuration;

use super::finding::{Finding, size};

const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
/// What part of a file system `disk_reserve` keeps free at most, as the engine has it.
const RESERVE_PART: u64 = 20;

/// Everything about the places that a program uses.
pub(super) fn check(configuration: &Configuration, findings: &mut Vec<Finding>) {
    if !configuration.log_to_file {
        return findings.push(Finding::ok("log_dir", "log_to_file = false: no file is made"));
    }
    ring_dir(&configuration.ring_dir, configuration.ring_bytes, findings);
    let log_dir = &configuration.log_dir;
    let existing = nearest(log_dir);
    match statfs(&existing) {
        Ok(found) => {
            findings.push(file_system(kind(&found)));
            let (logs, journal) = configuration.disk_bytes_max();
            let reserve = reserve(configuration.disk_reserve, total_bytes(&found));
            let bound = logs.saturating_add(journal);
            findings.push(room(free_bytes(&found), used_bytes(log_dir), bound, reserve));
        }
        Err(error) => findings.push(Finding::problem(
            "log_dir",
            format!("{}: {error}", existing.display()),
            "choose a log_dir that can be reached",
        )),
    }
    directory("log_dir", log_dir, false, findings);
    directory("journal", &log_dir.join("journal"), true, findings);
    for log in configuration.log_paths() {
        if let Ok(found) = fs::symlink_metadata(&log)
            && let Some(what) = foreign(&found)
        {
            let what = format!("{} is {what}", log.display());
            findings.push(Finding::problem("log", what, "a start refuses it: move it away"));
        }
    }
}

/// The directory itself, or the nearest one above it that exists.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find(|path| path.exists());
    existing.unwrap_or(Path::new("/")).to_owned()
}

fn kind(found: &StatFs) -> u64 {
    u64::try_from(found.f_type).unwrap_or(0) & 0xffff_ffff
}

fn free_bytes(found: &StatFs) -> u64 {
    found.f_bavail.saturating_mul(u64::try_from(found.f_bsize).unwrap_or(0))
}

fn total_bytes(found: &StatFs) -> u64 {
    found.f_blocks.saturating_mul(u64::try_from(found.f_bsize).unwrap_or(0))
}

fn ring_dir(path: &Path, ring_bytes: u64, findings: &mut Vec<Finding>) {
    const CHECK: &str = "ring_dir";
    let existing = nearest(path);
    let Ok(found) = statfs(&existing) else {
        let what = format!("{} cannot be looked at", existing.display());
        return findings.push(Finding::problem(CHECK, what, "set ring_dir to a tmpfs"));
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let options = mount_options(&mounts, &existing).unwrap_or_default();
    findings.push(tmpfs(
        &existing,
        kind(&found),
        (total_bytes(&found), free_bytes(&found)),
        ring_bytes,
        &options,
    ));
    directory(CHECK, path, true, findings);
}

/// Whether a ring has its place there.
pub(super) fn tmpfs(
    path: &Path,
    kind: u64,
    (total, free): (u64, u64),
    ring_bytes: u64,
    options: &str,
) -> Finding {
    const CHECK: &str = "tmpfs";
    let path = path.display();
    if !matches!(kind, TMPFS | RAMFS) {
        return Finding::problem(
            CHECK,
            format!(
                "{path} is no tmpfs: the ring lies in ordinary memory and dies with the process"
            ),
            "set ring_dir to a tmpfs, /dev/shm for one",
        );
    }
    if options.split(',').any(|option| option == "ro") {
        let what = format!("{path} is mounted read-only");
        return Finding::problem(CHECK, what, "remount it with rw");
    }
    // A ramfs has no size.
    let sizes = format!("{} of {} free, ring_bytes {}", size(free), size(total), size(ring_bytes));
    if kind == TMPFS && total > 0 && free < ring_bytes {
        return Finding::problem(
            CHECK,
            format!("{path}: {sizes}: the ring does not fit"),
            "a larger tmpfs (docker: --shm-size), a smaller ring_bytes, or `tapelog doctor --clean`",
        );
    }
    if kind == TMPFS && total > 0 && free < ring_bytes.saturating_mul(2) {
        return Finding::note(
            CHECK,
            format!("{path}: {sizes}: there is room for one ring only"),
            "after a crash the old ring and the new one are there together: make it larger",
        );
    }
    Finding::ok(CHECK, format!("{path}: {sizes}; {options}"))
}

/// The options of the mount that holds `path`, its own and its file system's.
pub(super) fn mount_options(mountinfo: &str, path: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (own, system) = line.split_once(" - ")?;
        let mut own = own.split(' ').skip(4);
        let (point, options) = (own.next()?, own.next()?);
        let system = system.split(' ').nth(2)?;
        path.starts_with(point).then(|| (point.len(), format!("{options},{system}")))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, options)| options)
}

/// What the file system of the logs means for them.
pub(super) fn file_system(kind: u64) -> Finding {
    const CHECK: &str = "file system";
    let plain = "segments are written with plain writes there, which is slower";
    match kind {
        0xef53 => Finding::ok(CHECK, "ext4: segments are mapped"),
        0x5846_5342 => Finding::ok(CHECK, "xfs: segments are mapped"),
        TMPFS | RAMFS => Finding::note(
            CHECK,
            "the logs lie in memory: they end with the machine",
            "put log_dir on a disk, unless that is what you want",
        ),
        0x9123_683e | 0x2fc1_2fc1 | 0xca45_1a4e => Finding::note(
            CHECK,
            format!("a copy-on-write file system: {plain}"),
            "ext4 or xfs for log_dir; else leave it as it is",
        ),
        0x794c_7630 => Finding::note(
            CHECK,
            format!("an overlay, a container's own layer: it ends with the container, and {plain}"),
            "mount a volume at log_dir",
        ),
        0x6969 | 0xff53_4d42 | 0xfe53_4d42 | 0x0102_1997 | 0x6573_5546 | 0x0c36_4c6f => {
            Finding::problem(
                CHECK,
                "a network or user-space file system: locks may not hold between machines, and \
                 writes may wait for long",
                "a local disk for log_dir; copy or ship the logs from there",
            )
        }
        other => Finding::note(
            CHECK,
            format!("file system {other:#x}: {plain}"),
            "ext4 or xfs for log_dir; else leave it as it is",
        ),
    }
}

/// What the engine leaves free on a file system of this size.
pub(super) fn reserve(disk_reserve: u64, total: u64) -> u64 {
    disk_reserve.min(total / RESERVE_PART)
}

/// Whether there is room for all that logs and journal may come to, beside what stays free.
pub(super) fn room(free: u64, used: u64, bound: u64, reserve: u64) -> Finding {
    const CHECK: &str = "free space";
    let left = bound.saturating_sub(used);
    let text = format!(
        "{} free, {} of it stay so (disk_reserve); logs and journal come to at most {}, of which {} \
         are there",
        size(free),
        size(reserve),
        size(bound),
        size(used)
    );
    if free < left.saturating_add(reserve) {
        let advice = "free some space, or lower log_max_file_size, log_backup_count, \
                      journal_segments or disk_reserve (`tapelog config show` prints the bound)";
        return Finding::problem(CHECK, text, advice);
    }
    Finding::ok(CHECK, text)
}

/// Bytes of the files in the log directory and in its journal.
fn used_bytes(log_dir: &Path) -> u64 {
    let below = |directory: &Path| -> u64 {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| entry.metadata().ok());
        files.filter(Metadata::is_file).map(|found| found.blocks() * 512).sum()
    };
    below(log_dir) + below(&log_dir.join("journal"))
}

/// Owner, mode and access of a directory; `own`: it has to be ours.
pub(super) fn directory(check: &'static str, path: &Path, own: bool, findings: &mut Vec<Finding>) {
    let shown = path.display();
    let Ok(link) = fs::symlink_metadata(path) else {
        return findings.push(Finding::ok(check, format!("{shown} is made by the first start")));
    };
    let Ok(found) = fs::metadata(path) else {
        let what = format!("{shown} is a link that leads nowhere");
        return findings.push(Finding::problem(check, what, "move it away"));
    };
    if !found.is_dir() || (own && link.is_symlink()) {
        let what = format!("{shown} is no plain directory");
        return findings.push(Finding::problem(check, what, "move it away"));
    }
    let user = rustix::process::geteuid().as_raw();
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    let before = findings.len();
    if owner != user {
        let what = format!("{shown} belongs to user {owner}, this is user {user}");
        findings.push(if own {
            Finding::problem(check, what, "run this as the program's user, or move it away")
        } else {
            let advice = "whoever owns it can replace every file in it: chown it, if he need not";
            Finding::note(check, what, advice)
        });
    }
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        let what = format!("{shown} has mode {mode:04o}: others may replace what is in it");
        findings.push(Finding::problem(check, what, "chmod go-w"));
    } else if mode & 0o005 != 0 {
        let what = format!("{shown} has mode {mode:04o}: every user may look into it");
        findings.push(Finding::note(check, what, "chmod o-rx, unless that is what you want"));
    }
    if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let what = format!("{shown} is not writable for this user");
        findings.push(Finding::problem(check, what, "logging goes to the console only: chmod it"));
    }
    if findings.len() == before {
        findings.push(Finding::ok(check, format!("{shown}: mode {mode:04o}, our own")));
    }
}

/// Why a start would refuse a log there.
fn foreign(found: &Metadata) -> Option<&'static str> {
    let kind = found.file_type();
    if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a named pipe")
    } else if !kind.is_file() {
        Some("a socket or device")
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        Some("another user's file")
    } else if found.nlink() > 1 {
        Some("a file with several names (hard links)")
    } else {
        None
    }
}
