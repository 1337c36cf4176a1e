//! The control: it moves the same bytes in the same pieces to the same kind of files, and does
//! nothing else.

#![expect(unsafe_code, reason = "a file is mapped, as the journal's segments are")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use memmap2::MmapMut;

use super::{JOURNAL_SEGMENT_BYTES, JOURNAL_SEGMENTS, LOG_FILE_BYTES, RING_BYTES, Target};

/// A block of the ring: the drain copies at most one at a time.
const BLOCK_BYTES: usize = 64 << 10;
/// A log's batch.
const BATCH_BYTES: usize = 256 << 10;

/// Moves `bytes` in the way of `target`, in the directory of that name, which is removed again.
///
/// # Errors
/// If files cannot be made, written or mapped.
pub(super) fn bytes_per_s(target: Target, bytes: u64, directory: &Path) -> io::Result<f64> {
    fs::create_dir_all(directory)?;
    let seconds = match target {
        Target::JournalMapped => mapped(bytes, directory)?,
        Target::JournalPlain => plain(bytes, directory)?,
        Target::Text | Target::Json | Target::AllThree => rotated(bytes, directory)?,
    };
    fs::remove_dir_all(directory)?;
    Ok(bytes as f64 / seconds.max(1e-9))
}

/// The pieces of a buffer as large as the ring, again and again, until `bytes` are moved.
fn pieces(
    bytes: u64,
    piece_bytes: usize,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<f64> {
    let ring: Vec<u8> = (0..RING_BYTES).map(|at| at as u8).collect();
    let start = Instant::now();
    let mut left = bytes;
    for piece in black_box(&ring).chunks_exact(piece_bytes).cycle() {
        let length = (left.min(piece.len() as u64)) as usize;
        take(&piece[..length])?;
        left -= length as u64;
        if left == 0 {
            break;
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Files of the size and number of the journal's segments, whose every page is there already.
fn segments(directory: &Path) -> io::Result<Vec<File>> {
    let blank = vec![1; JOURNAL_SEGMENT_BYTES as usize];
    let segment = |number| {
        let path = directory.join(format!("{number}.control"));
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        file.write_all_at(&blank, 0)?;
        Ok(file)
    };
    (0..JOURNAL_SEGMENTS).map(segment).collect()
}

/// Copies into segments that stay mapped.
fn mapped(bytes: u64, directory: &Path) -> io::Result<f64> {
    let mut segments = segments(directory)?.iter().map(map).collect::<io::Result<Vec<_>>>()?;
    // Every page is written once before, as a recycled segment's are.
    segments.iter_mut().for_each(|segment| segment.fill(2));
    let per_segment = JOURNAL_SEGMENT_BYTES as usize / BLOCK_BYTES;
    let mut number = 0;
    let count = segments.len();
    pieces(bytes, BLOCK_BYTES, |piece| {
        let (segment, place) = (number / per_segment % count, number % per_segment);
        let place = place * BLOCK_BYTES;
        segments[segment][place..place + piece.len()].copy_from_slice(piece);
        number += 1;
        Ok(())
    })
}

fn map(file: &File) -> io::Result<MmapMut> {
    // SAFETY: the file was made by this process in a directory of its own; nobody else writes it
    // or makes it shorter while it is mapped.
    unsafe { MmapMut::map_mut(file) }
}

/// Writes into segments that are there.
fn plain(bytes: u64, directory: &Path) -> io::Result<f64> {
    let segments = segments(directory)?;
    let per_segment = JOURNAL_SEGMENT_BYTES as usize / BLOCK_BYTES;
    let mut number = 0;
    pieces(bytes, BLOCK_BYTES, |piece| {
        let (segment, place) = (number / per_segment % segments.len(), number % per_segment);
        number += 1;
        segments[segment].write_all_at(piece, (place * BLOCK_BYTES) as u64)
    })
}

/// Appends to files that are followed by new ones at the size at which logs are rotated.
fn rotated(bytes: u64, directory: &Path) -> io::Result<f64> {
    let open = |number: u32| File::create_new(directory.join(format!("{number}.log")));
    let (mut file, mut number, mut written) = (open(0)?, 0, 0);
    pieces(bytes, BATCH_BYTES, |piece| {
        if written + piece.len() as u64 > LOG_FILE_BYTES {
            number += 1;
            (file, written) = (open(number)?, 0);
        }
        written += piece.len() as u64;
        file.write_all(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_moves_every_byte_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("control");
        let mut moved = 0;
        let bytes = RING_BYTES + 12_345;
        let seconds = pieces(bytes, BLOCK_BYTES, |piece| {
            moved += piece.len() as u64;
            Ok(())
        });
        assert_eq!(moved, bytes);
        assert!(seconds.unwrap() > 0.0);
        for target in [Target::JournalMapped, Target::JournalPlain, Target::Text] {
            assert!(bytes_per_s(target, bytes, &directory).unwrap() > 0.0, "{target:?}");
            assert!(!directory.exists());
        }
    }
}
