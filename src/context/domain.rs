//! The six fields of a trading program.

use super::Context;
use crate::record::LogValue;

/// What can stand as an id: an integer or a text. Implement it for identifiers of your own.
///
/// ```
/// use tapelog::{Context, Identifier, LogValue};
///
/// struct OrderId(u64);
///
/// impl LogValue for OrderId {
///     type Stored<'a> = u64;
///     fn stored(&self) -> u64 {
///         self.0
///     }
/// }
/// impl Identifier for OrderId {}
///
/// let context = Context::new().order_id(OrderId(9));
/// # drop(context);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no identifier",
    label = "an id is an integer or a text",
    note = "implement `tapelog::LogValue` and `tapelog::Identifier` for a type of your own"
)]
pub trait Identifier: LogValue {}

macro_rules! identifiers {
    ($($type:ty),* $(,)?) => {$(impl Identifier for $type {})*};
}

identifiers!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
identifiers!(str, String, Box<str>, std::borrow::Cow<'_, str>);

impl<T: Identifier + ?Sized> Identifier for &T {}

impl Context {
    /// The names of the six fields, in the order of the methods.
    pub const DOMAIN: [&'static str; 6] =
        ["expert_name", "symbol", "trade_id", "order_id", "strategy_id", "account_id"];

    /// The program or strategy that trades: `expert_name`.
    #[must_use]
    pub fn expert_name(self, name: impl AsRef<str>) -> Self {
        self.field("expert_name", name.as_ref())
    }

    /// The instrument: `symbol`.
    #[must_use]
    pub fn symbol(self, symbol: impl AsRef<str>) -> Self {
        self.field("symbol", symbol.as_ref())
    }

    /// The trade: `trade_id`.
    #[must_use]
    pub fn trade_id(self, id: impl Identifier) -> Self {
        self.field("trade_id", id)
    }

    /// The order: `order_id`.
    #[must_use]
    pub fn order_id(self, id: impl Identifier) -> Self {
        self.field("order_id", id)
    }

    /// The strategy: `strategy_id`.
    #[must_use]
    pub fn strategy_id(self, id: impl Identifier) -> Self {
        self.field("strategy_id", id)
    }

    /// The account: `account_id`. Its last three characters are shown, unless `mask_keys` says
    /// otherwise.
    #[must_use]
    pub fn account_id(self, id: impl Identifier) -> Self {
        self.field("account_id", id)
    }
}
