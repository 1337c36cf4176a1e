//! A simulated exchange: market orders against the best quote.

use super::events::{
    Action, ExchangeError, Fill, MarginError, Order, OrderId, Rejection, Side, TradeId,
};
use crate::demo::decimal::Decimal;
use crate::demo::tick::BookTicker;

/// An order needs a twentieth of its worth as margin.
const MARGIN_RATE: Decimal = Decimal::new(5, 2);

/// Numbers orders and fills, and fills or rejects them by rule.
#[derive(Debug)]
pub(super) struct Exchange {
    reject_every: u64,
    bid_ask: Option<(Decimal, Decimal)>,
    orders: u64,
    fills: u64,
}

impl Exchange {
    pub(super) fn new(reject_every: u64) -> Self {
        Exchange { reject_every, bid_ask: None, orders: 0, fills: 0 }
    }

    pub(super) fn set_quote(&mut self, quote: &BookTicker) {
        self.bid_ask = Some((quote.bid, quote.ask));
    }

    /// Gives an order its number.
    pub(super) fn new_order(
        &mut self,
        at_ns: u64,
        side: Side,
        size: Decimal,
        action: Action,
    ) -> Order {
        self.orders += 1;
        Order { at_ns, order_id: OrderId(self.orders), side, size, action }
    }

    /// Fills the whole order at the best opposite quote.
    ///
    /// # Errors
    /// [`Rejection`] if nothing was quoted yet, and for every n-th order: the account's margin is
    /// then said to be used up.
    pub(super) fn execute(&mut self, order: &Order) -> Result<Fill, Rejection> {
        let reject = |reason| Err(Rejection { order: *order, reason });
        let Some((bid, ask)) = self.bid_ask else {
            return reject(ExchangeError::NoQuote);
        };
        let price = match order.side {
            Side::Buy => ask,
            Side::Sell => bid,
        };
        if self.reject_every > 0 && order.order_id.0.is_multiple_of(self.reject_every) {
            let needed = price.times(order.size).times(MARGIN_RATE);
            let margin = MarginError { needed, free: Decimal::ZERO };
            return reject(ExchangeError::InsufficientMargin(margin));
        }
        self.fills += 1;
        Ok(Fill {
            at_ns: order.at_ns,
            order_id: order.order_id,
            trade_id: TradeId(self.fills),
            side: order.side,
            size: order.size,
            price,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const QUOTE: BookTicker = BookTicker {
        update_id: 1,
        bid: Decimal::new(618_000, 1),
        bid_qty: Decimal::new(1, 0),
        ask: Decimal::new(618_001, 1),
        ask_qty: Decimal::new(1, 0),
    };

    fn execute(exchange: &mut Exchange, side: Side) -> Result<Fill, Rejection> {
        let order = exchange.new_order(7, side, Decimal::new(1, 1), Action::Open);
        exchange.execute(&order)
    }

    #[test]
    fn a_buyer_pays_the_ask_and_a_seller_gets_the_bid() {
        let mut exchange = Exchange::new(17);
        exchange.set_quote(&QUOTE);
        let bought = execute(&mut exchange, Side::Buy).unwrap();
        let sold = execute(&mut exchange, Side::Sell).unwrap();
        assert_eq!((bought.price, sold.price), (QUOTE.ask, QUOTE.bid));
        assert_eq!((bought.order_id.to_string(), bought.trade_id.to_string()), ids("O-1", "T-1"));
        assert_eq!((sold.order_id.to_string(), sold.trade_id.to_string()), ids("O-2", "T-2"));
    }

    fn ids(order_id: &str, trade_id: &str) -> (String, String) {
        (order_id.to_owned(), trade_id.to_owned())
    }

    #[test]
    fn every_17th_order_is_rejected_with_its_chain_of_causes() {
        let mut exchange = Exchange::new(17);
        exchange.set_quote(&QUOTE);
        let rejected =
            (1..=51).filter_map(|_| execute(&mut exchange, Side::Buy).err()).collect::<Vec<_>>();
        assert_eq!(rejected.iter().map(|r| r.order.order_id.0).collect::<Vec<_>>(), [17, 34, 51]);
        let mut chain = vec![rejected[0].to_string()];
        let mut error: &dyn Error = &rejected[0];
        while let Some(source) = error.source() {
            chain.push(source.to_string());
            error = source;
        }
        assert_eq!(
            chain,
            [
                "order O-17 was rejected",
                "exchange error -2019: insufficient margin",
                "the order needs 309.0005 USDT, 0 USDT are free",
            ]
        );
        let mut never = Exchange::new(0);
        never.set_quote(&QUOTE);
        assert!((0..100).all(|_| execute(&mut never, Side::Sell).is_ok()));
    }

    #[test]
    fn an_order_before_the_first_quote_is_rejected() {
        let rejection = execute(&mut Exchange::new(17), Side::Buy).unwrap_err();
        assert_eq!(rejection.reason, ExchangeError::NoQuote);
    }
}
