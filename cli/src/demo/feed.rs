//! Reads a recorded market-data feed, line by line.
//!
//! A recording is text, plain or gzip, from a file or from stdin. Memory is bounded: one line of
//! at most [`LINE_BYTES_MAX`] bytes and the buffers. A malformed line is an item of the iterator
//! like any other; the reader goes on behind it. Only what makes further reading impossible ends
//! the feed, and it too is an item: a tail that is silently missing is worse than an error.

mod error;
mod parse;
mod source;
#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, Read};
use std::path::Path;

pub(crate) use error::{LineError, OpenError};

use super::tick::Tick;
use error::{LineFault, printable};
use source::Source;

/// A longer line is malformed and is skipped without being held in memory.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// A recorded feed: an iterator of ticks and of the lines that gave none.
pub(crate) struct Feed {
    source: Source,
    /// The line that was read last, without its line end.
    line: Vec<u8>,
    line_number: u64,
    symbol: Option<String>,
    bytes_total: Option<u64>,
    ended: bool,
}

/// How reading a line ended.
enum Line {
    Whole,
    TooLong,
    End,
}

impl Feed {
    /// Opens a recording; `-` is stdin.
    ///
    /// # Errors
    /// [`OpenError`] if there is no such file, it may not be read, or it is a directory.
    pub(crate) fn open(path: &Path) -> Result<Feed, OpenError> {
        if path.as_os_str() == "-" {
            return Self::sniff(Box::new(io::stdin()), None).map_err(at(path));
        }
        let file = std::fs::File::open(path).map_err(at(path))?;
        let metadata = file.metadata().map_err(at(path))?;
        if metadata.is_dir() {
            return Err(at(path)(io::ErrorKind::IsADirectory.into()));
        }
        let bytes_total = metadata.is_file().then_some(metadata.len());
        Self::sniff(Box::new(file), bytes_total).map_err(at(path))
    }

    fn sniff(input: Box<dyn Read + Send>, bytes_total: Option<u64>) -> io::Result<Feed> {
        Ok(Feed {
            source: Source::sniff(input)?,
            line: Vec::new(),
            line_number: 0,
            symbol: None,
            bytes_total,
            ended: false,
        })
    }

    /// The symbol that the feed is about, once a line has named it.
    pub(crate) fn symbol(&self) -> Option<&str> {
        self.symbol.as_deref()
    }

    /// How many bytes of the file (as it is, compressed or not) have been read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    /// The size of the file; none for stdin and pipes.
    pub(crate) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// Reads up to the next line end; what exceeds the limit is passed over.
    fn read_line(&mut self) -> io::Result<Line> {
        self.line.clear();
        let mut too_long = false;
        loop {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let at_end = buffer.is_empty();
            let line_end = buffer.iter().position(|&byte| byte == b'\n');
            let piece = buffer.get(..line_end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = LINE_BYTES_MAX - self.line.len();
            too_long |= piece.len() > room;
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            let used = piece.len() + usize::from(line_end.is_some());
            self.source.consume(used);
            if at_end && self.line.is_empty() {
                return Ok(Line::End);
            }
            if at_end || line_end.is_some() {
                return Ok(if too_long { Line::TooLong } else { Line::Whole });
            }
        }
    }

    fn parse(&mut self) -> Result<Tick, LineFault> {
        let parsed = parse::parse_line(&self.line)?;
        match (&self.symbol, parsed.symbol) {
            (None, Some(symbol)) => self.symbol = Some(printable(&symbol)),
            (Some(expected), Some(found)) if *expected != found => {
                return Err(LineFault::OtherSymbol {
                    expected: expected.clone(),
                    found: printable(&found),
                });
            }
            _ => {}
        }
        Ok(parsed.tick)
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> OpenError {
    |source| OpenError { path: path.to_owned(), source }
}

impl Iterator for Feed {
    type Item = Result<Tick, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read_line();
        if matches!(read, Ok(Line::End)) && self.line_number > 0 {
            self.ended = true;
            return None;
        }
        self.line_number += 1;
        let result = match read {
            Ok(Line::Whole) => self.parse(),
            Ok(Line::TooLong) => Err(LineFault::TooLong),
            Ok(Line::End) => Err(LineFault::Empty),
            Err(error) if self.source.is_cut_short(&error) => Err(LineFault::CutShort),
            Err(source) => Err(LineFault::Read { source }),
        };
        Some(result.map_err(|fault| {
            let error = LineError::new(self.line_number, fault, &self.line);
            self.ended = error.is_fatal();
            error
        }))
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("line_number", &self.line_number)
            .field("symbol", &self.symbol)
            .finish_non_exhaustive()
    }
}
