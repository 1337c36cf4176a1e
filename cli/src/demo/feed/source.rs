//! Where a feed's bytes come from: any reader, gunzipped if it begins like gzip.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

const BUFFER_BYTES: usize = 256 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The text of a feed.
pub(super) enum Source {
    Plain(BufReader<Input>),
    Gzip(BufReader<MultiGzDecoder<Input>>),
}

impl Source {
    /// Looks at the first two bytes to tell gzip from text.
    pub(super) fn sniff(mut reader: Box<dyn Read + Send>) -> io::Result<Source> {
        let mut head = Vec::with_capacity(GZIP_MAGIC.len());
        // `read_to_end` goes on after short reads, which pipes give.
        reader.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
        let is_gzip = head == GZIP_MAGIC;
        let input = Input { head: io::Cursor::new(head), reader, bytes_read: 0 };
        Ok(if is_gzip {
            Source::Gzip(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(input)))
        } else {
            Source::Plain(BufReader::with_capacity(BUFFER_BYTES, input))
        })
    }

    /// How many bytes were taken from the reader, before decompression.
    pub(super) fn bytes_read(&self) -> u64 {
        match self {
            Source::Plain(reader) => reader.get_ref().bytes_read,
            Source::Gzip(reader) => reader.get_ref().get_ref().bytes_read,
        }
    }

    /// The error is that of gzip data without their end.
    pub(super) fn is_cut_short(&self, error: &io::Error) -> bool {
        matches!(self, Source::Gzip(_)) && error.kind() == io::ErrorKind::UnexpectedEof
    }

    pub(super) fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Source::Plain(reader) => reader.fill_buf(),
            Source::Gzip(reader) => reader.fill_buf(),
        }
    }

    pub(super) fn consume(&mut self, count: usize) {
        match self {
            Source::Plain(reader) => reader.consume(count),
            Source::Gzip(reader) => reader.consume(count),
        }
    }
}

/// The sniffed bytes and what follows them, counted.
pub(super) struct Input {
    head: io::Cursor<Vec<u8>>,
    reader: Box<dyn Read + Send>,
    bytes_read: u64,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.head.read(buffer)? {
            0 => self.reader.read(buffer)?,
            count => count,
        };
        self.bytes_read += count as u64;
        Ok(count)
    }
}
