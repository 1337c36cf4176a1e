//! From a caller's values to the bytes of a record.
//!
//! [`LogValue`] is what users implement for types of their own; it maps them onto a type that
//! implements [`Encode`], of which the library has a closed set. [`Args`] is the list of all the
//! arguments of one call. Everything here inlines into the call site: for arguments of fixed size
//! the record's length is a constant.

use super::value::{Decimal, TypeCode, UnixNanos};
use crate::clock::Ticks;

/// In a stored length or count: something was cut off.
pub(crate) const CUT_BIT: u32 = 1 << 31;

/// Where an encoder writes: the rest of one record.
#[derive(Debug)]
pub struct Sink<'a> {
    rest: &'a mut [u8],
}

impl<'a> Sink<'a> {
    /// A sink over `bytes`, filled from the front.
    #[inline]
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// When the sink is full: a length was promised that the encoder did not keep.
    #[inline(always)]
    pub fn put(&mut self, bytes: &[u8]) {
        let (head, tail) = std::mem::take(&mut self.rest).split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        self.rest = tail;
    }

    /// The same for bytes whose number is known at run time only: short ones, as most strings are,
    /// are copied without a call (PERF.md, "short strings").
    #[inline(always)]
    fn put_text(&mut self, bytes: &[u8]) {
        let (head, tail) = std::mem::take(&mut self.rest).split_at_mut(bytes.len());
        let copied = match bytes.len() {
            16..=32 => copy_ends::<16>(head, bytes),
            33..=64 => copy_ends::<32>(head, bytes),
            8..=15 => copy_ends::<8>(head, bytes),
            _ => false,
        };
        if !copied {
            head.copy_from_slice(bytes);
        }
        self.rest = tail;
    }
}

/// Copies the first and the last `N` bytes, which may overlap; false when there are fewer.
#[inline(always)]
fn copy_ends<const N: usize>(target: &mut [u8], source: &[u8]) -> bool {
    let (Some(first), Some(last)) = (source.first_chunk::<N>(), source.last_chunk::<N>()) else {
        return false;
    };
    let Some(into) = target.first_chunk_mut::<N>() else { return false };
    *into = *first;
    let Some(into) = target.last_chunk_mut::<N>() else { return false };
    *into = *last;
    true
}

pub(super) mod sealed {
    pub trait Sealed {}
}

/// A type that has a stored form. Closed: implement [`LogValue`] for types of your own.
pub trait Encode: sealed::Sealed + Copy {
    /// The stored type.
    const TYPE: TypeCode;
    /// Bytes that every value takes.
    const FIXED: usize;

    /// Bytes beyond [`Self::FIXED`], when strings and lists are cut to `cap` bytes each.
    fn extra(&self, cap: usize) -> usize;

    /// Writes `FIXED + extra(cap)` bytes.
    fn put(&self, sink: &mut Sink<'_>, cap: usize);
}

/// A type that can stand as a field's value.
///
/// ```
/// use tapelog::LogValue;
///
/// struct OrderId(u64);
///
/// impl LogValue for OrderId {
///     type Stored<'a> = u64;
///     fn stored(&self) -> u64 {
///         self.0
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be logged as a field",
    label = "no stored form",
    note = "format it with `name = %value` (Display) or `name = ?value` (Debug), \
            or implement `tapelog::LogValue` for it"
)]
pub trait LogValue {
    /// The type that is stored in place of this one.
    type Stored<'a>: Encode
    where
        Self: 'a;

    /// The value to store. Must not log, and should not allocate: it runs on the caller.
    fn stored(&self) -> Self::Stored<'_>;
}

macro_rules! encode_number {
    ($($type:ty => $code:ident),* $(,)?) => {$(
        impl sealed::Sealed for $type {}
        impl Encode for $type {
            const TYPE: TypeCode = TypeCode::$code;
            const FIXED: usize = size_of::<$type>();
            #[inline(always)]
            fn extra(&self, _cap: usize) -> usize {
                0
            }
            #[inline(always)]
            fn put(&self, sink: &mut Sink<'_>, _cap: usize) {
                sink.put(&self.to_le_bytes());
            }
        }
        impl LogValue for $type {
            type Stored<'a> = $type;
            #[inline(always)]
            fn stored(&self) -> $type {
                *self
            }
        }
    )*};
}

encode_number!(
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128,
    f32 => F32, f64 => F64,
);

/// Encodes a type as another one that encodes.
macro_rules! encode_as {
    ($($type:ty => $code:ident, $fixed:expr, |$value:ident, $sink:ident| $put:expr;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Encode for $type {
            const TYPE: TypeCode = TypeCode::$code;
            const FIXED: usize = $fixed;
            #[inline(always)]
            fn extra(&self, _cap: usize) -> usize {
                0
            }
            #[inline(always)]
            fn put(&self, $sink: &mut Sink<'_>, _cap: usize) {
                let $value = *self;
                $put
            }
        }
        impl LogValue for $type {
            type Stored<'a> = $type;
            #[inline(always)]
            fn stored(&self) -> $type {
                *self
            }
        }
    )*};
}

