//! The promises of the policy, over every combination of flags.

use super::*;
use crate::options::{RawValue, row};

const NAVI10: GfxTarget = GfxTarget::new(10, 1, 0);

const HOST_BITS: [u32; 7] =
    [HOST_PORTABLE, HOST_MAPPED, HOST_WRITE_COMBINED, HOST_UNCACHED, HOST_NUMA_USER, HOST_COHERENT, HOST_NON_COHERENT];

/// Every combination of the flags that hipHostMalloc knows.
fn all_host_flags() -> impl Iterator<Item = u32> {
    (0..1u32 << HOST_BITS.len()).map(|set| {
        HOST_BITS.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).fold(0, |flags, (_, bit)| flags | bit)
    })
}

/// Whether hipHostMalloc hands out memory that is coherent on gfx10: the table of docs/understand/coherence.md in other words,
/// written down independently of the policy. None where the runtime refuses.
fn arrives_coherent(flags: u32) -> Option<bool> {
    let has = |flag| flags & flag != 0;
    if has(HOST_COHERENT) && has(HOST_NON_COHERENT) {
        return None;
    }
    let asks = flags == 0 || has(HOST_COHERENT) || has(HOST_MAPPED) || has(HOST_NUMA_USER) || has(HOST_UNCACHED);
    Some(asks && !has(HOST_NON_COHERENT))
}

fn rules(change: impl FnOnce(&mut Options)) -> Rules {
    let mut options = Options::default();
    change(&mut options);
    Rules::for_gpu(NAVI10, false, &options)
}

fn outcome(flags: u32, decision: Decision<u32>) -> u32 {
    match decision {
        Decision::Forward => flags,
        Decision::Rewrite { to, .. } => to,
    }
}

#[test]
fn pinned_memory_that_nobody_asked_to_be_coherent_becomes_noncoherent() {
    for flags in all_host_flags() {
        let decision = host_flags(flags, &rules(|_| ()));
        let explicit = flags & (HOST_COHERENT | HOST_NON_COHERENT | HOST_UNCACHED) != 0;
        if explicit {
            assert_eq!(decision, Decision::Forward, "{flags:#x}");
        } else {
            assert_eq!(arrives_coherent(outcome(flags, decision)), Some(false), "{flags:#x}");
        }
    }
}

#[test]
fn flags_that_are_noncoherent_already_are_not_touched() {
    for flags in all_host_flags().filter(|&flags| arrives_coherent(flags) != Some(true)) {
        for host in [Host::Noncoherent, Host::Force] {
            assert_eq!(host_flags(flags, &rules(|o| o.host = host)), Decision::Forward, "{flags:#x}");
        }
    }
}

#[test]
fn a_rewrite_keeps_every_flag_but_mapped_and_coherent_and_adds_only_noncoherent() {
    let keep = !(HOST_MAPPED | HOST_COHERENT | HOST_NON_COHERENT);
    for flags in all_host_flags() {
        for host in [Host::Noncoherent, Host::Force] {
            if let Decision::Rewrite { to, .. } = host_flags(flags, &rules(|o| o.host = host)) {
                assert_eq!(to & keep, flags & keep, "{flags:#x}");
                assert_eq!(to & (HOST_MAPPED | HOST_COHERENT | HOST_NON_COHERENT), HOST_NON_COHERENT, "{flags:#x}");
            }
        }
    }
}

#[test]
fn force_also_overrides_an_explicit_coherent_and_nothing_else() {
    for flags in all_host_flags() {
        let by_default = host_flags(flags, &rules(|_| ()));
        let forced = host_flags(flags, &rules(|o| o.host = Host::Force));
        if flags & EXPLICIT == HOST_COHERENT {
            assert_eq!(by_default, Decision::Forward, "{flags:#x}");
            let expected = flags & !(HOST_COHERENT | HOST_MAPPED) | HOST_NON_COHERENT;
            assert_eq!(forced, Decision::Rewrite { to: expected, reason: Reason::HostForced }, "{flags:#x}");
        } else {
            assert_eq!(forced, by_default, "{flags:#x}");
        }
    }
}

