//! Finding the rings that a log directory's dead processes left.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};

use crate::config::Configuration;
use crate::files::above_standard;
use crate::handlers::{Refusal, notice, refuse_log};
use crate::journal::{SegmentIndex, Tail};
use crate::ring::{DeadRing, Identity, UNFINISHED, VERSION, boot_id};
use crate::shared::{Control, Recovered};
use crate::sync::ParentsFile;
use crate::writer::{ASIDE, Recovery, Stray, set_aside};

/// How the files of rings end.
pub(super) const SUFFIX: &str = ".ring";
/// More files than this are not looked at.
pub(super) const FILES_MAX: usize = 4096;
/// More rings than this are not brought home at once: the next start takes the others.
const RINGS_MAX: usize = 32;
/// So old is a file that was left unfinished when it is removed: its maker may be about to lock it.
const UNFINISHED_AGE: Duration = Duration::from_secs(10);
/// Bytes that say whose ring a file is.
const PAGE_BYTES: usize = 4096;
/// Whoever lists rings holds a lock for a moment; so often, and so long, it is waited for.
const LOCK_TRIES: u32 = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// The rings of a log directory that nobody uses any more.
#[derive(Debug, Default)]
pub(crate) struct Found {
    strays: Vec<Stray>,
    /// What could not be used.
    refused: Vec<Recovered>,
}

/// What a look at one file came to.
enum Look {
    /// It is to be brought home.
    Stray(Stray),
    /// It cannot be.
    Refused(Recovered),
    /// It is somebody else's, or nothing.
    Other,
}

/// Who a ring of this log directory says it belongs to: the same before the directory is made.
pub(crate) fn owner_of(log_dir: &Path) -> Vec<u8> {
    let path = std::path::absolute(log_dir).unwrap_or_else(|_| log_dir.to_owned());
    let resolved = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        let above = std::fs::canonicalize(above).ok()?;
        // Joined with nothing, a path would end in a slash.
        Some(if rest.as_os_str().is_empty() { above } else { above.join(rest) })
    });
    resolved.unwrap_or(path).into_os_string().into_encoded_bytes()
}

/// Finds the rings that dead processes left which logged to this directory, the oldest first. What
/// cannot be used is set aside. The caller owns the log directory.
pub(crate) fn find(configuration: &Configuration) -> Found {
    let mut found = Found::default();
    let directory = &configuration.ring_dir;
    let listed = names(directory).and_then(|names| Ok((open_directory(directory)?, names)));
    let (opened, names) = match listed {
        Ok(listed) => listed,
        Err(error) => {
            use io::ErrorKind::{NotADirectory, NotFound};
            if !matches!(error.kind(), NotFound | NotADirectory) {
                let reason =
                    format!("no ring can be looked for: {error}; the next start tries again");
                let any = directory.join(format!("*{SUFFIX}"));
                found.refused.push(Recovered::failed(any, 0, reason));
            }
            return found;
        }
    };
    let owner = owner_of(&configuration.log_dir);
    for name in names {
        if name.strip_suffix(UNFINISHED).is_some_and(|name| name.ends_with(SUFFIX)) {
            // No record was ever in it. What cannot be removed now is tried again next time.
            let _left = remove_unfinished(&opened, &name);
            continue;
        }
        if !name.ends_with(SUFFIX) {
            continue;
        }
        match look(directory, &opened, &name, &owner) {
            Ok(Look::Stray(stray)) => found.strays.push(stray),
            Ok(Look::Refused(refused)) => found.refused.push(refused),
            Ok(Look::Other) => {}
            Err(error) => {
                let reason = format!("it cannot be opened: {error}; the next start tries again");
                found.refused.push(Recovered::failed(directory.join(name), 0, reason));
            }
        }
    }
    found.strays.sort_by_key(|stray| stray.ring.identity().created_unix_nanos);
    found.strays.truncate(RINGS_MAX);
    found
}

/// Holds open what tells how far these rings came.
pub(crate) fn prepare(found: Found, configuration: &Configuration) -> (Found, Option<Tail>) {
    if found.strays.is_empty() {
        return (found, None);
    }
    let index = SegmentIndex::own_directory(configuration.log_dir.join("journal"));
    let size = |stray: &Stray| (stray.ring.identity().id, stray.ring.ring_bytes());
    let tail = Tail::open(&index, found.strays.iter().map(size).collect());
    (found, Some(tail))
}

/// Tells of what was refused, and gives what is to be brought home.
pub(crate) fn begin(
    (mut found, tail): (Found, Option<Tail>),
    in_memory: bool,
    control: &Control,
) -> Option<Recovery> {
    if in_memory {
        let reason = "the journal is in memory and would not keep it: the next start tries again";
        found.refused.extend(found.strays.drain(..).map(|stray| {
            let pid = stray.ring.identity().pid;
            Recovered::failed(stray.path, pid, reason.to_owned())
        }));
    }
    for refused in found.refused {
        let reason = refused.failure.as_deref().unwrap_or_default();
        notice(&format!("the ring {} is not recovered: {reason}", refused.path.display()));
        control.note_recovered(refused);
    }
    let tail = tail.filter(|_| !found.strays.is_empty())?;
    Some(Recovery::new(found.strays, tail))
}

/// The names of the files in a directory.
pub(super) fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = std::fs::read_dir(directory)?.take(FILES_MAX);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    Ok(names)
}

