//! What becomes of one call under some rules. The decisions are [`rmcp_domain::policy`]'s; this puts them into words.

use crate::flag_names::{FlagNames, POOL_FINE, POOL_KERNARG};
use rmcp_abi::flags::{
    DEVICE_CONTIGUOUS, DEVICE_FINEGRAINED, DEVICE_UNCACHED, EVENT_DISABLE_SYSTEM_FENCE, EVENT_RELEASE_TO_DEVICE,
    HOST_COHERENT, HOST_MAPPED, HOST_NON_COHERENT, HOST_UNCACHED,
};
use rmcp_abi::{Hook, Policy};
use rmcp_domain::options::{DeviceFinegrained, DeviceUncached, EventFence, Host, Managed, Options};
use rmcp_domain::policy::{self, Decision, ManagedDecision, Reason, Rules};
use schemars::JsonSchema;
use serde::Serialize;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outcome {
    /// The circumstances under which this holds; null: always.
    pub when: Option<String>,
    /// Whether RMCP changes the call or its answer.
    pub changed: bool,
    /// What the runtime is asked for, or what the program hears.
    pub becomes: String,
    /// The flags that the runtime gets, where the call has flags.
    pub flags: Option<u32>,
    /// Why.
    pub why: String,
}

/// A call on a card.
pub struct PolicyQuery<'a> {
    /// The function.
    pub hook: Hook,
    /// Its flags, or what stands for them; see [`FlagNames`].
    pub requested: Option<u32>,
    /// The rules of the card.
    pub rules: &'a Rules,
    /// Why the card has no rules; None where it has.
    pub idle_reason: Option<&'a str>,
    /// What the rules come from.
    pub options: &'a Options,
    /// Whether some call of the program could be given memory that is less coherent than what it asked for.
    pub noncoherent: bool,
}

