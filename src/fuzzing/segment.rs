//! Journals of any bytes.

use super::Lines;
use crate::journal::hostile::{Made, walk};
use crate::reading::{Format, Journal};

/// Reads segments made of `input` as `tapelog cat` does, as `verify` does, and frame by frame.
///
/// The first byte says how they are made: bit 0, the bytes are frames that are sealed, not a file as it
/// is; bit 1, the journal is live; bit 2, nothing is published; bit 3, the header has no opening
/// line; bits 4 and 5, the format of the lines.
///
/// # Panics
/// When something does not hold that must hold of any bytes.
pub fn segment(input: &[u8]) {
    let Some((&form, bytes)) = input.split_first() else { return };
    let formats = [Format::Text, Format::Json, Format::Logfmt, Format::Rfc5424];
    let made = Made::of(form & 0b1111, bytes);
    walk(&made);
    let journal = Journal::of_index(made.index());
    let Ok(verification) = journal.verify(&mut |_| {}) else { panic!("memory can be read") };
    let mut lines = Lines::default();
    let Ok(summary) = journal.write_to(formats[usize::from(form >> 4 & 3)], &mut lines) else {
        panic!("memory can be read, and the output takes all")
    };
    assert_eq!(summary.entries, lines.count);
    let findings =
        verification.segments.iter().map(|segment| segment.findings.len()).sum::<usize>();
    if findings == 0 && verification.is_intact() {
        assert!(summary.is_intact(), "verify finds nothing, and reading does: {summary:?}");
        assert!(verification.records() <= summary.entries, "records are missing: {summary:?}");
    }
}
