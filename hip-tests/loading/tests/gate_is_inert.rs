//! What makes librmcp.so fit to be loaded into every process: it exports what it must, needs the C library, runs nothing.
//!
//! That a setuid program is left alone, and that the core waits for the first call, `load_modes` shows.
#![forbid(unsafe_code)]

use object::elf::{
    DF_1_NODELETE, DF_1_NOW, DF_BIND_NOW, DT_FINI, DT_FINI_ARRAY, DT_FLAGS, DT_FLAGS_1, DT_INIT, DT_INIT_ARRAY,
    DT_NEEDED, DT_PREINIT_ARRAY, DT_SONAME, DT_TEXTREL, DT_VERDEF, FileHeader64, PF_X, PT_DYNAMIC, PT_GNU_RELRO,
    PT_GNU_STACK, PT_INTERP, PT_TLS,
};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol};
use rmcp_hip_tests::{Build, Stubs};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// A loaded file.
struct Library(Vec<u8>);

impl Library {
    fn gate() -> Library {
        Library(std::fs::read(Build::find().unwrap().gate()).unwrap())
    }

    fn core() -> Library {
        Library(std::fs::read(Build::find().unwrap().core()).unwrap())
    }

    fn elf(&self) -> ElfFile64<'_> {
        ElfFile64::parse(self.0.as_slice()).unwrap()
    }

    /// The type and the flags of each segment.
    fn segments(&self) -> Vec<(u32, u32)> {
        let elf = self.elf();
        let endian = elf.endian();
        elf.elf_program_headers().iter().map(|header| (header.p_type(endian), header.p_flags(endian))).collect()
    }

    /// The values of the dynamic section's entries with this tag.
    fn dynamic(&self, tag: u32) -> Vec<u64> {
        let elf = self.elf();
        let endian = elf.endian();
        let dynamic = elf.elf_program_headers().iter().find(|header| header.p_type(endian) == PT_DYNAMIC).unwrap();
        let entries = dynamic.dynamic(endian, self.0.as_slice()).unwrap().unwrap();
        entries.iter().filter(|entry| entry.tag32(endian) == Some(tag)).map(|entry| entry.d_val(endian)).collect()
    }

    fn needed(&self) -> BTreeSet<String> {
        let header = FileHeader64::<Endianness>::parse(self.0.as_slice()).unwrap();
        let endian = header.endian().unwrap();
        let sections = header.sections(endian, self.0.as_slice()).unwrap();
        let (_, index) = sections.dynamic(endian, self.0.as_slice()).unwrap().unwrap();
        let strings = sections.strings(endian, self.0.as_slice(), index).unwrap();
        let name = |offset: u64| strings.get(u32::try_from(offset).unwrap()).unwrap();
        self.dynamic(DT_NEEDED).into_iter().map(|offset| String::from_utf8_lossy(name(offset)).into_owned()).collect()
    }

    fn exports(&self) -> BTreeSet<String> {
        let elf = self.elf();
        let defined = elf.dynamic_symbols().filter(|symbol| symbol.is_definition());
        defined.map(|symbol| symbol.name().unwrap().to_owned()).collect()
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

macro_rules! api_names {
    ($( $name:ident; )*) => { [$(stringify!($name)),*] };
}

#[test]
fn the_gate_exports_the_hook_table_the_c_interface_and_what_other_gates_look_for() {
    let api = rmcp_abi::api!(api_names);
    let table = rmcp_abi::HOOKS.iter().map(|hook| hook.name);
    let expected = table.chain(api).chain(["rmcp_next"]).collect::<Vec<_>>();
    assert_eq!(Library::gate().exports(), names(&expected));
}

#[test]
fn the_calls_of_an_allocation_pass_one_page_of_the_gate() {
    let gate = Library::gate();
    let hot = names(&["hipMalloc", "hipFree", "hsa_amd_memory_pool_allocate", "hsa_amd_memory_pool_free"]);
    let elf = gate.elf();
    let exports: Vec<_> = elf.dynamic_symbols().filter(|symbol| hot.contains(symbol.name().unwrap())).collect();
    assert_eq!(exports.len(), hot.len());
    let pages: BTreeSet<_> = exports.iter().map(|symbol| symbol.address() / 4096).collect();
    assert_eq!(pages.len(), 1, "pages: {pages:x?}");
}

#[test]
fn the_core_exports_its_one_function_and_what_the_runtimes_look_for_in_a_tool() {
    let expected = ["rmcp_core_bind", "HSA_AMD_TOOL_PRIORITY", "OnLoad", "OnUnload"];
    assert_eq!(Library::core().exports(), names(&expected));
}

#[test]
fn the_gate_needs_libc_alone() {
    assert_eq!(Library::gate().needed(), names(&["libc.so.6"]));
}

#[test]
fn the_core_needs_what_every_rust_program_does() {
    let usual = [
        "libc.so.6",
        "libgcc_s.so.1",
        "ld-linux-x86-64.so.2",
        "libdl.so.2",
        "libpthread.so.0",
        "libm.so.6",
        "librt.so.1",
    ];
    let unusual: Vec<_> = Library::core().needed().difference(&names(&usual)).cloned().collect();
    assert_eq!(unusual, Vec::<String>::new());
}

#[test]
fn loading_the_gate_runs_no_code_of_it() {
    let gate = Library::gate();
    for tag in [DT_INIT, DT_INIT_ARRAY, DT_PREINIT_ARRAY, DT_FINI, DT_FINI_ARRAY] {
        assert!(gate.dynamic(tag).is_empty(), "dynamic tag {tag}");
    }
}

#[test]
fn the_gate_has_no_thread_local_storage_and_no_program_interpreter() {
    for unwanted in [PT_TLS, PT_INTERP] {
        assert!(Library::gate().segments().iter().all(|&(kind, _)| kind != unwanted), "segment type {unwanted}");
    }
}

/// None of it is RMCP's own, and no call touches it: the bytes are the standard library's for panics.
#[test]
fn the_core_has_no_more_thread_local_storage_than_its_libraries_bring() {
    let core = Library::core();
    let elf = core.elf();
    let endian = elf.endian();
    let sizes = elf.elf_program_headers().iter().filter(|header| header.p_type(endian) == PT_TLS);
    assert!(sizes.map(|header| header.p_memsz(endian)).sum::<u64>() <= 80);
}

#[test]
fn the_gate_is_hardened_and_stays_loaded() {
    let gate = Library::gate();
    assert!(gate.dynamic(DT_FLAGS).iter().any(|flags| flags & u64::from(DF_BIND_NOW) != 0), "BIND_NOW");
    let flags = gate.dynamic(DT_FLAGS_1).into_iter().fold(0, |all, flags| all | flags);
    for (flag, name) in [(DF_1_NOW, "NOW"), (DF_1_NODELETE, "NODELETE")] {
        assert!(flags & u64::from(flag) != 0, "{name}");
    }
    assert!(gate.dynamic(DT_TEXTREL).is_empty());
    assert!(gate.segments().iter().any(|&(kind, _)| kind == PT_GNU_RELRO), "RELRO");
    let stack: Vec<_> = gate.segments().into_iter().filter(|&(kind, _)| kind == PT_GNU_STACK).collect();
    assert!(matches!(stack.as_slice(), [(_, flags)] if flags & PF_X == 0), "stack {stack:?}");
}

#[test]
fn the_gate_defines_no_symbol_version_and_bears_no_name_of_a_driver() {
    let gate = Library::gate();
    assert!(gate.dynamic(DT_VERDEF).is_empty());
    assert!(gate.dynamic(DT_SONAME).is_empty());
}

/// The names of the system calls of /bin/true with this library preloaded.
fn system_calls(library: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&trace).arg("-E").arg(format!("LD_PRELOAD={}", library.display()));
    let output = strace.arg("/bin/true").env_clear().stdin(Stdio::null()).output().expect("start strace");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&trace).unwrap();
    // `1234 openat(AT_FDCWD, ...) = 3`
    text.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim().split_once('(')?.0.to_owned())).collect()
}

#[test]
fn loading_the_gate_makes_the_system_calls_of_an_empty_library() {
    let with_the_gate = system_calls(&Build::find().unwrap().gate());
    assert!(with_the_gate.iter().any(|call| call == "openat"), "{with_the_gate:?}");
    assert_eq!(with_the_gate, system_calls(&Stubs::get().empty()));
}
