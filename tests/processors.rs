//! Processors change entries on their way to the lines and leave some out; the journal keeps all of
//! them as they were logged, and whatever a processor does, the views go on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use support::{Desk, PATIENCE, field};
use tapelog::processors::{Enrich, Event, Filter, Hide, Limit, Processor, Remove, Rename, Verdict};
use tapelog::reading::{Format, Journal};
use tapelog::testing;
use tapelog::{
    Builder, Category, Level, MetaLogger, Stats, UnixNanos, context, critical, debug, error, info,
    trade, warning,
};

/// What stands in `expert.log` behind the level, and the statistics.
fn shown(desk: &Desk, builder: Builder, work: impl FnOnce(&MetaLogger)) -> (Vec<String>, Stats) {
    let (log, guard) = builder.build().unwrap();
    work(&log);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    let behind = |line: String| line.splitn(3, "] ").nth(2).unwrap().to_owned();
    (desk.lines("expert.log").into_iter().map(behind).collect(), stats)
}

fn log_orders(log: &MetaLogger) {
    let bound = log.bind(context! { symbol = "BTCUSDT", client_name = "Jane Doe" });
    info!(log, "sent {qty} for {client}", qty = 3, client = "Jane Doe");
    info!(bound, "filled {qty}", qty = 4_u8, price = 0.5, tags = ["a", "b"]);
    info!(bound, "done");
}

#[test]
fn fields_are_added_renamed_hidden_and_taken_out() {
    let desk = Desk::new();
    let builder = desk
        .builder()
        .processor(Enrich::new(context! { desk = "eu 1", price = 9, build = 17 }))
        .processor(Rename::new([("qty", "quantity"), ("symbol", "instrument"), ("none", "x")]))
        .processor(Hide::new(["client", "clientName"]))
        .processor(Remove::new(["tags", "build"]));
    let (lines, stats) = shown(&desk, builder, log_orders);
    let expected = [
        "sent 3 for *** quantity=3 client=*** desk=\"eu 1\" price=9",
        "filled 4 quantity=4 price=0.5 desk=\"eu 1\" client_name=*** instrument=BTCUSDT",
        "done desk=\"eu 1\" price=9 client_name=*** instrument=BTCUSDT",
    ];
    assert_eq!(lines, expected);
    assert_eq!((stats.filtered, stats.processor_panics, stats.shown), (0, 0, 3));
    // The journal is the truth.
    let mut journal = Vec::new();
    Journal::open(desk.logs()).unwrap().write_to(Format::Text, &mut journal).unwrap();
    let journal = String::from_utf8(journal).unwrap();
    assert!(journal.contains("filled 4 qty=4 price=0.5 tags=[a,b] symbol=BTCUSDT client_name="));
    assert!(!journal.contains("***") && !journal.contains("desk"));
}

#[test]
fn a_line_of_json_is_changed_in_the_same_way() {
    let desk = Desk::new();
    let builder = desk.builder().structured_logging(true).processor(|event: &mut Event<'_>| {
        let doubled = event.field("qty").and_then(|qty| qty.as_u64()).map(|qty| qty * 2);
        event.set("qty", doubled);
        event.set("text", event.text().to_owned());
        event.rename("symbol", "client_name");
        Verdict::Keep
    });
    // A clone shares the processor.
    let (log, guard) = builder.clone().build().unwrap();
    log_orders(&log);
    log.flush(PATIENCE).unwrap();
    drop((guard, builder));
    let lines = desk.json("expert.log");
    assert_eq!((&lines[0]["qty"], &lines[0]["event"]), (&6.into(), &"sent 6 for Jane Doe".into()));
    assert_eq!((&lines[1]["qty"], &lines[1]["tags"][1]), (&8.into(), &"b".into()));
    assert_eq!(lines[1]["client_name"], "BTCUSDT");
    assert_eq!((&lines[2]["qty"], &lines[2]["text"]), (&serde_json::Value::Null, &"done".into()));
    assert!(lines.iter().all(|line| line["symbol"].is_null()));
}

#[test]
fn filters_leave_out_what_they_mean() {
    let desk = Desk::new();
    let builder = desk
        .builder()
        .processor(Filter::reject().below(Level::Warning).text("heartbeat"))
        .processor(Filter::reject().field("qty", 7).field("symbol", "BTCUSDT"))
        .processor(Filter::reject().has_field("noise").from(Level::Error))
        .processor(Filter::reject().category(Category::Trade).field("test", true))
        .processor(Filter::reject().target("processors").text("in the module"))
        .processor(Filter::reject().target("process").text("another module"))
        .processor(Filter::accept().has_field("qty"));
    let (lines, stats) = shown(&desk, builder, |log| {
        let bound = log.bind(context! { symbol = "BTCUSDT", qty = 1 });
        info!(log, "heartbeat", qty = 1);
        warning!(log, "heartbeat", qty = 2);
        info!(bound, "x", qty = 7_u8);
        info!(bound, "x", qty = 7_i64 + 1);
        critical!(log, "y", qty = 3, noise = 1);
        info!(log, "y", qty = 4, noise = 1);
        trade!(log, "z", qty = 5, test = true);
        trade!(log, "z", qty = 6, test = false);
        info!(log, "in the module", qty = 1);
        info!(log, "another module", qty = 7);
        info!(log, "no quantity");
        error!(bound, "bad");
    });
    let quantities: Vec<_> = lines.iter().map(|line| field(line, "qty").unwrap()).collect();
    assert_eq!(quantities, ["2", "8", "4", "6", "7", "1"]);
    assert_eq!((stats.filtered, stats.shown, stats.accepted), (6, 12, 12));
    assert_eq!((stats.trade_lines, stats.error_lines), (1, 1));
}

