//! How a segment comes into being: a file, fresh or an old one renamed, or anonymous memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, Mode};

use super::{Place, SegmentStore};
use crate::crash::{self, CrashPoint};
use crate::files::{self, FileCall};
use crate::handlers::notice;
use crate::journal::disk::{allocate, make_directory, random_id, shortage};
use crate::journal::error::JournalError;
use crate::journal::index::SEQUENCE_MAX;
use crate::journal::layout::SegmentHeader;
use crate::journal::segment::Segment;

/// What a segment is called while its header is not written yet.
const UNFINISHED_NAME: &str = "next.tape.new";

impl SegmentStore {
    /// A segment in a new file.
    pub(super) fn fresh(&self) -> Result<Segment, JournalError> {
        let path = self.unfinished();
        self.keep_count()?;
        self.keep_reserve(&path, self.options.segment_bytes)?;
        let made = self.fresh_file(&path).and_then(|(file, mapped)| {
            let segment =
                self.map(self.header(self.options.segment_bytes)?, file, &path, mapped)?;
            self.name(&segment.header, &segment.file, &path)?;
            Ok(segment)
        });
        if made.is_err() {
            // A failed fallocate leaves what it got; the first error is the one to report.
            let _ = std::fs::remove_file(&path);
        }
        made
    }

    /// Fails where no number is left, because a file has the highest one that there can be.
    fn keep_count(&self) -> Result<(), JournalError> {
        if self.next_sequence <= SEQUENCE_MAX {
            return Ok(());
        }
        let text = "no segment can have a higher number than this one: move it away, and start the \
                    program again";
        let highest = self.index.path(SEQUENCE_MAX);
        Err(JournalError::io("make a segment behind", &highest)(io::Error::other(text)))
    }

