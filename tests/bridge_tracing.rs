//! What libraries log through `tracing` stands in our logs: events with the fields of their spans,
//! typed, filtered, masked, and at the cost of no memory, whatever they log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::error::Error;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Desk, PATIENCE, child, holders, resident_kib, role, run};
use tapelog::bridge::tracing::{TapelogLayer, layer};
use tapelog::{Category, Level, MetaLogger, context, testing};
use tracing::level_filters::LevelFilter;
use tracing::{Span, debug, error, info, info_span, trace, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, registry};

/// Has `work` log through a layer to `log`.
fn with_layer<R>(log: &MetaLogger, work: impl FnOnce() -> R) -> R {
    tracing::subscriber::with_default(registry().with(layer(log)), work)
}

#[derive(Debug)]
struct Rejected(std::num::ParseIntError);

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("order rejected")
    }
}

impl Error for Rejected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_event_keeps_its_level_its_text_and_the_types_of_its_values() {
    let desk = Desk::new();
    let builder = desk.builder().structured_logging(true).log_level(Level::Trace);
    let (log, guard) = builder.build().unwrap();
    let refusal = Rejected("x".parse::<u8>().unwrap_err());
    with_layer(&log.bind(context! { symbol = "BTCUSDT" }), || {
        let absent = None::<u8>;
        info!(
            count = u64::MAX, change = -3_i64, px = 70_000.5, ok = true, side = "BUY",
            huge = u128::MAX, low = i128::MIN, raw = &[1_u8, 255][..], absent, order.id = 9,
            shown = %1.5, seen = ?Some(2), error = &refusal as &dyn Error,
            "{} of {}", 1, "two"
        );
        error!("error");
        warn!("warning");
        debug!("debug");
        trace!("trace");
        info!(qty = 1);
        info!(message = "given {qty}", qty = 2);
    });
    drop(guard);
    let lines = desk.json("expert.log");
    let first = &lines[0];
    assert_eq!((&first["event"], &first["level"]), (&json!("1 of two"), &json!("info")));
    assert_eq!(first["count"].to_string(), u64::MAX.to_string());
    assert_eq!(
        (&first["change"], &first["px"], &first["ok"]),
        (&json!(-3), &json!(70_000.5), &json!(true))
    );
    assert_eq!((&first["side"], &first["raw"]), (&json!("BUY"), &json!("01ff")));
    assert_eq!((&first["shown"], &first["seen"]), (&json!("1.5"), &json!("Some(2)")));
    assert_eq!((&first["order.id"], first.get("absent")), (&json!(9), None));
    let chain = ["order rejected", "invalid digit found in string"];
    assert_eq!(first["error"], json!(chain));
    assert_eq!(first["symbol"], json!("BTCUSDT"));
    let text = desk.lines("expert.log").remove(0);
    assert!(
        text.contains(&u128::MAX.to_string()) && text.contains(&i128::MIN.to_string()),
        "{text}"
    );
    for line in &lines[1..5] {
        assert_eq!(line["event"], line["level"]);
    }
    let unnamed = lines[5]["event"].as_str().unwrap();
    assert!(unnamed.starts_with("event tests/bridge_tracing.rs:"), "{unnamed}");
    assert_eq!(lines[6]["event"], json!("given {qty}"), "what is given at run time names no field");
}

