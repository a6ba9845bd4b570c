//! What keeps a program from starting, or from computing right: packages, the kernel, the C library.

use super::*;
use crate::recipes::table::Range;
use crate::save_area::Assessment;
use rmcp_domain::options::{Options, SaveArea};

impl Situation {
    fn package(mut self, name: &str, version: &str) -> Self {
        self.program.packages.insert(name.into(), version.into());
        self
    }

    fn linux(mut self, release: &str, waves: u32) -> Self {
        self.save_area = Assessment::with_waves(&self.topology, &Options::default(), release.parse().ok(), waves);
        self
    }

    fn first_text(&self) -> String {
        Plan::new(self).notes[0].sentence()
    }
}

fn torch(target: &str, rocm: &str) -> Situation {
    machine(&[target]).framework("pytorch", "2.9").rocm(rocm)
}

#[test]
fn triton_gets_no_buffer_operations_and_other_caches_on_rdna1() {
    let card = |target: &str, package| torch(target, "6.4").package(package, "3.4.0").set("HOME", "/home/ada");
    for package in ["triton", "pytorch_triton_rocm"] {
        let changes = card("gfx1010", package).changes();
        let expected = [
            "AMDGCN_USE_BUFFER_OPS=0",
            "TORCHINDUCTOR_CACHE_DIR=/home/ada/.cache/rmcp/inductor-without-buffer-operations",
            "TRITON_CACHE_DIR=/home/ada/.cache/rmcp/triton-without-buffer-operations",
        ];
        assert_eq!(changes, expected);
    }
    assert_eq!(card("gfx1030", "triton").changes(), [""; 0], "RDNA2 has no such report");
    assert_eq!(card("gfx1010", "tritonclient").changes(), [""; 0], "another package");
    // Whoever chose has caches of his own.
    assert_eq!(card("gfx1010", "triton").set("AMDGCN_USE_BUFFER_OPS", "1").changes(), [""; 0]);
    let own = card("gfx1010", "triton").set("TRITON_CACHE_DIR", "/fresh").set("XDG_CACHE_HOME", "/cache").changes();
    let inductor = "TORCHINDUCTOR_CACHE_DIR=/cache/rmcp/inductor-without-buffer-operations";
    assert_eq!(own, ["AMDGCN_USE_BUFFER_OPS=0", inductor]);
}

#[test]
fn bitsandbytes_is_told_where_it_finds_no_library_or_one_without_code() {
    let with = |target, rocm, version| torch(target, rocm).package("bitsandbytes", version);
    assert_eq!(with("gfx1030", "7.14", "0.49.1").warned_recipes(), ["bitsandbytes-file"]);
    assert!(with("gfx1030", "7.14", "0.49.1").first_text().contains("bitsandbytes 0.49.1 reads"));
    assert_eq!(with("gfx1030", "7.0", "0.49.1").warned_recipes(), [""; 0]);
    assert_eq!(with("gfx1030", "7.14", "0.50.2").warned_recipes(), [""; 0]);
    assert_eq!(with("gfx1030", "7.14", "0.49.1").set("BNB_ROCM_VERSION", "72").warned_recipes(), [""; 0]);
    assert_eq!(with("gfx1010", "7.2", "0.50.2").warned_recipes(), ["bitsandbytes-rdna1"]);
    assert_eq!(with("gfx1010", "7.14", "0.50.2").warned_recipes(), [""; 0]);
    assert_eq!(with("gfx1031", "7.2", "0.50.2").warned_recipes(), ["bitsandbytes-rdna2"]);
    assert_eq!(with("gfx1030", "7.2", "0.50.2").warned_recipes(), [""; 0]);
    // The override that PyTorch needs serves it.
    assert_eq!(with("gfx1031", "7.2", "0.50.2").library(&["gfx1030"]).warned_recipes(), [""; 0]);
}

