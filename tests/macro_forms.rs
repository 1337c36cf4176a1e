//! The log macros take every form of options and fields that their documentation lists.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use tapelog::testing::{Capture, CapturedEntry};
use tapelog::{
    Category, Level, PushError, UnixNanos, context, critical, debug, enabled, error, info, now,
    testing, trade, try_critical, try_debug, try_error, try_info, try_trade, try_warning, warn,
    warning,
};

fn only(captured: &Capture) -> CapturedEntry {
    let mut entries = captured.entries();
    captured.clear();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

#[derive(Debug)]
struct Order {
    id: u64,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "O-{}", self.id)
    }
}

#[test]
fn fields_come_in_every_form() {
    let (log, captured) = testing::capture();
    let order = Order { id: 9 };
    let qty = 3;
    info!(
        log,
        "{qty} {order.id} {type} {{}}",
        qty,
        "order.id" = 9,
        r#type = "limit",
        shown = %order,
        seen = ?order,
        sum = 1 + 2,
        call = order.id.max(10),
        block = { qty * 2 },
        negative = -qty,
        text = %format_args!("{qty}-{qty}"),
    );
    let entry = only(&captured);
    assert_eq!(entry.event, "3 9 limit {}");
    let fields: Vec<_> = entry.fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("block", "6"),
            ("call", "10"),
            ("negative", "-3"),
            ("order.id", "9"),
            ("qty", "3"),
            ("seen", "Order { id: 9 }"),
            ("shown", "O-9"),
            ("sum", "3"),
            ("text", "3-3"),
            ("type", "limit"),
        ]
    );
    info!(log, "shorthands", %order, ?qty,);
    let entry = only(&captured);
    assert_eq!((&*entry.fields["order"], &*entry.fields["qty"]), ("O-9", "3"));
    info!(log, "nothing more");
    assert!(only(&captured).fields.is_empty());
    info!(log, "a comma",);
    assert!(only(&captured).fields.is_empty());
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
fn errors_of_every_kind_bring_their_sources() {
    let (log, captured) = testing::capture();
    let chain = r#"["order rejected","invalid digit found in string"]"#;
    let chain = chain.replace('"', "");
    let fresh = || Rejected("x".parse::<i32>().unwrap_err());
    let concrete = fresh();
    error!(log, "concrete", error = &concrete);
    error!(log, "moved in", error = fresh());
    let borrowed = &concrete;
    error!(log, "a variable that is a reference", error = borrowed);
    error!(log, "a reference to it", error = &borrowed);
    let boxed: Box<dyn Error> = Box::new(fresh());
    error!(log, "boxed", error = &boxed);
    error!(log, "out of its box", error = &*boxed);
    error!(log, "the box itself", error = boxed);
    let boxed: Box<dyn Error + Send + Sync> = Box::new(fresh());
    error!(log, "sendable", error = &boxed);
    error!(log, "out of its box", error = &*boxed);
    let dynamic: &(dyn Error + 'static) = &concrete;
    error!(log, "dynamic", error = dynamic, count = 1);
    error!(log, "a reference to it", error = &dynamic);
    fn passed_on(log: &tapelog::MetaLogger, error: &Rejected) {
        error!(log, "shorthand is for values", error = error);
        error!(log, "by hand", error = %error);
    }
    passed_on(&log, &concrete);
    let entries = captured.entries();
    assert_eq!(entries.len(), 13);
    for entry in &entries[..12] {
        assert_eq!(entry.fields["error"].replace('"', ""), chain, "{}", entry.event);
    }
    assert_eq!(entries[12].fields["error"], "order rejected");
    captured.clear();
    error!(log, "a text", error = "timeout");
    assert_eq!(only(&captured).fields["error"], "timeout");
    error!(log, "a number", error = &17);
    assert_eq!(only(&captured).fields["error"], "17");
}

#[test]
fn stamps_of_the_caller_are_kept() {
    let (log, captured) = testing::capture();
    let stamp = UnixNanos(1_767_323_045_123_456_789);
    info!(log, at: stamp, "caller's", x = 1);
    assert_eq!(only(&captured).time, stamp);
    let ticks = now();
    info!(log, at: ticks, "ticks");
    let first = only(&captured).time;
    info!(log, at: ticks, "the same ticks");
    assert_eq!(only(&captured).time, first);
    info!(log, at: stamp, every_n: 1, "both options");
    assert_eq!(only(&captured).time, stamp);
    info!(log, every_n: 1, at: stamp, "in any order", x = 2);
    assert_eq!(only(&captured).time, stamp);
}

#[test]
fn limits_let_through_what_they_say() {
    let (log, captured) = testing::capture();
    for round in 0..10 {
        info!(log, every_n: 4, "each fourth", round);
        warning!(log, every: Duration::from_secs(3600), "one an hour", round);
        info!(log, every: Duration::ZERO, "always", round);
    }
    let entries = captured.entries();
    let rounds = |text: &str| -> Vec<_> {
        let of_text = entries.iter().filter(|entry| entry.event == text);
        of_text.map(|entry| entry.fields["round"].parse::<u32>().unwrap()).collect()
    };
    assert_eq!(rounds("each fourth"), [0, 4, 8]);
    assert_eq!(rounds("one an hour"), [0]);
    assert_eq!(rounds("always"), (0..10).collect::<Vec<_>>());
}

#[test]
fn levels_and_trade_events_have_their_macros() {
    let (log, captured) = testing::capture();
    debug!(log, "1");
    info!(log, "2");
    warning!(log, "3");
    warn!(log, "4");
    error!(log, "5");
    critical!(log, "6");
    trade!(log, "7");
    let kept: [Result<(), PushError>; 6] = [
        try_debug!(log, "8"),
        try_info!(log, "9"),
        try_warning!(log, "10"),
        try_error!(log, "11"),
        try_critical!(log, "12"),
        try_trade!(log, "13"),
    ];
    assert!(kept.iter().all(Result::is_ok));
    let levels: Vec<_> = captured.entries().iter().map(|entry| entry.level).collect();
    use Level::{Critical, Debug, Error, Info, Warning};
    let tries = [Debug, Info, Warning, Error, Critical, Info];
    let plain = [Debug, Info, Warning, Warning, Error, Critical, Info];
    assert_eq!(levels, [&plain[..], &tries[..]].concat());
    let trades = captured.entries().iter().filter(|e| e.category == Category::Trade).count();
    assert_eq!(trades, 2);
}

#[test]
fn a_call_site_with_every_logs_once_in_each_period() {
    const PERIOD: Duration = Duration::from_millis(50);
    let (log, captured) = testing::capture();
    let often = || info!(log, every: PERIOD, "often");
    let begun = Instant::now();
    while begun.elapsed() < 10 * PERIOD {
        often();
        std::thread::sleep(Duration::from_millis(1));
    }
    // However long the machine held up the others, a period has passed by now.
    often();
    let most = (begun.elapsed() + Duration::from_millis(1)).as_millis() / PERIOD.as_millis() + 1;
    let entries = captured.entries().len() as u128;
    println!("{entries} of at most {most}");
    assert!((2..=most).contains(&entries), "{entries} of at most {most}");
}

#[test]
fn every_face_is_taken_and_arguments_wait_for_the_level() {
    let (log, captured) = testing::capture();
    let side = 'B';
    let forms = context! { symbol = "BTCUSDT", r#type = "x", "a.b" = %3, ?side, };
    info!(log.bind(forms), "a context of every form");
    let kept = only(&captured).context;
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert_eq!((&*kept["type"], &*kept["a.b"], &*kept["side"]), ("x", "3", "'B'"));
    let bound = log.bind(context! { symbol = "BTCUSDT" });
    let producer = log.producer();
    info!(log, "logger");
    info!(&bound, "bound, by reference");
    info!(producer, "producer");
    info!(producer.with(&bound), "producer with a context");
    let with = producer.with(&bound);
    info!(with, "the view kept");
    let contexts: Vec<_> = captured.entries().iter().map(|entry| entry.context.len()).collect();
    assert_eq!(contexts, [0, 1, 0, 1, 1]);
    captured.clear();

    assert!(enabled!(log, Level::Debug) && enabled!(producer, Level::Debug));
    log.set_level(Level::Error);
    assert!(!enabled!(log, Level::Warning) && enabled!(log, Level::Error));
    let mut evaluated = 0;
    let mut count = || {
        evaluated += 1;
        evaluated
    };
    warning!(log, "switched off", n = count());
    assert_eq!(try_warning!(log, "switched off", n = count()), Ok(()));
    error!(log, "switched on", n = count());
    assert_eq!(only(&captured).fields["n"], "1");
}

#[test]
fn macros_stand_wherever_expressions_do() {
    let (log, captured) = testing::capture();
    let maybe = Some(3);
    match maybe {
        Some(n) => info!(log, "some", n),
        None => info!(log, "none"),
    }
    let closure = |n: u8| info!(log, "closure", n);
    closure(1);
    let text: () = info!(log, "unit");
    assert_eq!((text, captured.entries().len()), ((), 3));
    let refused = try_info!(log, "kept").map_err(|error| error.to_string());
    assert_eq!(refused, Ok(()));
}
