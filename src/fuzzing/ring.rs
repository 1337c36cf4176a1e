//! Rings of any bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::MemfdFlags;

use super::{Lines, take_bytes, take_u16};
use crate::journal::{
    AppendError, Appender, JournalOptions, Liveness, Place, Problem, SEGMENT_BYTES_MIN,
    SegmentIndex, SegmentStore, Verifier,
};
use crate::reading::{Format, Journal};
use crate::writer::hostile::{self, LINE, SalvageRun};

/// Brings a dead process's ring home, as a start does, and reads what that makes.
///
/// The input changes the bytes of a good ring: where, a `u16`, how many bytes, a `u8`, and these.
///
/// # Panics
/// When something does not hold that must hold of any bytes.
pub fn ring(input: &[u8]) {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let mut bytes = WHOLE.get_or_init(hostile::bytes_of_a_ring).clone();
    let mut rest = input;
    while let Some(at) = take_u16(&mut rest) {
        let count = take_bytes(&mut rest, 1).first().copied().map_or(0, usize::from);
        let change = take_bytes(&mut rest, count.min(bytes.len() - at));
        bytes[at..at + change.len()].copy_from_slice(change);
    }
    let Ok(file) = rustix::fs::memfd_create("tapelog-fuzz", MemfdFlags::CLOEXEC) else {
        panic!("no memory for a ring")
    };
    let file = File::from(file);
    assert!(file.write_all_at(&bytes, 0).is_ok());
    let mut home = Home::new();
    // Nothing is there to be removed or set aside.
    let path = PathBuf::from("/nowhere/tapelog.ring");
    if hostile::read(&bytes, file, path, |run| home.take(run)).is_some() {
        home.check();
    }
}

/// A journal in memory that takes runs.
struct Home {
    store: SegmentStore,
    index: SegmentIndex,
    appender: Appender,
}

impl Home {
    fn new() -> Self {
        let opened = SegmentStore::open(JournalOptions {
            place: Place::Memory,
            segment_bytes: SEGMENT_BYTES_MIN,
            segments: 64,
            mapped: false,
            guarded: false,
            hidden: true,
            prepare_bytes: 0,
            reserve_bytes: 0,
            ring_id: 1,
            order_window_nanos: 0,
            host: String::new(),
            program: String::new(),
            facility: 16,
        });
        let Ok((mut store, index)) = opened else { panic!("a journal in memory") };
        let Ok(Some(first)) = store.prepare(u64::MAX) else { panic!("its first segment") };
        let mut appender = Appender::new(first, LINE);
        appender.begin_pass(1, None);
        appender.take_everything();
        Self { store, index, appender }
    }

    fn take(&mut self, run: &SalvageRun<'_>) {
        let mut rest = run.records;
        while !rest.is_empty() {
            match self.appender.append_run(run.position, rest, run.known) {
                Ok(bytes) => rest = &rest[bytes as usize..],
                Err(AppendError::TooLarge { bytes }) => rest = &rest[bytes as usize..],
                Err(AppendError::Full) => {
                    let Ok(Some(next)) = self.store.prepare(u64::MAX) else { panic!("room") };
                    let Ok(retired) = self.appender.roll(next) else { panic!("a segment's end") };
                    self.store.recycle(retired);
                }
                Err(error) => panic!("whole records are refused: {error}"),
            }
        }
    }

    /// What stands in the journal may make no sense, but its frames are whole, and so are its lines.
    fn check(mut self) {
        let records = self.appender.records();
        assert!(self.appender.end_pass().is_ok() && self.appender.finish().0.is_ok());
        let Ok(sequences) = self.index.sequences() else { panic!("memory can be listed") };
        let mut verifier = Verifier::new(self.index.clone(), 1, Liveness::Ended);
        let (mut read, mut bad) = (0, 0);
        for sequence in sequences {
            let Ok(checked) = verifier.segment(sequence, &mut |_| {}) else {
                panic!("memory can be read")
            };
            read += checked.records;
            for problem in checked.problems {
                match problem {
                    Problem::Undecodable { records, .. } => bad += u64::from(records),
                    Problem::Frame { .. } | Problem::Missing { .. } | Problem::Repeated { .. } => {}
                    other => panic!("recovery writes a damaged segment: {other}"),
                }
            }
        }
        assert!(read <= records && records <= read + bad, "{read} + {bad} of {records} records");
        let mut lines = Lines::default();
        let Ok(summary) = Journal::of_index(self.index).write_to(Format::Text, &mut lines) else {
            panic!("memory can be read")
        };
        assert!(summary.is_intact(), "{summary:?}");
    }
}
