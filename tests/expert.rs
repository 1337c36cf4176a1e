//! Goal: the host calls a strategy's handlers in their order, every entry carries the strategy's
//! context and in a backtest the market's time, and errors lose no entry.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/noter.rs"]
mod noter;
mod support;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use noter::{EVENTS, Noter, at, builder, desk_expert, every_event, feed, tick};
use support::{Desk, PATIENCE};
use tapelog::expert::{
    Account, Bar, Book, DeinitReason, Event, Flow, HandlerError, HandlerResult, Market, Mode,
    Order, Position, Strategy, Tick, Timed, Transaction,
};
use tapelog::testing::{Capture, capture};
use tapelog::{Level, MetaExpert, UnixNanos, info};

/// The values of a field, in the entries' order; "" where an entry has none.
fn values(captured: &Capture, name: &str) -> Vec<String> {
    let of = |fields: &BTreeMap<String, String>| fields.get(name).cloned().unwrap_or_default();
    captured.entries().iter().map(|entry| of(&entry.fields)).collect()
}

#[test]
fn in_paper_trading_each_event_goes_to_its_handler_between_init_and_deinit() {
    let (log, captured) = capture();
    let mut expert = builder(&log).timeframe("1m").magic(7).version("1.2").build().unwrap();
    assert_eq!((expert.name(), expert.timeframe()), ("Noter", Some("1m")));
    assert_eq!((expert.magic(), expert.version()), (Some(7), Some("1.2")));
    assert_eq!((expert.symbol(), expert.account_id()), (Some("BTCUSDT"), Some("paper-4711")));
    let mut noter = Noter::default();
    let summary = expert.run(&mut noter, feed(every_event()));
    let mut expected = vec!["on_init"];
    expected.extend(EVENTS);
    expected.extend(["FeedEnded", "on_deinit"]);
    assert_eq!(noter.called(), expected);
    assert_eq!((summary.events, summary.errors, summary.score), (7, 0, None));
    assert_eq!((summary.first, summary.last), (Some(at(1)), Some(at(7))));
    assert_eq!(expert.market_time(), None);

    let entries = captured.entries();
    assert_eq!(entries.len(), 10);
    for entry in &entries {
        let bound = ["expert_name", "symbol", "strategy_id", "account_id"];
        let bound = bound.map(|name| entry.context[name].as_str());
        assert_eq!(bound, ["Noter", "BTCUSDT", "noter-1", "***711"], "{entry}");
        assert!(!entry.fields.contains_key("market_time"), "{entry}");
    }
    assert_eq!(entries[3].fields["side"], "BUY");
    assert_eq!(entries[3].fields["status"], "new");
}

#[test]
fn a_backtest_calls_its_handlers_around_each_pass_and_gives_the_scores() {
    let (log, _captured) = capture();
    let mut expert = builder(&log).build().unwrap();
    let mut noter = Noter::default();
    let passes = [feed(vec![tick(1), tick(2)]), feed(vec![tick(1)])];
    let summaries = expert.backtest(&mut noter, passes);
    assert_eq!(
        noter.called(),
        [
            "on_backtest_init",
            "on_init",
            "on_tick",
            "on_tick",
            "on_backtest",
            "FeedEnded",
            "on_deinit",
            "on_backtest_pass",
            "on_init",
            "on_tick",
            "on_backtest",
            "FeedEnded",
            "on_deinit",
            "on_backtest_pass",
            "on_backtest_deinit",
        ]
    );
    let scores: Vec<_> = summaries.iter().map(|pass| (pass.pass, pass.score)).collect();
    assert_eq!(scores, [(0, Some(1.0)), (1, Some(0.5))]);
    assert_eq!(expert.mode(), Mode::Paper, "it is what it was");
}

