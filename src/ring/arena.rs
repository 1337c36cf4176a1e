//! The memory of a ring: a file on tmpfs that survives the process, or anonymous memory.

#![expect(unsafe_code, reason = "writes the header page through a view of the arena")]

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::process::Resource;

use super::Pages;
use super::error::RingError;
use super::header::{self, Identity, MAGIC};
use super::lane::{Private, Process};
use super::layout::{Geometry, HEADER_BYTES, OWNER_BYTES_MAX};
use crate::sync::{FileCall, ParentsFile, Region, Table, above_standard, file_call};

/// `f_type` of the file systems that live in memory: tmpfs and ramfs.
const MEMORY_FILE_SYSTEMS: [u64; 2] = [0x0102_1994, 0x8584_58F6];

/// What is added to the name of a ring's file until it is whole.
pub(crate) const UNFINISHED: &str = ".new";

/// Room that is asked for by one call: tens of microseconds.
const ALLOCATED_AT_ONCE: u64 = 256 << 10;

/// The memory of one ring.
#[derive(Debug)]
pub(super) struct Arena {
    shared: Region,
    private: Region,
    id: u64,
    file: Option<RingFile>,
    fallback_reason: Option<String>,
    page_troubles: Vec<String>,
}

/// The file in which a ring lies. Its lock says that the process lives; a forked child lets go of it.
#[derive(Debug)]
struct RingFile {
    directory: OwnedFd,
    path: PathBuf,
    locked: ParentsFile,
}

impl Arena {
    /// Makes the memory, in a file in `directory` if that can be had.
    pub(super) fn create(
        geometry: &Geometry,
        directory: Option<&Path>,
        pages: Pages,
        owner: &[u8],
    ) -> Result<Arena, RingError> {
        let id = random_id();
        let bytes = geometry.ring_bytes;
        let made = directory.map(|directory| {
            if owner.len() > OWNER_BYTES_MAX {
                // Recovery finds a ring by its owner.
                return Err(format!("the path of log_dir is longer than {OWNER_BYTES_MAX} bytes"));
            }
            RingFile::create(directory, id, bytes, pages.huge)
        });
        let (shared, file, fallback_reason) = match made {
            Some(Ok((region, file))) => (region, Some(file), None),
            Some(Err(reason)) => (anonymous(bytes, pages.huge)?, None, Some(reason)),
            None => (anonymous(bytes, pages.huge)?, None, None),
        };
        let private_bytes = Arena::private_bytes(geometry);
        let private = Region::wiped_on_fork(private_bytes).map_err(|source| RingError::Memory {
            bytes: private_bytes,
            what: "the producers' private state, which needs Linux 4.14",
            source,
        })?;
        let page_troubles = page_troubles(pages, &shared, &private, file.as_ref());
        let arena = Arena { shared, private, id, file, fallback_reason, page_troubles };
        if arena.crash_safe() {
            arena.write_header(geometry, owner);
        }
        Ok(arena)
    }

    /// Number of bytes of the private memory: the process's own state, the lanes', and one more
    /// for the handles that share a lane.
    fn private_bytes(geometry: &Geometry) -> usize {
        size_of::<Process>() + (geometry.lanes as usize + 1) * size_of::<Private>()
    }

    /// The tables in the private memory.
    pub(super) fn private_tables(&self, geometry: &Geometry) -> (Table<Process>, Table<Private>) {
        let lanes = geometry.lanes as usize + 1;
        (self.private.table(0, 1), self.private.table(size_of::<Process>(), lanes))
    }

    /// The memory that the drain and, after a crash, recovery see.
    pub(super) fn shared(&self) -> &Region {
        &self.shared
    }

    /// A random number.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether the memory is a file.
    pub(super) fn crash_safe(&self) -> bool {
        self.file.is_some()
    }

    /// Why it is none, although a directory was given.
    pub(super) fn fallback_reason(&self) -> Option<&str> {
        self.fallback_reason.as_deref()
    }

    /// What was asked for the pages and could not be had.
    pub(super) fn page_troubles(&self) -> &[String] {
        &self.page_troubles
    }