    /// Fails where so many bytes more would take what is to stay free.
    fn keep_reserve(&self, path: &Path, bytes: u64) -> Result<(), JournalError> {
        let directory = path.parent().unwrap_or(path);
        let reserve = self.options.reserve_bytes;
        match shortage(directory, reserve, bytes) {
            Ok(Some(text)) => {
                let full = io::Error::new(io::ErrorKind::StorageFull, text);
                Err(JournalError::io("make", path)(full))
            }
            // What the system does not tell, the next call will.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Where a segment's file is until it has its name.
    fn unfinished(&self) -> PathBuf {
        match &self.options.place {
            Place::Directory { path, .. } => path.join(UNFINISHED_NAME),
            Place::Memory => PathBuf::from(UNFINISHED_NAME),
        }
    }

    /// Makes the file with all its room; says whether it may be mapped.
    fn fresh_file(&self, path: &Path) -> Result<(File, bool), JournalError> {
        let Place::Directory { path: directory, file_mode, dir_mode } = &self.options.place else {
            return Err(JournalError::io("create", path)(io::Error::from(
                io::ErrorKind::Unsupported,
            )));
        };
        match files::call(FileCall::Remove, || std::fs::remove_file(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(JournalError::io("remove", path)(error));
            }
            _ => {}
        }
        let mut how = OpenOptions::new();
        how.read(true).write(true).create_new(true).mode(*file_mode);
        let create = || files::open(FileCall::Create, &how, path);
        let file = match create() {
            // Somebody has removed the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(directory, *dir_mode)?;
                create()
            }
            outcome => outcome,
        };
        let file = file.map_err(JournalError::io("create", path))?;
        let mode = Mode::from_raw_mode(*file_mode);
        files::call(FileCall::SetMode, || rustix::fs::fchmod(&file, mode))
            .map_err(JournalError::io("set the mode of", path))?;
        let has_room = allocate(&file, self.options.segment_bytes)
            .map_err(JournalError::io("allocate", path))?;
        Ok((file, self.mapped && has_room))
    }

    /// The segment of a file made new: it is renamed and written from the beginning.
    pub(super) fn renew(
        &self,
        sequence: u64,
        segment: Option<Segment>,
    ) -> Result<Segment, JournalError> {
        self.keep_count()?;
        self.index.remove(sequence);
        let (old, path) = (self.index.path(sequence), self.unfinished());
        // What has another name is somebody's copy: it stays as it is.
        let fits = |segment: &Segment| {
            let found = segment.file.metadata();
            found.is_ok_and(|it| it.len() == self.options.segment_bytes && it.nlink() == 1)
        };
        if let Some(mut segment) = segment.filter(fits) {
            match files::call(FileCall::Rename, || std::fs::rename(&old, &path)) {
                Ok(()) => {
                    crash::pass(CrashPoint::SegmentUnnamed);
                    segment.header = self.header(self.options.segment_bytes)?;
                    let named = self.name(&segment.header, &segment.file, &path);
                    if named.is_err() {
                        // It says nothing any more; the first error is the one to report.
                        let _ = std::fs::remove_file(&path);
                    }
                    return named.map(|()| segment);
                }
                // Somebody has removed it or moved it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(JournalError::io("rename", &old)(error)),
            }
        }
        // Of another run or another size: a new file costs the same, but is not to be had where there
        // is no room even without the old one.
        let freed = std::fs::symlink_metadata(&old).map_or(0, |found| found.blocks() * 512);
        self.keep_reserve(&path, self.options.segment_bytes.saturating_sub(freed))?;
        self.remove(sequence)?;
        self.fresh()
    }

    /// A segment in new memory.
    pub(super) fn fresh_memory(&self) -> Result<Segment, JournalError> {
        let path = Path::new("a segment in memory");
        let bytes = self.memory.segment_bytes;
        let file = rustix::fs::memfd_create("tapelog-journal", MemfdFlags::CLOEXEC)
            .map_err(JournalError::io("create", path))?;
        let file =
            files::above_standard(File::from(file)).map_err(JournalError::io("create", path))?;
        files::refuse_beyond_limit(bytes).map_err(JournalError::io("size", path))?;
        file.set_len(bytes).map_err(JournalError::io("size", path))?;
        // Nobody else can take its pages away.
        let (header, mapped) = (self.header(bytes)?, self.options.mapped);
        let segment = Segment::new(header, Arc::new(file), mapped, None, true)
            .map_err(JournalError::io("map", path))?;
        self.hide(&segment, path);
        self.begin(&segment.header, &segment.file, path)?;
        Ok(segment)
    }

    /// A segment in memory made new.
    pub(super) fn renew_memory(&self, mut segment: Segment) -> Result<Segment, JournalError> {
        segment.header = self.header(self.memory.segment_bytes)?;
        self.begin(&segment.header, &segment.file, Path::new("a segment in memory"))?;
        Ok(segment)
    }

    fn map(
        &self,
        header: SegmentHeader,
        file: File,
        path: &Path,
        mapped: bool,
    ) -> Result<Segment, JournalError> {
        let segment = Segment::new(header, Arc::new(file), mapped, self.guard.as_ref(), false)
            .map_err(JournalError::io("map", path))?;
        self.hide(&segment, path);
        Ok(segment)
    }

    /// Leaves a segment's mapping out of core dumps, if that is wanted: memory would be in them, and a
    /// file that somebody removes.
    fn hide(&self, segment: &Segment, path: &Path) {
        let mapping = segment.mapping.as_ref().filter(|_| self.options.hidden);
        if let Some(Err(error)) = mapping.map(|mapping| mapping.hide_from_dumps()) {
            notice(&format!(
                "dump_ring = false, but the kernel does not take {} out of core dumps ({error}): \
                 switch them off with `ulimit -c 0`",
                path.display(),
            ));
        }
    }

    /// Writes the header page, then gives the file its name, if that is free, or an empty segment's of an
    /// earlier run: a name never belies its header.
    fn name(
        &self,
        header: &SegmentHeader,
        file: &Arc<File>,
        path: &Path,
    ) -> Result<(), JournalError> {
        files::write_all_at(file, &header.page(), 0).map_err(JournalError::io("write", path))?;
        crash::pass(CrashPoint::SegmentHeaded);
        let name = self.index.path(header.sequence);
        let renamed = if self.empty.contains(&header.sequence) {
            files::call(FileCall::Rename, || std::fs::rename(path, &name))
        } else {
            // What has come there meanwhile is somebody else's: it stays, and the next number is tried.
            files::rename_new(path, &name)
        };
        renamed.map_err(JournalError::io("give its name to", &name))?;
        crash::pass(CrashPoint::SegmentNamed);
        self.index.insert(header.sequence, file);
        Ok(())
    }

    /// Writes the header page of a segment in memory, which has no name.
    fn begin(
        &self,
        header: &SegmentHeader,
        file: &Arc<File>,
        path: &Path,
    ) -> Result<(), JournalError> {
        file.write_all_at(&header.page(), 0).map_err(JournalError::io("write", path))?;
        self.index.insert(header.sequence, file);
        Ok(())
    }

    fn header(&self, segment_bytes: u64) -> Result<SegmentHeader, JournalError> {
        let created = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Ok(SegmentHeader {
            sequence: self.next_sequence,
            use_id: random_id()
                .map_err(JournalError::io("draw a random id for", Path::new("a segment")))?,
            writer: self.options.ring_id,
            segment_bytes,
            created_unix_nanos: created.map_or(0, |since| since.as_nanos() as i64),
            order_window_nanos: self.options.order_window_nanos,
            pid: std::process::id(),
            host: self.options.host.clone(),
            program: self.options.program.clone(),
            facility: self.options.facility,
            after: SegmentHeader::after(self.next_sequence, self.newest_file()),
        })
    }
}
