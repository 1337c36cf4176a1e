//! What a push costs in a tight loop, with the drain at work: `cargo bench`.
//!
//! A loop without pauses runs at the drain's pace once the ring is full, so refused calls are part
//! of what is measured here: `tapelog bench` measures single calls and batches. The parts of a call
//! are measured by `cargo bench --bench parts`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tapelog::{MetaLogger, context, debug, info, now};

fn push(criterion: &mut Criterion) {
    let root = std::env::temp_dir().join(format!("tapelog-bench-{}", std::process::id()));
    let Ok((log, guard)) =
        MetaLogger::builder().log_dir(root.as_path()).log_to_console(false).build()
    else {
        eprintln!("no engine in {}: nothing is measured", root.display());
        return;
    };
    let bound = log.bind(context! { expert_name = "MyEmaBot", symbol = "BTCUSDT" });
    let producer = bound.producer();
    let at = now();
    let mut group = criterion.benchmark_group("push");
    group.bench_function("producer, own stamp", |bencher| {
        bencher.iter(|| info!(producer, "e", a = black_box(1_u64), b = 2_u64, c = 0.5));
    });
    group.bench_function("producer, caller's stamp", |bencher| {
        bencher.iter(|| info!(producer, at: at, "e", a = black_box(1_u64), b = 2_u64, c = 0.5));
    });
    group.bench_function("logger, caller's stamp", |bencher| {
        bencher.iter(|| info!(bound, at: at, "e", a = black_box(1_u64), b = 2_u64, c = 0.5));
    });
    group.bench_function("level disabled", |bencher| {
        bencher.iter(|| debug!(bound, "e", a = black_box(1_u64)));
    });
    group.finish();
    drop(guard);
    if let Err(error) = std::fs::remove_dir_all(&root) {
        eprintln!("{} stays behind: {error}", root.display());
    }
}

criterion_group!(benches, push);
criterion_main!(benches);
