//! Values that are formatted on the caller, into a buffer on its stack.

use std::error::Error;
use std::fmt::{self, Write};
use std::mem::MaybeUninit;

use super::encode::sealed::Sealed;
use super::encode::{CUT_BIT, Encode, LogValue, Sink, put_cut};
use super::value::TypeCode;

/// Bytes that a value formatted by `%` or `?` may take; what is longer is cut.
const TEXT_BYTES: usize = 4096;

/// Text of at most 4 KiB on the stack: how `%` and `?` fields are formatted.
///
/// Writing past the end cuts at a character boundary and never fails, so that a formatted value
/// needs no allocation, whatever its length.
pub struct Text {
    bytes: [MaybeUninit<u8>; TEXT_BYTES],
    length: usize,
    cut: bool,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Text {
    #[inline]
    fn empty() -> Self {
        Self { bytes: [MaybeUninit::uninit(); TEXT_BYTES], length: 0, cut: false }
    }

    /// What [`fmt::Display`] makes of `value`.
    #[inline]
    pub fn display(value: &(impl fmt::Display + ?Sized)) -> Self {
        Self::of(format_args!("{value}"))
    }

    /// What [`fmt::Debug`] makes of `value`.
    #[inline]
    pub fn debug(value: &(impl fmt::Debug + ?Sized)) -> Self {
        Self::of(format_args!("{value:?}"))
    }

    fn of(arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self::empty();
        text.format(arguments);
        text
    }

    fn format(&mut self, arguments: fmt::Arguments<'_>) {
        if self.write_fmt(arguments).is_err() && !self.cut {
            self.push("<the value's formatter failed>");
        }
    }

    fn push(&mut self, part: &str) {
        if self.cut {
            return;
        }
        let room = TEXT_BYTES - self.length;
        let kept = if part.len() <= room {
            part
        } else {
            self.cut = true;
            &part[..part.floor_char_boundary(room)]
        };
        let free = &mut self.bytes[self.length..self.length + kept.len()];
        for (to, from) in free.iter_mut().zip(kept.as_bytes()) {
            to.write(*from);
        }
        self.length += kept.len();
    }

    /// The text so far.
    #[must_use]
    pub fn as_str(&self) -> &str {
        initialised_str(&self.bytes[..self.length])
    }
}

#[expect(unsafe_code, reason = "the buffer is not cleared before it is written: 4 KiB per field")]
fn initialised_str(bytes: &[MaybeUninit<u8>]) -> &str {
    // SAFETY: `Text` alone calls this, with the bytes that `push` has written.
    let bytes = unsafe { bytes.assume_init_ref() };
    // SAFETY: `push` appends whole characters of a `str`, cut at a boundary only.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part);
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}

impl LogValue for Text {
    type Stored<'a> = CutStr<'a>;

    #[inline]
    fn stored(&self) -> CutStr<'_> {
        CutStr { text: self.as_str(), cut: self.cut }
    }
}

/// Text that may have been cut already.
#[derive(Debug, Clone, Copy)]
pub struct CutStr<'a> {
    text: &'a str,
    cut: bool,
}

#[cfg(any(feature = "log", feature = "tracing"))]
impl<'a> CutStr<'a> {
    /// Text that was taken from a longer one, if `cut`.
    pub(crate) fn new(text: &'a str, cut: bool) -> Self {
        Self { text, cut }
    }

    /// The text, and whether it was cut.
    pub(crate) fn parts(self) -> (&'a str, bool) {
        (self.text, self.cut)
    }
}

impl Sealed for CutStr<'_> {}
impl Encode for CutStr<'_> {
    const TYPE: TypeCode = TypeCode::STR;
    const FIXED: usize = 4;

    #[inline]
    fn extra(&self, cap: usize) -> usize {
        self.text.extra(cap)
    }

    #[inline]
    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        put_cut(sink, self.text.as_bytes(), self.extra(cap), self.cut);
    }
}

/// How many sources of an error are kept, the error itself included.
const CHAIN_LINKS: usize = 16;

/// An error and its whole chain of sources, as a list of texts: how `error = &err` is stored.
///
/// The outermost error stands first. Chains of more than 16 errors, and texts beyond 4 KiB in all,
/// are cut and marked.
#[derive(Debug)]
pub struct ErrorChain {
    text: Text,
    ends: [usize; CHAIN_LINKS],
    count: usize,
    cut: bool,
}

impl ErrorChain {
    /// Formats `error` and its sources.
    pub fn new(error: &dyn Error) -> Self {
        let mut chain = Self { text: Text::empty(), ends: [0; CHAIN_LINKS], count: 0, cut: false };
        chain.add(error);
        let mut next = error.source();
        while let Some(link) = next {
            if chain.count == CHAIN_LINKS || chain.text.cut {
                chain.cut = true;
                break;
            }
            chain.add(link);
            next = link.source();
        }
        chain
    }

    fn add(&mut self, link: &dyn Error) {
        self.text.format(format_args!("{link}"));
        self.ends[self.count] = self.text.length;
        self.count += 1;
    }

    fn links(&self) -> impl Iterator<Item = &str> {
        let text = self.text.as_str();
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends[..self.count]).map(move |(start, &end)| &text[start..end])
    }
}

impl LogValue for ErrorChain {
    type Stored<'a> = &'a ErrorChain;

    fn stored(&self) -> &ErrorChain {
        self
    }
}

impl Sealed for &ErrorChain {}
impl Encode for &ErrorChain {
    const TYPE: TypeCode = TypeCode(TypeCode::STR.0 | TypeCode::LIST);
    const FIXED: usize = 4;

    fn extra(&self, cap: usize) -> usize {
        self.links().map(|link| <&str>::FIXED + link.extra(cap)).sum()
    }

    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        let mark = if self.cut || self.text.cut { CUT_BIT } else { 0 };
        sink.put(&(self.count as u32 | mark).to_le_bytes());
        for link in self.links() {
            link.put(sink, cap);
        }
    }
}