#[test]
fn a_changed_level_or_category_changes_the_logs_an_entry_is_in() {
    let desk = Desk::new();
    let builder = desk.builder().journal_level(Level::Debug).processor(|event: &mut Event<'_>| {
        match event.text() {
            "raise" => event.set_level(Level::Critical),
            "lower" => event.set_level(Level::Info),
            "buy" => event.set("category", "trade"),
            _ => {}
        }
        Verdict::Keep
    });
    let (lines, stats) = shown(&desk, builder, |log| {
        debug!(log, "raise");
        debug!(log, "stays away");
        error!(log, "lower");
        error!(log, "as it is");
        info!(log, "buy");
    });
    assert_eq!(lines, ["raise", "lower", "as it is", "buy category=trade"]);
    let errors = desk.lines("errors.log");
    assert_eq!((errors.len(), stats.filtered), (2, 0));
    assert!(errors[0].contains("] [CRITICAL ] raise") && errors[1].contains("as it is"));
    assert_eq!(desk.json("trades.log")[0]["event"], "buy");
}

#[test]
fn what_comes_too_often_is_thinned_out_but_no_error() {
    let desk = Desk::new();
    let second = Limit::every(Duration::from_secs(1));
    let builder = desk.builder().processor(Limit::every_n(4)).processor(second);
    let at = |millis: i64| UnixNanos(1_767_323_045_000_000_000 + millis * 1_000_000);
    let (lines, stats) = shown(&desk, builder, |log| {
        for n in 0..20 {
            info!(log, at: at(n * 100), "a", n);
            error!(log, at: at(n * 100), "b", n);
        }
    });
    let numbers = |text: &str| -> Vec<_> {
        let of_text = lines.iter().filter(|line| line.starts_with(text));
        of_text.map(|line| field(line, "n").unwrap().parse::<u64>().unwrap()).collect()
    };
    // Every fourth is 0, 4, 8, 12, 16; of these, one a second.
    assert_eq!(numbers("a"), [0, 12]);
    assert_eq!(numbers("b"), (0..20).collect::<Vec<_>>());
    assert_eq!((stats.filtered, stats.error_lines), (18, 20));
}

/// Panics on every entry with an odd number, after it has spoilt it.
struct Clumsy;

impl Processor for Clumsy {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        let odd = event.field("n").and_then(|n| n.as_i64()).is_some_and(|n| n % 2 == 1);
        if odd {
            event.set("spoilt", true);
            event.rename("secret", "open");
            assert!(!odd, "an odd number");
        }
        Verdict::Keep
    }
}

#[test]
fn a_processor_that_panics_takes_nothing_down() {
    let desk = Desk::new();
    let always = |_: &mut Event<'_>| -> Verdict { panic!("always") };
    let builder = desk
        .builder()
        .processor(Hide::new(["secret"]))
        .processor(Clumsy)
        .processor(always)
        .processor(Enrich::new(context! { last = true }));
    let (lines, stats) = shown(&desk, builder, |log| {
        for n in 0..300 {
            info!(log, "x", n, secret = "dK3f9Qz81LmV");
        }
    });
    let expected = (0..300).map(|n| format!("x n={n} secret=*** last=true"));
    assert_eq!(lines, expected.collect::<Vec<_>>());
    assert_eq!(stats.processor_panics, 150 + 100, "one of them is left out after 100 in a row");
}

