//! What docs/understand/coherence.md says of a call, in its own words.

use rmcp_abi::flags::{DEVICE_FINEGRAINED, HOST_COHERENT, HOST_UNCACHED};
use rmcp_abi::{Hook, Policy};
use rmcp_domain::gfx::GfxTarget;
use rmcp_domain::options::Options;
use rmcp_domain::policy::{self, Decision, Rules};
use schemars::JsonSchema;
use serde::Serialize;

const PAGE: &str = include_str!("../../../../docs/understand/coherence.md");

/// A row of the table "What the runtime asks for".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reference {
    /// The first column: which calls.
    pub call: String,
    /// The memory without RMCP.
    pub without: String,
    /// The memory with RMCP and no option set.
    pub with: String,
}

/// The row for a call.
pub fn coherence_row(hook: Hook, flags: u32) -> Option<Reference> {
    let begin = match (hook, hook.policy()) {
        (Hook::hipHostRegister, _) => "`hipHostRegister`",
        (Hook::hipMallocHost, _) => NON_COHERENT,
        (_, Policy::host) => host_row(flags),
        (_, Policy::host_alloc | Policy::mem_alloc_host) => "`hipHostAlloc`",
        (_, Policy::managed) => "`hipMallocManaged`",
        (_, Policy::ext_malloc) if flags == DEVICE_FINEGRAINED => "`hipExtMallocWithFlags(Finegrained)`",
        (_, Policy::vram) => "`hipMalloc`",
        _ => return None,
    };
    find_row(begin)
}

const NON_COHERENT: &str = "`hipHostMalloc` with Portable";

fn host_row(flags: u32) -> &'static str {
    let usual = Rules::for_gpu(GfxTarget::new(10, 1, 0), false, &Options::default());
    match policy::host_flags(flags, &usual) {
        Decision::Rewrite { .. } => "`hipHostMalloc` with flags 0",
        Decision::Forward if flags & (HOST_COHERENT | HOST_UNCACHED) != 0 => "`hipHostMalloc` with Coherent",
        Decision::Forward => NON_COHERENT,
    }
}

/// The row whose first column begins so.
fn find_row(begin: &str) -> Option<Reference> {
    let line = PAGE.lines().find(|line| line.strip_prefix("| ").is_some_and(|row| row.starts_with(begin)))?;
    let mut columns = line.trim_matches('|').split('|').map(|column| column.trim().replace(['`', '*'], ""));
    Some(Reference { call: columns.next()?, without: columns.next()?, with: columns.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_row_that_is_quoted() {
        for begin in [
            "`hipHostRegister`",
            NON_COHERENT,
            "`hipHostAlloc`",
            "`hipMallocManaged`",
            "`hipExtMallocWithFlags(Finegrained)`",
            "`hipMalloc`",
            host_row(0),
            host_row(HOST_COHERENT),
        ] {
            assert!(find_row(begin).is_some(), "{begin}");
        }
    }

    #[test]
    fn the_page_and_the_policy_agree_on_what_rmcp_changes() {
        assert_eq!(coherence_row(Hook::hipHostMalloc, 0).unwrap().without, "coherent");
        assert_eq!(coherence_row(Hook::hipHostMalloc, 0).unwrap().with, "non-coherent");
        assert_eq!(coherence_row(Hook::hipHostMalloc, 1).unwrap().without, "non-coherent");
        assert!(coherence_row(Hook::hipHostMalloc, HOST_COHERENT).unwrap().with.starts_with("coherent"));
        assert_eq!(coherence_row(Hook::hipFree, 0), None);
    }
}
