//! Scopes: values that stand on every entry of a thread, or of a future, as long as they are open.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use support::{Desk, PATIENCE, field};
use tapelog::testing::{self, Capture};
use tapelog::{
    Category, Context, DynamicValue, InContext, MetaLogger, Scope, context, info, trade, try_info,
};

/// What stands behind the text of each line.
fn shown(captured: &Capture) -> Vec<String> {
    let entries = captured.entries();
    captured.clear();
    entries.iter().map(|entry| entry.line.split("] ").nth(2).unwrap().to_owned()).collect()
}

#[test]
fn the_inner_value_wins_wherever_it_was_given() {
    let (log, captured) = testing::capture();
    let outside = log.bind(context! { symbol = "outside", desk = 1 });
    {
        let _outer = log.scope(context! { symbol = "scope", order_id = 1 });
        info!(log, "a");
        info!(outside, "b");
        let inside = outside.bind(context! { symbol = "inside" });
        info!(inside, "c");
        let further = inside.bind(context! { trade_id = 5 });
        {
            let _inner = outside.scope(context! { order_id = 2 }.symbol("inner"));
            info!(further, "d", order_id = 3);
            info!(outside.unbind(&["desk"]), "e");
        }
        info!(further, "f");
    }
    info!(outside, "g");
    info!(log, "h");
    let expected = [
        "a symbol=scope order_id=1",
        "b desk=1 symbol=scope order_id=1",
        "c desk=1 order_id=1 symbol=inside",
        "d order_id=3 desk=1 trade_id=5 symbol=inner",
        "e order_id=2 symbol=inner",
        "f desk=1 order_id=1 symbol=inside trade_id=5",
        "g symbol=outside desk=1",
        "h",
    ];
    assert_eq!(shown(&captured), expected);
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let (log, captured) = testing::capture();
    let open = |name: &str| log.scope(Context::new().symbol(name).field(name, true));
    let (first, second, third) = (open("first"), open("second"), open("third"));
    info!(log, "3");
    drop(second);
    info!(log, "2");
    drop(first);
    info!(log, "1");
    drop(third);
    info!(log, "0");
    let expected = [
        "3 first=true second=true symbol=third third=true",
        "2 first=true symbol=third third=true",
        "1 symbol=third third=true",
        "0",
    ];
    assert_eq!(shown(&captured), expected);
}

#[test]
fn more_loggers_than_a_scope_remembers_are_all_right() {
    let (log, captured) = testing::capture();
    let bound: Vec<_> = (0..100).map(|n| log.bind(Context::new().strategy_id(n))).collect();
    let _scope = log.scope(context! { round = 1 });
    for _ in 0..3 {
        bound.iter().for_each(|log| info!(log, "x"));
    }
    let expected = (0..100).map(|n| format!("x strategy_id={n} round=1"));
    let expected: Vec<_> = expected.collect();
    assert_eq!(shown(&captured), [&expected[..], &expected, &expected].concat());
}

#[test]
fn a_scope_is_of_its_thread_and_its_engine_and_no_producers_affair() {
    let (log, captured) = testing::capture();
    let (other, other_captured) = testing::capture();
    let producer = log.producer();
    let bound = log.bind(context! { desk = 1 });
    let _scope = log.scope(context! { order_id = 9 });
    info!(other, "another engine");
    info!(log, "this one");
    info!(producer, "producer");
    info!(producer.with(&bound), "with");
    log.info("dynamic", &[("qty", DynamicValue::from(3_u64))]).unwrap();
    let here = log.scope_context();
    assert!(other.scope_context().is_empty() && !here.is_empty());
    let worker = log.clone();
    let work = move || {
        info!(worker, "outside");
        let _scope = worker.scope(here);
        info!(worker, "handed over");
    };
    thread::spawn(work).join().unwrap();
    info!(log, "still open");
    assert_eq!(shown(&other_captured), ["another engine"]);
    let expected = [
        "this one order_id=9",
        "producer",
        "with desk=1",
        "dynamic qty=3 order_id=9",
        "outside",
        "handed over order_id=9",
        "still open order_id=9",
    ];
    assert_eq!(shown(&captured), expected);
}

#[test]
fn a_scope_masks_and_makes_trade_events() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let secret = "dK3f9Qz81LmV";
    {
        let _scope = log.scope(context! { api_key = secret, account_id = "ACC-4711" });
        info!(log, "scoped");
        let _trade = log.scope(context! { category = "trade" });
        info!(log, "bought");
        trade!(log, "sold", account_id = 5);
    }
    log.flush(PATIENCE).unwrap();
    assert_eq!(log.stats().masked, 3);
    drop(guard);
    let lines = desk.lines("expert.log");
    assert_eq!((lines.len(), field(&lines[0], "api_key")), (3, Some("***")));
    assert_eq!(field(&lines[0], "account_id"), Some("***711"));
    assert_eq!(desk.json("trades.log").len(), 2);
    for file in ["expert.log", "trades.log", "journal/00000000000000000001.tape"] {
        let bytes = std::fs::read(desk.logs().join(file)).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{file}");
    }
}

