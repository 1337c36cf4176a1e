use tapelog::{context, info};

fn main() {
    let (log, _capture) = tapelog::testing::capture();
    info!(log, "filled", qty = 3, side = "BUY", qty = 4);
    let _twice = context! { r#type = "limit", type = "market" };
}
