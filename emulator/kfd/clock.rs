//! The clocks of processor and card, which both follow the boot clock.

/// The GPU's counter, at 100 MHz: ticks of 10 ns.
pub fn gpu_ticks() -> u64 {
    nanoseconds() / 10
}

/// The processor's, in ns.
pub fn nanoseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a timespec to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
