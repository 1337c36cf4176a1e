//! The types that a field can have, and the values that a reader gets back.

use super::decode::Malformed;
use crate::clock::Ticks;

/// Nanoseconds since 1970-01-01T00:00:00Z, as `at:` and time-valued fields take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(pub i64);

/// An exact decimal number: `mantissa × 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits, with their sign.
    pub mantissa: i128,
    /// How many of the digits stand behind the point.
    pub scale: u8,
}

/// The stored code of a field's type.
///
/// The low six bits name the scalar; [`TypeCode::LIST`] and [`TypeCode::OPTION`] may be added to
/// it. Codes never change their meaning: `docs/format.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeCode(pub u8);

impl TypeCode {
    /// One byte, 0 or 1.
    pub const BOOL: TypeCode = TypeCode(0x01);
    /// A Unicode scalar value as a `u32`.
    pub const CHAR: TypeCode = TypeCode(0x02);
    /// An unsigned byte.
    pub const U8: TypeCode = TypeCode(0x08);
    /// An unsigned 16-bit integer.
    pub const U16: TypeCode = TypeCode(0x09);
    /// An unsigned 32-bit integer.
    pub const U32: TypeCode = TypeCode(0x0a);
    /// An unsigned 64-bit integer.
    pub const U64: TypeCode = TypeCode(0x0b);
    /// An unsigned 128-bit integer.
    pub const U128: TypeCode = TypeCode(0x0c);
    /// A signed byte.
    pub const I8: TypeCode = TypeCode(0x10);
    /// A signed 16-bit integer.
    pub const I16: TypeCode = TypeCode(0x11);
    /// A signed 32-bit integer.
    pub const I32: TypeCode = TypeCode(0x12);
    /// A signed 64-bit integer.
    pub const I64: TypeCode = TypeCode(0x13);
    /// A signed 128-bit integer.
    pub const I128: TypeCode = TypeCode(0x14);
    /// IEEE 754 binary32.
    pub const F32: TypeCode = TypeCode(0x18);
    /// IEEE 754 binary64.
    pub const F64: TypeCode = TypeCode(0x19);
    /// UTF-8 text behind its length.
    pub const STR: TypeCode = TypeCode(0x20);
    /// Bytes behind their length.
    pub const BYTES: TypeCode = TypeCode(0x21);
    /// [`UnixNanos`].
    pub const TIME: TypeCode = TypeCode(0x28);
    /// [`Decimal`]: the mantissa as `i128`, then the scale as `u8`.
    pub const DECIMAL: TypeCode = TypeCode(0x29);
    /// Reserved: sixteen bytes of a UUID in the order of RFC 9562.
    pub const UUID: TypeCode = TypeCode(0x2a);

    /// [`crate::Ticks`], turned into UTC by the reader.
    pub const TICKS: TypeCode = TypeCode(0x2b);

    /// Added to a scalar's code: a `u32` count, then so many of the scalar.
    pub const LIST: u8 = 0x40;
    /// Added to a code: one byte 0 (nothing follows) or 1 (the value follows).
    pub const OPTION: u8 = 0x80;

    const SCALAR: u8 = 0x3f;

    /// The code without list and option.
    #[must_use]
    pub const fn scalar(self) -> TypeCode {
        TypeCode(self.0 & Self::SCALAR)
    }

    /// Whether values of this type are lists.
    #[must_use]
    pub const fn is_list(self) -> bool {
        self.0 & Self::LIST != 0
    }

    /// Whether values of this type may be absent.
    #[must_use]
    pub const fn is_option(self) -> bool {
        self.0 & Self::OPTION != 0
    }

    /// Bytes of a scalar of this type; `None` for text, bytes, lists, options and unknown codes.
    #[must_use]
    pub const fn fixed_bytes(self) -> Option<usize> {
        Some(match self {
            Self::BOOL | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::CHAR | Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::TIME | Self::TICKS => 8,
            Self::U128 | Self::I128 | Self::UUID => 16,
            Self::DECIMAL => 17,
            _ => return None,
        })
    }
}

/// A decoded value, borrowed from the record it stands in.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub(crate) enum Value<'a> {
    /// An absent option.
    None,
    /// A truth value.
    Bool(bool),
    /// A character.
    Char(char),
    /// An unsigned integer of up to 64 bits.
    Unsigned(u64),
    /// A signed integer of up to 64 bits.
    Signed(i64),
    /// An unsigned 128-bit integer.
    U128(u128),
    /// A signed 128-bit integer.
    I128(i128),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// Text.
    Str(Cuttable<'a, str>),
    /// Raw bytes, shown in hexadecimal.
    Bytes(Cuttable<'a, [u8]>),
    /// A point in time.
    Time(UnixNanos),
    /// A reading of the tick counter, in a record whose calibration is not at hand.
    Ticks(Ticks),
    /// An exact decimal number.
    Decimal(Decimal),
    /// The sixteen bytes of a UUID.
    Uuid([u8; 16]),
    /// A list of scalars of one type.
    List(List<'a>),
}

/// Borrowed content of variable length, and whether it was cut to fit into its record.
#[derive(Debug, PartialEq)]
pub(crate) struct Cuttable<'a, T: ?Sized> {
    /// What was kept.
    pub content: &'a T,
    /// Whether something was cut off behind it.
    pub cut: bool,
}

impl<T: ?Sized> Clone for Cuttable<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Cuttable<'_, T> {}

impl<'a> From<&'a str> for Value<'a> {
    fn from(content: &'a str) -> Self {
        Value::Str(Cuttable { content, cut: false })
    }
}

/// The elements of a list value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct List<'a> {
    element: TypeCode,
    count: u32,
    cut: bool,
    bytes: &'a [u8],
}

impl<'a> List<'a> {
    pub(super) fn new(element: TypeCode, count: u32, cut: bool, bytes: &'a [u8]) -> Self {
        Self { element, count, cut, bytes }
    }

    /// Whether no element was kept.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether elements were cut off to make the record fit.
    #[must_use]
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The elements in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Value<'a>, Malformed>> + use<'a> {
        let List { element, count, bytes, .. } = *self;
        let mut rest = bytes;
        (0..count).map(move |_| super::decode::scalar(element, &mut rest))
    }
}
