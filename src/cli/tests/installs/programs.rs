//! The libraries of real ELF programs, found as the dynamic loader finds them.

use crate::machine::Files;
use rmcp_cli::installs::{Program, ProgramError};
use std::path::Path;

fn read(files: &Files, path: &Path) -> Program {
    Program::read(path, &files.machine()).unwrap()
}

fn found(files: &Files, program: &Program) -> Vec<String> {
    let shown = |path: &Option<std::path::PathBuf>| path.as_ref().map_or("-".into(), |path| files.shown(path));
    program.libraries.iter().map(|library| format!("{} {}", library.name, shown(&library.path))).collect()
}

#[test]
fn libraries_are_found_through_libraries_with_origin_and_the_default_folders() {
    let files = Files::new();
    let program = files.elf("/opt/app/bin/app", &["libone.so.1", "libmissing.so.1"], &["-Wl,-rpath,$ORIGIN/../lib"]);
    files.elf("/opt/app/lib/libone.so.1", &["libamdhip64.so.6"], &[]);
    files.elf("/usr/lib64/libamdhip64.so.6", &[], &[]);
    let program = read(&files, &program);
    assert_eq!(
        found(&files, &program),
        ["libone.so.1 /opt/app/lib/libone.so.1", "libmissing.so.1 -", "libamdhip64.so.6 /usr/lib64/libamdhip64.so.6"]
    );
    assert_eq!(program.missing().collect::<Vec<_>>(), ["libmissing.so.1"]);
    assert!(!program.calls_hip);
    assert_eq!(program.code_files(&files.machine()), [files.path("/opt/app/lib/libone.so.1")]);
}

#[test]
fn a_runpath_serves_its_own_libraries_alone_and_an_rpath_those_of_its_libraries_too() {
    for (tags, path) in
        [("--enable-new-dtags", "/usr/lib64/libtwo.so"), ("--disable-new-dtags", "/opt/app/lib/libtwo.so")]
    {
        let files = Files::new();
        let tags = format!("-Wl,{tags},-rpath,$ORIGIN/../lib");
        let program = files.elf("/opt/app/bin/app", &["libone.so"], &[&tags]);
        files.elf("/opt/app/lib/libone.so", &["libtwo.so"], &[]);
        files.elf("/opt/app/lib/libtwo.so", &[], &[]);
        files.elf("/usr/lib64/libtwo.so", &[], &[]);
        assert_eq!(found(&files, &read(&files, &program))[1], format!("libtwo.so {path}"), "{tags}");
    }
}

#[test]
fn a_runpath_of_a_library_switches_off_the_rpath_that_it_inherits() {
    let files = Files::new();
    let program = files.elf("/opt/app/bin/app", &["libone.so"], &["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib"]);
    files.elf("/opt/app/lib/libone.so", &["libtwo.so"], &["-Wl,--enable-new-dtags,-rpath,/nothing"]);
    files.elf("/opt/app/lib/libtwo.so", &[], &[]);
    files.elf("/usr/lib64/libtwo.so", &[], &[]);
    assert_eq!(found(&files, &read(&files, &program))[1], "libtwo.so /usr/lib64/libtwo.so");
}

#[test]
fn a_runpath_of_hundreds_of_folders_is_read_to_its_end() {
    let files = Files::new();
    let folders: Vec<String> = (0..400).map(|number| format!("$ORIGIN/../../python3.{number}/lib")).collect();
    let runpath = format!("-Wl,--enable-new-dtags,-rpath,{}:$ORIGIN/rocm", folders.join(":"));
    assert!(runpath.len() > 8192);
    let plugin = files.elf("/venv/xla_rocm_plugin.so", &["libamdhip64.so.7"], &[&runpath]);
    files.elf("/venv/rocm/libamdhip64.so.7", &[], &[]);
    assert_eq!(read(&files, &plugin).missing().count(), 0);
}

#[test]
fn ld_library_path_comes_before_the_runpath_and_ld_so_conf_before_the_default_folders() {
    let mut files = Files::new();
    let program = files.elf("/opt/app/app", &["libamdhip64.so.6"], &["-Wl,--enable-new-dtags,-rpath,$ORIGIN"]);
    let places = ["/home/me/lib", "/opt/app", "/opt/rocm/lib", "/usr/lib"];
    for place in places {
        files.elf(&format!("{place}/libamdhip64.so.6"), &[], &[]);
    }
    files.write("/etc/ld.so.conf", "# ROCm\ninclude /etc/ld.so.conf.d/*.conf\n");
    files.write("/etc/ld.so.conf.d/rocm.conf", "/opt/rocm/lib\n");
    files.write("/etc/ld.so.conf.d/rocm.conf.bak", "/nowhere\n");
    files.set("LD_LIBRARY_PATH", "/nothing:/home/me/lib");
    for place in places {
        let hip = files.path(place).join("libamdhip64.so.6");
        assert_eq!(read(&files, &program).runtime().unwrap().hip, hip);
        std::fs::remove_file(hip).unwrap();
    }
    assert_eq!(read(&files, &program).runtime(), None);
}

#[test]
fn a_configuration_of_the_loader_that_includes_itself_ends() {
    let files = Files::new();
    let program = files.elf("/app", &["libone.so"], &[]);
    files.write("/etc/ld.so.conf", "include /etc/ld.so.con*\ninclude /etc/ld.so.conf\n");
    assert_eq!(found(&files, &read(&files, &program)), ["libone.so -"]);
}

