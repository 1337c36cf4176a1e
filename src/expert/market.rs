//! The types of a feed's events, and the events themselves.

use std::fmt;

use super::events::{Account, Bar, Book, Order, Position, Tick, Timed, Transaction};
use crate::record::UnixNanos;

/// The types of a market's events, for a program that has its own: exact prices, an exchange's
/// messages. [`Standard`] has the ones of this module.
pub trait Market {
    /// For [`on_tick`](super::Strategy::on_tick).
    type Tick: Timed + fmt::Debug;
    /// For [`on_bar`](super::Strategy::on_bar).
    type Bar: Timed + fmt::Debug;
    /// For [`on_order`](super::Strategy::on_order).
    type Order: Timed + fmt::Debug;
    /// For [`on_position`](super::Strategy::on_position).
    type Position: Timed + fmt::Debug;
    /// For [`on_transaction`](super::Strategy::on_transaction).
    type Transaction: Timed + fmt::Debug;
    /// For [`on_book`](super::Strategy::on_book).
    type Book: Timed + fmt::Debug;
    /// For [`on_account`](super::Strategy::on_account).
    type Account: Timed + fmt::Debug;
}

/// The market whose events are the types of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standard;

impl Market for Standard {
    type Tick = Tick;
    type Bar = Bar;
    type Order = Order;
    type Position = Position;
    type Transaction = Transaction;
    type Book = Book;
    type Account = Account;
}

/// One event of a feed. Each goes to the handler of its name.
#[non_exhaustive]
pub enum Event<M: Market = Standard> {
    /// A change of the best prices, or a trade of others.
    Tick(M::Tick),
    /// A bar that was closed.
    Bar(M::Bar),
    /// An order of one's own whose state has changed.
    Order(M::Order),
    /// What is held now.
    Position(M::Position),
    /// An execution of an order of one's own.
    Transaction(M::Transaction),
    /// The order book.
    Book(M::Book),
    /// What the account holds.
    Account(M::Account),
    /// Nothing happened: the feed gives the timer a chance instead of waiting.
    Idle,
}

impl<M: Market> Event<M> {
    /// When it happened; `None` for [`Event::Idle`].
    #[inline]
    #[must_use]
    pub fn time(&self) -> Option<UnixNanos> {
        Some(match self {
            Event::Tick(tick) => tick.time(),
            Event::Bar(bar) => bar.time(),
            Event::Order(order) => order.time(),
            Event::Position(position) => position.time(),
            Event::Transaction(transaction) => transaction.time(),
            Event::Book(book) => book.time(),
            Event::Account(account) => account.time(),
            Event::Idle => return None,
        })
    }
}

impl<M: Market> fmt::Debug for Event<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple =
            |name: &str, event: &dyn fmt::Debug| f.debug_tuple(name).field(event).finish();
        match self {
            Event::Tick(tick) => tuple("Tick", tick),
            Event::Bar(bar) => tuple("Bar", bar),
            Event::Order(order) => tuple("Order", order),
            Event::Position(position) => tuple("Position", position),
            Event::Transaction(transaction) => tuple("Transaction", transaction),
            Event::Book(book) => tuple("Book", book),
            Event::Account(account) => tuple("Account", account),
            Event::Idle => f.write_str("Idle"),
        }
    }
}

macro_rules! event_from {
    ($($event:ident),*) => {$(
        impl From<$event> for Event {
            fn from(event: $event) -> Self {
                Event::$event(event)
            }
        }
    )*};
}

event_from!(Tick, Bar, Order, Position, Transaction, Book, Account);
