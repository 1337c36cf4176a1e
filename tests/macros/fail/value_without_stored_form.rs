use tapelog::info;

struct Order;

fn main() {
    let (log, _capture) = tapelog::testing::capture();
    info!(log, "sent", order = Order);
}
