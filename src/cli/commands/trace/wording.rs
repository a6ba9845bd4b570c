//! Calls, flags and errors in words.

use crate::flag_names::FlagNames;
use crate::preparation::Obstacle;
use crate::trace::replay::Choice;
use rmcp_abi::flags::{
    DEVICE_CONTIGUOUS, DEVICE_SIGNAL, DEVICE_UNCACHED, HOST_COHERENT, HOST_MAPPED, HOST_NON_COHERENT, HOST_NUMA_USER,
    HOST_UNCACHED,
};
use rmcp_abi::{Hook, Library, Policy};
use rmcp_domain::trace::{KeepReason, Outcome, Pool};

/// What to say of a program that made no call, and nothing is in the way.
pub const NO_CALLS: &str = "Nothing was allocated through HIP or HSA. If the program does use the GPU: it may have failed \
    before its first allocation (look at what it printed), use another runtime (OpenCL, Vulkan), bring a runtime that is \
    linked statically, reach it by a way past RMCP (docs/reference/coverage.md), or do its work in another process that was \
    running before.";

/// What is missing where a copy of the HIP runtime has no table that leads to RMCP, and what to do.
pub const INCOMPLETE: &str = "calls of functions of HIP that it looked up itself (dlsym, ctypes), and those of libraries loaded \
    with RTLD_DEEPBIND, are not here if there were any. RMCP meets them in the runtime's own table, from ROCm 6 on and unless dispatch_table is \
    off; with RMCP_LOG=debug the program says why the table was not taken.";

/// What keeps RMCP out of a program, and what its user can do.
pub fn obstacle_advice(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Static => {
            "is statically linked, so nothing can be preloaded into it, and the programs that it started made no call \
             either; link it dynamically"
        }
        Obstacle::Musl => {
            "is linked with musl, for which there is no ROCm, and the programs that it started made no call either; use a \
             build for glibc"
        }
        Obstacle::Bits32 => "is a 32-bit program, and ROCm has 64-bit libraries alone",
        Obstacle::Foreign => "is for another processor; trace a program for this one",
        Obstacle::Setuid | Obstacle::Setgid => {
            "runs with the rights of its owner (setuid or setgid), so the loader ignores LD_PRELOAD in it; trace the \
             program that it starts, as in `sudo rmcp trace PROGRAM` in place of `rmcp trace sudo PROGRAM`"
        }
        Obstacle::Capabilities => {
            "has file capabilities, so the loader ignores LD_PRELOAD in it; trace it as root, or a copy of it, which has \
             none"
        }
        Obstacle::Outside => {
            "starts its program without this environment; trace the program that it starts, as in `sudo rmcp trace PROGRAM` \
             in place of `rmcp trace sudo PROGRAM`"
        }
    }
}

/// The name of an error that allocations return. (hip_runtime_api.h, hsa.h)
pub fn error_name(hook: Hook, code: i32) -> Option<&'static str> {
    Some(match (hook.info().library, code) {
        (Library::Hip, 1) => "hipErrorInvalidValue",
        (Library::Hip, 2) => "hipErrorOutOfMemory",
        (Library::Hip, 3) => "hipErrorNotInitialized",
        (Library::Hip, 17) => "hipErrorInvalidDevicePointer",
        (Library::Hip, 100) => "hipErrorNoDevice",
        (Library::Hip, 101) => "hipErrorInvalidDevice",
        (Library::Hip, 302) => "hipErrorSharedObjectSymbolNotFound",
        (Library::Hip, 400) => "hipErrorInvalidHandle",
        (Library::Hip, 712) => "hipErrorHostMemoryAlreadyRegistered",
        (Library::Hip, 713) => "hipErrorHostMemoryNotRegistered",
        (Library::Hip, 801) => "hipErrorNotSupported",
        (Library::Hip, 999) => "hipErrorUnknown",
        (Library::Hsa, 0x1000) => "HSA_STATUS_ERROR",
        (Library::Hsa, 0x1001) => "HSA_STATUS_ERROR_INVALID_ARGUMENT",
        (Library::Hsa, 0x1003) => "HSA_STATUS_ERROR_INVALID_ALLOCATION",
        (Library::Hsa, 0x1008) => "HSA_STATUS_ERROR_OUT_OF_RESOURCES",
        (Library::Hsa, 0x100b) => "HSA_STATUS_ERROR_NOT_INITIALIZED",
        _ => return None,
    })
}