#[test]
fn in_a_backtest_every_entry_of_a_handler_carries_the_market_s_time_beside_its_own() {
    struct Faces(Option<tapelog::Producer>);
    impl Strategy for Faces {
        fn on_init(&mut self, expert: &MetaExpert) -> HandlerResult {
            info!(expert.logger(), "init");
            self.0 = Some(expert.producer());
            Ok(())
        }
        fn on_tick(&mut self, expert: &MetaExpert, tick: &Tick) -> HandlerResult {
            assert_eq!((expert.market_time(), expert.now()), (Some(tick.time), tick.time));
            info!(expert.logger(), "by macro", bid = tick.bid, password = "hunter2");
            info!(self.0.as_ref().unwrap(), "by producer {text}", text = "x".repeat(100));
            expert.logger().info("by method", &[("n", 3.into())])?;
            info!(expert.logger(), "own", market_time = 5);
            let other = expert.logger().clone();
            std::thread::spawn(move || info!(other, "elsewhere")).join().unwrap();
            Ok(())
        }
    }
    let desk = Desk::new();
    let (log, guard) = desk.builder().structured_logging(true).build().unwrap();
    let mut expert = builder(&log).mode(Mode::Backtest).build().unwrap();
    let begun = UnixNanos(just_now());
    // The second day before the first: time runs as the feed says.
    expert.run(&mut Faces(None), feed([tick(86_400), tick(0)]));
    info!(log, "behind");
    log.flush(PATIENCE).unwrap();
    assert_eq!(log.stats().late, 0, "the wall clock orders the logs");
    drop((expert, log, guard));
    let lines = desk.json("expert.log");
    assert_eq!(lines.len(), 12);
    let text = |line: usize, name: &str| lines[line][name].as_str().unwrap_or("").to_owned();
    for (line, events) in [(0, "init"), (11, "behind")] {
        assert_eq!((text(line, "event"), text(line, "market_time")), (events.into(), "".into()));
    }
    for (day, first) in [("15T22:13:20", 1), ("14T22:13:20", 6)] {
        let events: Vec<_> = (first..first + 5).map(|line| text(line, "event")).collect();
        let producer = format!("by producer {}", "x".repeat(100));
        assert_eq!(events, ["by macro", producer.as_str(), "by method", "own", "elsewhere"]);
        let expected = format!("2023-11-{day}Z");
        for line in &lines[first..first + 3] {
            assert_eq!(line["market_time"], expected, "{line}");
        }
        assert_eq!(lines[first + 3]["market_time"], 5, "the call's own");
        assert_eq!(text(first + 4, "market_time"), "", "it belongs to the thread");
        assert_eq!(text(first, "password"), "***", "masked all the same");
    }
    let stamps = lines.iter().map(|line| line["timestamp_ns"].as_str().unwrap().parse::<i64>());
    let stamps: Vec<_> = stamps.map(Result::unwrap).collect();
    assert!(stamps.is_sorted() && stamps[0] >= begun.0, "{stamps:?}");
}

#[test]
fn the_market_s_time_is_there_from_a_pass_s_first_event_on_until_the_backtest_ends() {
    let (log, captured) = capture();
    let mut expert = builder(&log).build().unwrap();
    // The second time nothing is left of the first.
    for _ in 0..2 {
        expert.backtest(&mut Noter::default(), [feed([tick(5)]), feed([tick(7)])]);
    }
    let handlers = values(&captured, "handler").into_iter().zip(values(&captured, "market_time"));
    let seen: Vec<_> =
        handlers.map(|(handler, time)| (handler, time.get(17..19).map(str::to_owned))).collect();
    let pass = |second| {
        [
            ("on_init", None),
            ("on_tick", Some(second)),
            ("on_backtest", Some(second)),
            ("on_deinit", Some(second)),
            ("on_backtest_pass", Some(second)),
        ]
    };
    let mut expected = vec![("on_backtest_init", None)];
    expected.extend(pass("25").into_iter().chain(pass("27")));
    expected.push(("on_backtest_deinit", Some("27")));
    let expected: Vec<_> = expected
        .iter()
        .map(|(handler, second)| ((*handler).to_owned(), second.map(str::to_owned)))
        .collect();
    assert_eq!(seen, [&expected[..], &expected[..]].concat());
}

fn just_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // The logger's clock is calibrated to within a millisecond.
    now.as_nanos() as i64 - 1_000_000
}

