//! The gate's link line: an object that needs libc.so.6 alone and runs nothing when it is loaded.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in [
        // No crt files, so no init or fini array; no libgcc_s.
        "-nostartfiles",
        "-nodefaultlibs",
        "-lc",
        "-Wl,-z,relro",
        "-Wl,-z,now",
        "-Wl,-z,noexecstack",
        // Bound functions point into the gate: it must never be unmapped.
        "-Wl,-z,nodelete",
        // An undefined symbol would end every process under BIND_NOW; refuse it here instead.
        "-Wl,-z,defs",
    ] {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}
