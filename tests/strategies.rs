//! Goal: a strategy writes down only the handlers it needs, what fails around a backtest is told,
//! and hosts, runs and events can be looked at.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tapelog::expert::{
    Account, Bar, Book, DeinitReason, Event, Flow, HandlerResult, Order, OrderStatus, Position,
    RunError, Side, Standard, Strategy, Summary, Tick, Transaction,
};
use tapelog::testing::capture;
use tapelog::{Level, MetaExpert, UnixNanos};

/// Every kind of event, with its name as `Debug` shows it.
fn every_event() -> Vec<(&'static str, Event)> {
    let at = UnixNanos(1_700_000_000_000_000_000);
    vec![
        ("Tick", Tick::new(at, 1.0, 2.0).into()),
        ("Bar", Bar::new(at, 1.0, 3.0, 0.5, 2.0, 9.0).into()),
        ("Order", Order::new(at, "O-1", Side::Sell, 0.1, OrderStatus::Filled).into()),
        ("Transaction", Transaction::new(at, "T-1", "O-1", Side::Sell, 0.1, 1.5).into()),
        ("Position", Position::new(at, 0.1, 1.5, 0.0).into()),
        ("Book", Book::new(at, vec![(1.0, 2.0)], vec![(2.0, 1.0)]).into()),
        ("Account", Account::new(at, 1_000.0).into()),
        ("Idle", Event::Idle),
    ]
}

fn feed() -> impl Iterator<Item = Result<Event, String>> {
    let failure = std::iter::once(Err("the line is down".to_owned()));
    every_event().into_iter().map(|(_, event)| Ok(event)).chain(failure)
}

/// Has nothing to do.
struct Idler;

impl Strategy for Idler {}

#[test]
fn a_strategy_without_handlers_runs_through_every_event() {
    let (log, captured) = capture();
    let mut expert =
        MetaExpert::builder("Idler").strategy_id("idler-1").logger(&log).build().unwrap();
    assert_eq!(expert.strategy_id(), Some("idler-1"));

    let summary = expert.run(&mut Idler, feed());
    assert_eq!((summary.events, summary.errors, summary.score), (7, 1, None));
    assert_eq!(summary.reason, DeinitReason::FeedEnded, "an error does not end it");

    let [first, second] = &expert.backtest(&mut Idler, [feed(), feed()])[..] else { panic!() };
    assert_eq!((first.events, first.errors, first.score), (7, 1, Some(0.0)));
    assert_eq!((second.pass, second.reason), (1, DeinitReason::FeedEnded));

    let errors: Vec<_> = captured.entries().into_iter().map(|entry| entry.level).collect();
    assert_eq!(errors, [Level::Error; 3], "the feed's, once in each run, and nothing else");
}

/// Fails around its passes, where it is told to.
struct Clumsy {
    fails_in: &'static str,
    on_error: Flow,
    told: Vec<String>,
}

impl Clumsy {
    fn result(&self, handler: &str) -> HandlerResult {
        if self.fails_in == handler { Err("no luck".into()) } else { Ok(()) }
    }
}

impl Strategy for Clumsy {
    fn on_deinit(&mut self, _expert: &MetaExpert, _reason: DeinitReason) -> HandlerResult {
        self.result("on_deinit")
    }
    fn on_error(&mut self, _expert: &MetaExpert, error: &RunError) -> Flow {
        self.told.push(error.to_string());
        self.on_error
    }
    fn on_backtest_pass(&mut self, _expert: &MetaExpert, _summary: &Summary) -> HandlerResult {
        self.result("on_backtest_pass")
    }
    fn on_backtest_deinit(&mut self, _expert: &MetaExpert) -> HandlerResult {
        self.result("on_backtest_deinit")
    }
}

#[test]
fn what_fails_around_the_passes_is_logged_and_on_error_says_whether_another_follows() {
    let one = || [(); 2].map(|()| [Ok::<Event, String>(Event::Idle)]);
    for (fails_in, on_error, passes, times) in [
        ("on_backtest_pass", Flow::Continue, 2, 2),
        ("on_backtest_pass", Flow::Stop, 1, 1),
        ("on_backtest_deinit", Flow::Stop, 2, 1),
        ("on_deinit", Flow::Continue, 2, 2),
    ] {
        let (log, captured) = capture();
        let mut expert = MetaExpert::builder("Clumsy").logger(&log).build().unwrap();
        let mut clumsy = Clumsy { fails_in, on_error, told: Vec::new() };
        let summaries = expert.backtest(&mut clumsy, one());
        assert_eq!(summaries.len(), passes, "{fails_in} {on_error:?}");
        assert_eq!(clumsy.told, vec![format!("the handler {fails_in} failed"); times]);
        let entries = captured.entries();
        assert_eq!(entries.len(), times, "{entries:?}");
        for entry in entries {
            assert_eq!((entry.level, &*entry.fields["handler"]), (Level::Error, fails_in));
            assert!(entry.fields["error"].contains("no luck"), "{entry}");
        }
    }
}

#[test]
fn a_session_that_is_over_takes_neither_events_nor_errors() {
    let (log, captured) = capture();
    let mut expert = MetaExpert::builder("Idler").logger(&log).build().unwrap();
    let stopper = expert.stopper();
    let mut idler = Idler;
    let mut session = expert.start::<Standard, _>(&mut idler);
    assert_eq!(session.feed_error("the line is down"), Flow::Continue);
    stopper.stop();
    assert_eq!(session.dispatch(&Event::Idle), Flow::Stop);
    assert_eq!(session.feed_error("it is still down"), Flow::Stop);
    let shown = format!("{session:?}");
    assert!(shown.starts_with("Session {") && shown.contains("errors: 1"), "{shown}");
    drop(session);
    assert_eq!(captured.entries().len(), 1, "only what came while it ran");

    let summary = expert.run(&mut Idler, feed());
    assert_eq!((summary.events, summary.reason), (7, DeinitReason::FeedEnded), "it is over");
    stopper.stop();
    let mut session = expert.start::<Standard, _>(&mut idler);
    assert_eq!(session.dispatch(&Event::Idle), Flow::Stop);
    let summary = session.end();
    assert_eq!((summary.events, summary.reason), (0, DeinitReason::Stopped), "asked before");
}

#[test]
fn hosts_and_events_show_what_they_are() {
    for (name, event) in every_event() {
        let shown = format!("{event:?}");
        assert!(shown.starts_with(name), "{shown}");
        assert_eq!(shown.contains("1700000000"), name != "Idle", "{shown}");
    }
    let (log, _captured) = capture();
    let builder = MetaExpert::builder("Shown").symbol("ETHUSDT").logger(&log);
    for shown in [format!("{builder:?}"), format!("{:?}", builder.build().unwrap())] {
        assert!(shown.contains("\"Shown\"") && shown.contains("\"ETHUSDT\""), "{shown}");
    }
    assert_eq!((Side::Buy.opposite(), Side::Sell.opposite()), (Side::Sell, Side::Buy));
    assert_eq!((Side::Buy.as_str(), Side::Sell.as_str()), ("BUY", "SELL"));
    let statuses = [
        OrderStatus::New,
        OrderStatus::PartiallyFilled,
        OrderStatus::Filled,
        OrderStatus::Canceled,
        OrderStatus::Rejected,
        OrderStatus::Expired,
    ];
    let names = statuses.map(OrderStatus::as_str);
    assert_eq!(names, ["new", "partially_filled", "filled", "canceled", "rejected", "expired"]);
}