#[test]
fn libraries_that_need_each_other_are_listed_once() {
    let files = Files::new();
    let program = files.elf("/app", &["libone.so"], &[]);
    files.elf("/usr/lib/libone.so", &["libtwo.so"], &[]);
    files.elf("/usr/lib/libtwo.so", &["libone.so"], &[]);
    assert_eq!(
        found(&files, &read(&files, &program)),
        ["libone.so /usr/lib/libone.so", "libtwo.so /usr/lib/libtwo.so"]
    );
}

#[test]
fn llama_cpps_backend_is_found_beside_the_program_and_in_debians_folder() {
    let files = Files::new();
    let beside = files.elf("/opt/llama/llama-cli", &["libggml.so"], &["-Wl,-rpath,$ORIGIN"]);
    files.elf("/opt/llama/libggml.so", &[], &[]);
    files.elf("/opt/llama/libggml-hip.so", &["libamdhip64.so.6", "librocblas.so.4"], &["-Wl,-rpath,$ORIGIN"]);
    files.elf("/opt/llama/librocblas.so.4", &["libamdhip64.so.6"], &[]);
    files.write("/opt/llama/rocblas/library/TensileLibrary_lazy_gfx1030.dat", "");
    let program = read(&files, &beside);
    assert_eq!(program.plugins, [files.path("/opt/llama/libggml-hip.so")]);
    assert_eq!(
        program.code_files(&files.machine()),
        ["/opt/llama/libggml-hip.so", "/opt/llama/librocblas.so.4", "/opt/llama/rocblas/library"]
            .map(|path| files.path(path))
    );

    let debian = files.elf("/usr/bin/llama-cli", &["libggml.so.0"], &[]);
    files.elf("/usr/lib/x86_64-linux-gnu/libggml.so.0", &[], &[]);
    let backend = files.elf("/usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-hip.so", &["libamdhip64.so.6"], &[]);
    assert_eq!(read(&files, &debian).plugins, [backend]);
}

#[test]
fn ollamas_backends_are_found_in_its_library_folder() {
    let files = Files::new();
    let ollama = files.elf("/usr/local/bin/ollama", &[], &[]);
    let backend =
        files.elf("/usr/local/lib/ollama/rocm/libggml-hip.so", &["libamdhip64.so.6"], &["-Wl,-rpath,$ORIGIN"]);
    files.elf("/usr/local/lib/ollama/rocm/libamdhip64.so.6", &[], &[]);
    let program = read(&files, &ollama);
    assert_eq!(program.plugins, [backend]);
    assert_eq!(files.shown(&program.runtime().unwrap().hip), "/usr/local/lib/ollama/rocm/libamdhip64.so.6");
}

#[test]
fn a_chosen_folder_of_kernels_is_taken() {
    let mut files = Files::new();
    let program = files.elf("/opt/app", &["librocblas.so.4"], &[]);
    files.elf("/usr/lib/librocblas.so.4", &[], &[]);
    files.write("/home/me/kernels/TensileLibrary_lazy_gfx1010.dat", "");
    files.set("ROCBLAS_TENSILE_LIBPATH", "/home/me/kernels");
    assert_eq!(read(&files, &program).code_files(&files.machine()), [files.path("/home/me/kernels")]);
}

#[test]
fn what_is_no_64_bit_elf_program_is_said() {
    let files = Files::new();
    let script = files.write("/script", "#!/bin/sh\n");
    assert!(matches!(Program::read(&script, &files.machine()), Err(ProgramError::NotElf(_))));
    let missing = Program::read(&files.path("/missing"), &files.machine()).unwrap_err();
    assert!(missing.to_string().contains("missing cannot be read"), "{missing}");
    let mut small = std::fs::read(files.elf("/small", &[], &[])).unwrap();
    small[4] = 1;
    std::fs::write(files.path("/small"), &small).unwrap();
    assert!(matches!(Program::read(&files.path("/small"), &files.machine()), Err(ProgramError::NotElf(_))));
}

#[test]
fn a_program_with_a_loader_is_dynamic_and_this_test_is_one() {
    let files = Files::new();
    let this = Program::read(&std::env::current_exe().unwrap(), &rmcp_cli::installs::Machine::local()).unwrap();
    assert!(this.dynamic);
    assert!(this.libraries.iter().any(|library| library.name == "libc.so.6" && library.path.is_some()));
    assert!(!read(&files, &files.elf("/library.so", &[], &[])).dynamic);
}

/// Bytes changed at random, with a fixed seed.
#[test]
fn no_mutation_of_a_program_makes_its_reader_panic() {
    let files = Files::new();
    let path = files.elf("/app", &["libone.so", "libtwo.so"], &["-Wl,-rpath,$ORIGIN/lib"]);
    let sound = std::fs::read(&path).unwrap();
    let mut random = 0x9e37_79b9_u64;
    let mut next = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % limit
    };
    let mut broken = 0;
    for _ in 0..2_000 {
        let mut bytes = sound.clone();
        for _ in 0..=next(4) {
            let at = if next(2) == 0 { next(1024.min(bytes.len())) } else { next(bytes.len()) };
            bytes[at] = [0, 0xff, 0x7f, 0x80, next(256) as u8][next(5)];
        }
        bytes.truncate(if next(8) == 0 { next(sound.len()) } else { sound.len() });
        std::fs::write(&path, &bytes).unwrap();
        broken += u32::from(Program::read(&path, &files.machine()).is_err());
    }
    assert!(broken > 100, "{broken}");
}
