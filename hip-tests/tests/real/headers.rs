//! The constants, layouts and offsets that RMCP relies on, against each release's own headers.

use object::{Object, ObjectSection, ObjectSymbol};
use rmcp_abi::{HOOKS, Library, flags};
use rmcp_hip_tests::{Release, Stack, compile_only, require};
use std::collections::BTreeMap;

#[test]
fn the_hook_tables_constants_and_layouts_are_those_of_every_releases_headers() {
    macro_rules! values {
        ($($name:ident)*) => { [$((concat!("RMCP_", stringify!($name)).to_owned(), flags::$name.to_string())),*] };
    }
    let mut macros = values!(
        HOST_PORTABLE HOST_MAPPED HOST_WRITE_COMBINED HOST_UNCACHED HOST_NUMA_USER HOST_COHERENT HOST_NON_COHERENT
        DEVICE_DEFAULT DEVICE_FINEGRAINED DEVICE_SIGNAL DEVICE_UNCACHED DEVICE_CONTIGUOUS
        ATTACH_GLOBAL ATTACH_HOST
        EVENT_DISABLE_SYSTEM_FENCE EVENT_RELEASE_TO_DEVICE EVENT_RELEASE_TO_SYSTEM
        ADVISE_SET_COARSE_GRAIN
    )
    .to_vec();
    macros.push(("RMCP_HIP_MISSING".into(), Library::Hip.missing_symbol_error().to_string()));
    macros.push(("RMCP_HSA_MISSING".into(), Library::Hsa.missing_symbol_error().to_string()));
    for capability in flags::MANAGED_CAPABILITIES {
        let name = capability.name;
        macros.push((format!("RMCP_ATTRIBUTE_{name}"), capability.attribute.to_string()));
        macros.push((format!("RMCP_R0000_{name}"), capability.r0000.to_string()));
        macros.push((format!("RMCP_R0600_{name}"), capability.r0600.to_string()));
    }
    for release in Release::ALL {
        let Some(stack) = require("a ROCm stack", Stack::fetch(release)) else { return };
        let offsets = table_offsets(&stack).into_iter().filter_map(|(name, offset)| Some((name, offset?)));
        let offsets: String = offsets.map(|(name, offset)| format!("F({name}, {offset}) ")).collect();
        let macros = [macros.as_slice(), &[("RMCP_IN_TABLE(F)".into(), offsets)]].concat();
        require("a C++ compiler", compile_only(&stack, "layouts.cpp", &macros));
    }
}

#[test]
fn from_6_on_the_code_of_every_hooked_export_says_where_the_table_has_its_function() {
    for release in Release::ALL {
        let Some(stack) = require("a ROCm stack", Stack::fetch(release)) else { return };
        let offsets = table_offsets(&stack);
        assert!(offsets.len() > 40, "{offsets:?} on {release}");
        for (name, offset) in &offsets {
            // For programs that were built before 6.0: past the table.
            let expected = release >= Release::Rocm643 && *name != "hipGetDeviceProperties";
            assert_eq!(offset.is_some(), expected, "{name} on {release}");
        }
        let distinct: BTreeMap<_, _> =
            offsets.iter().filter_map(|(name, offset)| Some((offset.as_ref()?, name))).collect();
        assert_eq!(distinct.len(), offsets.values().flatten().count(), "{release}");
    }
}

/// The hooked functions that libamdhip64 exports, each with the offset that its code has.
fn table_offsets(stack: &Stack) -> BTreeMap<&'static str, Option<u32>> {
    let bytes = std::fs::read(stack.find_library("libamdhip64").unwrap()).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let code = file.section_by_name(".text").unwrap();
    let exports = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
    let hooked = exports.filter_map(|symbol| {
        let hook = HOOKS.iter().find(|hook| hook.library == Library::Hip && Ok(hook.name) == symbol.name())?;
        let code = code.data_range(symbol.address(), symbol.size()).unwrap();
        Some((hook.name, table_offset(code.unwrap_or_else(|| panic!("{} outside .text", hook.name)))))
    });
    hooked.collect()
}

/// The offset in `mov offset(%rax),%rax`, if this is the code of a function that then does nothing but `jmp *%rax`.
fn table_offset(code: &[u8]) -> Option<u32> {
    let code = code.strip_suffix(&[0xff, 0xe0])?;
    (0..code.len()).find_map(|at| match code[at..] {
        [0x48, 0x8b, 0x80, a, b, c, d, ..] => Some(u32::from_le_bytes([a, b, c, d])),
        [0x48, 0x8b, 0x40, offset, ..] => Some(offset.into()),
        _ => None,
    })
}
