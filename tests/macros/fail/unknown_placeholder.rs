use tapelog::info;

fn main() {
    let (log, _capture) = tapelog::testing::capture();
    info!(log, "filled {qty} @ {price}", qty = 3);
}
