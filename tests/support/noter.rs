//! A strategy that notes its handlers in its log and fails where it is told to, with hosts and
//! events for it.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use std::time::Duration;

use tapelog::expert::{
    Account, Bar, Book, DeinitReason, Event, ExpertBuilder, Flow, HandlerResult, Order,
    OrderStatus, Position, RunError, Side, Strategy, Summary, Tick, Transaction,
};
use tapelog::{MetaExpert, MetaLogger, UnixNanos, info, trade};

use crate::support::Desk;

pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) fn at(second: i64) -> UnixNanos {
    UnixNanos(1_700_000_000 * SECOND + second * SECOND)
}

pub(crate) fn tick(second: i64) -> Event {
    Tick::new(at(second), 100.0, 100.5).into()
}

pub(crate) fn feed(
    events: impl IntoIterator<Item = Event>,
) -> impl Iterator<Item = Result<Event, String>> {
    events.into_iter().map(Ok)
}

pub(crate) fn builder(log: &MetaLogger) -> ExpertBuilder {
    MetaExpert::builder("Noter")
        .symbol("BTCUSDT")
        .strategy_id("noter-1")
        .account_id("paper-4711")
        .logger(log)
}

/// Every kind of event, one second apart.
pub(crate) fn every_event() -> Vec<Event> {
    vec![
        Tick::new(at(1), 1.0, 2.0).with_last(1.5, 3.0).into(),
        Bar::new(at(2), 1.0, 3.0, 0.5, 2.0, 9.0).into(),
        Order::new(at(3), "O-1", Side::Buy, 0.1, OrderStatus::New).with_price(1.5).into(),
        Transaction::new(at(4), "T-1", "O-1", Side::Buy, 0.1, 1.5).with_fee(0.01).into(),
        Position::new(at(5), 0.1, 1.5, 0.0).into(),
        Book::new(at(6), vec![(1.0, 2.0)], vec![(2.0, 1.0)]).into(),
        Account::new(at(7), 1_000.0).with_positions(999.0, 900.0).into(),
        Event::Idle,
    ]
}

/// Notes each handler in its log, and fails where it is told to.
#[derive(Debug, Default)]
pub(crate) struct Noter {
    pub(crate) called: Vec<String>,
    pub(crate) fails_in: &'static str,
    pub(crate) stops_in: &'static str,
    pub(crate) panics_in: &'static str,
    pub(crate) on_error: Option<Flow>,
}

#[derive(Debug, thiserror::Error)]
#[error("the handler has no luck")]
pub(crate) struct NoLuck(#[source] std::num::ParseIntError);

impl Noter {
    fn note(&mut self, expert: &MetaExpert, handler: &'static str) -> HandlerResult {
        self.called.push(handler.to_owned());
        info!(expert.logger(), "called", handler);
        if self.stops_in == handler {
            expert.stop();
        }
        assert!(self.panics_in != handler, "{handler} has given up");
        if self.fails_in == handler {
            return Err(Box::new(NoLuck("x".parse::<i32>().unwrap_err())));
        }
        Ok(())
    }

    pub(crate) fn called(&self) -> Vec<&str> {
        self.called.iter().map(String::as_str).collect()
    }
}

impl Strategy for Noter {
    fn on_init(&mut self, expert: &MetaExpert) -> HandlerResult {
        self.note(expert, "on_init")
    }
    fn on_deinit(&mut self, expert: &MetaExpert, reason: DeinitReason) -> HandlerResult {
        self.called.push(format!("{reason:?}"));
        self.note(expert, "on_deinit")
    }
    fn on_tick(&mut self, expert: &MetaExpert, tick: &Tick) -> HandlerResult {
        assert!(tick.ask > tick.bid && tick.time == at(tick.time.0 / SECOND - 1_700_000_000));
        self.note(expert, "on_tick")
    }
    fn on_bar(&mut self, expert: &MetaExpert, bar: &Bar) -> HandlerResult {
        assert_eq!((bar.open, bar.high, bar.low, bar.close), (1.0, 3.0, 0.5, 2.0));
        self.note(expert, "on_bar")
    }
    fn on_timer(&mut self, expert: &MetaExpert, _due: UnixNanos) -> HandlerResult {
        self.note(expert, "on_timer")
    }
    fn on_order(&mut self, expert: &MetaExpert, order: &Order) -> HandlerResult {
        trade!(
            expert.logger(),
            "order",
            order_id = order.order_id,
            side = order.side,
            status = order.status,
            price = order.price
        );
        self.note(expert, "on_order")
    }
    fn on_position(&mut self, expert: &MetaExpert, position: &Position) -> HandlerResult {
        assert_eq!((position.size, position.entry_price), (0.1, 1.5));
        self.note(expert, "on_position")
    }
    fn on_transaction(&mut self, expert: &MetaExpert, deal: &Transaction) -> HandlerResult {
        assert_eq!((deal.trade_id.as_str(), deal.fee), ("T-1", 0.01));
        self.note(expert, "on_transaction")
    }
    fn on_book(&mut self, expert: &MetaExpert, book: &Book) -> HandlerResult {
        assert_eq!(book.bids, [(1.0, 2.0)]);
        self.note(expert, "on_book")
    }
    fn on_account(&mut self, expert: &MetaExpert, account: &Account) -> HandlerResult {
        assert_eq!((account.balance, account.equity), (1_000.0, 999.0));
        self.note(expert, "on_account")
    }
    fn on_error(&mut self, expert: &MetaExpert, error: &RunError) -> Flow {
        let _noted = self.note(expert, "on_error");
        self.called.push(error.to_string());
        self.on_error.unwrap_or(Flow::Continue)
    }
    fn on_backtest_init(&mut self, expert: &MetaExpert) -> HandlerResult {
        self.note(expert, "on_backtest_init")
    }
    fn on_backtest(&mut self, expert: &MetaExpert, summary: &Summary) -> f64 {
        let _noted = self.note(expert, "on_backtest");
        summary.events as f64 / 2.0
    }
    fn on_backtest_pass(&mut self, expert: &MetaExpert, summary: &Summary) -> HandlerResult {
        assert_eq!(summary.score, Some(summary.events as f64 / 2.0));
        self.note(expert, "on_backtest_pass")
    }
    fn on_backtest_deinit(&mut self, expert: &MetaExpert) -> HandlerResult {
        self.note(expert, "on_backtest_deinit")
    }
}

pub(crate) const EVENTS: [&str; 7] =
    ["on_tick", "on_bar", "on_order", "on_transaction", "on_position", "on_book", "on_account"];

/// A host that logs to files.
pub(crate) fn desk_expert(desk: &Desk) -> MetaExpert {
    MetaExpert::builder("Noter")
        .log_dir(desk.logs())
        .ring_dir(desk.ring_dir())
        .log_to_console(false)
        .latency_warning(Duration::ZERO)
        .build()
        .unwrap()
}
