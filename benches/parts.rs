//! What the parts of a log call, of the drain and of the views cost, each by itself:
//! `cargo bench --bench parts`.

use std::hint::black_box;
use std::io::{Seek, Write};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use tapelog::parts::{InMemory, Lines, Mask, OneLane, encode_record};
use tapelog::processors::{Enrich, Event, Filter, Hide, Limit, Remove, Rename, Verdict};
use tapelog::{Context, Level, MetaLogger, context, enabled, info};

/// Blocks that are filled before a pass takes them all.
const BLOCKS: u64 = 100;

fn ordinary() -> Context {
    context! { order_id = "O-1", trade_id = 7 }
}

fn sensitive() -> Context {
    context! { order_id = "O-1", api_key = "0123456789abcdef" }
}

/// Measures `run` in turns of `runs`; what `prepare` does before each turn is not measured.
fn in_turns<P>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    part: &mut P,
    runs: u64,
    prepare: impl Fn(&mut P),
    run: impl Fn(&mut P),
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut left, mut spent) = (iterations, Duration::ZERO);
            while left > 0 {
                prepare(part);
                let turn = left.min(runs);
                let begun = Instant::now();
                (0..turn).for_each(|_| run(part));
                spent += begun.elapsed();
                left -= turn;
            }
            spent
        });
    });
}

fn empty(ring: &mut OneLane) {
    ring.pass();
}

fn fill(ring: &mut OneLane) {
    empty(ring);
    for value in 0..BLOCKS * OneLane::OF_A_BLOCK {
        assert!(ring.push(value), "the ring holds so many blocks");
    }
}

/// What a log call does, and what takes its record out of the ring again.
fn ring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    let mut record = [0; 48];
    group.bench_function("encode a record of 48 bytes", |bencher| {
        bencher.iter(|| {
            encode_record(&mut record, black_box((1, 2, 0.5)));
            black_box(&record);
        });
    });
    let ring = &mut OneLane::new();
    let push = |ring: &mut OneLane| assert!(ring.push(black_box(1)));
    // A turn claims a block for each 84 records; the drain works between the turns.
    let records = BLOCKS * OneLane::OF_A_BLOCK;
    in_turns(&mut group, "encode and commit, claims included", ring, records, empty, push);
    group.throughput(Throughput::Elements(BLOCKS));
    in_turns(&mut group, "a pass over 100 full blocks", ring, 1, fill, |ring| {
        assert!(black_box(ring.pass()) > 0);
    });
    group.finish();
}

/// What the drain does with the records of a pass.
fn journal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Bytes(InMemory::RUN_BYTES));
    let journal = &mut InMemory::new();
    group.bench_function("CRC of 100 records", |bencher| bencher.iter(|| journal.checksum()));
    let runs = InMemory::OF_A_SEGMENT;
    let (roll, append) = (InMemory::roll, InMemory::append);
    in_turns(&mut group, "frame with 100 records", journal, runs, roll, append);
    group.finish();
}

/// What the views do with an entry.
fn formatters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format");
    let formats = [
        ("text", Lines::text()),
        ("JSON", Lines::json()),
        ("logfmt", Lines::logfmt()),
        ("RFC 5424", Lines::rfc5424()),
    ];
    for (name, mut lines) in formats {
        group.throughput(Throughput::Bytes(lines.next_line().len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                black_box(lines.next_line());
            });
        });
    }
    group.finish();
}

/// Ordinary records, by the text in them.
const ORDINARY: [(&str, Option<&str>); 4] = [
    ("numbers alone", None),
    ("a symbol of 8 bytes", Some("BTCUSDT3")),
    ("a text of 40 bytes", Some("accepted by the exchange, order is new 1")),
    ("a text of 40 bytes with four signs", Some("order O-51: side=BUY price=70000.5 qty=1")),
];

/// What looking for secrets inside texts costs, by itself and as a part of what the writer does with
/// an ordinary record: it frames the record, reads it again in its order, renders its line, and hands
/// the line to a file.
fn screen(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("screen");
    let runs = InMemory::OF_A_SEGMENT;
    let mut told = Vec::new();
    let mut look = |what: &str, journal: &dyn Fn() -> InMemory, lines: &mut [Lines]| {
        let mut journals = [journal(), journal().screened()];
        for (how, journal) in ["frame with 100 of", "the same, screened:"].iter().zip(&mut journals)
        {
            let name = format!("{how} {what}");
            in_turns(&mut group, &name, journal, runs, InMemory::roll, InMemory::append);
        }
        let [without, with] = frame_nanos(&mut journals);
        let read = read_nanos(&journals[0]);
        let written = written_nanos(lines);
        let share = (with - without) / (without + read + written) * 100.0;
        told.push(format!(
            "a record of {what}: framed in {without:.1} ns, {with:.1} ns with the look for \
             secrets; read and ordered in {read:.1} ns; rendered and written to a file in \
             {written:.1} ns: the look adds {share:.2} % to the writer's work",
        ));
    };
    for (what, text) in ORDINARY {
        let journal = || text.map_or_else(InMemory::new, InMemory::texts);
        look(what, &journal, &mut [text.map_or_else(Lines::text, Lines::texts)]);
    }
    // Seven of twelve records have a side.
    let [mut numbers, mut sides] = [Vec::new(), Vec::new()];
    numbers.resize_with(5, Lines::text);
    sides.resize_with(7, || Lines::texts("SELL"));
    numbers.append(&mut sides);
    look("the demo", &InMemory::of_the_demo, &mut numbers);
    group.finish();
    told.iter().for_each(|line| println!("{line}"));
}

/// What a record takes that a view reads from the journal and brings into its order.
fn read_nanos(journal: &InMemory) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..50 {
        let begun = Instant::now();
        let entries = journal.read();
        best = best.min(begun.elapsed().as_nanos() as f64 / entries as f64);
    }
    best
}