#[test]
fn two_backtests_beside_each_other_have_each_its_own_time() {
    let (log, captured) = capture();
    std::thread::scope(|scope| {
        for day in 0..2 {
            let mut expert = builder(&log).mode(Mode::Backtest).build().unwrap();
            let begin = day * 1_000_000;
            scope.spawn(move || {
                let events = (0..200).map(|second| tick(begin + second));
                expert.run(&mut Noter::default(), feed(events));
            });
        }
    });
    let times = values(&captured, "market_time");
    let handlers = values(&captured, "handler");
    let ticks: Vec<_> =
        times.iter().zip(&handlers).filter(|(_, handler)| *handler == "on_tick").collect();
    assert_eq!(ticks.len(), 400);
    for day in ["2023-11-14T", "2023-11-26T"] {
        let own: Vec<_> = ticks.iter().filter(|(time, _)| time.starts_with(day)).collect();
        assert!(own.len() == 200 && own.is_sorted(), "{day}: {}", own.len());
    }
    // Afterwards the usual way is taken again.
    info!(log, "plain");
    assert_eq!(values(&captured, "market_time").last().unwrap(), "");
}

#[test]
fn the_timer_follows_the_market_in_a_backtest_and_the_wall_in_paper_trading() {
    let (log, captured) = capture();
    let mut expert = builder(&log).timer(Duration::from_secs(10)).build().unwrap();
    let summaries = expert.backtest(&mut Noter::default(), [feed([tick(0), tick(35), tick(36)])]);
    assert_eq!((summaries[0].events, summaries[0].timers), (3, 3));
    let timers: Vec<_> =
        captured.entries().into_iter().filter(|e| e.fields["handler"] == "on_timer").collect();
    let times: Vec<_> = timers.iter().map(|entry| &entry.fields["market_time"][14..19]).collect();
    assert_eq!(times, ["13:30", "13:40", "13:50"]);

    // By the wall's clock years of the market are nothing; and 20 ms are two intervals.
    expert.set_timer(Duration::from_millis(10));
    let mut noter = Noter::default();
    let events = [tick(0), tick(1_000_000), Event::Idle].into_iter().enumerate();
    let begun = Instant::now();
    let summary = expert.run(
        &mut noter,
        events.map(|(number, event)| {
            if number == 2 {
                std::thread::sleep(Duration::from_millis(25));
            }
            Ok::<_, String>(event)
        }),
    );
    let most = begun.elapsed().as_millis() as u64 / 10;
    assert!(summary.timers >= 1 && summary.timers <= most, "{summary:?}");
    assert_eq!(
        noter.called().iter().filter(|handler| **handler == "on_timer").count() as u64,
        summary.timers
    );
}

#[test]
fn errors_of_handlers_and_of_the_feed_are_logged_with_their_causes_and_told() {
    let (log, captured) = capture();
    let mut expert = builder(&log).build().unwrap();
    let mut noter = Noter { fails_in: "on_tick", ..Noter::default() };
    let events: [Result<Event, HandlerError>; 3] =
        [Ok(tick(1)), Err("no line".into()), Ok(tick(2))];
    let summary = expert.run(&mut noter, events);
    assert_eq!((summary.events, summary.errors), (2, 3));
    assert_eq!(summary.reason, DeinitReason::FeedEnded);
    let errors: Vec<_> =
        captured.entries().into_iter().filter(|entry| entry.level == Level::Error).collect();
    assert_eq!(errors.len(), 3);
    assert_eq!(
        (errors[0].event.as_str(), errors[0].fields["handler"].as_str()),
        ("handler failed", "on_tick")
    );
    assert!(errors[0].fields["error"].contains("no luck"), "{}", errors[0]);
    assert!(errors[0].fields["error"].contains("invalid digit"), "{}", errors[0]);
    assert_eq!(errors[1].event, "feed failed");
    assert!(errors[1].fields["error"].contains("no line") && errors[1].context.len() == 4);
    assert!(noter.called().contains(&"the handler on_tick failed"));
}