    /// The path of the file.
    #[cfg(test)]
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| file.path.clone())
    }

    /// The file, and why a later start does not find it, if that is so: it was removed, renamed, or
    /// replaced. Makes system calls.
    pub(super) fn missing_file(&self) -> Option<(&Path, &'static str)> {
        let file = self.file.as_ref()?;
        file.missing().map(|why| (&*file.path, why))
    }

    /// Unlinks the file; that it is gone already is as good.
    pub(super) fn remove_file(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }

    /// Fills the header page, all but the magic.
    fn write_header(&self, geometry: &Geometry, owner: &[u8]) {
        let page = header::encode(&Identity::own(self.id, unix_ns(), owner), geometry);
        // SAFETY: nobody else sees the arena yet.
        unsafe { self.shared.area(0, HEADER_BYTES).write(0, &page) };
    }

    /// Writes the magic and gives the file its name: from now on it counts. Where that fails, the
    /// memory is as good as anonymous.
    pub(super) fn seal(&mut self) {
        let Some(file) = &mut self.file else { return };
        // SAFETY: only this process has the arena mapped, and nobody in it reads the magic.
        unsafe { self.shared.area(0, HEADER_BYTES).write(0, &MAGIC) };
        if let Err(error) = file.name(self.id) {
            self.fallback_reason = Some(format!("{}: {error}", file.path.display()));
            file.remove();
            self.file = None;
        }
    }
}

impl RingFile {
    /// Makes a file in `directory`, locked, whole and mapped; or says why not. It is called
    /// `<pid>-<id>.ring.new` as long as nobody could read it.
    fn create(
        directory: &Path,
        id: u64,
        bytes: usize,
        huge: bool,
    ) -> Result<(Region, RingFile), String> {
        let shown = directory.display();
        let opened = open_directory(directory).map_err(|why| format!("ring_dir {shown}: {why}"))?;
        let name = file_name(id) + UNFINISHED;
        let path = directory.join(&name);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let create = || rustix::fs::openat(&opened, &name, flags, mode);
        let file = file_call(FileCall::Create, create)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let file = above_standard(File::from(file)).map_err(io::Error::from);
        let locked = file.and_then(|file| Ok((RingFile::lock(&opened, &name, &file)?, file)));
        match locked.and_then(|(locked, file)| Ok((RingFile::fill(&file, bytes, huge)?, locked))) {
            Ok((region, locked)) => Ok((region, RingFile { directory: opened, path, locked })),
            Err(error) => {
                // A failed allocation leaves a partial file behind.
                let _gone = rustix::fs::unlinkat(&opened, &name, AtFlags::empty());
                Err(format!("{}: {bytes} bytes: {error}", path.display()))
            }
        }
    }

    /// Gives the file its mode and locks it, through an open file of its own: a mapping keeps the one
    /// that it was made from open, in a forked child as well, and would keep its lock.
    fn lock(directory: &OwnedFd, name: &str, file: &File) -> io::Result<ParentsFile> {
        let mode = Mode::RUSR | Mode::WUSR;
        file_call(FileCall::SetMode, || rustix::fs::fchmod(file, mode))?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(directory, name, flags, Mode::empty());
        let locked = above_standard(File::from(file_call(FileCall::Open, open)?))?;
        let exclusive = FlockOperation::NonBlockingLockExclusive;
        file_call(FileCall::Lock, || rustix::fs::flock(&locked, exclusive))?;
        ParentsFile::new(locked)
    }

    /// Gives the file all of its room, and maps it.
    fn fill(file: &File, bytes: usize, huge: bool) -> io::Result<Region> {
        let limit = rustix::process::getrlimit(Resource::Fsize).current;
        if limit.is_some_and(|limit| limit < bytes as u64) {
            // The kernel would answer with SIGXFSZ, which kills.
            return Err(io::Error::from(rustix::io::Errno::FBIG));
        }
        // Pages that `fallocate` makes are huge only where the whole file system is so: on others
        // they must come through a mapping that asks for them.
        file_call(FileCall::SetLength, || rustix::fs::ftruncate(file, bytes as u64))?;
        let region = huge.then(|| Region::file_huge(file, bytes).ok()).flatten();
        allocate(file, bytes as u64)?;
        region.map_or_else(|| file_call(FileCall::Map, || Region::file(file, bytes)), Ok)
    }

    /// Gives the file the name under which it is looked for. Fails if somebody took it for one that
    /// was left unfinished and has removed it.
    fn name(&mut self, id: u64) -> io::Result<()> {
        let name = file_name(id);
        let before = self.path.file_name().unwrap_or_default();
        file_call(FileCall::Rename, || {
            rustix::fs::renameat(&self.directory, before, &self.directory, &name)
        })?;
        self.path.set_file_name(name);
        Ok(())
    }

    /// Why a later start does not find the file by its name, if that is so.
    fn missing(&self) -> Option<&'static str> {
        let own = rustix::fs::fstat(self.locked.file()).ok()?;
        // Past the gate: what cannot be looked at is nobody's trouble.
        match rustix::fs::lstat(&self.path) {
            Ok(found) if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino) => None,
            Ok(_) => Some("another file stands in its place"),
            Err(rustix::io::Errno::NOENT) => Some("it was removed or renamed"),
            // What cannot be looked at now may be there.
            Err(_) => None,
        }
    }

    fn remove(&self) {
        if let Some(name) = self.path.file_name() {
            // There is nothing to be done about a failure: the next start in the directory finds the
            // file unlocked and drained, and removes it.
            let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
        }
    }
}