encode_as! {
    bool => BOOL, 1, |value, sink| sink.put(&[u8::from(value)]);
    char => CHAR, 4, |value, sink| sink.put(&u32::from(value).to_le_bytes());
    UnixNanos => TIME, 8, |value, sink| sink.put(&value.0.to_le_bytes());
    Ticks => TICKS, 8, |value, sink| sink.put(&value.0.to_le_bytes());
    Decimal => DECIMAL, 17, |value, sink| {
        sink.put(&value.mantissa.to_le_bytes());
        sink.put(&[value.scale]);
    };
}

macro_rules! log_as {
    ($($type:ty => $stored:ty, |$value:ident| $map:expr;)*) => {$(
        impl LogValue for $type {
            type Stored<'a> = $stored;
            #[inline(always)]
            fn stored(&self) -> $stored {
                let $value = self;
                $map
            }
        }
    )*};
}

log_as! {
    usize => u64, |value| *value as u64;
    isize => i64, |value| *value as i64;
    std::time::Duration => f64, |value| value.as_secs_f64();
}

macro_rules! log_as_str {
    ($($type:ty),*) => {$(
        impl LogValue for $type {
            type Stored<'a> = &'a str where Self: 'a;
            #[inline(always)]
            fn stored(&self) -> &str {
                self.as_ref()
            }
        }
    )*};
}

log_as_str!(str, String, Box<str>, std::borrow::Cow<'_, str>);

impl sealed::Sealed for &str {}
impl Encode for &str {
    const TYPE: TypeCode = TypeCode::STR;
    const FIXED: usize = 4;

    #[inline(always)]
    fn extra(&self, cap: usize) -> usize {
        if self.len() <= cap { self.len() } else { self.floor_char_boundary(cap) }
    }

    #[inline(always)]
    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        put_cut(sink, self.as_bytes(), self.extra(cap), false);
    }
}

/// Writes the first `kept` of `bytes` behind their length, marked when that is not all there was.
#[inline(always)]
pub(super) fn put_cut(sink: &mut Sink<'_>, bytes: &[u8], kept: usize, cut_before: bool) {
    let mark = if cut_before || kept < bytes.len() { CUT_BIT } else { 0 };
    sink.put(&(kept as u32 | mark).to_le_bytes());
    sink.put_text(&bytes[..kept]);
}

/// Raw bytes as a field's value, shown in hexadecimal: `payload = Bytes(&buffer)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl sealed::Sealed for Bytes<'_> {}
impl Encode for Bytes<'_> {
    const TYPE: TypeCode = TypeCode::BYTES;
    const FIXED: usize = 4;

    #[inline(always)]
    fn extra(&self, cap: usize) -> usize {
        self.0.len().min(cap)
    }

    #[inline(always)]
    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        put_cut(sink, self.0, self.0.len().min(cap), false);
    }
}

impl LogValue for Bytes<'_> {
    type Stored<'a>
        = Bytes<'a>
    where
        Self: 'a;
    #[inline(always)]
    fn stored(&self) -> Bytes<'_> {
        *self
    }
}

impl<T: Encode> sealed::Sealed for Option<T> {}
impl<T: Encode> Encode for Option<T> {
    const TYPE: TypeCode = TypeCode(T::TYPE.0 | TypeCode::OPTION);
    const FIXED: usize = 1;

    #[inline(always)]
    fn extra(&self, cap: usize) -> usize {
        self.as_ref().map_or(0, |value| T::FIXED + value.extra(cap))
    }

    #[inline(always)]
    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        sink.put(&[u8::from(self.is_some())]);
        if let Some(value) = self {
            value.put(sink, cap);
        }
    }
}

impl<T: LogValue> LogValue for Option<T> {
    type Stored<'a>
        = Option<T::Stored<'a>>
    where
        Self: 'a;
    #[inline(always)]
    fn stored(&self) -> Self::Stored<'_> {
        self.as_ref().map(T::stored)
    }
}

/// A list of values on its way into a record; made by `LogValue` for slices, arrays and vectors.
#[derive(Debug)]
pub struct ListOf<'a, T>(pub(super) &'a [T]);

impl<T> Clone for ListOf<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ListOf<'_, T> {}

