//! Where a view goes on after a restart, found before the logs are opened.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::handlers::notice;
use crate::journal::{Checkpoint, Position};
use crate::shared::{Core, FileError, Part};
use crate::writer::cursor::{Cursor, Left, Mark};
use crate::writer::routing::Skips;

/// How long is waited in all for files that cannot be read, before anything is rendered.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often they are tried meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

/// Where a view goes on, found before the logs are opened.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    pub(super) cursor: Option<Cursor>,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) skips: Skips,
}

impl Resume {
    /// Reads what the last run in the directory left, and takes back torn lines.
    pub(crate) fn load(core: &Core) -> Resume {
        let configuration = &core.configuration;
        let journal = configuration.log_dir.join("journal");
        // Where there is none, nothing is to be known from it.
        let is_there = std::fs::symlink_metadata(Cursor::path(&journal)).is_ok();
        let deadline = Instant::now() + if is_there { PATIENCE } else { Duration::ZERO };
        let open = || Cursor::open(&journal, configuration.file_mode);
        let (cursor, left) = match patiently(deadline, |_| (), open) {
            Ok(opened) => opened,
            Err(error) => {
                notice(&format!(
                    "the views' cursor in {} is of no use ({error}): after a crash, entries may be \
                     missing or stand twice in the logs, not in the journal",
                    journal.display(),
                ));
                (Cursor::unopened(&journal, configuration.file_mode), Left::default())
            }
        };
        let checkpoint = left.checkpoint.as_deref().and_then(Checkpoint::decode);
        let skips = if checkpoint.is_some() {
            skips(core, &left.marks, deadline)
        } else {
            Skips::default()
        };
        Resume { cursor: Some(cursor), checkpoint, skips }
    }

    /// Where the directory cannot be read now: begins with this run.
    pub(crate) fn unread(core: &Core) -> Resume {
        let configuration = &core.configuration;
        let journal = configuration.log_dir.join("journal");
        let cursor =
            configuration.render_logs.then(|| Cursor::unopened(&journal, configuration.file_mode));
        Resume { cursor, ..Resume::default() }
    }

    /// Forgets what the last run left: nothing is rendered in this one, and the next one that
    /// renders begins with its own entries.
    pub(crate) fn forget(core: &Core) -> Resume {
        let journal = core.configuration.log_dir.join("journal");
        if let Err(error) = Cursor::remove(&journal) {
            notice(&format!(
                "the views' cursor in {} cannot be removed ({error}): when the logs are rendered \
                 again, they get this run's entries, too",
                journal.display(),
            ));
        }
        Resume::default()
    }

    /// Begins with this run, because the cursor names a place that no run can have come to.
    pub(crate) fn disbelieve(&mut self, core: &Core) {
        notice(&format!(
            "the views' cursor in {} names segment {}, which the journal is far from: the logs begin \
             with this run; what stands in the journal is shown by `tapelog cat`",
            core.configuration.log_dir.join("journal").display(),
            self.oldest_needed(),
        ));
        (self.checkpoint, self.skips) = (None, Skips::default());
    }

    /// Where the views go on; none: with this run.
    pub(crate) fn place(&self) -> Option<Position> {
        self.checkpoint.as_ref().map(|checkpoint| checkpoint.position)
    }

    /// The oldest segment that is still to be rendered; `u64::MAX` if none is.
    pub(crate) fn oldest_needed(&self) -> u64 {
        self.place().map_or(u64::MAX, |place| place.sequence)
    }
}

/// How many entries behind the checkpoint each log has. One that cannot be read is tried again for a
/// while; then it gets nothing of earlier runs, because nobody knows what it has of them.
fn skips(core: &Core, marks: &[Mark; 3], deadline: Instant) -> Skips {
    let paths = core.configuration.log_paths();
    let outage = core.control.outage();
    let skip = |log: usize| {
        let (path, part) = (&paths[log], Part::Log(log as u8));
        let fail = |error: &io::Error| {
            let waits = "nothing is rendered until it works again, for a second at most";
            outage.failed(part, FileError::new("read", path, error), waits);
        };
        let found = patiently(deadline, fail, || marks[log].skip(path));
        outage.works(part, 0);
        found.unwrap_or_else(|error| {
            tell_unread(path, &error);
            u64::MAX
        })
    };
    Skips { expert: skip(0), trades: skip(1), errors: skip(2) }
}

fn tell_unread(path: &Path, error: &io::Error) {
    notice(&format!(
        "{} cannot be read ({error}), so it is not known what it has of the run before: it gets \
         nothing of that, only of this run; `tapelog cat` shows what it may be missing",
        path.display(),
    ));
}

/// Tries until there is success, or a failure that will not pass, or the time is over.
fn patiently<T>(
    deadline: Instant,
    fail: impl Fn(&io::Error),
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if may_pass(&error) && Instant::now() < deadline => {
                fail(&error);
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Whether waiting may help. What is refused has no number of the system's.
fn may_pass(error: &io::Error) -> bool {
    let lasts = matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
    );
    error.raw_os_error().is_some() && !lasts
}
