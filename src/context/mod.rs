//! Contexts: named values that are bound once and stand on every entry of a logger.

mod domain;
mod dynamic;
mod layers;

pub use domain::Identifier;
pub use dynamic::DynamicValue;
pub(crate) use layers::{Layer, Layered, merge, without};

use crate::definition::{self, CATEGORY, DefinitionBytes, category_of, context_fields};
use crate::level::Category;
use crate::processors::NameMask;
use crate::record::{Args, Fields, LogValue};

/// Named values to bind to a logger; made by [`context!`](crate::context), or by the methods here.
///
/// The six fields of a trading program have methods of their own, so that their names are spelt
/// the same everywhere; [`field`](Context::field) adds any other one:
///
/// ```
/// use tapelog::{Context, context};
///
/// let (log, _captured) = tapelog::testing::capture();
/// let expert = log.bind(Context::new().expert_name("MyEmaBot").symbol("BTCUSDT").strategy_id(7));
/// let order = expert.bind(context! { venue = "XNAS" }.order_id("O-17"));
/// # drop(order);
/// ```
///
/// Where a name is given twice, the later value counts. A string longer than 512 bytes is cut when
/// it is bound.
#[derive(Debug, Clone)]
pub struct Context {
    bytes: DefinitionBytes,
}

impl Context {
    /// A context without values.
    #[must_use]
    pub fn new() -> Self {
        Self::from_fields(&[], &())
    }

    /// A context of these names and values. Called by the macro.
    #[doc(hidden)]
    pub fn from_fields(names: &[&str], values: &impl Args) -> Self {
        Self { bytes: definition::encode_context(names, values) }
    }

    /// This context with one more value.
    #[must_use]
    pub fn field(self, name: &str, value: impl LogValue) -> Self {
        Self::from_fields(&[name], &((), value.stored())).within(self)
    }

    /// Whether it holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.starts_with(&[0, 0])
    }

    /// A context that was encoded before.
    pub(crate) fn from_bytes(bytes: DefinitionBytes) -> Self {
        Self { bytes }
    }

    /// Masks the values of sensitive names and tells how many those were.
    pub(crate) fn mask(&mut self, mask: &NameMask) -> u64 {
        let Some((masked, values)) = mask.context(&self.bytes) else { return 0 };
        self.bytes = masked;
        values
    }

    /// This context's values, and those of `outer` that no name here hides.
    pub(crate) fn within(self, outer: Context) -> Context {
        Context { bytes: merge([Layer::of(&outer.bytes), Layer::of(&self.bytes)]).bytes }
    }

    /// The encoded form.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether an encoded context makes its entries trade events: `category = "trade"`.
pub(crate) fn is_trade(bytes: &[u8]) -> bool {
    let category = context_fields(bytes).find(|field| field.name == CATEGORY);
    let value = category.and_then(|field| Fields::new(field.stored()).next(field.code()).ok());
    value.is_some_and(|value| category_of(&value) == Category::Trade)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::ContextDefinition;
    use crate::record::Value;

    #[test]
    fn the_inner_value_wins_and_the_outer_ones_stay() {
        let outer = Context::new().symbol("BTCUSDT").field("side", "BUY");
        let inner = Context::from_fields(&["side", "qty"], &(((), "SELL"), 3_u64));
        let merged = inner.within(outer);
        let merged = ContextDefinition::decode(merged.bytes()).unwrap();
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
        let bound = |category| Context::new().symbol("X").field("category", category);
        assert!(is_trade(bound("trade").bytes()));
        assert!(!is_trade(bound("risk").bytes()) && !is_trade(Context::new().bytes()));
    }

    #[test]
    fn the_domain_fields_have_their_names_and_the_later_value_counts() {
        let context = Context::new()
            .expert_name("MyEmaBot")
            .symbol("ETHUSDT")
            .symbol("BTCUSDT")
            .trade_id("T-17")
            .order_id(u64::MAX)
            .strategy_id(-7)
            .account_id(String::from("A-1"));
        let context = ContextDefinition::decode(context.bytes()).unwrap();
        let fields: Vec<_> = context.iter().collect();
        let expected = [
            Value::from("MyEmaBot"),
            Value::from("BTCUSDT"),
            Value::from("T-17"),
            Value::Unsigned(u64::MAX),
            Value::Signed(-7),
            Value::from("A-1"),
        ];
        let expected: Vec<_> = Context::DOMAIN.into_iter().zip(expected).collect();
        assert_eq!(fields, expected);
        assert!(Context::default().is_empty() && !Context::new().symbol("").is_empty());
    }
}
