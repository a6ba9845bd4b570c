//! One call of a hooked function on its way to the real one.
//!
//! What RMCP decides comes before the real function is called, and what it notes after that has returned. Both end a panic
//! of their own. Between them nothing of RMCP's has to be left in order: an exception, pthread_exit or longjmp passes through.

use crate::caller::{Caller, CallerKind, caller_of};
use crate::copies::{self, Copy};
use crate::counters::{Outcome, count};
use crate::hooks::Origin;
use crate::machine::{self, RuleSet};
use crate::runtime::Runtime;
use crate::substitution::Substitution;
use log::debug;
use rmcp_abi::{Hook, Library, Policy};
use rmcp_domain::options::Exception;
use rmcp_domain::policy::{Decision, ManagedDecision, Rules};
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::transmute_copy;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A decision about a call.
pub trait CallDecision {
    /// That it goes on as the program asked.
    const FORWARD: Self;

    /// Whether it does.
    fn is_forward(&self) -> bool;
}

impl<T> CallDecision for Decision<T> {
    const FORWARD: Self = Self::Forward;

    fn is_forward(&self) -> bool {
        matches!(self, Self::Forward)
    }
}

impl CallDecision for ManagedDecision {
    const FORWARD: Self = Self::Forward;

    fn is_forward(&self) -> bool {
        matches!(self, Self::Forward)
    }
}

/// A call that has a real function to go to. `F` is that function's type.
pub struct Call<F> {
    /// Which function was called.
    pub hook: Hook,
    /// Who called it.
    pub caller: &'static Caller,
    /// The copy of the runtime that it goes to.
    pub copy: &'static Copy,
    /// The address that it returns to.
    return_address: usize,
    real: F,
    /// What the program is given in place of what it asked for.
    substitution: Cell<Substitution>,
}

impl<F: std::marker::Copy> Call<F> {
    /// The call of `hook` from `origin`. None: the copy has no such function.
    #[inline]
    pub fn new(hook: Hook, origin: Origin) -> Option<Self> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let copy = copies::copy(hook.library(), origin.copy());
        let real = copy.function(hook);
        if real.is_null() {
            return None;
        }
        let caller = caller_of(hook, origin.address(), copy);
        // SAFETY: the hook table gives each function its type.
        let real = unsafe { transmute_copy(&real) };
        Some(Self {
            hook,
            caller,
            copy,
            return_address: origin.address(),
            real,
            substitution: Cell::new(Substitution::None),
        })
    }

    /// The real function, where RMCP has no say: the call is its own, or the runtime's, but for those that
    /// `policies::lock_to_pool` explains.
    #[inline]
    pub fn unasked(&self) -> Option<F> {
        match self.caller.kind {
            // Decided and counted before it came to the runtime's table.
            CallerKind::Rmcp => Some(self.real),
            CallerKind::Runtime if self.hook.policy() != Policy::lock_to_pool => {
                count(self.hook, Outcome::Runtime);
                Some(self.real)
            }
            CallerKind::Runtime | CallerKind::Program => None,
        }
    }

    /// The same of a call that a runtime's own wish does not decide, such as its start.
    pub fn own(&self) -> Option<F> {
        (self.caller.kind == CallerKind::Rmcp).then_some(self.real)
    }

    /// The address that the call returns to.
    pub fn return_address(&self) -> usize {
        self.return_address
    }

    /// The HIP runtime of the call.
    pub fn runtime(&self) -> Option<&'static Runtime> {
        match self.hook.library() {
            Library::Hip => Some(self.copy.runtime()),
            Library::Hsa => copies::hip_of(self.return_address).map(Copy::runtime),
        }
    }

    /// The rules of the GPU that this call is for.
    #[inline]
    pub fn rules(&self) -> &'static Rules {
        self.rules_from(self.caller.rules.as_ref())
    }

    /// The rules of the GPU that HIP numbers so.
    pub fn rules_for_device(&self, device: i32) -> &'static Rules {
        machine::rules_for_device(self.caller.rules.as_ref(), device)
    }

    #[inline]
    fn rules_from(&self, set: Option<&'static RuleSet>) -> &'static Rules {
        machine::current_rules(set, || self.runtime()?.device())
    }

    /// What becomes of a call that hands out memory, as `decide` says under the caller's rules.
    #[inline]
    pub fn decide<D: CallDecision>(&self, decide: impl Fn(&Rules) -> D) -> D {
        guarded(|| {
            let decision = decide(self.rules());
            if let Some(why) = self.caller.rules.as_ref().and_then(|rules| rules.exception.as_ref())
                && decision.is_forward()
                && !decide(self.rules_from(machine::program_rules())).is_forward()
            {
                self.note_kept(why);
            }
            decision
        })
        .unwrap_or(D::FORWARD)
    }

    #[cold]
    fn note_kept(&self, why: &Exception) {
        self.note_substitution(Substitution::Kept(why.into()));
        debug!("{} is forwarded as asked: {why}", self.hook.info().name);
    }

    /// Notes what the program is given in place of what it asked for.
    #[inline]
    pub fn note_substitution(&self, substitution: Substitution) {
        self.substitution.set(substitution);
    }

    /// What was noted.
    pub fn substitution(&self) -> Substitution {
        self.substitution.get()
    }

    /// Calls the real function as the program asked.
    #[inline]
    pub fn forward<R>(&self, call: impl FnOnce(F) -> R) -> R {
        count(self.hook, Outcome::Forwarded);
        call(self.real)
    }

    /// Calls the real function with other arguments, which differ by what is `substitution`.
    #[inline]
    pub fn rewrite<R>(&self, substitution: Substitution, call: impl FnOnce(F) -> R) -> R {
        self.note_substitution(substitution);
        count(self.hook, Outcome::Rewritten);
        call(self.real)
    }

    /// Calls the real function for the runtime.
    pub fn forward_for_runtime<R>(&self, call: impl FnOnce(F) -> R) -> R {
        count(self.hook, Outcome::Runtime);
        call(self.real)
    }
}

/// Work before or after the real call. A panic ends here: the call goes on as if RMCP were not there.
#[inline]
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp_domain::policy::Reason;
    use std::sync::atomic::{AtomicU32, Ordering};

    type Real = extern "C" fn(&AtomicU32) -> i32;

    extern "C" fn allocate(calls: &AtomicU32) -> i32 {
        calls.fetch_add(1, Ordering::Relaxed) as i32 + 7
    }

    fn call() -> Call<Real> {
        let caller = &Caller { kind: CallerKind::Program, rules: None };
        let copy = copies::copy(Library::Hip, 0);
        Call {
            hook: Hook::hipMalloc,
            caller,
            copy,
            return_address: 0,
            real: allocate,
            substitution: Cell::new(Substitution::None),
        }
    }

    #[test]
    fn a_panic_in_a_decision_forwards_the_call_as_it_is() {
        let calls = AtomicU32::new(0);
        let call = call();
        let decision: Decision<u32> = call.decide(|_| panic!("a mistake in a policy"));
        assert_eq!(decision, Decision::Forward);
        assert_eq!(call.forward(|real| real(&calls)), 7);
    }

    #[test]
    fn a_panic_in_what_is_noted_ends_there() {
        assert_eq!(guarded(|| -> u32 { panic!("a mistake in a report") }), None);
        assert_eq!(guarded(|| Reason::HostDefault), Some(Reason::HostDefault));
    }
}