#[test]
fn packages_that_are_names_alone_and_one_that_does_harm_are_told() {
    for (name, version) in [("amd_torch_device_gfx1010", "0.0.1.dev0"), ("rocm_kpack", "0.0.1.dev0")] {
        let card = torch("gfx1030", "7.2").package(name, version);
        assert_eq!(card.warned_recipes(), ["placeholder-packages"]);
        assert!(card.first_text().contains(&format!("installed as {name} {version} keeps the name")));
    }
    let two = torch("gfx1030", "7.2").package("rocm_kpack", "0.0.1").package("amd_torch_device_gfx1010", "0.0.1.dev0");
    assert!(two.first_text().contains("amd_torch_device_gfx1010 0.0.1.dev0 and rocm_kpack 0.0.1 keeps"));
    let real = torch("gfx1030", "7.14").package("amd_torch_device_gfx1030", "2.10.0+rocm7.14.0");
    assert_eq!(real.package("torch_device", "0.0.1").warned_recipes(), [""; 0]);
    let doctor = |target| machine(&[target]).package("gpu_doctor", "1.0.0").warned_recipes();
    assert_eq!((doctor("gfx1012"), doctor("gfx1031")), (vec!["gpu-doctor"], vec![]));
}

#[test]
fn pytorch_without_its_part_for_the_card_is_told() {
    let card = || torch("gfx1031", "7.14").package("rocm_sdk_device_gfx1031", "7.14.0");
    assert_eq!(card().warned_recipes(), ["torch-without-device"]);
    assert!(card().first_text().contains("install torch[device-gfx1031] in"));
    assert_eq!(card().package("amd_torch_device_gfx1031", "2.10.0").warned_recipes(), [""; 0]);
    let other = torch("gfx1031", "7.14").package("rocm_sdk_device_gfx1030", "7.14.0");
    assert_eq!(other.warned_recipes(), [""; 0], "the part of another card");
    let mut whole = card().library(&["gfx1031"]);
    whole.program.libraries[0].path = "torch/lib/libtorch_hip.so".into();
    assert_eq!(whole.warned_recipes(), [""; 0], "code of its own");
}

#[test]
fn jaxs_runtime_without_its_plugin_is_told() {
    let card = |package| machine(&["gfx1030"]).package(package, "0.9.1");
    assert_eq!(card("jax_rocm7_pjrt").warned_recipes(), ["jax-without-plugin"]);
    assert_eq!(card("jax_rocm7_pjrt").package("jax_rocm7_plugin", "0.9.1").warned_recipes(), [""; 0]);
    assert_eq!(card("jax_cuda12_pjrt").warned_recipes(), [""; 0]);
}

#[test]
fn frameworks_that_refuse_cards_by_a_list_of_their_own_are_told() {
    let with = |target, framework, version| machine(&[target]).framework(framework, version).warned_recipes();
    for target in ["gfx1010", "gfx1030", "gfx1031"] {
        assert_eq!(with(target, "tensorflow", "2.14.0.600"), ["tensorflow-refuses"]);
        assert_eq!(with(target, "tensorflow", "2.13.1.600"), [""; 0]);
    }
    assert_eq!(with("gfx1010", "jax", "0.5.0"), ["jax-refuses-rdna1"]);
    assert_eq!(with("gfx1031", "jax", "0.5.0"), ["jax-refuses-rdna2"]);
    assert_eq!(with("gfx1030", "jax", "0.5.0"), [""; 0]);
    let jax = machine(&["gfx1031"]).framework("jax", "0.5.0").library(&["gfx1030"]);
    assert_eq!((jax.changes(), jax.warned_recipes()), (vec![format!("{OVERRIDE}=10.3.0")], vec![]));
}

