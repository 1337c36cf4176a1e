//! quick check (temporary)
use tapelog::*;
use std::time::Duration;
fn main() {
    let dir = "/tmp/quicklogs2";
    let (log, guard) = MetaLogger::builder().log_dir(dir).build().unwrap();
    let bound = log.bind(context!{ symbol = "BTCUSDT", expert_name = "MyEmaBot", n = 3 });
    info!(log, "hello {x}", x = 5);
    for i in 0..3 { info!(bound, "bar closed", open = 70_000.5, close = 70_010.0, i, name = "two words"); }
    trade!(bound, "position opened", trade_id = "T-17", side = "BUY", size = 0.1);
    let err = "x".parse::<i32>().unwrap_err();
    error!(bound, every: Duration::from_secs(1), "order rejected", order_id = 9_u64, error = &err);
    log.info("dynamic", &[("qty", 3.into()), ("who", "me".into())]).unwrap();
    println!("{:?}", log.flush(Duration::from_secs(2)));
    println!("{:?}", log.stats());
    drop(guard);
    println!("{:?}", try_info!(log, "after"));
    for f in ["expert.log", "trades.log", "errors.log"] { println!("== {f}\n{}", std::fs::read_to_string(format!("{dir}/{f}")).unwrap()); }
}