/// Gives the file its room, piece by piece: a signal has the kernel give back what the call at hand
/// has got so far, and a program may have a timer that leaves no time for the whole.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    for start in (0..bytes).step_by(ALLOCATED_AT_ONCE as usize) {
        let piece = ALLOCATED_AT_ONCE.min(bytes - start);
        file_call(FileCall::Allocate, || {
            rustix::fs::fallocate(file, FallocateFlags::empty(), start, piece)
        })?;
    }
    Ok(())
}

/// What a ring's file is called.
fn file_name(id: u64) -> String {
    format!("{}-{id:016x}.ring", std::process::id())
}

/// Opens the ring directory, which it makes if need be, and refuses what is not ours.
fn open_directory(directory: &Path) -> Result<OwnedFd, String> {
    let mode = Mode::RWXU;
    match file_call(FileCall::MakeDirectory, || rustix::fs::mkdir(directory, mode)) {
        // Independent of the umask, which may forbid the owner something.
        Ok(()) => file_call(FileCall::SetMode, || rustix::fs::chmod(directory, mode))
            .map_err(|error| error.to_string())?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("cannot make the directory: {error}")),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = file_call(FileCall::Open, || rustix::fs::open(directory, flags, Mode::empty()))
        .map_err(|error| format!("cannot open it as a directory of its own: {error}"))?;
    let status = file_call(FileCall::Stat, || rustix::fs::fstat(&opened))
        .map_err(|error| error.to_string())?;
    let user = rustix::process::geteuid().as_raw();
    if status.st_uid != user {
        return Err(format!("it belongs to user {}, not to {user}", status.st_uid));
    }
    let writable = status.st_mode & (Mode::WGRP | Mode::WOTH).bits();
    if writable != 0 {
        let mode = status.st_mode & 0o7777;
        return Err(format!("others may write to it (mode {mode:04o}): chmod 700"));
    }
    let system = rustix::fs::fstatfs(&opened).map_err(|error| error.to_string())?;
    let kind = u64::try_from(system.f_type).unwrap_or(0);
    if !MEMORY_FILE_SYSTEMS.contains(&kind) {
        return Err("it is not on tmpfs, and producers must not touch a disk".to_owned());
    }
    Ok(opened)
}

/// Locks the memory if that is asked for: what could not be had of the pages.
fn page_troubles(
    pages: Pages,
    shared: &Region,
    private: &Region,
    file: Option<&RingFile>,
) -> Vec<String> {
    let mut troubles = Vec::new();
    if pages.huge && shared.huge_bytes() == 0 {
        let remedy = match file {
            Some(_) => "ring_dir must lie on a tmpfs that is mounted with huge=advise",
            None => "/sys/kernel/mm/transparent_hugepage/enabled must say madvise or always",
        };
        troubles.push(format!(
            "huge_pages = true, but the kernel gave the ring none: {remedy}; the ring has ordinary \
             pages"
        ));
    }
    if pages.hidden
        && let Err(error) = shared.hide_from_dumps().and_then(|()| private.hide_from_dumps())
    {
        troubles.push(format!(
            "dump_ring = false, but the kernel does not take the ring out of core dumps ({error}): \
             switch them off with `ulimit -c 0`"
        ));
    }
    if pages.locked
        && let Err(error) = shared.lock().and_then(|()| private.lock())
    {
        let limit = rustix::process::getrlimit(Resource::Memlock).current;
        let limit = limit.map_or_else(|| "unlimited".to_owned(), |bytes| format!("{bytes} bytes"));
        troubles.push(format!(
            "mlock = true, but the ring's memory cannot be locked ({error}): raise RLIMIT_MEMLOCK, \
             which is {limit}, beyond ring_bytes and 1 MiB; the ring may be swapped out"
        ));
    }
    troubles
}

fn anonymous(bytes: usize, huge: bool) -> Result<Region, RingError> {
    let made = if huge { Region::anonymous_huge(bytes) } else { Region::anonymous(bytes) };
    made.map_err(|source| RingError::Memory { bytes, what: "its blocks", source })
}

/// A random number; where the kernel has none to give yet, one made of time, process and address.
fn random_id() -> u64 {
    let mut bytes = [0_u8; 8];
    let flags = rustix::rand::GetRandomFlags::NONBLOCK;
    match rustix::rand::getrandom(&mut bytes, flags) {
        Ok(8) => u64::from_le_bytes(bytes),
        _ => {
            let address = std::ptr::from_ref(&bytes).addr() as u64;
            (unix_ns() ^ address.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
                ^ u64::from(std::process::id())
        }
    }
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
