//! The README's program: one logger, one bound context, the three logs.

use std::error::Error;

use tapelog::{MetaLogger, context, error, info, trade};

fn main() -> Result<(), Box<dyn Error>> {
    let (log, _guard) = MetaLogger::builder().log_dir("logs").build()?;
    let log = log.bind(context! { expert_name = "MyEmaBot", symbol = "BTCUSDT" });

    info!(log, "bar closed", open = 70_000.5, close = 70_010.0);
    trade!(log, "filled {qty} @ {price}", qty = 0.1, price = 70_010.0, order_id = "O-9");
    if let Err(refusal) = "oops".parse::<u32>() {
        error!(log, "order rejected", order_id = "O-10", error = &refusal);
    }
    Ok(()) // Dropping the guard writes everything out.
}