#[test]
fn the_fields_of_the_spans_around_an_event_are_its_context() {
    let (log, captured) = testing::capture();
    let log = log.bind(context! { symbol = "BTCUSDT", venue = "of the logger" });
    let refusal = Rejected("x".parse::<u8>().unwrap_err());
    with_layer(&log, || {
        info!("outside");
        let outer =
            info_span!("order", order_id = 9, venue = "outer", state = tracing::field::Empty);
        let inner = info_span!(parent: &outer, "fill", qty = 0.5, side = "inner", venue = "inner");
        inner.in_scope(|| info!(side = "of the call", "before"));
        outer.record("state", "open");
        inner.in_scope(|| info!("recorded"));
        outer.record("venue", "outer again");
        inner.record("qty", 0.75);
        inner.in_scope(|| {
            info!("recorded again");
            info!(parent: None, "of no span");
            info!(parent: &outer, "of the outer one");
            info_span!("bare").in_scope(|| info!("in a span without fields"));
        });
        outer.record("state", &refusal as &dyn Error);
        thread::scope(|scope| {
            let inner = inner.clone();
            let on = tracing::dispatcher::get_default(Clone::clone);
            scope.spawn(move || {
                tracing::dispatcher::with_default(&on, || inner.in_scope(|| info!("on a thread")));
            });
        });
    });
    let entries = captured.entries();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let names = ["symbol", "venue", "order_id", "qty", "side", "state"];
            let value = |name: &&str| entry.context.get(*name).map_or("-", String::as_str);
            let values: Vec<_> = names.iter().map(value).collect();
            format!("{}: {}", entry.event, values.join(" "))
        })
        .collect();
    assert_eq!(
        told[..8],
        [
            "outside: BTCUSDT of the logger - - - -",
            "before: BTCUSDT inner 9 0.5 inner -",
            "recorded: BTCUSDT inner 9 0.5 inner open",
            "recorded again: BTCUSDT inner 9 0.75 inner open",
            "of no span: BTCUSDT of the logger - - - -",
            "of the outer one: BTCUSDT outer again 9 - - open",
            "in a span without fields: BTCUSDT inner 9 0.75 inner open",
            told[7].as_str(),
        ]
    );
    assert!(told[7].contains("order rejected") && told[7].contains("invalid digit"), "{}", told[7]);
    assert_eq!(entries[1].fields["side"], "of the call");
    assert!(
        entries[1].line.contains("side=\"of the call\"") && !entries[1].line.contains("side=inner")
    );
}

#[test]
fn two_layers_of_one_subscriber_do_not_see_each_other() {
    let ((one, first), (two, second)) = (testing::capture(), testing::capture());
    let subscriber =
        registry().with(layer(&one)).with(TapelogLayer::new(&two.bind(context! { n = 2 })));
    one.set_level(Level::Warning);
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::warn_span!("both", a = 1, b = tracing::field::Empty);
        let _within = span.enter();
        info!("for the second");
        span.record("b", 2);
        warn!("for both");
    });
    let context = |entry: &testing::CapturedEntry| {
        entry
            .context
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let [only] = &first.entries()[..] else { panic!("{:?}", first.entries()) };
    assert_eq!((&*only.event, context(only)), ("for both", "a=1 b=2".into()));
    let told: Vec<_> = second.entries().iter().map(|e| (e.event.clone(), context(e))).collect();
    assert_eq!(
        told,
        [
            ("for the second".to_owned(), "a=1 n=2".to_owned()),
            ("for both".to_owned(), "a=1 b=2 n=2".to_owned()),
        ]
    );
}

/// Counts the events that reach it.
#[derive(Default, Clone)]
struct Counter(std::sync::Arc<std::sync::atomic::AtomicU32>);

