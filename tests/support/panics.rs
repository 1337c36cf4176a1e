//! Panics in a row.

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};

use tapelog::testing::{CrashPoint, panic_at};

/// Has the next thread panic that comes to `point`, and `times` times in all, by a hook of this process.
pub(crate) fn panic_again(point: CrashPoint, times: u64) {
    let left = AtomicU64::new(times - 1);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains("a test asked for it") {
            return before(info);
        }
        let again = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if again.is_ok() {
            panic_at(point, 1);
        }
    }));
    panic_at(point, 1);
}
