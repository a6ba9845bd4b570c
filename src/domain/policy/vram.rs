//! The limit on device memory. No state: what is in use is asked of the runtime, so that frees and other programs count.
//!
//! hipMalloc and hipMemGetInfo agree: while nothing is in flight, an allocation is allowed exactly if it is no larger
//! than what is reported as free.

use super::Rules;

/// A card's memory in bytes, as hipMemGetInfo has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vram {
    /// All of it.
    pub total: u64,
    /// What nobody uses.
    pub free: u64,
}

/// Bytes. The KFD rounds every VRAM buffer up to this before it reports what is free (Linux, amdgpu_amdkfd_gpuvm.c,
/// VRAM_AVAILABLITY_ALIGN), and ROCr cuts small allocations out of blocks of this size (amd_memory_region.h,
/// BlockAllocator): however small, an allocation can take so much.
const STEP: u64 = 2 << 20;

impl Vram {
    /// What the limit leaves, in bytes.
    fn room(self, rules: &Rules) -> u64 {
        rules.vram_fraction.of(self.total).saturating_sub(self.total.saturating_sub(self.free))
    }
}

/// Whether `size` bytes of device memory may be allocated. `in_flight`: the sum of [`footprint`] over what other threads
/// are about to allocate. It must be read before `vram` is asked for: what arrives in between is then counted twice
/// instead of not at all. Size 0 is the runtime's to answer.
pub fn may_allocate(vram: Vram, in_flight: u64, size: u64, rules: &Rules) -> bool {
    size == 0 || !rules.limits_vram() || footprint(size).saturating_add(in_flight) <= vram.room(rules)
}

/// The bytes that an allocation of `size` bytes can take from the card.
pub const fn footprint(size: u64) -> u64 {
    match size.checked_next_multiple_of(STEP) {
        Some(rounded) => rounded,
        None => u64::MAX,
    }
}

/// What hipMemGetInfo reports instead of `vram`.
pub fn reported(vram: Vram, rules: &Rules) -> Vram {
    if !rules.limits_vram() {
        return vram;
    }
    let room = vram.room(rules);
    Vram { total: rules.vram_fraction.of(vram.total), free: room - room % STEP }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gfx::GfxTarget;
    use crate::options::Options;

    const GIB: u64 = 1 << 30;
    /// About that of an RX 5600 XT, and no multiple of the step.
    const TOTAL: u64 = 6 * GIB - 17 * 4096;

    fn rules(fraction: &str) -> Rules {
        let options = Options { vram_fraction: fraction.parse().unwrap(), ..Options::default() };
        Rules::for_gpu(GfxTarget::new(10, 1, 0), false, &options)
    }

    /// Sizes around every boundary.
    fn sizes() -> impl Iterator<Item = u64> {
        let marks = [0, STEP, GIB, TOTAL / 2, TOTAL * 9 / 10, TOTAL, u64::MAX / 2, u64::MAX];
        marks.into_iter().flat_map(|mark| {
            [0, 1, 4096, STEP - 1, STEP].into_iter().flat_map(move |d| [mark.saturating_sub(d), mark.saturating_add(d)])
        })
    }

    #[test]
    fn without_a_limit_everything_is_the_runtimes_to_answer() {
        for rules in [Rules::KEEP, rules("1"), rules("1.0")] {
            for free in sizes() {
                let vram = Vram { total: TOTAL, free };
                assert_eq!(reported(vram, &rules), vram);
                assert!(sizes().all(|size| may_allocate(vram, u64::MAX, size, &rules)));
            }
        }
    }

    #[test]
    fn an_allocation_is_allowed_exactly_if_it_is_no_larger_than_what_is_reported_free() {
        for fraction in ["0.000001", "0.1", "0.5", "0.9", "0.999999"] {
            let rules = rules(fraction);
            for free in sizes() {
                let vram = Vram { total: TOTAL, free };
                let seen = reported(vram, &rules);
                for size in sizes().chain([seen.free, seen.free + 1]) {
                    assert_eq!(may_allocate(vram, 0, size, &rules), size <= seen.free, "{fraction} {free} {size}");
                }
            }
        }
    }

    #[test]
    fn no_allocation_leads_above_the_limit_whatever_is_in_flight() {
        let rules = rules("0.9");
        let limit = u128::from(TOTAL) * 9 / 10;
        for (free, in_flight) in sizes().flat_map(|free| sizes().map(move |in_flight| (free, in_flight))) {
            let used = u128::from(TOTAL.saturating_sub(free));
            for size in sizes().filter(|&size| size > 0) {
                let then = used + u128::from(in_flight) + u128::from(size).next_multiple_of(u128::from(STEP));
                let allowed = may_allocate(Vram { total: TOTAL, free }, in_flight, size, &rules);
                assert_eq!(allowed, then <= limit, "{free} {in_flight} {size}");
            }
        }
    }

    #[test]
    fn the_part_is_reported_as_the_whole_and_free_is_never_more_than_it() {
        for fraction in ["0.25", "0.5", "0.9"] {
            let rules = rules(fraction);
            for free in sizes() {
                let seen = reported(Vram { total: TOTAL, free }, &rules);
                assert_eq!(seen.total, (TOTAL as f64 * fraction.parse::<f64>().unwrap()) as u64);
                assert!(seen.free <= seen.total && seen.free <= free, "{fraction} {free}");
            }
        }
        assert_eq!(reported(Vram { total: TOTAL, free: TOTAL / 10 }, &rules("0.9")).free, 0, "others use it all");
    }

    #[test]
    fn size_0_is_the_runtimes_to_answer() {
        assert!(may_allocate(Vram { total: TOTAL, free: 0 }, GIB, 0, &rules("0.5")));
        assert!(!may_allocate(Vram { total: TOTAL, free: 0 }, 0, 1, &rules("0.5")));
    }

    #[test]
    fn a_card_that_reports_nothing_has_no_room() {
        assert!(!may_allocate(Vram { total: 0, free: 0 }, 0, 1, &rules("0.9")));
        assert_eq!(reported(Vram { total: 0, free: 0 }, &rules("0.9")), Vram { total: 0, free: 0 });
    }
}
