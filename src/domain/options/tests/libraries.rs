//! Options for the calls of one library, and the user's wish in ROCm's own words.

use super::*;

const RCCL: &str = "/opt/rocm/lib/librccl.so.1";
const LLAMA: &str = "/usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-hip.so";
const TORCH: &str = "/venv/lib/python3.11/site-packages/torch/lib/libtorch_hip.so";
const OTHER: &str = "/usr/lib/libother.so.2";

/// What a library's calls get: the two options that matter most, and why they are not the program's.
fn host(case: &Case, path: &str) -> (Host, Managed, Option<String>) {
    let CallerOptions { options, exception } = case.load().caller_options(path, || None);
    (options.host, options.managed, exception.map(|why| why.to_string()))
}

fn on_the_list() -> Case {
    let mut case = Case::new();
    case.sources.system = true;
    case
}

#[test]
fn a_library_that_needs_coherent_memory_keeps_all_that_it_allocates() {
    let case = Case::new()
        .file("host = 'force'\ndevice_finegrained = 'auto'\ndevice_uncached = 'default'\nhsa_pool = 'coarse'")
        .env("RMCP_HOST", "noncoherent");
    let CallerOptions { options, exception } = case.load().caller_options(RCCL, || panic!("not asked"));
    let kept = Options {
        host: Host::Keep,
        managed: Managed::Keep,
        device_finegrained: DeviceFinegrained::Keep,
        device_uncached: DeviceUncached::Keep,
        hsa_pool: HsaPool::Keep,
        ..case.options()
    };
    assert_eq!(options, kept);
    assert_eq!(exception.unwrap().to_string(), "RCCL needs coherent memory");
    assert_eq!(host(&case, OTHER), (Host::Noncoherent, Managed::Coarse, None));
}

#[test]
fn a_library_that_needs_coherent_mapped_memory_keeps_that_alone() {
    let (kept, managed, why) = host(&Case::new(), LLAMA);
    assert_eq!((kept, managed), (Host::Unmapped, Managed::Coarse));
    assert_eq!(why.unwrap(), "llama.cpp needs coherent mapped memory");
    assert_eq!(host(&Case::new().file("host = 'force'"), LLAMA).0, Host::Unmapped);
    assert_eq!(host(&Case::new().file("host = 'keep'"), LLAMA), (Host::Keep, Managed::Coarse, None));
}

#[test]
fn a_section_of_a_library_is_for_its_calls_alone_and_stronger_than_the_environment() {
    let case = Case::new().file("\n[library.libother]\nhost = 'keep'").env("RMCP_HOST", "force");
    let (kept, managed, why) = host(&case, OTHER);
    assert_eq!((kept, managed), (Host::Keep, Managed::Coarse));
    assert!(why.unwrap().ends_with("0.toml:2)"));
    assert_eq!(host(&case, TORCH), (Host::Force, Managed::Coarse, None));
    assert_eq!(case.options().host, Host::Force);
}

#[test]
fn a_section_overrides_what_is_known_of_a_library() {
    let case = Case::new().file("[library.librccl]\nhost = 'noncoherent'");
    assert_eq!(host(&case, RCCL).0, Host::Noncoherent);
    assert_eq!(host(&case, RCCL).1, Managed::Keep, "of which the section says nothing");
}

#[test]
fn the_section_of_a_whole_name_is_stronger_than_a_pattern_and_that_of_a_later_file_than_both() {
    let case = Case::new().file("[library.libother]\nhost = 'keep'\n[library.'lib*']\nhost = 'force'");
    assert_eq!(host(&case, OTHER).0, Host::Keep);
    assert_eq!(host(&case, LLAMA).0, Host::Force);
    assert_eq!(host(&case.file("[library.'lib*r']\nhost = 'noncoherent'"), OTHER).0, Host::Noncoherent);
}

#[test]
fn a_library_that_uses_stream_memory_operations_keeps_its_memory() {
    let using = |case: &Case, path| {
        let CallerOptions { options, exception } = case.load().caller_options(path, || Some(Linkage::StreamMemory));
        (options.host, options.managed, exception.is_some())
    };
    assert_eq!(using(&Case::new(), OTHER), (Host::Keep, Managed::Keep, true));
    assert_eq!(using(&Case::new(), TORCH), (Host::Noncoherent, Managed::Coarse, false), "known to be right with it");
    let section = Case::new().file("[library.libother]\nhost = 'noncoherent'\nmanaged = 'coarse'");
    assert_eq!(using(&section, OTHER), (Host::Noncoherent, Managed::Coarse, false));
    assert_eq!(using(&Case::new().file("host = 'keep'\nmanaged = 'keep'"), OTHER), (Host::Keep, Managed::Keep, false));
}