impl PolicyQuery<'_> {
    /// The answer, one for each circumstance that matters.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let (flags, rules) = (self.requested.unwrap_or(0), self.rules);
        match self.hook.policy() {
            Policy::host => vec![self.flags_outcome(policy::host_flags(flags, rules), Hook::hipHostMalloc)],
            Policy::host_alloc => vec![self.flags_outcome(policy::host_alloc(flags, rules), Hook::hipHostMalloc)],
            Policy::mem_alloc_host => vec![self.flags_outcome(policy::mem_alloc_host(rules), Hook::hipHostMalloc)],
            Policy::managed => vec![self.managed_outcome(policy::managed(flags, rules))],
            Policy::ext_malloc => self.outcomes_by_release(
                ("ROCm up to 6.2.2", policy::ext_flags(flags, true, rules)),
                ("later releases", policy::ext_flags(flags, false, rules)),
            ),
            Policy::event_create => {
                vec![self.flags_outcome(policy::event_flags(flags, self.noncoherent, rules), self.hook)]
            }
            Policy::stream_memory | Policy::stream_batch | Policy::graph_batch if self.noncoherent => {
                let refused = Outcome {
                    when: None,
                    changed: true,
                    becomes: "hipErrorInvalidValue".into(),
                    flags: None,
                    why: "stream and processor would not see each other's words in it, and wait for ever".into(),
                };
                vec![
                    refused.with_condition("on memory that RMCP made non-coherent"),
                    self.unchanged("the memory is as coherent as it was asked for").with_condition("on any other"),
                ]
            }
            Policy::pool_allocate => {
                let (fine, kernarg) = (flags == POOL_FINE || flags == POOL_KERNARG, flags == POOL_KERNARG);
                let pool = self.pool_outcome(policy::hsa_pool(fine, kernarg, rules));
                vec![
                    pool.with_condition("called by the program"),
                    self.unchanged(RUNTIME_MEMORY).with_condition("called by libamdhip64"),
                ]
            }
            Policy::lock_to_pool => {
                let pool = self.pool_outcome(policy::register(flags != 0, rules));
                vec![
                    pool.with_condition("called by libamdhip64, as for hipHostRegister"),
                    self.unchanged("a program that speaks HSA chooses its pools knowingly")
                        .with_condition("called by the program"),
                ]
            }
            // What becomes of it is decided where libamdhip64 locks the memory.
            _ if self.hook == Hook::hipHostRegister => vec![self.pool_outcome(policy::register(true, rules))],
            Policy::device_attribute => vec![match policy::attribute(flags as i32, 1, rules) {
                1 => self.unchanged("only answers about managed memory can be hidden, by capabilities=no-managed"),
                _ => self.answer_outcome("0", Reason::ManagedHidden),
            }],
            Policy::device_properties if rules.hides_managed() => {
                vec![self.answer_outcome("0 in every field about managed memory", Reason::ManagedHidden)]
            }
            Policy::vram if rules.limits_vram() => {
                vec![
                    self.answer_outcome(
                        "hipErrorOutOfMemory above the limit, else what was asked for",
                        Reason::VramLimit,
                    ),
                ]
            }
            Policy::mem_info if rules.limits_vram() => {
                vec![self.answer_outcome("total and free within the limit", Reason::VramLimit)]
            }
            Policy::vram | Policy::mem_info => vec![self.unchanged("vram_fraction=1.0 sets no limit")],
            Policy::device_properties => vec![self.unchanged("capabilities=real")],
            Policy::forward | Policy::malloc_host => vec![self.unchanged("no option changes it")],
            policy => vec![self.unchanged(policy.text())],
        }
    }

    /// One answer where the circumstances do not matter.
    fn outcomes_by_release(
        &self,
        (when, one): (&'static str, Decision<u32>),
        (otherwise, other): (&'static str, Decision<u32>),
    ) -> Vec<Outcome> {
        let mut first = self.flags_outcome(one, self.hook);
        if one == other {
            return vec![first];
        }
        first.when = Some(when.into());
        vec![first, self.flags_outcome(other, self.hook).with_condition(otherwise)]
    }

    fn flags_outcome(&self, decision: Decision<u32>, by: Hook) -> Outcome {
        match decision {
            Decision::Forward => self.unchanged(self.forward_reason()),
            Decision::Rewrite { to, reason } => Outcome {
                when: None,
                changed: true,
                becomes: call_text(by, Some(to)),
                flags: Some(to),
                why: reason.text().into(),
            },
        }
    }

    fn managed_outcome(&self, decision: ManagedDecision) -> Outcome {
        match decision {
            ManagedDecision::Forward => self.unchanged(self.forward_reason()),
            ManagedDecision::Attach(to, reason) => self.flags_outcome(Decision::Rewrite { to, reason }, self.hook),
            ManagedDecision::AdviseCoarse(reason) => {
                let becomes = format!("{}, then hipMemAdvise(SetCoarseGrain)", call_text(self.hook, self.requested));
                Outcome { when: None, changed: true, becomes, flags: self.requested, why: reason.text().into() }
            }
        }
    }

    fn pool_outcome(&self, decision: Decision<()>) -> Outcome {
        match decision {
            Decision::Forward => self.unchanged(self.forward_reason()),
            Decision::Rewrite { to: (), reason } => {
                let becomes = "the same from the coarse-grained pool of the same agent".into();
                Outcome { when: None, changed: true, becomes, flags: None, why: reason.text().into() }
            }
        }
    }

    fn answer_outcome(&self, answer: &str, reason: Reason) -> Outcome {
        Outcome { when: None, changed: true, becomes: answer.into(), flags: None, why: reason.text().into() }
    }

    fn unchanged(&self, why: &str) -> Outcome {
        let becomes = call_text(self.hook, self.requested);
        let flags =
            self.requested.filter(|_| FlagNames::for_hook(self.hook).is_some_and(|vocabulary| vocabulary.is_flags));
        Outcome { when: None, changed: false, becomes, flags, why: self.idle_reason.unwrap_or(why).into() }
    }

    /// Why rules that could act leave these flags alone.
    fn forward_reason(&self) -> &'static str {
        let flags = self.requested.unwrap_or(0);
        let options = self.options;
        match self.hook.policy() {
            Policy::host | Policy::host_alloc | Policy::mem_alloc_host => match flags {
                _ if options.host == Host::Keep => "host=keep",
                _ if flags & HOST_COHERENT != 0 && flags & HOST_NON_COHERENT != 0 => {
                    "Coherent and NonCoherent together are the runtime's to refuse"
                }
                _ if flags & HOST_COHERENT != 0 => "Coherent is asked for in so many words; host=force overrides that",
                _ if flags & (HOST_NON_COHERENT | HOST_UNCACHED) != 0 => "the flags say what kind of memory is wanted",
                _ if options.host == Host::Unmapped && flags & HOST_MAPPED != 0 => "host=unmapped",
                _ if FlagNames::for_hook(self.hook).is_some_and(|known| known.unnamed_bits(flags) != 0) => {
                    "the flags hold bits that RMCP does not know"
                }
                _ => "memory with these flags is non-coherent already",
            },
            Policy::managed => match options.managed {
                Managed::Keep => "managed=keep",
                _ => "managed=attach-host changes hipMemAttachGlobal alone",
            },
            Policy::ext_malloc => match flags {
                DEVICE_FINEGRAINED if options.device_finegrained == DeviceFinegrained::Keep => {
                    "device_finegrained=keep"
                }
                DEVICE_FINEGRAINED => "this runtime hands out the same memory as hipMalloc",
                DEVICE_UNCACHED | DEVICE_CONTIGUOUS if options.device_uncached == DeviceUncached::Keep => {
                    "device_uncached=keep: another GPU or a network card may poll this memory"
                }
                _ => "device memory with this flag is left alone",
            },
            Policy::event_create => match flags & (EVENT_DISABLE_SYSTEM_FENCE | EVENT_RELEASE_TO_DEVICE) {
                0 => "the event keeps its system-scope release",
                _ if options.event_fence == EventFence::Keep => "event_fence=keep",
                _ => "no option makes memory non-coherent, so nothing needs a system-scope release",
            },
            Policy::pool_allocate if flags == POOL_KERNARG => "kernel arguments are read by the packet processor",
            Policy::pool_allocate if flags == POOL_FINE => {
                "hsa_pool=keep: a program that speaks HSA chooses its pools knowingly"
            }
            Policy::pool_allocate => "the pool is coarse-grained already",
            _ if self.options.register == rmcp_domain::options::Register::Keep => "register=keep",
            _ => "the pool is coarse-grained already",
        }
    }
}

