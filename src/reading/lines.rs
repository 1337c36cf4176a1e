//! From entries to lines on an output.

use std::io::Write;

use super::Format;
use super::error::ReadError;
use crate::formatters::{
    Formatter, Identity, JsonFormatter, LogfmtFormatter, Rfc5424Formatter, TextFormatter,
};
use crate::journal::{Merge, SegmentHeader};
use crate::record::UnixNanos;
use crate::stack::{AtOnce, Shower};

/// Lines are handed to the output in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;
/// The facility that programs log with unless they are told otherwise: local0.
const FACILITY: u8 = 16;
/// The enterprise number that structured data has unless it is configured: the one of RFC 5612, for
/// documentation.
pub(super) const ENTERPRISE_NUMBER: u32 = 32473;

/// Renders entries and writes them.
#[derive(Debug)]
pub(super) struct Lines<'a, W> {
    format: Format,
    enterprise_number: u32,
    since: Option<UnixNanos>,
    out: &'a mut W,
    formatter: Box<dyn Formatter>,
    backtraces: Shower<AtOnce>,
    /// The ring of the engine whose entries are rendered.
    writer: Option<u64>,
    piece: Vec<u8>,
    entries: u64,
}

impl<'a, W: Write> Lines<'a, W> {
    pub(super) fn new(
        format: Format,
        enterprise_number: u32,
        since: Option<UnixNanos>,
        out: &'a mut W,
    ) -> Self {
        Self {
            format,
            enterprise_number,
            since,
            out,
            formatter: formatter(format, enterprise_number, None),
            backtraces: Shower::new(AtOnce),
            writer: None,
            piece: Vec::with_capacity(PIECE_BYTES + 4096),
            entries: 0,
        }
    }

    /// Whether another engine than before wrote what comes next.
    pub(super) fn is_new_writer(&self, writer: u64) -> bool {
        self.writer != Some(writer)
    }

    /// The entries that come next were written by the engine with ring `writer`.
    pub(super) fn begin_writer(&mut self, writer: u64, origin: Option<SegmentHeader>) {
        self.writer = Some(writer);
        self.formatter = formatter(self.format, self.enterprise_number, origin);
    }

    /// Renders all entries that are due.
    pub(super) fn give_out(&mut self, merge: &mut Merge) -> Result<(), ReadError> {
        while let Some((entry, _)) = merge.next() {
            if self.since.is_some_and(|since| entry.time() < since) {
                continue;
            }
            let shown =
                if entry.site().has_backtrace { self.backtraces.show(&entry) } else { None };
            self.formatter.line(shown.as_ref().unwrap_or(&entry), &mut self.piece);
            self.piece.push(b'\n');
            self.entries += 1;
            if self.piece.len() >= PIECE_BYTES {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Hands everything to the output; gives the count of entries.
    pub(super) fn finish(mut self) -> Result<u64, ReadError> {
        self.write()?;
        self.out.flush().map_err(|source| ReadError::Output { source })?;
        Ok(self.entries)
    }

    fn write(&mut self) -> Result<(), ReadError> {
        let written = self.out.write_all(&self.piece);
        self.piece.clear();
        written.map_err(|source| ReadError::Output { source })
    }
}

/// Renders what the engine of `origin` wrote.
fn formatter(
    format: Format,
    enterprise_number: u32,
    origin: Option<SegmentHeader>,
) -> Box<dyn Formatter> {
    match format {
        Format::Text => Box::new(TextFormatter::new(false)),
        Format::Json => Box::new(JsonFormatter::new(identity(origin))),
        Format::Logfmt => Box::new(LogfmtFormatter::new()),
        Format::Rfc5424 => Box::new(Rfc5424Formatter::new(&identity(origin), enterprise_number)),
    }
}

fn identity(origin: Option<SegmentHeader>) -> Identity {
    match origin {
        Some(SegmentHeader { pid, host, program, facility, .. }) => {
            Identity { app_name: program, hostname: host, procid: pid, facility }
        }
        None => Identity {
            app_name: String::new(),
            hostname: String::new(),
            procid: 0,
            facility: FACILITY,
        },
    }
}