/// What a line takes that is rendered and written to a file in memory, with many others at once: of several
/// kinds of lines, each in its turn.
fn written_nanos(lines: &mut [Lines]) -> f64 {
    const BATCH: usize = 256 << 10;
    let mut batch = Vec::with_capacity(2 * BATCH);
    let path = std::path::Path::new("/dev/shm").join(format!("tapelog-{}", std::process::id()));
    let Ok(mut file) = std::fs::File::create(&path) else { return f64::NAN };
    let mut best = f64::MAX;
    for _ in 0..300 {
        let (begun, mut count) = (Instant::now(), 0);
        while batch.len() < BATCH {
            for lines in &mut *lines {
                batch.extend_from_slice(lines.next_line());
                count += 1;
            }
        }
        let done = file.write_all(&batch).and_then(|()| file.rewind());
        best = best.min(begun.elapsed().as_nanos() as f64 / f64::from(count));
        batch.clear();
        if done.is_err() {
            best = f64::NAN;
        }
    }
    let _removed = std::fs::remove_file(&path);
    best
}

/// What a record takes in each of the journals, in turns: whatever disturbs one disturbs the other.
fn frame_nanos(journals: &mut [InMemory; 2]) -> [f64; 2] {
    let mut best = [f64::MAX; 2];
    for _ in 0..200 {
        for (best, journal) in best.iter_mut().zip(&mut *journals) {
            journal.roll();
            let begun = Instant::now();
            (0..InMemory::OF_A_SEGMENT).for_each(|_| journal.append());
            let records = (InMemory::OF_A_SEGMENT * InMemory::OF_A_RUN) as f64;
            *best = best.min(begun.elapsed().as_nanos() as f64 / records);
        }
    }
    best
}

/// What processors add to an entry's line of text.
fn processors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("processors");
    let keep = |_: &mut Event<'_>| Verdict::Keep;
    let enrich = Enrich::new(context! { desk = "eu-1", build = 17 });
    for (name, mut lines) in [
        ("no chain", Lines::text()),
        ("one that only looks", Lines::text().through(keep)),
        ("a filter by field", Lines::text().through(Filter::reject().field("symbol", "TEST"))),
        ("enrich by two fields", Lines::text().through(enrich)),
        ("rename a field", Lines::text().through(Rename::new([("quantity", "amount")]))),
        ("remove a field", Lines::text().through(Remove::new(["quantity"]))),
        ("hide a field", Lines::text().through(Hide::new(["quantity"]))),
        ("limit to every second", Lines::text().through(Limit::every_n(2).errors_too())),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                black_box(lines.next_line());
            });
        });
    }
    group.finish();
}

/// What masking by name adds: to a call site's registration, and to a bind.
fn mask(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    let mask = Mask::new();
    for (name, names) in [
        ("three ordinary names", ["order_id", "quantity", "price"]),
        ("three names, one sensitive", ["order_id", "api_key", "price"]),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| mask.finds(black_box(&names))));
    }
    for (name, mut context) in
        [("context of two ordinary fields", ordinary()), ("the same, one sensitive", sensitive())]
    {
        // What is masked once is masked again in the same way.
        group.bench_function(name, |bencher| bencher.iter(|| mask.mask(&mut context)));
    }
    group.finish();
}

/// What a logger does outside log calls.
fn logger(criterion: &mut Criterion) {
    let root = std::env::temp_dir().join(format!("tapelog-bench-{}", std::process::id()));
    let builder = MetaLogger::builder().log_dir(root.as_path()).log_to_console(false);
    let builder = builder.log_filter("info, parts=error");
    let mut group = criterion.benchmark_group("logger");
    group.bench_function("configuration", |bencher| bencher.iter(|| builder.configuration()));
    let Ok((log, guard)) = builder.build() else {
        eprintln!("no engine in {}: nothing is measured", root.display());
        return;
    };
    group.bench_function("level check", |bencher| {
        bencher.iter(|| enabled!(black_box(&log), black_box(Level::Debug)));
    });
    group.bench_function("a call that log_filter leaves out", |bencher| {
        bencher.iter(|| info!(black_box(&log), "left out", value = black_box(1)));
    });
    group.bench_function("bind and drop, two fields", |bencher| {
        bencher.iter(|| black_box(log.bind(ordinary())));
    });
    group.bench_function("the same, one sensitive", |bencher| {
        bencher.iter(|| black_box(log.bind(sensitive())));
    });
    group.finish();
    bind_tail(&log);
    drop(guard);
    if let Err(error) = std::fs::remove_dir_all(&root) {
        eprintln!("{} stays behind: {error}", root.display());
    }
}

/// Each bind by itself, looks at the clock included: the bar is 1 µs at p99.
fn bind_tail(log: &MetaLogger) {
    const BINDS: usize = 200_000;
    let mut bound = Vec::with_capacity(16);
    let mut times: Vec<Duration> = (0..BINDS)
        .map(|round| {
            let begun = Instant::now();
            bound.push(log.bind(context! { symbol = "BTCUSDT", round }));
            let took = begun.elapsed();
            if bound.len() == 16 {
                bound.clear();
            }
            took
        })
        .collect();
    times.sort_unstable();
    let [p50, p90, p99, p999] = [500, 900, 990, 999].map(|at| times[BINDS * at / 1_000]);
    let longest = times[BINDS - 1];
    println!(
        "bind of two fields: p50 {p50:?}, p90 {p90:?}, p99 {p99:?}, p99.9 {p999:?}, longest {longest:?}"
    );
}

criterion_group!(benches, ring, journal, formatters, processors, screen, mask, logger);
criterion_main!(benches);
