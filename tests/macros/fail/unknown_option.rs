use tapelog::info;

fn main() {
    let (log, _capture) = tapelog::testing::capture();
    info!(log, evry: std::time::Duration::from_secs(1), "filled", qty = 3);
    info!(log, every_n: 2, every: std::time::Duration::from_secs(1), "filled", qty = 3);
}
