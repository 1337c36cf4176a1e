use tapelog::info;

fn main() {
    let (log, _capture) = tapelog::testing::capture();
    let text = String::from("filled");
    info!(log, text, qty = 3);
}
