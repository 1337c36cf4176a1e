//! Whole lines, rendered once and handed to any number of handlers.

/// Rendered lines in one buffer, each ending in a line feed.
///
/// A handler can therefore cut the buffer between two lines without looking at the bytes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// `ends[i]` is the offset behind the line feed of line `i`.
    ends: Vec<usize>,
}

impl Batch {
    /// An empty batch; its buffers grow with use and are kept by [`Batch::clear`].
    pub(crate) fn new() -> Batch {
        Batch::default()
    }

    /// Adds one line: `render` appends its text, without the line feed that ends it.
    ///
    /// The formatters escape line feeds, so that one entry is one line.
    #[inline]
    pub(crate) fn line(&mut self, render: impl FnOnce(&mut Vec<u8>)) {
        let start = self.start(self.lines());
        // Of a renderer that has panicked.
        self.bytes.truncate(start);
        render(&mut self.bytes);
        debug_assert!(self.bytes.len() >= start, "a renderer took bytes away");
        debug_assert!(!self.bytes[start..].contains(&b'\n'), "a line feed inside a line");
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }

    /// The last line, without its line feed; empty if there is none.
    pub(crate) fn last_line(&self) -> &[u8] {
        let last = self.lines().checked_sub(1).map(|last| self.span(last, last + 1));
        last.and_then(|line| line.split_last()).map_or(&[], |(_, line)| line)
    }

    /// Forgets the lines and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Forgets the first `lines` of them.
    pub(crate) fn forget_first(&mut self, lines: usize) {
        let start = self.start(lines);
        self.bytes.drain(..start);
        self.ends.drain(..lines);
        self.ends.iter_mut().for_each(|end| *end -= start);
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no line.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All lines, one after the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.span(0, self.lines())
    }

    /// The bytes of the lines `first..last`.
    pub(super) fn span(&self, first: usize, last: usize) -> &[u8] {
        &self.bytes[self.start(first)..self.start(last)]
    }

    /// How many lines, from `first` on, are whole within the next `limit_bytes` bytes.
    pub(super) fn lines_within(&self, first: usize, limit_bytes: u64) -> usize {
        let start = self.start(first);
        self.ends[first..].partition_point(|end| (end - start) as u64 <= limit_bytes)
    }

    /// The offset at which line `index` starts; for `lines()`, the end of the buffer.
    fn start(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            Some(before) => self.ends[before],
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lines: &[&str]) -> Batch {
        let mut batch = Batch::new();
        for line in lines {
            batch.line(|out| out.extend_from_slice(line.as_bytes()));
        }
        batch
    }

    #[test]
    fn each_line_ends_in_a_line_feed() {
        assert_eq!(Batch::new().last_line(), b"");
        let mut batch = batch(&["one", "", "three"]);
        assert_eq!(batch.bytes(), b"one\n\nthree\n");
        assert_eq!(batch.last_line(), b"three");
        assert_eq!(batch.lines(), 3);
        batch.clear();
        assert!(batch.is_empty() && batch.bytes().is_empty());
    }

    #[test]
    fn a_span_is_cut_between_lines() {
        let batch = batch(&["one", "", "three"]);
        assert_eq!(batch.span(0, 3), batch.bytes());
        assert_eq!(batch.span(1, 2), b"\n");
        assert_eq!(batch.span(2, 3), b"three\n");
        assert_eq!(batch.span(3, 3), b"");
    }

    #[test]
    fn what_is_forgotten_leaves_whole_lines_and_a_torn_line_goes() {
        let mut batch = batch(&["one", "", "three"]);
        batch.bytes.extend_from_slice(b"to");
        batch.forget_first(1);
        batch.line(|out| out.extend_from_slice(b"four"));
        assert_eq!(batch.bytes(), b"\nthree\nfour\n");
        assert_eq!(batch.span(1, 2), b"three\n");
    }

    #[test]
    fn only_whole_lines_count_as_fitting() {
        let batch = batch(&["one", "", "three"]);
        let fitting: Vec<usize> = (0..12).map(|limit| batch.lines_within(0, limit)).collect();
        assert_eq!(fitting, [0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 3]);
        assert_eq!(batch.lines_within(2, 5), 0);
        assert_eq!(batch.lines_within(2, 6), 1);
        assert_eq!(batch.lines_within(3, u64::MAX), 0);
    }
}
