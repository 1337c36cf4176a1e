//! quick measure (temporary)
use std::hint::black_box;
use tapelog::*;
fn main() {
    let dir = "/tmp/quicklogs";
    let _ = std::fs::remove_dir_all(dir);
    let t = std::time::Instant::now();
    let (log, guard) = MetaLogger::builder().log_dir(dir).log_to_console(false).build().unwrap();
    println!("start {:?} {:?}", t.elapsed(), log.stats().degraded);
    let log = log.bind(context!{ symbol = "BTCUSDT", expert_name = "x" });
    let p = log.producer();
    log.warm_up();
    let f = 2.6;
    for round in 0..3 {
        for case in 0..5 {
            let mut s = Vec::new();
            for i in 0..2000u64 {
                let a = now().0;
                match case {
                    0 => for j in 0..20 { black_box(now()); black_box(j); },
                    1 => for j in 0..20 { info!(p, "x", a = black_box(i), b = black_box(j as u64), c = black_box(1.5)); },
                    2 => { let at = now(); for j in 0..20 { info!(p, at: at, "x", a = black_box(i), b = black_box(j as u64), c = black_box(1.5)); } }
                    3 => for j in 0..20 { info!(log, "x", a = black_box(i), b = black_box(j as u64), c = black_box(1.5)); },
                    _ => { let at = now(); for j in 0..20 { info!(log, at: at, "x", a = black_box(i), b = black_box(j as u64), c = black_box(1.5)); } }
                }
                let b = now().0;
                s.push((b - a) as f64 / 20.0 / f);
                let until = now().0 + 200_000; while now().0 < until {}
            }
            s.sort_by(f64::total_cmp);
            println!("round {round} case {case}: p50 {:.2} p90 {:.2} p99 {:.2}", s[1000], s[1800], s[1980]);
        }
    }
    log.flush(std::time::Duration::from_secs(5)).unwrap();
    let st = log.stats();
    println!("acc {} lost {} jour {}", st.accepted, st.lost.total(), st.journaled);
    let n = 20_000_000u64;
    let t = std::time::Instant::now();
    for i in 0..n {
        while try_info!(p, "x", a = black_box(i), b = black_box(i), c = black_box(1.5)).is_err() { std::hint::spin_loop(); }
    }
    log.flush(std::time::Duration::from_secs(60)).unwrap();
    let e = t.elapsed();
    let at = now();
    let t2 = std::time::Instant::now();
    for i in 0..n {
        while try_info!(p, at: at, "x", a = black_box(i), b = black_box(i), c = black_box(1.5)).is_err() { std::hint::spin_loop(); }
    }
    log.flush(std::time::Duration::from_secs(60)).unwrap();
    let e2 = t2.elapsed();
    println!("sustained own {:.1} M/s, at {:.1} M/s", n as f64 / e.as_secs_f64() / 1e6, n as f64 / e2.as_secs_f64() / 1e6);
    let st = log.stats();
    println!("acc {} lost {} jour {} bytes {}", st.accepted, st.lost.total(), st.journaled, st.journal_bytes);
    drop(guard);
}
