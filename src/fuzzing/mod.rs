//! The doors of the fuzzer: each takes the bytes of one input and checks what must hold of whatever
//! reads them. Built for `cargo fuzz` and for the tests alone; `fuzz/` and `docs/testing.md` say how
//! they are run.
//!
//! A checksum keeps nearly every changed byte from its decoder, so inputs are made right where a
//! fuzzer cannot guess: frames are sealed anew, a ring's bytes are changes of a good ring.

mod config;
mod record;
mod ring;
mod segment;
#[cfg(test)]
mod tests;

pub use config::config;
pub use record::record;
pub use ring::ring;
pub use segment::segment;

use std::io;

/// An output that takes lines as the logs have them, and nothing else.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    count: u64,
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if let Some(line) = self.rest.strip_suffix(b"\n") {
                assert_line(line);
                self.count += 1;
                self.rest.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        assert!(self.rest.is_empty(), "the last line ends");
        Ok(())
    }
}

/// One entry is one line, in which nothing commands a terminal.
fn assert_line(line: &[u8]) {
    let Ok(text) = std::str::from_utf8(line) else { panic!("a line is no UTF-8: {line:?}") };
    assert!(!text.contains(crate::one_line::is_dangerous), "a line commands a terminal: {text:?}");
}

/// The little-endian number at the front of `rest`, which goes on behind it.
fn take_u16(rest: &mut &[u8]) -> Option<usize> {
    let (number, tail) = rest.split_first_chunk::<2>()?;
    *rest = tail;
    Some(u16::from_le_bytes(*number).into())
}

/// At most so many bytes from the front of `rest`, which goes on behind them.
fn take_bytes<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (bytes, tail) = rest.split_at(count.min(rest.len()));
    *rest = tail;
    bytes
}
