//! A record of the cases as a line of the journal shows it.

use serde::Deserialize;

use super::cases::{self, Strings};
use super::series::CaseName;

/// What a line holds of a call.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) event: &'a str,
    timestamp_ns: &'a str,
    /// The number of the call.
    pub(super) a: Option<u64>,
    b: Option<u64>,
    c: Option<f64>,
    text: Option<&'a str>,
    #[serde(borrow)]
    items: Option<Vec<&'a str>>,
    expert_name: Option<&'a str>,
    symbol: Option<&'a str>,
    trade_id: Option<&'a str>,
    order_id: Option<&'a str>,
    strategy_id: Option<u64>,
    account_id: Option<&'a str>,
}

impl Line<'_> {
    /// In nanoseconds of UTC.
    pub(super) fn time(&self) -> Option<i64> {
        self.timestamp_ns.parse().ok()
    }

    /// Whether the fields are those of the other, whatever text and time are.
    pub(super) fn has_fields_of(&self, other: &Line<'_>) -> bool {
        let numbers = |line: &Line<'_>| (line.a, line.b, line.c.map(f64::to_bits));
        numbers(self) == numbers(other)
            && (self.text, &self.items) == (other.text, &other.items)
            && self.context() == other.context()
    }

    pub(super) fn has_no_fields(&self) -> bool {
        self.has_fields_of(&Line::default())
    }

    fn context(&self) -> ([Option<&str>; 5], Option<u64>) {
        let texts = [self.expert_name, self.symbol, self.trade_id, self.order_id, self.account_id];
        (texts, self.strategy_id)
    }
}

/// The line of a call, but for text and time.
pub(super) fn expected(case: CaseName, number: u64, strings: &Strings) -> Line<'_> {
    let mut line = Line { a: Some(number), ..Line::default() };
    match case {
        CaseName::NoArgs => line.a = None,
        CaseName::IntIntDouble | CaseName::Disabled => {}
        CaseName::IntIntString40 => {
            line.b = Some(cases::second(number));
            line.text = Some(strings.text(number));
        }
        CaseName::Vec16Strings => {
            line.items = Some(strings.list(number).iter().map(String::as_str).collect());
        }
        CaseName::BoundContext => {
            line.expert_name = Some("MyEmaBot");
            line.symbol = Some("BTCUSDT");
            line.trade_id = Some("T-1");
            line.order_id = Some("O-1");
            line.strategy_id = Some(7);
            // Account numbers are masked where they are bound.
            line.account_id = Some("***123");
        }
    }
    if matches!(case, CaseName::IntIntDouble | CaseName::BoundContext | CaseName::Disabled) {
        line.b = Some(cases::second(number));
        line.c = Some(cases::third(number));
    }
    line
}