#[test]
fn unmapped_leaves_mapped_memory_alone_and_nothing_else() {
    for flags in all_host_flags() {
        let by_default = host_flags(flags, &rules(|_| ()));
        let expected = if flags & HOST_MAPPED != 0 { Decision::Forward } else { by_default };
        assert_eq!(host_flags(flags, &rules(|o| o.host = Host::Unmapped)), expected, "{flags:#x}");
    }
}

#[test]
fn the_calls_of_the_documentation_are_rewritten_as_it_says() {
    let rules = rules(|_| ());
    let rewritten = |to| Decision::Rewrite { to, reason: Reason::HostDefault };
    assert_eq!(host_flags(0, &rules), rewritten(0x8000_0000));
    assert_eq!(host_flags(0x2, &rules), rewritten(0x8000_0000));
    assert_eq!(host_flags(0x3, &rules), rewritten(0x8000_0001));
    assert_eq!(host_flags(0x2000_0000, &rules), rewritten(0xa000_0000));
    assert_eq!(host_flags(0x1, &rules), Decision::Forward);
    assert_eq!(host_flags(0x4000_0000, &rules), Decision::Forward);
    assert_eq!(mem_alloc_host(&rules), rewritten(0x8000_0000));
}

#[test]
fn a_flag_that_nobody_knows_is_forwarded() {
    for bit in (0..32).map(|shift| 1u32 << shift).filter(|bit| !HOST_BITS.contains(bit)) {
        assert_eq!(host_flags(bit, &rules(|_| ())), Decision::Forward, "{bit:#x}");
        assert_eq!(host_flags(bit | HOST_MAPPED, &rules(|_| ())), Decision::Forward, "{bit:#x}");
    }
}

#[test]
fn host_alloc_agrees_with_host_malloc_up_to_7_and_forwards_what_the_runtime_refuses() {
    for flags in all_host_flags() {
        let expected = if flags <= 7 { host_flags(flags, &rules(|_| ())) } else { Decision::Forward };
        assert_eq!(host_alloc(flags, &rules(|_| ())), expected, "{flags:#x}");
    }
}

#[test]
fn managed_memory_is_advised_or_attached_as_the_option_says() {
    let coarse = rules(|_| ());
    let attach = rules(|o| o.managed = Managed::AttachHost);
    for flags in [ATTACH_GLOBAL, ATTACH_HOST, 0] {
        assert_eq!(managed(flags, &coarse), ManagedDecision::AdviseCoarse(Reason::ManagedCoarse));
        assert_eq!(managed(flags, &Rules::KEEP), ManagedDecision::Forward);
    }
    assert_eq!(managed(ATTACH_GLOBAL, &attach), ManagedDecision::Attach(ATTACH_HOST, Reason::ManagedAttachHost));
    assert_eq!(managed(ATTACH_HOST, &attach), ManagedDecision::Forward);
    assert_eq!(managed(ATTACH_GLOBAL | ATTACH_HOST, &attach), ManagedDecision::Forward, "the runtime refuses it");
}

#[test]
fn fine_grained_device_memory_is_given_up_only_on_request_and_where_it_would_be_refused() {
    let rewritten = Decision::Rewrite { to: DEVICE_DEFAULT, reason: Reason::FinegrainedRefused };
    let auto = rules(|o| o.device_finegrained = DeviceFinegrained::Auto);
    assert_eq!(ext_flags(DEVICE_FINEGRAINED, true, &auto), rewritten);
    assert_eq!(ext_flags(DEVICE_FINEGRAINED, false, &auto), Decision::Forward);
    for refused in [true, false] {
        assert_eq!(ext_flags(DEVICE_FINEGRAINED, refused, &rules(|_| ())), Decision::Forward);
    }
}

