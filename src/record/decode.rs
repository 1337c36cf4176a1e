//! From the bytes of a record back to values. The bytes are not trusted: every length is checked.

use super::encode::CUT_BIT;
use super::value::{Cuttable, Decimal, List, TypeCode, UnixNanos, Value};
use crate::clock::Ticks;

/// Arguments that do not fit the types they are said to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record's arguments do not match the types of its call site")]
pub(crate) struct Malformed;

/// Decodes arguments one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// A decoder that starts at the front of `bytes`.
    #[must_use]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next argument, which has the type `code`.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes end too early or hold no such value.
    #[inline]
    pub(crate) fn next(&mut self, code: TypeCode) -> Result<Value<'a>, Malformed> {
        if code.is_option() {
            match take::<1>(&mut self.rest)? {
                [0] => return Ok(Value::None),
                [1] => {}
                _ => return Err(Malformed),
            }
        }
        if code.is_list() {
            return list(code.scalar(), &mut self.rest);
        }
        scalar(code.scalar(), &mut self.rest)
    }

    /// The bytes behind the arguments decoded so far.
    #[must_use]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Malformed)?;
    *rest = tail;
    Ok(*head)
}

fn cuttable<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], bool), Malformed> {
    let stored = u32::from_le_bytes(take(rest)?);
    let length = (stored & !CUT_BIT) as usize;
    let (head, tail) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = tail;
    Ok((head, stored & CUT_BIT != 0))
}

#[inline]
pub(super) fn scalar<'a>(code: TypeCode, rest: &mut &'a [u8]) -> Result<Value<'a>, Malformed> {
    Ok(match code {
        TypeCode::BOOL => match take::<1>(rest)? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return Err(Malformed),
        },
        TypeCode::CHAR => {
            let code = u32::from_le_bytes(take(rest)?);
            Value::Char(char::from_u32(code).ok_or(Malformed)?)
        }
        TypeCode::U8 => Value::Unsigned(u8::from_le_bytes(take(rest)?).into()),
        TypeCode::U16 => Value::Unsigned(u16::from_le_bytes(take(rest)?).into()),
        TypeCode::U32 => Value::Unsigned(u32::from_le_bytes(take(rest)?).into()),
        TypeCode::U64 => Value::Unsigned(u64::from_le_bytes(take(rest)?)),
        TypeCode::U128 => Value::U128(u128::from_le_bytes(take(rest)?)),
        TypeCode::I8 => Value::Signed(i8::from_le_bytes(take(rest)?).into()),
        TypeCode::I16 => Value::Signed(i16::from_le_bytes(take(rest)?).into()),
        TypeCode::I32 => Value::Signed(i32::from_le_bytes(take(rest)?).into()),
        TypeCode::I64 => Value::Signed(i64::from_le_bytes(take(rest)?)),
        TypeCode::I128 => Value::I128(i128::from_le_bytes(take(rest)?)),
        TypeCode::F32 => Value::F32(f32::from_le_bytes(take(rest)?)),
        TypeCode::F64 => Value::F64(f64::from_le_bytes(take(rest)?)),
        TypeCode::TIME => Value::Time(UnixNanos(i64::from_le_bytes(take(rest)?))),
        TypeCode::TICKS => Value::Ticks(Ticks(u64::from_le_bytes(take(rest)?))),
        TypeCode::DECIMAL => {
            let mantissa = i128::from_le_bytes(take(rest)?);
            let [scale] = take::<1>(rest)?;
            Value::Decimal(Decimal { mantissa, scale })
        }
        TypeCode::UUID => Value::Uuid(take(rest)?),
        TypeCode::STR => {
            let (bytes, cut) = cuttable(rest)?;
            let content = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
            Value::Str(Cuttable { content, cut })
        }
        TypeCode::BYTES => {
            let (content, cut) = cuttable(rest)?;
            Value::Bytes(Cuttable { content, cut })
        }
        _ => return Err(Malformed),
    })
}

fn list<'a>(element: TypeCode, rest: &mut &'a [u8]) -> Result<Value<'a>, Malformed> {
    let stored = u32::from_le_bytes(take(rest)?);
    let (count, cut) = (stored & !CUT_BIT, stored & CUT_BIT != 0);
    let bytes = *rest;
    // Every element takes at least one byte, so a hostile count ends with the bytes.
    for _ in 0..count {
        scalar(element, rest)?;
    }
    let length = bytes.len() - rest.len();
    Ok(Value::List(List::new(element, count, cut, &bytes[..length])))
}
