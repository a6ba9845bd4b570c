//! A request of each hook that a rule may change, as the words of `clients/words.h`.

use rmcp_abi::{HOOKS, HookInfo, Policy};

/// `hipHostMalloc=p,0x1000,0 ...`, for programs that take every hook on their command line.
pub fn all() -> String {
    HOOKS.iter().map(request).collect::<Vec<_>>().join(" ")
}

fn request(hook: &HookInfo) -> String {
    let flags = match hook.policy {
        Policy::managed | Policy::ext_malloc => "1",
        Policy::event_create => "0x20000000",
        _ => "0",
    };
    let word = |(name, ty): (&str, &'static str)| match (name, ty.trim_start().as_bytes()[0]) {
        (_, b'*') => "p",
        _ if ty == "HipExtent" => "e",
        ("size" | "width" | "height", _) => "0x1000",
        ("flags", _) => flags,
        // The driver's fine-grained one.
        ("pool", _) => "0x12",
        _ => "0",
    };
    format!("{}={}", hook.name, hook.parameters().map(word).collect::<Vec<_>>().join(","))
}