#[test]
fn a_runtime_whose_save_area_linux_refuses_is_told_with_kernel_and_release() {
    let card = |target: &str, linux, waves, rocm| machine(&[target]).linux(linux, waves).rocm(rocm);
    for rocm in ["7.14.0", "7.15", "10.0.0"] {
        assert_eq!(card("gfx1010", "6.12.0", 40, rocm).warned_recipes(), ["rdna1-save-area"], "{rocm}");
    }
    assert!(
        card("gfx1012", "6.18.1-arch1", 40, "10.0.0")
            .first_text()
            .contains("with ROCm 10.0.0 on Linux 6.18.1 no kernel")
    );
    for near in [
        card("gfx1010", "6.11.9", 40, "10.0.0"),
        card("gfx1010", "6.12.0", 32, "10.0.0"),
        card("gfx1030", "6.12.0", 32, "10.0.0"),
        card("gfx1010", "6.12.0", 40, "7.2.4"),
        card("gfx1010", "6.12.0", 40, "10.2.0"),
        machine(&["gfx1010"]).rocm("10.0.0"),
    ] {
        assert_eq!(near.warned_recipes(), [""; 0], "{near:?}");
    }
}

#[test]
fn a_runtime_that_rmcp_shows_other_waves_is_told_to_those_who_ask_alone() {
    let root = tempfile::tempdir().unwrap();
    let hsa = root.path().join("lib/libhsa-runtime64.so.1");
    std::fs::create_dir_all(hsa.parent().unwrap()).unwrap();
    std::fs::create_dir(root.path().join(".info")).unwrap();
    std::fs::write(&hsa, "").unwrap();
    let told = |version: &str, save_area| {
        std::fs::write(root.path().join(".info/version"), version).unwrap();
        let options = Options { save_area, ..Options::default() };
        let mut card = machine(&["gfx1010"]).linux("6.12.0", 40).rocm("10.0.0");
        card.save_area = Assessment::with_waves(&card.topology, &options, card.save_area.kernel, 40);
        card.program.hsa = Some(hsa.clone());
        let plan = Plan::new(&card);
        (plan.notes[0].is_warning, plan.notes[0].text.clone())
    };
    let (loud, text) = told("10.0.0-17", SaveArea::Auto);
    assert!(!loud && text.ends_with("RMCP mends it: while the runtime starts it is shown 32 waves (option save_area)"));
    let (loud, text) = told("10.0.0-17", SaveArea::Off);
    assert!(loud && text.ends_with("and RMCP does not mend it: save_area=off"), "{text}");
    let (loud, text) = told("unknown", SaveArea::Auto);
    assert!(loud && text.contains("do not say its release"), "{text}");
    assert!(!told("unknown", SaveArea::On).0);
}

#[test]
fn the_recipe_names_the_releases_by_which_rmcp_acts() {
    let recipe = recipes().iter().find(|recipe| recipe.id == "rdna1-save-area").unwrap();
    let [first, after] = rmcp_domain::save_area::AFFECTED;
    assert_eq!(recipe.rocm, Some(Range::Known(Some(first), Some(after))));
}

#[test]
fn a_runtime_that_wants_an_executable_stack_is_told_where_the_c_library_refuses_it() {
    let card = |stack: Option<&str>, glibc: &str| {
        let mut card = machine(&["gfx1010"]).rocm("5.2");
        card.program.executable_stack = stack.map(Into::into);
        card.glibc = glibc.parse().ok();
        card
    };
    let library = "/venv/libamdhip64.so";
    let told = card(Some(library), "2.41");
    assert_eq!(told.warned_recipes(), ["executable-stack"]);
    assert!(told.first_text().starts_with("/venv/libamdhip64.so wants an executable stack, which glibc 2.41 refuses"));
    assert_eq!(card(Some(library), "2.40").warned_recipes(), [""; 0]);
    assert_eq!(card(Some(library), "").warned_recipes(), [""; 0], "not known");
    assert_eq!(card(None, "2.42").warned_recipes(), [""; 0]);
}

#[test]
fn expandable_segments_are_told_with_rocm_7_15() {
    let set = |rocm, value| torch("gfx1030", rocm).set("PYTORCH_ALLOC_CONF", value).warned_recipes();
    assert_eq!(set("7.15.0", "expandable_segments:True"), ["expandable-segments-715"]);
    assert_eq!(set("7.15.0", "expandable_segments:False"), [""; 0]);
    assert_eq!(set("7.14.0", "expandable_segments:True"), [""; 0]);
}
