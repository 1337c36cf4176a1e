//! Values that are known at run time only.

use crate::record::{Encode, Stored, TypeCode};

/// A value given to a dynamic method or bound at run time; see
/// [`MetaLogger::log`](crate::MetaLogger::log).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum DynamicValue<'a> {
    /// A truth value.
    Bool(bool),
    /// An unsigned integer.
    Unsigned(u64),
    /// A signed integer.
    Signed(i64),
    /// A float.
    Float(f64),
    /// Text.
    Str(&'a str),
}

impl DynamicValue<'_> {
    /// Calls `tell` with the value in its stored form.
    pub(crate) fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        fn own<E: Encode>(value: E, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
            tell(E::TYPE, &value);
        }
        match *self {
            DynamicValue::Bool(value) => own(value, tell),
            DynamicValue::Unsigned(value) => own(value, tell),
            DynamicValue::Signed(value) => own(value, tell),
            DynamicValue::Float(value) => own(value, tell),
            DynamicValue::Str(value) => own(value, tell),
        }
    }
}

macro_rules! dynamic_from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for DynamicValue<'_> {
            fn from(value: $type) -> Self {
                DynamicValue::$variant(value.into())
            }
        }
    )*};
}

dynamic_from!(
    bool => Bool,
    u8 => Unsigned, u16 => Unsigned, u32 => Unsigned, u64 => Unsigned,
    i8 => Signed, i16 => Signed, i32 => Signed, i64 => Signed,
    f32 => Float, f64 => Float,
);

impl<'a> From<&'a str> for DynamicValue<'a> {
    fn from(value: &'a str) -> Self {
        DynamicValue::Str(value)
    }
}