#[test]
fn what_processors_put_under_a_sensitive_name_is_masked() {
    let desk = Desk::new();
    let enriched =
        Enrich::new(context! { api_key = "K-81423", account_id = "A-4711", desk = "eu" });
    let builder = desk
        .builder()
        .processor(enriched)
        .processor(Rename::new([("note", "token"), ("venue", "Client-Secret")]))
        .processor(|event: &mut Event<'_>| {
            event.set("passphrase", "p-90210");
            assert!(event.field("api_key").is_some_and(|key| key.as_str() == Some("K-81423")));
            Verdict::Keep
        })
        .mask_keys(["client_secret".to_owned()]);
    let (lines, stats) = shown(&desk, builder, |log| {
        let log = log.bind(context! { venue = "v-10101" });
        info!(log, "with {note} and {qty}", note = "n-55555", qty = 3);
    });
    assert_eq!(
        lines,
        ["with *** and 3 token=*** qty=3 api_key=*** account_id=***711 desk=eu passphrase=*** \
          Client-Secret=***"]
    );
    assert_eq!(stats.masked, 5);
    for secret in ["K-81423", "A-4711", "p-90210"] {
        assert_eq!(support::holders(&desk.path(""), secret), [""; 0], "{secret}");
    }
    let shown = ["n-55555", "v-10101"].map(|text| support::holders(&desk.logs(), text));
    let journal = |file: &String| file.contains(".tape");
    assert!(shown.iter().flatten().all(journal), "{shown:?}");
}

#[test]
fn losses_pass_every_filter() {
    let desk = Desk::new();
    let builder = desk.builder().ring_bytes(1_u64 << 20).processor(Filter::reject());
    let (lines, stats) = shown(&desk, builder, |log| {
        let hold = testing::hold_drain(log);
        (0..60_000).for_each(|n| info!(log, "x", n));
        drop(hold);
        log.flush(PATIENCE).unwrap();
        info!(log, "y");
    });
    assert!(!lines.is_empty() && lines.iter().all(|line| line.starts_with("logger.gap")));
    assert!(stats.lost.full > 0 && stats.filtered == stats.accepted, "{stats:?}");
}

#[test]
fn a_limit_at_the_call_counts_the_calls_of_all_threads() {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let (log, captured) = testing::capture();
    let count = || PASSED.fetch_add(1, Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..8 {
            let log = &log;
            scope.spawn(move || {
                for _ in 0..1_000 {
                    info!(log, every_n: 100, "counted", n = count());
                    info!(log.producer(), every: Duration::from_secs(3600), "timed");
                }
            });
        }
    });
    let entries = captured.entries();
    let of = |text: &str| entries.iter().filter(|entry| entry.event == text).count();
    assert_eq!((of("counted"), of("timed")), (80, 1));
    assert_eq!(PASSED.load(Ordering::Relaxed), 80, "what is left out is not evaluated");
}

#[test]
fn a_processor_reads_values_of_every_type_and_where_they_come_from() {
    static SEEN: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let desk = Desk::new();
    let look = |event: &mut Event<'_>| {
        let mut seen = SEEN.lock().unwrap();
        for (name, value) in event.fields() {
            seen.push(format!(
                "{name} {value} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                value.is_none(),
                value.as_str(),
                value.as_i128(),
                value.as_u64(),
                value.as_i64(),
                value.as_f64(),
                value.as_bool(),
                value.as_time(),
            ));
        }
        seen.push(format!("{} {} {:?}", event.file(), event.line(), event.category()));
        event.set("category", "trade");
        seen.push(format!("{:?} {event:?}", event.category()));
        Verdict::Keep
    };
    let call = line!() + 2;
    let (lines, _) = shown(&desk, desk.builder().processor(look), |log| {
        info!(
            log,
            "every type",
            none = Option::<u8>::None,
            text = "BTC",
            small = 7_u8,
            negative = -7_i64,
            wide = u128::from(u64::MAX) + 1,
            deep = i128::MIN,
            half = 0.5_f32,
            price = 1.25,
            yes = true,
            at = UnixNanos(1_500_000_000)
        );
    });
    let seen = SEEN.lock().unwrap();
    let wide = 1_i128 << 64;
    let expected = [
        "none null true None None None None None None None".to_owned(),
        "text BTC false Some(\"BTC\") None None None None None None".to_owned(),
        "small 7 false None Some(7) Some(7) Some(7) Some(7.0) None None".to_owned(),
        "negative -7 false None Some(-7) None Some(-7) Some(-7.0) None None".to_owned(),
        format!("wide {wide} false None Some({wide}) None None Some({:?}) None None", wide as f64),
        format!(
            "deep {0} false None Some({0}) None None Some({1:?}) None None",
            i128::MIN,
            i128::MIN as f64
        ),
        "half 0.5 false None None None None Some(0.5) None None".to_owned(),
        "price 1.25 false None None None None Some(1.25) None None".to_owned(),
        "yes true false None None None None None Some(true) None".to_owned(),
    ];
    assert_eq!(seen[..9], expected);
    assert!(seen[9].ends_with("None None None None None None Some(UnixNanos(1500000000))"));
    assert_eq!(seen[10], format!("{} {call} General", file!()));
    assert!(
        seen[11].starts_with("Trade Event {") && seen[11].contains("every type"),
        "{}",
        seen[11]
    );
    assert!(seen[11].contains("(\"price\", FieldValue(1.25))"), "{}", seen[11]);
    assert!(lines[0].ends_with("category=trade") && desk.lines("trades.log").len() == 1);
}
