//! Segments for the fuzzer's corpus.

use super::verify::journal;

/// The two segments of a journal with every kind of frame, without the room behind their frames.
pub(crate) fn segments() -> [Vec<u8>; 2] {
    let home = tempfile::tempdir().unwrap();
    let index = journal(home.path());
    [1, 2].map(|sequence| {
        let mut bytes = std::fs::read(index.path(sequence)).unwrap();
        bytes.truncate(u64::from_le_bytes(bytes[512..520].try_into().unwrap()) as usize);
        bytes
    })
}