#[test]
fn in_every_process_of_the_machine_memory_changes_for_known_libraries_alone() {
    let kept = (Host::Keep, Managed::Keep);
    let two = |case: &Case, path| (host(case, path).0, host(case, path).1);
    for path in [OTHER, "", RCCL] {
        assert_eq!(two(&on_the_list(), path), kept, "{path}");
    }
    assert_eq!(host(&on_the_list(), TORCH), (Host::Noncoherent, Managed::Coarse, None));
    assert_eq!(two(&on_the_list(), LLAMA), (Host::Unmapped, Managed::Coarse));
    let why = host(&on_the_list(), OTHER).2.unwrap();
    assert!(why.contains("[system] callers=known"), "{why}");
    // The environment of a machine chooses no program.
    assert_eq!(two(&on_the_list().env("RMCP_HOST", "noncoherent"), OTHER), kept);
    let section = on_the_list().file("[library.libother]\nhost = 'noncoherent'");
    assert_eq!(two(&section, OTHER), (Host::Noncoherent, Managed::Keep));
}

#[test]
fn whoever_names_the_program_has_chosen_it_and_one_option_turns_that_round() {
    let changed = (Host::Noncoherent, Managed::Coarse, None);
    for text in [
        "[system]\nonly = ['python3']",
        "[program.python3]\nlog = 'info'",
        "[program.'/usr/bin/python3.11']",
        "[system]\ncallers = 'all'",
    ] {
        let case = on_the_list().file(text);
        assert!(!case.load().known_callers_only(), "{text}");
        assert_eq!(host(&case, OTHER), changed, "{text}");
        assert_eq!(host(&case, RCCL).0, Host::Keep, "{text}");
    }
    for text in ["[system]\nonly = []", "[program.other]\nlog = 'info'", "[system]\ncallers = 'known'"] {
        assert!(on_the_list().file(text).load().known_callers_only(), "{text}");
    }
    assert_eq!(host(&Case::new(), OTHER), changed, "LD_PRELOAD is a choice");
}

#[test]
fn hip_host_coherent_is_a_wish_for_coherent_memory_unless_rmcps_option_is_set_as_well() {
    for value in ["1", "2", " 1", "-1", "1x", "+01"] {
        let case = Case::new().env("HIP_HOST_COHERENT", value);
        assert_eq!(case.options().host, Host::Keep, "{value:?}");
        assert_eq!(case.load().origin("host").unwrap().to_string(), "environment variable HIP_HOST_COHERENT");
        assert_eq!(case.options().managed, Managed::Coarse);
        assert_eq!(case.file("host = 'noncoherent'").options().host, Host::Noncoherent, "{value:?}");
    }
    for value in ["0", "", "yes", "0x1", "-0", "x1", "-"] {
        assert_eq!(Case::new().env("HIP_HOST_COHERENT", value).options().host, Host::Noncoherent, "{value:?}");
    }
    let both = Case::new().env("HIP_HOST_COHERENT", "1").env("RMCP_HOST", "noncoherent");
    assert_eq!(both.options().host, Host::Noncoherent);
}

#[test]
fn a_runtime_that_is_told_to_cache_nothing_gets_what_was_asked_for() {
    for value in ["1", "", "00", "no"] {
        let options = Case::new().env("HSA_DISABLE_CACHE", value).options();
        assert_eq!((options.host, options.managed), (Host::Keep, Managed::Keep), "{value:?}");
    }
    assert_eq!(Case::new().env("HSA_DISABLE_CACHE", "0").options(), Options::default());
    let set = Case::new().env("HSA_DISABLE_CACHE", "1").env("RMCP_MANAGED", "coarse").options();
    assert_eq!((set.host, set.managed), (Host::Keep, Managed::Coarse));
}

#[test]
fn a_section_of_a_library_takes_what_is_decided_call_by_call() {
    let case = Case::new().file("[library.libx]\nlog = 'info'\nhots = 1\nonly = ['a']\nhost = 'kep'\n[library]\nx = 1");
    assert!(case.complaints()[0].starts_with("0.toml:"), "{:#?}", case.complaints());
    let case = Case::new().file("library.x = 1\n[library.libx]\nlog = 'info'\nhots = 1\nonly = ['a']\nhost = 'kep'\n");
    let mut complaints = case.complaints();
    complaints.sort();
    assert_eq!(complaints.len(), 5, "{complaints:#?}");
    for (line, text) in [
        "0.toml:1: library.\"x\" is no section; write [library.\"x\"]",
        "0.toml:3: log holds for a whole program; a section [library] takes host, managed, device_finegrained,",
        "0.toml:4: there is no option \"hots\" (did you mean host?)",
        "0.toml:5: only stands in the section [system] of a file alone",
        "0.toml:6: host takes keep, noncoherent, unmapped, force, not \"kep\"",
    ]
    .iter()
    .enumerate()
    {
        assert!(complaints[line].starts_with(text), "{complaints:#?}");
    }
}
