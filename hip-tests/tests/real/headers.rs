//! The constants and layouts that RMCP relies on, against each release's own headers.

use rmcp_abi::{Library, dispatch_table, flags};
use rmcp_hip_tests::{Release, Stack, compile_only, require};

#[test]
fn the_hook_tables_constants_and_layouts_are_those_of_every_releases_headers() {
    macro_rules! values {
        ($($name:ident)*) => { [$((concat!("RMCP_", stringify!($name)).to_owned(), i64::from(flags::$name))),*] };
    }
    let mut macros = values!(
        HOST_PORTABLE HOST_MAPPED HOST_WRITE_COMBINED HOST_UNCACHED HOST_NUMA_USER HOST_COHERENT HOST_NON_COHERENT
        DEVICE_DEFAULT DEVICE_FINEGRAINED DEVICE_SIGNAL DEVICE_UNCACHED DEVICE_CONTIGUOUS
        ATTACH_GLOBAL ATTACH_HOST
        EVENT_DISABLE_SYSTEM_FENCE EVENT_RELEASE_TO_DEVICE EVENT_RELEASE_TO_SYSTEM
        ADVISE_SET_COARSE_GRAIN
    )
    .to_vec();
    macros.push(("RMCP_HIP_MISSING".into(), Library::Hip.missing_symbol_error().into()));
    macros.push(("RMCP_HSA_MISSING".into(), Library::Hsa.missing_symbol_error().into()));
    for capability in flags::MANAGED_CAPABILITIES {
        let name = capability.name;
        macros.push((format!("RMCP_ATTRIBUTE_{name}"), capability.attribute.into()));
        macros.push((format!("RMCP_R0000_{name}"), capability.r0000 as i64));
        macros.push((format!("RMCP_R0600_{name}"), capability.r0600 as i64));
    }
    macros.push(("RMCP_IN_TABLE".into(), dispatch_table::OFFSETS.len() as i64));
    for (hook, offset) in dispatch_table::OFFSETS {
        macros.push((format!("RMCP_IN_TABLE_{}", hook.info().name), offset as i64));
    }
    for release in Release::ALL {
        let Some(stack) = require("a ROCm stack", Stack::fetch(release)) else { return };
        require("a C++ compiler", compile_only(&stack, "layouts.cpp", &macros));
    }
}
