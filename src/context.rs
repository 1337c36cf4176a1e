//! Contexts: named values that are bound once and stand on every entry of a logger.

use crate::definition::{self, ContextDefinition, DefinitionBytes};
use crate::processors::Masking;
use crate::record::{Args, Stored, Value};

/// Named values to bind to a logger; made by [`context!`](crate::context).
///
/// A string longer than 512 bytes is cut when it is bound.
#[derive(Debug, Clone)]
pub struct Context {
    bytes: DefinitionBytes,
}

impl Context {
    /// A context of these names and values. Called by the macro.
    #[doc(hidden)]
    pub fn from_fields(names: &[&str], values: &impl Args) -> Self {
        Self { bytes: definition::encode_context(names, values) }
    }

    /// Masks the values of sensitive names, and secrets in texts.
    pub(crate) fn mask(&mut self, masking: &Masking) {
        if let Some(masked) = masking.context(&self.bytes) {
            self.bytes = masked;
        }
    }

    /// This context's values, and those of `outer` that no name here hides.
    pub(crate) fn within(self, outer: &[u8]) -> DefinitionBytes {
        let (Ok(outer), Ok(inner)) =
            (ContextDefinition::decode(outer), ContextDefinition::decode(&self.bytes))
        else {
            return self.bytes;
        };
        let hidden = |name: &str| inner.iter().any(|(own, _)| own == name);
        let mut merged = DefinitionBytes::new();
        merged.extend_from_slice(&[0, 0]);
        let mut count = 0_u16;
        for field in outer.raw_fields().filter(|field| !hidden(field.name)) {
            merged.extend_from_slice(field.bytes);
            count += 1;
        }
        for field in inner.raw_fields() {
            merged.extend_from_slice(field.bytes);
            count += 1;
        }
        merged[..2].copy_from_slice(&count.to_le_bytes());
        merged
    }

    /// The bytes of the context on its own.
    pub(crate) fn into_bytes(self) -> DefinitionBytes {
        self.bytes
    }
}

/// Whether an encoded context makes its entries trade events: `category = "trade"`.
pub(crate) fn is_trade(bytes: &[u8]) -> bool {
    ContextDefinition::decode(bytes).is_ok_and(|context| {
        context.iter().any(|(name, value)| name == "category" && value == Value::from("trade"))
    })
}

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
    pub(crate) fn tell(&self, tell: &mut dyn FnMut(crate::record::TypeCode, &dyn Stored)) {
        use crate::record::Encode;
        fn own<E: Encode>(value: E, tell: &mut dyn FnMut(crate::record::TypeCode, &dyn Stored)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_value_wins_and_the_outer_ones_stay() {
        let outer = Context::from_fields(&["symbol", "side"], &(((), "BTCUSDT"), "BUY"));
        let inner = Context::from_fields(&["side", "qty"], &(((), "SELL"), 3_u64));
        let merged = inner.within(&outer.into_bytes());
        let merged = ContextDefinition::decode(&merged).unwrap();
        let fields: Vec<_> = merged.iter().collect();
        assert_eq!(
            fields,
            [
                ("symbol", Value::from("BTCUSDT")),
                ("side", Value::from("SELL")),
                ("qty", Value::Unsigned(3)),
            ]
        );
    }

    #[test]
    fn a_bound_category_makes_trade_events() {
        let trade = Context::from_fields(&["category"], &((), "trade"));
        let other = Context::from_fields(&["category"], &((), "risk"));
        assert!(is_trade(&trade.into_bytes()));
        assert!(!is_trade(&other.into_bytes()));
    }
}