/// Gives way once: the next poll goes on.
struct Yield(bool);

impl Future for Yield {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

struct NoWaker;

impl Wake for NoWaker {
    fn wake(self: Arc<Self>) {}
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Threads that poll tasks in turn, each task on another thread than before.
fn run_on_threads(log: &MetaLogger, tasks: Vec<Task>, threads: usize) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::channel()).unzip();
    let count = tasks.len();
    for (index, task) in tasks.into_iter().enumerate() {
        senders[index % threads].send(task).unwrap();
    }
    let gate = Arc::new(Barrier::new(threads));
    let unfinished = Arc::new(AtomicUsize::new(count));
    let work = |(own, receiver): (usize, mpsc::Receiver<Task>)| {
        let (next, gate) = (senders[(own + 1) % threads].clone(), Arc::clone(&gate));
        let (log, unfinished) = (log.clone(), Arc::clone(&unfinished));
        thread::spawn(move || {
            gate.wait();
            let _of_the_thread = log.scope(Context::new().field("executor", own));
            let begun = Instant::now();
            while unfinished.load(Ordering::Acquire) > 0 {
                assert!(begun.elapsed() < PATIENCE, "a task is lost");
                let Ok(mut task) = receiver.recv_timeout(Duration::from_millis(10)) else {
                    continue;
                };
                let waker = Waker::from(Arc::new(NoWaker));
                let pending = task.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending();
                info!(log, "between");
                if pending {
                    next.send(task).unwrap();
                } else {
                    unfinished.fetch_sub(1, Ordering::Release);
                }
            }
        })
    };
    let threads: Vec<_> = receivers.into_iter().enumerate().map(work).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

async fn handle(log: MetaLogger, id: u64) {
    let bound = log.bind(Context::new().symbol("inside"));
    for step in 0..4 {
        {
            let _step = log.scope(context! { step });
            info!(log, "step", id);
        }
        info!(bound, "bound", id);
        Yield(false).await;
    }
}

/// Logs when it is dropped.
struct Last(MetaLogger);

impl Drop for Last {
    fn drop(&mut self) {
        info!(self.0, "dropped");
    }
}

#[test]
fn a_future_takes_its_context_from_thread_to_thread() {
    let (log, captured) = testing::capture();
    let tasks = {
        let _open = log.scope(context! { symbol = "BTCUSDT", order_id = 0 });
        let task = |id: u64| -> Task {
            Box::pin(handle(log.clone(), id).in_context(&log, Context::new().order_id(id)))
        };
        (1..=10).map(task).collect()
    };
    run_on_threads(&log, tasks, 3);
    let entries = captured.entries();
    let (mut of_tasks, mut between) = (0, 0);
    for entry in &entries {
        let names: Vec<_> = entry.context.keys().map(String::as_str).collect();
        if entry.event == "between" {
            assert_eq!(names, ["executor"]);
            between += 1;
            continue;
        }
        let (symbol, expected): (_, &[&str]) = match &*entry.event {
            "step" => ("BTCUSDT", &["order_id", "step", "symbol"]),
            _ => ("inside", &["order_id", "symbol"]),
        };
        assert_eq!((names, &*entry.context["symbol"]), (expected.to_vec(), symbol));
        assert_eq!(entry.context["order_id"], entry.fields["id"]);
        of_tasks += 1;
    }
    assert_eq!((of_tasks, between), (10 * 4 * 2, 10 * 5));
    captured.clear();

    let last = Last(log.clone());
    drop(async move { info!(last.0, "polled") }.in_context(&log, context! { order_id = 7 }));
    assert_eq!(shown(&captured), ["dropped order_id=7"]);
    assert_eq!(captured.entries().iter().filter(|e| e.category == Category::Trade).count(), 0);
}

#[test]
fn a_call_inside_a_scope_is_quick() {
    const CALLS: u32 = 20_000;
    let desk = Desk::new();
    let builder = desk.builder().render_logs(false).journal_segments(16_u32);
    let (log, guard) = builder.ring_bytes(32_u64 << 20).build().unwrap();
    let bound = log.bind(context! { symbol = "BTCUSDT", strategy_id = 7 });
    let time = |scope: Option<Scope>| {
        let mut best = Duration::MAX;
        for _ in 0..10 {
            let begun = Instant::now();
            for n in 0..CALLS {
                try_info!(bound, "entry", n).unwrap();
            }
            best = best.min(begun.elapsed() / CALLS);
            log.flush(PATIENCE).unwrap();
        }
        drop(scope);
        best
    };
    let outside = time(None);
    let inside = time(Some(log.scope(context! { order_id = 9 })));
    let after = time(None);
    println!("a call outside scopes {outside:?}, inside {inside:?}, afterwards {after:?}");
    assert!(inside < outside + Duration::from_micros(1), "{inside:?} after {outside:?}");
    drop(guard);
}
