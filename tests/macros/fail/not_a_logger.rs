use tapelog::info;

fn main() {
    info!("filled", "qty", qty = 3);
}