#[test]
fn only_uncached_and_contiguous_device_memory_is_given_up_and_only_on_request() {
    let requested = rules(|o| o.device_uncached = DeviceUncached::Default);
    for flags in 0..64 {
        let expected = match flags {
            DEVICE_UNCACHED | DEVICE_CONTIGUOUS => {
                Decision::Rewrite { to: DEVICE_DEFAULT, reason: Reason::UncachedDropped }
            }
            _ => Decision::Forward,
        };
        assert_eq!(ext_flags(flags, false, &requested), expected, "{flags}");
        assert_eq!(ext_flags(flags, false, &rules(|_| ())), Decision::Forward, "{flags}");
    }
}

#[test]
fn events_keep_their_system_fence_where_memory_can_be_noncoherent_and_nowhere_else() {
    let timing = 0x2; // hipEventDisableTiming, which no rule touches
    for flag in [EVENT_DISABLE_SYSTEM_FENCE, EVENT_RELEASE_TO_DEVICE] {
        let rewritten = Decision::Rewrite { to: timing, reason: Reason::FenceKept };
        assert_eq!(event_flags(flag | timing, true, &rules(|_| ())), rewritten);
        assert_eq!(event_flags(flag | timing, false, &rules(|_| ())), Decision::Forward);
        assert_eq!(event_flags(flag | timing, true, &rules(|o| o.event_fence = EventFence::Keep)), Decision::Forward);
    }
    for flags in [0, timing, EVENT_RELEASE_TO_SYSTEM] {
        assert_eq!(event_flags(flags, true, &rules(|_| ())), Decision::Forward);
    }
}

#[test]
fn events_with_two_release_flags_stay_invalid() {
    for flags in [
        EVENT_DISABLE_SYSTEM_FENCE | EVENT_RELEASE_TO_DEVICE,
        EVENT_DISABLE_SYSTEM_FENCE | EVENT_RELEASE_TO_SYSTEM,
        EVENT_RELEASE_TO_DEVICE | EVENT_RELEASE_TO_SYSTEM,
    ] {
        assert_eq!(event_flags(flags, true, &rules(|_| ())), Decision::Forward, "{flags:#x}");
    }
}

#[test]
fn a_direct_hsa_program_keeps_its_pool_unless_the_user_says_otherwise() {
    let coarse = rules(|o| o.hsa_pool = HsaPool::Coarse);
    assert!(coarse.may_change_pools());
    assert_eq!(hsa_pool(true, false, &coarse), Decision::Rewrite { to: (), reason: Reason::PoolCoarse });
    assert_eq!(hsa_pool(true, true, &coarse), Decision::Forward, "kernel arguments stay");
    assert_eq!(hsa_pool(false, false, &coarse), Decision::Forward);
    assert!(!rules(|_| ()).may_change_pools());
    assert_eq!(hsa_pool(true, false, &rules(|_| ())), Decision::Forward);
}

#[test]
fn registered_memory_stays_coherent_unless_the_user_says_otherwise() {
    let coarse = rules(|o| o.register = Register::Coarse);
    assert!(coarse.may_change_registered());
    assert_eq!(register(true, &coarse), Decision::Rewrite { to: (), reason: Reason::RegisterCoarse });
    assert_eq!(register(false, &coarse), Decision::Forward, "the runtime pins for its own copies so");
    assert!(!rules(|_| ()).may_change_registered());
    assert_eq!(register(true, &rules(|_| ())), Decision::Forward);
}

#[test]
fn keep_forwards_everything() {
    for flags in all_host_flags() {
        assert_eq!(host_flags(flags, &Rules::KEEP), Decision::Forward);
        assert_eq!(host_alloc(flags, &Rules::KEEP), Decision::Forward);
        assert_eq!(event_flags(flags, true, &Rules::KEEP), Decision::Forward);
    }
    for flags in 0..8 {
        assert_eq!(ext_flags(flags, true, &Rules::KEEP), Decision::Forward);
    }
    assert_eq!(mem_alloc_host(&Rules::KEEP), Decision::Forward);
    assert_eq!(hsa_pool(true, false, &Rules::KEEP), Decision::Forward);
    assert_eq!(register(true, &Rules::KEEP), Decision::Forward);
    assert!(!Rules::KEEP.limits_vram() && !Rules::KEEP.hides_managed());
    assert!(!Rules::KEEP.active());
}