/// Opens a directory in which there may be rings, if it is ours.
pub(super) fn open_directory(directory: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, Mode::empty())?;
    let owner = rustix::fs::fstat(&opened)?.st_uid;
    let user = rustix::process::geteuid().as_raw();
    if owner != user {
        let text = format!("it belongs to user {owner}, not to {user}");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(opened)
}

/// What stands at the name of a ring.
pub(super) enum Standing {
    /// A plain file of ours, with a single name.
    File(File),
    /// Something else, which is left alone; a plain file of ours that has other names is open.
    Refused(Refusal, Option<File>),
    /// Nothing any more.
    Gone,
}

/// Opens a ring's file. Judged twice: before, because to open a device can have effects of its own, and
/// by the descriptor, because another file may have taken the name in between.
pub(super) fn open_file(directory: &OwnedFd, name: &str) -> io::Result<Standing> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = |how| match openat(directory, name, flags | how, Mode::empty()) {
        Ok(file) => Ok(Some(above_standard(File::from(file))?)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(io::Error::from(error)),
    };
    let Some(place) = open(OFlags::PATH)? else { return Ok(Standing::Gone) };
    match refuse_log(&place.metadata()?) {
        None | Some(Refusal::HardLinks { .. }) => {}
        Some(refusal) => return Ok(Standing::Refused(refusal, None)),
    }
    let Some(file) = open(OFlags::RDWR)? else { return Ok(Standing::Gone) };
    Ok(match refuse_log(&file.metadata()?) {
        None => Standing::File(file),
        Some(refusal @ Refusal::HardLinks { .. }) => Standing::Refused(refusal, Some(file)),
        Some(refusal) => Standing::Refused(refusal, None),
    })
}

/// Whose ring a file is, as far as it says.
pub(super) fn identity_of(file: &File) -> io::Result<Option<Identity>> {
    let mut page = [0; PAGE_BYTES];
    let mut length = 0;
    while length < page.len() {
        match file.read_at(&mut page[length..], length as u64)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(Identity::read(&page[..length]))
}

/// Whether a file that is not whole yet is so old that its maker is dead, if nobody has locked it.
pub(super) fn is_abandoned(file: &File) -> io::Result<bool> {
    let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
    Ok(age > UNFINISHED_AGE)
}

/// Removes a ring's file whose maker died before it was whole.
fn remove_unfinished(directory: &OwnedFd, name: &str) -> io::Result<()> {
    let Standing::File(file) = open_file(directory, name)? else { return Ok(()) };
    if is_abandoned(&file)? && lock(&file)? {
        rustix::fs::unlinkat(directory, name, rustix::fs::AtFlags::empty())?;
    }
    Ok(())
}

fn look(directory: &Path, opened: &OwnedFd, name: &str, owner: &[u8]) -> io::Result<Look> {
    let file = match open_file(opened, name)? {
        Standing::File(file) => file,
        Standing::Gone => return Ok(Look::Other),
        Standing::Refused(refusal, file) => {
            let identity = file.map_or(Ok(None), |file| identity_of(&file))?;
            let pid = identity.as_ref().map_or(0, |identity| identity.pid);
            if identity.is_some_and(|identity| identity.owner != owner) {
                return Ok(Look::Other);
            }
            let reason = format!("{refusal}; it was left untouched: remove it");
            return Ok(Look::Refused(Recovered::failed(directory.join(name), pid, reason)));
        }
    };
    let Some(identity) = identity_of(&file)?.filter(|identity| identity.owner == owner) else {
        return Ok(Look::Other);
    };
    if !lock(&file)? {
        return Ok(Look::Other);
    }
    let (path, pid) = (directory.join(name), identity.pid);
    if let Some(reason) = refusal(&identity) {
        return Ok(Look::Refused(refuse(path, pid, &reason)));
    }
    match DeadRing::open(ParentsFile::new(file)?, identity)? {
        Some(ring) => Ok(Look::Stray(Stray { ring, path })),
        None => Ok(Look::Refused(refuse(path, pid, "its header makes no sense"))),
    }
}

/// Takes the lock that a living process holds; whether there is none.
fn lock(file: &File) -> io::Result<bool> {
    for _ in 0..LOCK_TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// Why a ring is not to be read, whatever is in it.
pub(super) fn refusal(identity: &Identity) -> Option<String> {
    let user = rustix::process::geteuid().as_raw();
    if identity.version != VERSION {
        return Some(format!(
            "its layout has version {}, and this version of tapelog reads {VERSION}: recover it with \
             the version that made it",
            identity.version,
        ));
    }
    if identity.uid != user {
        return Some(format!("a process of user {} made it, not of {user}", identity.uid));
    }
    if identity.boot_id != boot_id() {
        return Some(
            "it is of another boot of the machine, so its clock means nothing now".to_owned(),
        );
    }
    None
}

/// Sets a ring aside that is never to be read.
fn refuse(path: PathBuf, pid: u32, reason: &str) -> Recovered {
    let reason = match set_aside(&path) {
        Ok(()) => format!("{reason}; it is kept as *{SUFFIX}.{ASIDE}"),
        Err(error) => format!("{reason}; it stays there ({error})"),
    };
    Recovered::failed(path, pid, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_the_same_owner_before_it_is_made() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("real"), home.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let logs = link.join("bot/logs");
        let before = owner_of(&logs);
        std::fs::create_dir_all(&logs).unwrap();
        assert_eq!(owner_of(&logs), before);
        assert_eq!(
            before,
            real.canonicalize().unwrap().join("bot/logs").as_os_str().as_encoded_bytes()
        );
        assert_eq!(owner_of(&real.join("bot/logs")), before);
    }
}