/// What was asked and what was given.
pub fn choice_text(choice: &Choice) -> (String, String) {
    let requested = flags_text(choice.hook, choice.requested, choice.requested_pool);
    // Those are served by hipHostMalloc.
    let server = match choice.hook {
        Hook::hipMemAllocHost if choice.outcome == Outcome::Rewritten => Hook::hipHostMalloc,
        hook => hook,
    };
    let passed = match choice.outcome {
        Outcome::Unchanged | Outcome::Rewritten => flags_text(server, choice.passed, choice.passed_pool),
        Outcome::AdvisedCoarse => format!("{requested}, advised SetCoarseGrain"),
        Outcome::Refused if matches!(choice.hook.policy(), Policy::vram | Policy::ext_malloc) => {
            "refused by vram_fraction".into()
        }
        Outcome::Refused => "refused".into(),
        Outcome::Kept => match KeepReason::unpack(choice.passed) {
            Some(why) => format!("as asked, {}", why.text()),
            None => "as asked".into(),
        },
    };
    (requested, passed)
}

fn flags_text(hook: Hook, value: u64, pool: Option<Pool>) -> String {
    if let Some(pool) = pool {
        return format!("{} pool of the {}", pool_grain(pool), if pool.gpu { "GPU" } else { "CPU" });
    }
    match (hook, u32::try_from(value)) {
        (Hook::hipMemAdvise | Hook::hipMemAdvise_v2, Ok(advice)) => advice_name(advice),
        (_, Ok(flags)) => match FlagNames::for_hook(hook) {
            Some(vocabulary) if hook.info().library == Library::Hip => vocabulary.format(flags),
            _ if flags == 0 => "-".into(),
            _ => format!("{flags:#x}"),
        },
        (_, Err(_)) => format!("{value:#x}"),
    }
}

/// hipMemoryAdvise. (hip_runtime_api.h)
fn advice_name(advice: u32) -> String {
    match advice {
        1 => "SetReadMostly",
        2 => "UnsetReadMostly",
        3 => "SetPreferredLocation",
        4 => "UnsetPreferredLocation",
        5 => "SetAccessedBy",
        6 => "UnsetAccessedBy",
        100 => "SetCoarseGrain",
        101 => "UnsetCoarseGrain",
        other => return other.to_string(),
    }
    .into()
}

fn pool_grain(pool: Pool) -> &'static str {
    match (pool.kernarg, pool.fine) {
        (true, _) => "kernarg",
        (false, true) => "fine-grained",
        (false, false) => "coarse-grained",
    }
}

/// Whether memory is coherent, by what was asked and by what was given. docs/understand/coherence.md says where this is from.
pub fn choice_coherence(choice: &Choice) -> (Option<bool>, Option<bool>) {
    let requested = is_coherent(choice.hook, choice.requested, choice.requested_pool);
    let passed = match (choice.outcome, choice.hook) {
        (Outcome::AdvisedCoarse, _) => Some(false),
        (Outcome::Refused, _) => None,
        (Outcome::Kept, _) => requested,
        (Outcome::Rewritten, Hook::hipMemAllocHost) => is_coherent(Hook::hipHostMalloc, choice.passed, None),
        (_, hook) => is_coherent(hook, choice.passed, choice.passed_pool),
    };
    (requested, passed)
}

fn is_coherent(hook: Hook, value: u64, pool: Option<Pool>) -> Option<bool> {
    let flags = value as u32;
    match hook {
        // Uncached is that from ROCm 7.2 on, and nothing before.
        Hook::hipHostMalloc | Hook::hipHostAlloc if flags & HOST_UNCACHED != 0 => None,
        Hook::hipHostMalloc | Hook::hipHostAlloc => {
            let numa = flags & (HOST_NUMA_USER | HOST_NON_COHERENT) == HOST_NUMA_USER;
            Some(flags == 0 || numa || flags & (HOST_COHERENT | HOST_MAPPED) != 0)
        }
        Hook::hipMemAllocHost | Hook::hipMallocManaged | Hook::hipHostRegister => Some(true),
        Hook::hipMallocHost => Some(false),
        Hook::hipExtMallocWithFlags if flags == DEVICE_SIGNAL => None,
        Hook::hipExtMallocWithFlags => Some(matches!(flags, DEVICE_UNCACHED | DEVICE_CONTIGUOUS)),
        _ => pool.map(|pool| pool.fine),
    }
}