#[test]
fn on_error_may_end_the_run_and_so_may_a_failed_init_and_who_asks_for_it() {
    let (log, _captured) = capture();
    let mut expert = builder(&log).build().unwrap();
    let mut ends = |noter: Noter| {
        let mut noter = noter;
        let summary = expert.run(&mut noter, feed((0..9).map(tick)));
        assert_eq!(noter.called.last().unwrap(), "on_deinit");
        (summary.events, summary.reason)
    };
    let failing = Noter { fails_in: "on_tick", on_error: Some(Flow::Stop), ..Noter::default() };
    assert_eq!(ends(failing), (1, DeinitReason::Error));
    let failing = Noter { fails_in: "on_init", ..Noter::default() };
    assert_eq!(ends(failing), (0, DeinitReason::InitFailed));
    let stopping = Noter { stops_in: "on_tick", ..Noter::default() };
    assert_eq!(ends(stopping), (1, DeinitReason::Stopped));
    assert_eq!(ends(Noter::default()), (9, DeinitReason::FeedEnded), "nothing is left of it");

    // From another thread, between two events.
    let stopper = expert.stopper();
    let (asked, wait) = mpsc::channel();
    let events = (0..3).map(move |second| {
        if second == 2 {
            let stopper = stopper.clone();
            std::thread::spawn(move || stopper.stop()).join().unwrap();
            asked.send(()).unwrap();
        }
        Ok::<_, String>(tick(second))
    });
    let summary = expert.run(&mut Noter::default(), events);
    assert_eq!((summary.events, summary.reason), (2, DeinitReason::Stopped));
    wait.recv().unwrap();

    let mut failing = Noter { fails_in: "on_backtest_init", ..Noter::default() };
    assert!(expert.backtest(&mut failing, [feed([tick(1)])]).is_empty());
    assert_eq!(failing.called.last().unwrap(), "on_backtest_deinit");
}

#[test]
fn a_loop_of_one_s_own_gives_the_events_one_by_one() {
    let (log, _captured) = capture();
    let mut expert = builder(&log).build().unwrap();
    let mut noter = Noter::default();
    let mut session = expert.start(&mut noter);
    assert_eq!(session.dispatch(&tick(1)), Flow::Continue);
    assert_eq!(session.feed_error("a cut line"), Flow::Continue);
    session.strategy().stops_in = "on_bar";
    let bar = Bar::new(at(2), 1.0, 3.0, 0.5, 2.0, 9.0);
    assert_eq!(session.dispatch(&bar.into()), Flow::Stop);
    assert_eq!(session.dispatch(&tick(3)), Flow::Stop);
    let summary = session.end();
    assert_eq!((summary.events, summary.errors, summary.reason), (2, 1, DeinitReason::Stopped));
    let called = noter.called();
    assert_eq!(called[..3], ["on_init", "on_tick", "on_error"]);
    assert_eq!(called[4..], ["on_bar", "Stopped", "on_deinit"]);
    drop(expert.start(&mut noter));
    assert_eq!(noter.called()[7..], ["on_init", "Stopped", "on_deinit"]);
}

/// A market with types of its own: exact prices.
struct Exact;

#[derive(Debug)]
struct Quote(i64, tapelog::Decimal);

impl Timed for Quote {
    fn time(&self) -> UnixNanos {
        UnixNanos(self.0)
    }
}

impl Market for Exact {
    type Tick = Quote;
    type Bar = Bar;
    type Order = Order;
    type Position = Position;
    type Transaction = Transaction;
    type Book = Book;
    type Account = Account;
}

#[test]
fn a_market_may_have_event_types_of_its_own() {
    struct Exactly;
    impl Strategy<Exact> for Exactly {
        fn on_tick(&mut self, expert: &MetaExpert, quote: &Quote) -> HandlerResult {
            info!(expert.logger(), "quote", price = quote.1);
            Ok(())
        }
    }
    let (log, captured) = capture();
    let mut expert = builder(&log).build().unwrap();
    let price = tapelog::Decimal { mantissa: 700_010, scale: 1 };
    expert.run(&mut Exactly, [Ok::<_, String>(Event::<Exact>::Tick(Quote(5, price)))]);
    assert_eq!(values(&captured, "price"), ["70001.0"]);
}

#[test]
fn a_host_starts_and_trades_on_when_the_logs_cannot_be_had() {
    let desk = Desk::new();
    let owner = desk_expert(&desk);
    let build = || {
        MetaExpert::builder("Second")
            .log_dir(desk.logs())
            .ring_dir(desk.ring_dir())
            .latency_warning(Duration::ZERO)
    };
    assert!(build().build().is_err(), "the directory is in use");
    for builder in [build(), build().block_bytes(5_000_u32)] {
        let mut second = builder.build_or_console();
        let mut noter = Noter::default();
        let summary = second.run(&mut noter, feed((0..100).map(tick)));
        assert_eq!((summary.events, summary.errors), (100, 0));
        let stats = second.logger().stats();
        assert!(stats.degraded.unwrap().contains("logging to the console only"));
        second.shutdown();
    }
    drop(owner);
    assert!(desk.lines("expert.log").is_empty());
}