impl Counter {
    fn count(&self) -> u32 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl<S: tracing::Subscriber> Layer<S> for Counter {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn levels_and_the_filter_decide_and_other_layers_get_what_they_want() {
    let desk = Desk::new();
    let builder = desk.builder().log_filter("warning,venue::feed=debug,noise=off");
    let (log, guard) = builder.build().unwrap();
    let other = Counter::default();
    let subscriber = registry().with(layer(&log)).with(other.clone());
    tracing::subscriber::with_default(subscriber, || {
        let all = || {
            let _span = info_span!(target: "noise", "a span of any module", request = 7).entered();
            debug!(target: "venue::feed", "debug of the feed");
            debug!(target: "venue::feeder", "debug of another");
            trace!(target: "venue::feed", "trace of the feed");
            warn!("warning of this module");
            error!(target: "noise", "noise");
            info!(target: "noise", category = "trade", "a trade event");
            info!(target: "noise", category = "risk", "no trade event");
        };
        all();
        assert_eq!(other.count(), 7);
        log.set_level(Level::Debug);
        all();
        log.flush(PATIENCE).unwrap();
        log.set_level(Level::Critical);
        all();
    });
    assert_eq!(other.count(), 21);
    drop(guard);
    let texts: Vec<_> = desk
        .lines("expert.log")
        .iter()
        .map(|line| {
            assert!(line.contains("request=7"), "{line}");
            line.split("] ").nth(2).unwrap().split(" request=").next().unwrap().to_owned()
        })
        .collect();
    let (feed, here, trade) =
        ("debug of the feed", "warning of this module", "a trade event category=trade");
    let debug = ["debug of another", feed, here];
    let of_all = |text: &str| texts.iter().filter(|line| **line == text).count();
    assert_eq!(debug.map(of_all), [1, 3, 2], "{texts:?}");
    assert_eq!((of_all("trace of the feed"), of_all("noise")), (0, 0));
    assert_eq!(desk.lines("trades.log").len(), 3, "{trade}");
}

#[test]
fn calls_below_the_level_are_left_out_by_tracing_itself() {
    if role().is_none() {
        run(child("calls_below_the_level_are_left_out_by_tracing_itself", "host"));
        return;
    }
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    tracing::subscriber::set_global_default(registry().with(layer(&log))).unwrap();
    assert_eq!(LevelFilter::current(), LevelFilter::INFO);
    log.set_level(Level::Trace);
    assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
    trace!("kept");
    log.flush(PATIENCE).unwrap();
    log.set_level(Level::Error);
    assert_eq!(LevelFilter::current(), LevelFilter::INFO, "of trade events");
    info!("not kept");
    info!(category = "trade", "kept");
    log.set_level(Level::Info);
    let span = info_span!("lives on", order_id = 9).entered();
    info!(outside = %Chatty(1), "global");
    drop(guard);
    let before = log.stats().lost.closed;
    info!("after the end");
    span.record("order_id", 10);
    drop(span);
    info!("after the end");
    assert_eq!(log.stats().lost.closed, before + 2, "refused, and counted");
    let lines = desk.lines("expert.log");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("inside") && line.contains("order_id=9")));
}

/// A value that logs when it is shown.
struct Chatty(u32);

impl fmt::Display for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 {
            Span::current().record("note", self.0);
            let _span = info_span!("inside", depth = self.0, shown = %Chatty(self.0 - 1)).entered();
            info!("inside {}", Chatty(self.0 - 1));
        }
        write!(f, "value{}", self.0)
    }
}

const SECRET: &str = "hunter2-is-no-good";

#[derive(Debug)]
#[expect(dead_code, reason = "its Debug form is what is logged")]
struct Credentials {
    user: &'static str,
    api_key: &'static str,
}

#[test]
fn row_19_a_secret_reaches_no_file_whatever_way_it_comes() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let held = Credentials { user: "ann", api_key: SECRET };
    with_layer(&log, || {
        info!(password = SECRET, user = "ann", "by name");
        info!(apiKey = %SECRET, secret_key = ?Some(SECRET), "formatted");
        let span =
            info_span!("session", access_token = SECRET, pin = "p-1", account_id = "ACC-12345");
        span.in_scope(|| info!("of a span"));
        log.flush(PATIENCE).unwrap();
        assert_eq!(holders(&desk.ring_dir(), SECRET), [""; 0], "masked in front of the ring");
        assert_eq!(holders(&desk.ring_dir(), "p-1").len(), 1, "not yet a secret");

        log.set_mask_keys(&["pin"]).unwrap();
        span.in_scope(|| info!(pin = SECRET, "by a name that was added"));
        span.record("pin", SECRET);
        span.in_scope(|| info!("recorded"));
        log.flush(PATIENCE).unwrap();
        assert_eq!(holders(&desk.ring_dir(), SECRET), [""; 0], "the ring");

        span.in_scope(|| info!(?held, "nested"));
        info_span!("nested", ?held).in_scope(|| info!("nested in a span"));
        info!("nested {held:?} and {held:#?}");
        info!("GET /order?symbol=X&signature={SECRET} Authorization: Bearer {SECRET}");
    });
    drop(guard);
    assert_eq!(holders(&desk.logs(), SECRET), [""; 0]);
    let lines = desk.lines("expert.log");
    assert!(lines[0].ends_with("by name password=*** user=ann"), "{}", lines[0]);
    assert!(lines[1].ends_with("formatted apiKey=*** secret_key=***"), "{}", lines[1]);
    assert!(lines[2].contains("access_token=*** pin=p-1 account_id=***345"), "{}", lines[2]);
    for line in &lines[3..5] {
        assert!(line.contains("pin=***") && !line.contains("p-1"), "{line}");
    }
    assert_eq!(lines.len(), 9);
    println!("row 19: 9 events with a secret over the bridge, 0 of it in any file");
}

