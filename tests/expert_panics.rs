//! Goal: whatever handler panics, or the feed: the panic stands in the logs, `on_deinit` is called
//! once, the logs are complete before the panic goes on, and the host can be used again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/noter.rs"]
mod noter;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use noter::{EVENTS, Noter, desk_expert, every_event, feed, tick};
use support::{Desk, field};
use tapelog::MetaExpert;
use tapelog::expert::{DeinitReason, Event, HandlerResult, Standard, Strategy, Tick};

/// The handlers that only a backtest calls.
const BACKTEST: [&str; 4] =
    ["on_backtest_init", "on_backtest", "on_backtest_pass", "on_backtest_deinit"];

/// Handlers behind which, or around which, no `on_deinit` is to be called.
const OUTSIDE: [&str; 3] = ["on_backtest_init", "on_backtest_pass", "on_backtest_deinit"];

/// How a run is begun.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Run,
    Backtest,
    OwnLoop,
}

fn begin(way: Way, expert: &mut MetaExpert, noter: &mut Noter) {
    // The error is for `on_error`.
    let error = std::iter::once(Err("the line is down".to_owned()));
    let events = every_event().into_iter().map(Ok).chain(error);
    match way {
        Way::Run => drop(expert.run(noter, events)),
        Way::Backtest => drop(expert.backtest(noter, [events])),
        Way::OwnLoop => {
            let mut session = expert.start(noter);
            for event in events {
                let _flow = match event {
                    Ok(event) => session.dispatch(&event),
                    Err(error) => session.feed_error(error),
                };
            }
            session.end();
        }
    }
}

#[test]
fn whatever_handler_panics_it_is_logged_and_the_logs_are_complete() {
    let desk = Desk::new();
    let mut expert = desk_expert(&desk);
    let handlers = ["on_init", "on_deinit", "on_timer", "on_error"];
    let handlers: Vec<_> = handlers.into_iter().chain(EVENTS).chain(BACKTEST).collect();
    let mut panics = 0;
    for way in [Way::Run, Way::Backtest, Way::OwnLoop] {
        // The market's second is the backtest's; a live run's timer is due at once.
        let backtest = way == Way::Backtest;
        expert.set_timer(if backtest { Duration::from_secs(1) } else { Duration::from_nanos(1) });
        for handler in handlers.iter().filter(|name| backtest || !BACKTEST.contains(name)) {
            let mut noter = Noter { panics_in: handler, ..Noter::default() };
            let run = AssertUnwindSafe(|| begin(way, &mut expert, &mut noter));
            let payload = catch_unwind(run).expect_err(handler);
            let said = format!("{handler} has given up");
            assert_eq!(payload.downcast_ref::<String>(), Some(&said), "{way:?}");

            // Before the guard is dropped.
            panics += 1;
            let critical = desk.lines("errors.log").into_iter();
            let critical: Vec<_> = critical.filter(|line| line.contains("[CRITICAL ]")).collect();
            assert_eq!(critical.len(), panics, "{way:?} {handler}: {critical:?}");
            assert!(critical[panics - 1].contains("the strategy panicked"), "{critical:?}");
            // Where the handler was called by the host; else the program has the text itself.
            if way != Way::OwnLoop || ["on_init", "on_deinit"].contains(handler) {
                assert!(critical[panics - 1].contains(&said), "{critical:?}");
            }
            let called = noter.called();
            let inits = called.iter().filter(|name| **name == "on_init").count();
            let deinits = called.iter().filter(|name| **name == "on_deinit").count();
            assert_eq!(deinits, inits, "{way:?} {handler}: {called:?}");
            let panicked = called.contains(&"Panicked");
            assert_eq!(
                panicked,
                *handler != "on_deinit" && !OUTSIDE.contains(handler),
                "{called:?}"
            );
        }
    }
    assert_eq!(panics, 2 * 11 + 15);
    assert_eq!(expert.logger().stats().lost.total(), 0);
    let mut noter = Noter::default();
    assert_eq!(expert.run(&mut noter, feed([tick(1)])).reason, DeinitReason::FeedEnded);
}

#[test]
fn a_feed_that_panics_ends_the_run_as_a_handler_does() {
    let desk = Desk::new();
    let mut expert = desk_expert(&desk);
    let broken = |second| {
        assert!(second < 2, "the feed has given up");
        Ok::<Event, String>(tick(second))
    };
    let mut noter = Noter::default();
    let run = AssertUnwindSafe(|| expert.run(&mut noter, (0..5).map(broken)));
    assert!(catch_unwind(run).is_err());
    assert_eq!(noter.called(), ["on_init", "on_tick", "on_tick", "Panicked", "on_deinit"]);
    assert_eq!(desk.lines("errors.log").len(), 1);

    // What gives the feeds of a backtest's passes may panic, too.
    let passes = (0..5).map(|pass| {
        assert!(pass < 1, "no feed for pass {pass}");
        feed([tick(pass)])
    });
    let run = AssertUnwindSafe(|| expert.backtest(&mut Noter::default(), passes));
    assert!(catch_unwind(run).is_err());
    let lines = desk.lines("errors.log");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(r#"panic="the feed has given up""#), "{lines:?}");
    assert!(lines[1].contains(r#"panic="no feed for pass 1""#), "{lines:?}");
}

#[test]
fn behind_a_panic_on_deinit_runs_the_logs_are_complete_and_the_panic_goes_on() {
    let desk = Desk::new();
    let build = || desk_expert(&desk);
    let mut noter = Noter { panics_in: "on_tick", ..Noter::default() };
    let mut expert = build();
    let log = expert.logger().clone();
    let run = AssertUnwindSafe(|| expert.run(&mut noter, feed([tick(1), tick(2)])));
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "on_tick has given up");
    assert_eq!(noter.called(), ["on_init", "on_tick", "Panicked", "on_deinit"]);
    // Before the guard is dropped.
    let lines = desk.lines("errors.log");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("[CRITICAL ] the strategy panicked"), "{lines:?}");
    assert!(lines[0].contains(r#"panic="on_tick has given up""#), "{lines:?}");
    assert_eq!(field(&lines[0], "expert_name"), Some("Noter"));
    assert_eq!(desk.lines("expert.log").len(), 4);

    // The host goes on, and a panic in `on_deinit` itself does not hide the first one.
    struct Twice;
    impl Strategy for Twice {
        fn on_tick(&mut self, _expert: &MetaExpert, _tick: &Tick) -> HandlerResult {
            panic!("first")
        }
        fn on_deinit(&mut self, _expert: &MetaExpert, _reason: DeinitReason) -> HandlerResult {
            panic!("second")
        }
    }
    let payload = catch_unwind(AssertUnwindSafe(|| expert.run(&mut Twice, feed([tick(1)]))));
    assert_eq!(payload.unwrap_err().downcast_ref::<&str>(), Some(&"first"));
    // With a loop of one's own, too.
    let own_loop = AssertUnwindSafe(|| {
        let mut twice = Twice;
        let session = expert.start::<Standard, _>(&mut twice);
        drop_while_panicking(session);
    });
    assert!(catch_unwind(own_loop).is_err());
    drop(expert);
    assert_eq!(log.stats().lost.total(), 0);
    assert_eq!(desk.lines("errors.log").len(), 5);
}

fn drop_while_panicking<T>(_held: T) {
    panic!("in the caller's own loop")
}
