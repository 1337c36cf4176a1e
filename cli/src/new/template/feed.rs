//! Where the market comes from: here a generated one, the same in every run.
//!
//! A feed is any iterator over `Result<Event, error>`: a file, a channel that a connection fills.

use tapelog::UnixNanos;
use tapelog::expert::{Event, HandlerError, Tick};

/// 2026-01-01T00:00:00Z, in seconds since 1970.
const BEGIN: i64 = 1_767_225_600;

/// A tick a second for twenty minutes. One in between is broken, as feeds are.
pub fn market() -> impl Iterator<Item = Result<Event, HandlerError>> {
    let mut price: f64 = 70_000.0;
    let mut random: u64 = 42;
    (0..1_200_i64).map(move |second| {
        if second == 600 {
            return Err("a tick without a price".into());
        }
        // Numbers of a linear congruence (Knuth, MMIX); the upper bits are the better ones.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        price += (random >> 53) as f64 / 2048.0 * 100.0 - 50.0;
        let time = UnixNanos((BEGIN + second) * 1_000_000_000);
        Ok(Event::from(Tick::new(time, price - 0.05, price + 0.05)))
    })
}