impl<T: LogValue> ListOf<'_, T> {
    /// How many elements fit into `cap` bytes, and how many bytes they take.
    fn fitting(&self, cap: usize) -> (usize, usize) {
        let (mut count, mut bytes) = (0, 0);
        for value in self.0 {
            let next = bytes + T::Stored::<'_>::FIXED + value.stored().extra(cap);
            if next > cap {
                break;
            }
            (count, bytes) = (count + 1, next);
        }
        (count, bytes)
    }
}

impl<T: LogValue> sealed::Sealed for ListOf<'_, T> {}
impl<'l, T: LogValue> Encode for ListOf<'l, T> {
    const TYPE: TypeCode = TypeCode(T::Stored::<'l>::TYPE.0 | TypeCode::LIST);
    const FIXED: usize = 4;

    #[inline]
    fn extra(&self, cap: usize) -> usize {
        self.fitting(cap).1
    }

    #[inline]
    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        let (count, _) = self.fitting(cap);
        let mark = if count < self.0.len() { CUT_BIT } else { 0 };
        sink.put(&(count as u32 | mark).to_le_bytes());
        for value in &self.0[..count] {
            value.stored().put(sink, cap);
        }
    }
}

macro_rules! log_list {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<T: LogValue, $($generics)*> LogValue for $type {
            type Stored<'a> = ListOf<'a, T> where Self: 'a;
            #[inline(always)]
            fn stored(&self) -> ListOf<'_, T> {
                const { assert!(T::Stored::<'_>::TYPE.0 < TypeCode::LIST, "a list holds scalars") };
                ListOf(self)
            }
        }
    )*};
}

log_list! {
    [] [T];
    [const N: usize] [T; N];
    [] Vec<T>;
}

impl<T: LogValue + ?Sized> LogValue for &T {
    type Stored<'a>
        = T::Stored<'a>
    where
        Self: 'a;
    #[inline(always)]
    fn stored(&self) -> Self::Stored<'_> {
        (**self).stored()
    }
}

/// The arguments of one call: `()` or `(rest, last)`, nested.
pub trait Args: Copy {
    /// Bytes that every call takes.
    const FIXED: usize;

    /// Bytes beyond [`Self::FIXED`], when strings and lists are cut to `cap` bytes each.
    fn extra(&self, cap: usize) -> usize;

    /// Writes the arguments in the order of the fields.
    fn put(&self, sink: &mut Sink<'_>, cap: usize);

    /// Tells the stored types in the order of the fields.
    fn types(tell: &mut dyn FnMut(TypeCode));

    /// Tells each value with its type, in the order of the fields.
    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored));
}

/// The arguments of one call, of whatever types.
pub(crate) trait Values {
    /// Tells each value with its type, in the order of the fields.
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored));
}

impl<A: Args> Values for A {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.each(tell);
    }
}

/// Values of whatever types as the arguments of a call.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a>(pub(crate) &'a dyn Values);

impl Args for Told<'_> {
    const FIXED: usize = 0;

    fn extra(&self, cap: usize) -> usize {
        let mut bytes = 0;
        self.0.tell(&mut |_, value| bytes += value.bytes(cap));
        bytes
    }

    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        self.0.tell(&mut |_, value| value.put_stored(sink, cap));
    }

    fn types(_tell: &mut dyn FnMut(TypeCode)) {
        // They are known at run time only: `each` tells them.
    }

    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.0.tell(tell);
    }
}

/// A value whose type is not known to the caller.
pub trait Stored {
    /// Bytes that the value takes when strings and lists are cut to `cap` bytes each.
    fn bytes(&self, cap: usize) -> usize;

    /// Writes `bytes(cap)` bytes.
    fn put_stored(&self, sink: &mut Sink<'_>, cap: usize);
}

impl<E: Encode> Stored for E {
    fn bytes(&self, cap: usize) -> usize {
        E::FIXED + self.extra(cap)
    }

    fn put_stored(&self, sink: &mut Sink<'_>, cap: usize) {
        self.put(sink, cap);
    }
}

impl Args for () {
    const FIXED: usize = 0;

    #[inline(always)]
    fn extra(&self, _cap: usize) -> usize {
        0
    }

    #[inline(always)]
    fn put(&self, _sink: &mut Sink<'_>, _cap: usize) {}

    fn types(_tell: &mut dyn FnMut(TypeCode)) {}

    fn each(&self, _tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {}
}

impl<R: Args, E: Encode> Args for (R, E) {
    const FIXED: usize = R::FIXED + E::FIXED;

    #[inline(always)]
    fn extra(&self, cap: usize) -> usize {
        self.0.extra(cap) + self.1.extra(cap)
    }

    #[inline(always)]
    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        self.0.put(sink, cap);
        self.1.put(sink, cap);
    }

    fn types(tell: &mut dyn FnMut(TypeCode)) {
        R::types(tell);
        tell(E::TYPE);
    }

    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.0.each(tell);
        tell(E::TYPE, &self.1);
    }
}
