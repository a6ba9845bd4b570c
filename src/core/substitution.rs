//! What becomes of what a program asks for: told by the policies, and recorded.

use rmcp_domain::trace::KeepReason;

/// What the real function got in place of what the program asked for.
#[derive(Clone, Copy, Debug)]
pub enum Substitution {
    /// Nothing else.
    None,
    /// Nothing else, since the caller has rules of its own; those of the program would have changed it.
    Kept(KeepReason),
    /// Other flags.
    Flags(u32),
    /// Another HSA pool.
    Pool(u64),
    /// The advice SetCoarseGrain, after success.
    CoarseAdvice,
    /// An answer of RMCP's: the call was refused.
    Refusal,
}