#[test]
fn memory_stays_as_it_is_whatever_is_logged() {
    if role().is_none() {
        // The other tests' memory is not counted there.
        let output = run(child("memory_stays_as_it_is_whatever_is_logged", "host"));
        print!("{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let events = std::env::var("TEST_BRIDGE_EVENTS").map_or(1_000_000, |n| n.parse().unwrap());
    let desk = Desk::new();
    let wait = tapelog::Overflow::Block(Duration::from_millis(5));
    // Without mappings: how much of a file is resident is the kernel's affair. Without logs: how far
    // the view is behind, and what waits in it for its turn, is not what this is about.
    let (log, guard) =
        desk.builder().overflow(wait).journal_mapped(false).render_logs(false).build().unwrap();
    let mut at = [0; 2];
    with_layer(&log, || {
        let outer = info_span!("for long", rounds = 0_u64);
        let _within = outer.enter();
        for number in 0..events {
            if number == events / 10 {
                at[0] = resident_kib();
            }
            match number % 8 {
                0 => {
                    info_span!("order", order_id = number).in_scope(|| info!("in a span {number}"))
                }
                1 => drop(outer.record("rounds", number)),
                _ => info!(number, "event {number}"),
            }
        }
        at[1] = resident_kib();
    });
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    assert_eq!(stats.accepted + stats.lost.total(), events - events / 8);
    drop(guard);
    let grown = at[1].saturating_sub(at[0]);
    println!("{events} events and changes of spans: {grown} KiB more than after a tenth");
    assert!(grown < 4 << 10, "{grown} KiB");
}

#[test]
fn an_event_of_a_bridge_has_its_price() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().ring_bytes(64_u64 << 20).build().unwrap();
    let calls = 20_000;
    let time = |call: &dyn Fn(u64)| {
        let mut best = Duration::MAX;
        for _ in 0..10 {
            log.flush(PATIENCE).unwrap();
            let begun = Instant::now();
            (0..calls).for_each(call);
            best = best.min(begun.elapsed());
        }
        best.as_nanos() as f64 / calls as f64
    };
    with_layer(&log, || {
        let bridged = time(&|n| info!(qty = n, px = 70_000.5, "filled"));
        let formatted = time(&|n| info!("filled {n} @ {}", 70_000.5));
        let quiet = time(&|n| debug!(qty = n, "filled"));
        let span = info_span!("order", order_id = 9, symbol = "BTCUSDT");
        let inside = span.in_scope(|| time(&|n| info!(qty = n, px = 70_000.5, "filled")));
        let spans =
            time(&|n| info_span!("order", order_id = n).in_scope(|| info!(qty = n, "filled")));
        println!(
            "ns a call: two values {bridged:.0}, formatted {formatted:.0}, left out {quiet:.1}; inside a \
             span {inside:.0}, with a span of its own {spans:.0}"
        );
    });
    assert_eq!(log.stats().lost.total(), 0);
    drop(guard);
}

#[test]
fn a_span_of_trade_makes_trade_events() {
    let (log, captured) = testing::capture();
    with_layer(&log, || {
        info_span!("book", category = "trade").in_scope(|| {
            info!("filled");
            info!(category = "risk", "not one");
        });
        info!("nor this");
    });
    let categories: Vec<_> = captured.entries().iter().map(|entry| entry.category).collect();
    assert_eq!(categories, [Category::Trade, Category::General, Category::General]);
}
