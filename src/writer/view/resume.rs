//! Where a view goes on after a restart, found before the logs are opened.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::handlers::notice;
use crate::journal::{Checkpoint, JournalReader, Liveness, Position, SegmentIndex, Step};
use crate::shared::{Core, FileError, Part};
use crate::writer::cursor::{Behind, Cursor, Left, Mark, has_lines};
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
    /// Lines that each log missed in the run before, and does not tell.
    pub(super) missing: [u64; 3],
    /// Whether the logs may miss entries that no start can find out.
    pub(super) in_doubt: bool,
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
        let (mut cursor, left) = match patiently(deadline, |_| (), open) {
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
        let paths = configuration.log_paths();
        if is_there && left.checkpoint.is_none() {
            return Resume::without_place(cursor, &journal, &paths);
        }
        let (left, in_doubt) = borne_out(&mut cursor, left, &journal, &paths);
        let checkpoint = left.checkpoint.as_deref().and_then(Checkpoint::decode);
        let (skips, missing) = if checkpoint.is_some() {
            behind(core, &left.marks, deadline)
        } else {
            (Skips::default(), [0; 3])
        };
        Resume { cursor: Some(cursor), checkpoint, skips, missing, in_doubt }
    }

    /// Where the cursor has no place, because a power cut took it: logs without a line get all that the
    /// journal has; what others have is not known.
    fn without_place(cursor: Cursor, journal: &Path, paths: &[PathBuf; 3]) -> Resume {
        let index = SegmentIndex::directory(journal);
        if !has_records(&index) {
            // Who died before it noted its first place had logged nothing.
            return Resume { cursor: Some(cursor), ..Resume::default() };
        }
        let sequences = index.sequences();
        let in_doubt = sequences.is_err() || paths.iter().any(|path| has_lines(path));
        let sequences = sequences.unwrap_or_default();
        let oldest = sequences.first().filter(|_| !in_doubt);
        let checkpoint = oldest.map(|oldest| Checkpoint::at(Position::start_of(*oldest)));
        Resume { cursor: Some(cursor), checkpoint, in_doubt, ..Resume::default() }
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

/// Whether earlier runs have left a record in the journal, or that cannot be known now.
fn has_records(index: &SegmentIndex) -> bool {
    let mut reader = JournalReader::new(index.clone(), None, Liveness::Ended);
    loop {
        match reader.next_frame() {
            Ok(Step::Frame(frame)) if frame.pass_ticks().is_some() => return true,
            Ok(Step::EndOfData) => return false,
            Err(_) => return true,
            Ok(_) => {}
        }
    }
}

/// The newest place that the logs bear out; the newest of all, and that it is in doubt, if there is none.
fn borne_out(
    cursor: &mut Cursor,
    mut left: Left,
    journal: &Path,
    paths: &[PathBuf; 3],
) -> (Left, bool) {
    let mut older = std::mem::take(&mut left.older);
    if left.is_borne_out(true, &older, paths) {
        return (left, false);
    }
    let index = SegmentIndex::directory(journal);
    let is_readable = |left: &Left| {
        let place = left.checkpoint.as_deref().and_then(Checkpoint::decode);
        place.is_some_and(|place| index.path(place.position.sequence).exists())
    };
    let fits = |at: &usize| {
        is_readable(&older[*at]) && older[*at].is_borne_out(false, &older[at + 1..], paths)
    };
    let Some(at) = (0..older.len()).find(fits) else { return (left, true) };
    let place = older.swap_remove(at);
    // Where that fails, the next note is newer all the same.
    let _gone_back = cursor.go_back_to(&place);
    (place, false)
}

/// How many entries behind the checkpoint each log has, and what it lacks in front of it. One that cannot
/// be read is tried again for a while; then it gets nothing of earlier runs, because nobody knows what it
/// has of them.
fn behind(core: &Core, marks: &[Mark; 3], deadline: Instant) -> (Skips, [u64; 3]) {
    let paths = core.configuration.log_paths();
    let outage = core.control.outage();
    let behind = [0, 1, 2].map(|log| {
        let (path, part) = (&paths[log], Part::Log(log as u8));
        let fail = |error: &io::Error| {
            let waits = "nothing is rendered until it works again, for a second at most";
            outage.failed(part, FileError::new("read", path, error), waits);
        };
        let found = patiently(deadline, fail, || marks[log].behind(path));
        outage.works(part, 0);
        found.unwrap_or_else(|error| {
            tell_unread(path, &error);
            Behind { skip: u64::MAX, missing: 0 }
        })
    });
    let [expert, trades, errors] = behind.map(|log| log.skip);
    (Skips { expert, trades, errors }, behind.map(|log| log.missing))
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
