//! The cheapest clock the machine has.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// A reading of the machine's tick counter.
///
/// On x86-64 with an invariant time stamp counter this is the TSC, on aarch64 the virtual counter;
/// elsewhere nanoseconds of `CLOCK_MONOTONIC`. Ticks mean nothing outside the boot they were read
/// in; the journal holds what turns them into UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u64);

/// Reads the tick counter: about 10 ns, no system call, no lock, no allocation.
///
/// A trading loop that has read it once for a market event passes it to every log call about that
/// event with `at:`, and saves the call most of its cost.
#[inline(always)]
#[must_use]
pub fn now() -> Ticks {
    // ORDERING: Relaxed, the value depends on the machine alone: every thread that finds it unset
    //   computes the same.
    // PAIRS WITH: the store in `detect`.
    // IF WEAKENED: it is the weakest already.
    match COUNTER.load(Relaxed) {
        HARDWARE => Ticks(hardware_counter()),
        _ => slow_now(),
    }
}

/// Reads the tick counter after every load before it has been done.
///
/// The processor may read its counter before an earlier load has its value (Intel SDM volume 2,
/// RDTSC): whoever compares the time with what was loaded needs this one.
pub(crate) fn now_after_loads() -> Ticks {
    wait_for_loads();
    now()
}

/// Lets every load before it have its value before anything behind it begins.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the fence is an intrinsic")]
pub(crate) fn wait_for_loads() {
    // SAFETY: every x86-64 has SSE2, and a fence changes nothing but the order.
    unsafe { std::arch::x86_64::_mm_lfence() };
}

#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "the barrier is an instruction")]
pub(crate) fn wait_for_loads() {
    // SAFETY: a barrier changes nothing but the order.
    unsafe { std::arch::asm!("isb", options(nostack)) };
}

static COUNTER: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const HARDWARE: u8 = 1;
const SYSTEM: u8 = 2;

#[cold]
#[inline(never)]
fn slow_now() -> Ticks {
    if detect() == HARDWARE { Ticks(hardware_counter()) } else { Ticks(monotonic_nanos()) }
}

fn detect() -> u8 {
    // ORDERING: Relaxed, as in `now`.
    // PAIRS WITH: the store below.
    // IF WEAKENED: it is the weakest already.
    match COUNTER.load(Relaxed) {
        UNKNOWN => {
            let found = if hardware_counter_is_invariant() { HARDWARE } else { SYSTEM };
            // ORDERING: Relaxed, nothing else is published with it.
            // PAIRS WITH: the load in `now`.
            // IF WEAKENED: it is the weakest already.
            COUNTER.store(found, Relaxed);
            found
        }
        known => known,
    }
}

/// Has the counter taken for one that does not run evenly, as on an old or a migrated machine. What
/// was stamped before means nothing any more.
pub(crate) fn distrust_counter() {
    // ORDERING: Relaxed, as in `detect`.
    // PAIRS WITH: the load in `now`.
    // IF WEAKENED: it is the weakest already.
    COUNTER.store(SYSTEM, Relaxed);
}

fn monotonic_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the TSC is read by an intrinsic")]
#[inline(always)]
fn hardware_counter() -> u64 {
    // SAFETY: every x86-64 has the instruction, and Linux lets user space execute it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Intel SDM volume 3, 18.17.1 and AMD APM volume 3, E.4.7: leaf 8000_0007h, EDX bit 8.
#[cfg(target_arch = "x86_64")]
fn hardware_counter_is_invariant() -> bool {
    use std::arch::x86_64::__cpuid;
    let highest = __cpuid(0x8000_0000).eax;
    highest >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0
}

#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "the counter is a system register")]
#[inline(always)]
fn hardware_counter() -> u64 {
    let count: u64;
    // SAFETY: Linux lets user space read the virtual counter; reading changes nothing.
    unsafe {
        std::arch::asm!("mrs {}, cntvct_el0", out(reg) count, options(nomem, nostack));
    }
    count
}

/// Arm ARM, D11.1.2: the system counter runs at a constant frequency.
#[cfg(target_arch = "aarch64")]
fn hardware_counter_is_invariant() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_run_forward_within_a_thread() {
        let first = now();
        let second = now();
        assert!(second >= first);
        assert_ne!(detect(), UNKNOWN);
    }
}
