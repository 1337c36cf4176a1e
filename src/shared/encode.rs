//! A record's bytes: what stands in them, and to how many bytes its strings are cut.

use crate::record::{Args, RECORD_HEADER_BYTES, RecordHeader, Sink};

/// The largest number of bytes to which strings and lists may be cut so that the record fits:
/// so the longest are cut first, and no more than needed.
pub(super) fn largest_cap(bytes: impl Fn(usize) -> usize, limit: usize) -> Option<usize> {
    if bytes(usize::MAX) <= limit {
        return Some(usize::MAX);
    }
    if bytes(0) > limit {
        return None;
    }
    let (mut fits, mut too_long) = (0, limit);
    while too_long - fits > 1 {
        let middle = fits + (too_long - fits) / 2;
        if bytes(middle) <= limit { fits = middle } else { too_long = middle }
    }
    Some(fits)
}

/// Writes a whole record. The padding is zero: no byte of an older record comes with it.
#[inline(always)]
pub(crate) fn encode<A: Args>(
    out: &mut [u8],
    header: RecordHeader,
    inline: &[&[u8]],
    args: &A,
    cap: usize,
) {
    if let Some(last) = out.last_chunk_mut::<8>() {
        *last = [0; 8];
    }
    if let Some((fixed, rest)) = out.split_first_chunk_mut::<RECORD_HEADER_BYTES>() {
        header.write(fixed);
        let mut sink = Sink::new(rest);
        for part in inline.iter().filter(|part| !part.is_empty()) {
            sink.put(&(part.len() as u32).to_le_bytes());
            sink.put(part);
        }
        args.put(&mut sink, cap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_strings_are_cut_first_and_no_more_than_needed() {
        let lengths = [10_usize, 500, 700];
        let bytes = |cap: usize| lengths.iter().map(|length| (*length).min(cap)).sum::<usize>();
        assert_eq!(largest_cap(bytes, 2000), Some(usize::MAX));
        assert_eq!(largest_cap(bytes, 1110), Some(600));
        assert_eq!(largest_cap(bytes, 610), Some(300));
        assert_eq!(largest_cap(|cap| 50 + bytes(cap), 40), None);
    }
}