#[test]
fn only_discrete_gfx101x_and_gfx103x_have_rules_by_default() {
    let options = Options::default();
    for version in 0..200_000 {
        let Some(target) = GfxTarget::from_kfd(version) else { continue };
        let mine = target.family() != Family::Other;
        assert_eq!(Rules::for_gpu(target, false, &options).active(), mine, "{target}");
        assert!(!Rules::for_gpu(target, true, &options).active(), "{target} as an APU");
    }
}

#[test]
fn apu_patch_treats_a_gfx10_apu_like_a_card_and_other_gpus_as_ever() {
    let options = Options { apu: Apu::Patch, ..Options::default() };
    let van_gogh = GfxTarget::new(10, 3, 3);
    assert_eq!(Rules::for_gpu(van_gogh, true, &options), Rules::for_gpu(van_gogh, false, &options));
    assert!(Rules::for_gpu(van_gogh, true, &options).active());
    assert!(!Rules::for_gpu(GfxTarget::new(11, 0, 3), true, &options).active());
}

#[test]
fn policy_keep_wins_over_every_other_option() {
    let options = Options {
        policy: Mode::Keep,
        host: Host::Force,
        device_uncached: DeviceUncached::Default,
        hsa_pool: HsaPool::Coarse,
        register: Register::Coarse,
        vram_fraction: half(),
        capabilities: Capabilities::NoManaged,
        apu: Apu::Patch,
        ..Options::default()
    };
    assert_eq!(Rules::for_gpu(NAVI10, false, &options), Rules::KEEP);
}

fn half() -> Fraction {
    "0.5".parse().unwrap()
}

#[test]
fn rules_are_shown_by_the_options_that_act() {
    assert_eq!(Rules::KEEP.to_string(), "keep");
    assert_eq!(rules(|_| ()).to_string(), "host=noncoherent managed=coarse event_fence=system");
    let limit = |o: &mut Options| (o.host, o.managed, o.vram_fraction) = (Host::Keep, Managed::Keep, half());
    assert_eq!(rules(limit).to_string(), "vram_fraction=0.5", "the fence has nothing to follow");
    let all = rules(|o| {
        o.register = Register::Coarse;
        o.vram_fraction = half();
        o.capabilities = Capabilities::NoManaged;
    });
    assert_eq!(
        all.to_string(),
        "host=noncoherent managed=coarse register=coarse event_fence=system vram_fraction=0.5 capabilities=no-managed"
    );
}

#[test]
fn each_option_alone_makes_rules_active_but_the_fence() {
    let none = Options { host: Host::Keep, managed: Managed::Keep, ..Options::default() };
    assert!(!Rules::for_gpu(NAVI10, false, &none).active(), "the fence has nothing to follow");
    for (name, value, noncoherent) in [
        ("host", "noncoherent", true),
        ("managed", "coarse", true),
        ("register", "coarse", true),
        ("device_finegrained", "auto", true),
        ("device_uncached", "default", true),
        ("hsa_pool", "coarse", true),
        ("vram_fraction", "0.999999", false),
        ("capabilities", "no-managed", false),
    ] {
        let mut options = none.clone();
        assert!(row(name).unwrap().set(&mut options, &RawValue::Text(value.into())));
        let rules = Rules::for_gpu(NAVI10, false, &options);
        assert!(rules.active(), "{name}");
        assert_eq!(rules.makes_noncoherent(), noncoherent, "{name}");
    }
}

#[test]
fn a_gpu_without_rules_beside_one_with_rules_keeps_the_fence_of_its_events() {
    let options = Options::default();
    let rules = Rules::for_gpu(GfxTarget::new(11, 0, 0), false, &options);
    let kept = Decision::Rewrite { to: 0, reason: Reason::FenceKept };
    assert_eq!(event_flags(EVENT_DISABLE_SYSTEM_FENCE, true, &rules), kept);
    assert!(!rules.active() && !rules.makes_noncoherent());
}