const RUNTIME_MEMORY: &str = "the runtime's own signals, rings and buffers must stay as they are";

impl Outcome {
    fn with_condition(self, when: &str) -> Self {
        Self { when: Some(when.into()), ..self }
    }

    /// What it comes to, without the reason.
    pub fn effect(&self) -> (&Option<String>, bool, &str, Option<u32>) {
        (&self.when, self.changed, &self.becomes, self.flags)
    }

    /// The same for the calls of some callers.
    pub fn with_caller(self, who: &str) -> Self {
        let when = self.when.map_or_else(|| who.into(), |when| format!("{who}; {when}"));
        Self { when: Some(when), ..self }
    }
}

/// "hipHostMalloc(Mapped)"; a call without flags stands alone.
pub fn call_text(hook: Hook, flags: Option<u32>) -> String {
    let name = hook.info().name;
    match (FlagNames::for_hook(hook), flags) {
        (Some(vocabulary), Some(flags)) => format!("{name}({})", vocabulary.format(flags)),
        _ => format!("{name}()"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp_abi::flags::*;
    use rmcp_domain::gfx::GfxTarget;
    use rmcp_domain::options::{HsaPool, Register};

    fn outcomes_under(hook: Hook, asked: u32, change: impl FnOnce(&mut Options)) -> Vec<Outcome> {
        let mut options = Options::default();
        change(&mut options);
        let rules = Rules::for_gpu(GfxTarget::new(10, 1, 0), false, &options);
        let noncoherent = rules.makes_noncoherent();
        PolicyQuery { hook, requested: Some(asked), rules: &rules, idle_reason: None, options: &options, noncoherent }
            .outcomes()
    }

    #[test]
    fn every_hook_has_an_answer_with_a_reason() {
        for hook in Hook::ALL {
            for outcome in outcomes_under(*hook, 0, |_| {}) {
                assert!(!outcome.becomes.is_empty() && !outcome.why.is_empty(), "{hook:?}");
            }
        }
    }

    #[test]
    fn host_flags_become_what_the_policy_makes_of_them() {
        for bits in 0..1u32 << 7 {
            let flags = [1, 2, 4, HOST_UNCACHED, HOST_NUMA_USER, HOST_COHERENT, HOST_NON_COHERENT];
            let flags = flags.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 != 0).fold(0, |all, (_, f)| all | f);
            let rules = Rules::for_gpu(GfxTarget::new(10, 1, 0), false, &Options::default());
            let [outcome] = &outcomes_under(Hook::hipHostMalloc, flags, |_| {})[..] else { panic!("one answer") };
            match policy::host_flags(flags, &rules) {
                Decision::Forward => assert_eq!((outcome.changed, outcome.flags), (false, Some(flags))),
                Decision::Rewrite { to, .. } => assert_eq!((outcome.changed, outcome.flags), (true, Some(to))),
            }
        }
    }

    #[test]
    fn circumstances_are_told_apart_only_where_they_matter() {
        let whens = |outcomes: Vec<Outcome>| outcomes.into_iter().map(|outcome| outcome.when).collect::<Vec<_>>();
        let auto = |options: &mut Options| options.device_finegrained = DeviceFinegrained::Auto;
        assert_eq!(whens(outcomes_under(Hook::hipExtMallocWithFlags, DEVICE_FINEGRAINED, auto)).len(), 2);
        assert_eq!(whens(outcomes_under(Hook::hipExtMallocWithFlags, DEVICE_FINEGRAINED, |_| {})), [None]);
        assert_eq!(whens(outcomes_under(Hook::hipExtMallocWithFlags, DEVICE_DEFAULT, auto)), [None]);
        assert_eq!(whens(outcomes_under(Hook::hipStreamWaitValue32, 0, |_| {})).len(), 2);
    }

    #[test]
    fn events_keep_their_fence_wherever_an_option_makes_memory_noncoherent() {
        let changed = |change: fn(&mut Options)| {
            let [outcome] = &outcomes_under(Hook::hipEventCreateWithFlags, EVENT_DISABLE_SYSTEM_FENCE, change)[..]
            else {
                panic!("one answer")
            };
            (outcome.when.clone(), outcome.changed)
        };
        assert_eq!(changed(|_| {}), (None, true));
        assert_eq!(changed(|options| options.event_fence = EventFence::Keep), (None, false));
        assert_eq!(changed(|options| (options.host, options.managed) = (Host::Keep, Managed::Keep)), (None, false));
    }

    #[test]
    fn options_that_are_off_by_default_show_when_they_are_on() {
        let changed = |outcomes: Vec<Outcome>| outcomes.iter().any(|outcome| outcome.changed);
        assert!(!changed(outcomes_under(Hook::hipHostRegister, 0, |_| {})));
        assert!(changed(outcomes_under(Hook::hipHostRegister, 0, |options| options.register = Register::Coarse)));
        assert!(!changed(outcomes_under(Hook::hsa_amd_memory_pool_allocate, POOL_FINE, |_| {})));
        let coarse = |options: &mut Options| options.hsa_pool = HsaPool::Coarse;
        assert!(changed(outcomes_under(Hook::hsa_amd_memory_pool_allocate, POOL_FINE, coarse)));
        assert!(!changed(outcomes_under(Hook::hsa_amd_memory_pool_allocate, POOL_KERNARG, coarse)));
        assert!(changed(outcomes_under(Hook::hipMalloc, 0, |options| options.vram_fraction = "0.5".parse().unwrap())));
    }

    #[test]
    fn a_card_without_rules_says_why_it_has_none() {
        let options = Options::default();
        let question = PolicyQuery {
            hook: Hook::hipHostMalloc,
            requested: Some(0),
            rules: &Rules::KEEP,
            idle_reason: Some("gfx1100 is neither RDNA1 nor RDNA2"),
            options: &options,
            noncoherent: false,
        };
        let [outcome] = &question.outcomes()[..] else { panic!("one answer") };
        assert_eq!((outcome.changed, outcome.why.as_str()), (false, "gfx1100 is neither RDNA1 nor RDNA2"));
    }
}
