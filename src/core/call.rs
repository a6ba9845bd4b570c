//! One call of a hooked function on its way to the real one.

use crate::caller::{self, Caller, CallerKind};
use crate::counters::{Outcome, count};
use crate::machine::{self, RuleSet};
use crate::substitution::Substitution;
use crate::{runtime_tables, trace};
use rmcp_abi::{Hook, Policy};
use rmcp_domain::options::Exception;
use rmcp_domain::policy::{Decision, ManagedDecision, Rules};
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::transmute_copy;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tracing::debug;

/// A decision about a call.
pub trait CallDecision {
    /// Whether it goes on as the program asked.
    fn is_forward(&self) -> bool;
}

impl<T> CallDecision for Decision<T> {
    fn is_forward(&self) -> bool {
        matches!(self, Self::Forward)
    }
}

impl CallDecision for ManagedDecision {
    fn is_forward(&self) -> bool {
        matches!(self, Self::Forward)
    }
}

/// A call that has a real function to go to. `F` is that function's type, `R` what it returns.
pub struct Call<F, R> {
    /// Which function was called.
    pub hook: Hook,
    /// Who called it, or, past the gate, who stands for that towards the runtime.
    pub caller: &'static Caller,
    /// Who called it.
    calling_object: &'static Caller,
    /// The address that it returns to.
    return_address: usize,
    real: F,
    /// What the real function returned, once it was called.
    result: Cell<Option<R>>,
}

impl<F: Copy, R: Copy> Call<F, R> {
    /// The call of `hook` that returns to `address`, on its way to what the caller links against. Err: that is no
    /// runtime's, so the call is none of HIP or HSA and goes there as it is; or no loaded library has the function.
    #[inline]
    pub fn from_gate(hook: Hook, address: usize) -> Result<Self, Option<*mut c_void>> {
        if hook == Hook::hsa_init {
            caller::on_runtime_start(address);
        }
        let caller = caller::caller_at(address);
        Self::new(hook, address, caller, caller, caller.real(hook)?).ok_or(None)
    }

    /// The same on its way to what stood in the runtime's table.
    #[inline]
    pub fn from_table(hook: Hook, address: usize) -> Result<Self, Option<*mut c_void>> {
        let caller = caller::caller_at(address);
        let program = if caller.kind == CallerKind::Program { runtime_tables::table_caller(hook) } else { None };
        Self::new(hook, address, caller, program.unwrap_or(caller), runtime_tables::original(hook)).ok_or(None)
    }

    #[inline]
    fn new(
        hook: Hook,
        return_address: usize,
        calling_object: &'static Caller,
        caller: &'static Caller,
        real: *mut c_void,
    ) -> Option<Self> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        if real.is_null() {
            return None;
        }
        // SAFETY: the hook table gives each function its type.
        let real = unsafe { transmute_copy(&real) };
        Some(Self { hook, caller, calling_object, return_address, real, result: Cell::new(None) })
    }

    /// Runs `policy` for a call of the program, and forwards one of the runtime itself, with the exception that
    /// `policies::lock_to_pool` explains. A panic of the policy's ends here: the program gets the real function's answer, as
    /// if RMCP were not there.
    #[inline]
    pub fn run(&self, policy: impl FnOnce(&Self) -> R, forward: impl Fn(F) -> R) -> R {
        match self.caller.kind {
            // Decided and counted before it came to the runtime's table.
            CallerKind::Rmcp => return forward(self.real),
            CallerKind::Runtime if self.hook.policy() != Policy::lock_to_pool => {
                count(self.hook, Outcome::Runtime);
                return forward(self.real);
            }
            CallerKind::Runtime | CallerKind::Program => {}
        }
        let answer = catch_unwind(AssertUnwindSafe(|| policy(self)));
        answer.unwrap_or_else(|_| self.result.get().unwrap_or_else(|| forward(self.real)))
    }

    /// The rules of the GPU that this call is for.
    #[inline]
    pub fn rules(&self) -> &'static Rules {
        self.rules_from(self.calling_object.rules())
    }

    /// The rules of the GPU that HIP numbers so.
    pub fn rules_for_device(&self, device: i32) -> &'static Rules {
        machine::rules_for_device(self.calling_object.rules(), device)
    }

    #[inline]
    fn rules_from(&self, set: Option<&'static RuleSet>) -> &'static Rules {
        machine::current_rules(set, || self.caller.runtime().device())
    }

    /// What becomes of a call that hands out memory, as `decide` says under the caller's rules. What one library may be given
    /// can stop another, so it is looked up who exactly calls.
    pub fn decide<D: CallDecision>(&self, decide: impl Fn(&Rules) -> D) -> D {
        let set = caller::identify(self.return_address).rules();
        let decision = decide(self.rules_from(set));
        if let Some(why) = set.and_then(|set| set.exception.as_ref())
            && decision.is_forward()
            && !decide(self.rules_from(machine::program_rules())).is_forward()
        {
            self.note_kept(why);
        }
        decision
    }

    #[cold]
    fn note_kept(&self, why: &Exception) {
        self.note_substitution(Substitution::Kept(why.into()));
        debug!("{} is forwarded as asked: {why}", self.hook.info().name);
    }

    /// Calls the real function as the program asked.
    #[inline]
    pub fn forward(&self, call: impl FnOnce(F) -> R) -> R {
        self.finish(Outcome::Forwarded, call)
    }

    /// Calls the real function with other arguments, which differ by what is `substitution`.
    #[inline]
    pub fn rewrite(&self, substitution: Substitution, call: impl FnOnce(F) -> R) -> R {
        self.note_substitution(substitution);
        self.finish(Outcome::Rewritten, call)
    }

    /// Notes what the program was given in place of what it asked for.
    #[inline]
    pub fn note_substitution(&self, substitution: Substitution) {
        trace::note_substitution(substitution);
    }

    /// Calls the real function, and counts the call as one that ended so.
    #[inline]
    pub fn finish(&self, outcome: Outcome, call: impl FnOnce(F) -> R) -> R {
        count(self.hook, outcome);
        let result = call(self.real);
        self.result.set(Some(result));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    type Real = extern "C" fn(&AtomicU32) -> i32;

    extern "C" fn allocate(calls: &AtomicU32) -> i32 {
        calls.fetch_add(1, Ordering::Relaxed);
        7
    }

    fn call() -> Call<Real, i32> {
        let address = allocate as *const () as usize;
        let caller = caller::caller_at(address);
        Call {
            hook: Hook::hipMalloc,
            caller,
            calling_object: caller,
            return_address: address,
            real: allocate,
            result: Cell::new(None),
        }
    }

    #[test]
    fn a_panic_before_the_real_call_forwards_it_unchanged() {
        let calls = AtomicU32::new(0);
        let answer = call().run(|_| panic!("a mistake in a policy"), |real| real(&calls));
        assert_eq!((answer, calls.into_inner()), (7, 1));
    }

    #[test]
    fn a_panic_after_the_real_call_keeps_its_answer_and_does_not_call_again() {
        let calls = AtomicU32::new(0);
        let policy = |call: &Call<Real, i32>| {
            call.rewrite(Substitution::Flags(0), |real| real(&calls));
            panic!("a mistake in a report");
        };
        assert_eq!(call().run(policy, |real| real(&calls)), 7);
        assert_eq!(calls.into_inner(), 1);
    }
}
