//! `rmcp detect` on the layouts in which ROCm and frameworks lie on disks.

use crate::machine::Files;
use serde_json::Value;
use std::process::Command;

const SITE: &str = "/venv/lib/python3.12/site-packages";

fn venv() -> Files {
    let files = Files::new();
    files.write("/usr/bin/python3.12", "");
    files.link("/venv/bin/python", "/usr/bin/python3.12");
    files.write("/venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.12.3\n");
    files.write(&format!("{SITE}/pip/__init__.py"), "");
    files
}

impl Files {
    fn wheel(&self, name: &str, version: &str) -> &Self {
        self.write(&format!("{SITE}/{name}-{version}.dist-info/METADATA"), "");
        self
    }

    fn core(&self, folder: &str, hip: &str, rocm: &str) -> &Self {
        self.write(&format!("{folder}/.info/version"), rocm);
        self.write(&format!("{folder}/lib/libamdhip64.so.{hip}"), "");
        self
    }

    fn torch(&self, version: &str, rest: &str) -> &Self {
        self.write(&format!("{SITE}/torch/version.py"), &format!("__version__ = '{version}'\ncuda = None\n{rest}\n"));
        self.wheel("torch", version)
    }

    fn detect(&self) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rmcp"));
        command.args(["detect", "--json", "--root"]).arg(self.path("/"));
        command.env_clear().env("PATH", "/usr/bin").env("VIRTUAL_ENV", "/venv");
        command.envs(self.machine().variables);
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// "RELEASE in PREFIX" of each installation, "NAME VERSION for WHAT" of each framework.
    fn found(&self) -> Vec<String> {
        let found = self.detect();
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let rocm = found["rocm"].as_array().unwrap().iter();
        let rocm = rocm.map(|each| format!("{} in {}", text(&each["release"]), text(&each["prefix"])));
        let frameworks = found["frameworks"].as_array().unwrap().iter();
        let frameworks = frameworks
            .map(|each| format!("{} {} for {}", text(&each["name"]), text(&each["version"]), text(&each["built_for"])));
        rocm.chain(frameworks).collect()
    }

    /// "ID: WHAT" of each problem that a recipe of this kind tells.
    fn problems(&self, ids: &[&str]) -> Vec<String> {
        let found = self.detect();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let problems = found["problems"].as_array().unwrap().iter().filter(|each| ids.contains(&&*text(&each["id"])));
        problems.map(|each| format!("{}: {}", text(&each["id"]), text(&each["what"]))).collect()
    }

    /// A card whose gfx_target_version that is: 100100 is gfx1010.
    fn card(&self, version: u32) -> &Self {
        let node = |number: u32, gpu_id: u32, properties: &str| {
            let folder = format!("/sys/class/kfd/kfd/topology/nodes/{number}");
            self.write(&format!("{folder}/gpu_id"), &format!("{gpu_id}\n"));
            self.write(&format!("{folder}/properties"), properties);
        };
        self.write("/dev/kfd", "");
        self.write("/dev/dri/renderD128", "");
        node(0, 0, "cpu_cores_count 12\nsimd_count 0\n");
        let card = format!("simd_count 72\ngfx_target_version {version}\nlocation_id 768\ndrm_render_minor 128\n");
        node(1, 1000, &card);
        self
    }
}

#[test]
fn on_ten_layouts_every_rocm_and_framework_is_named_with_its_version() {
    let classic = venv();
    classic.core("/opt/rocm-6.4.3", "6.4.60403", "6.4.3-127").link("/opt/rocm", "/opt/rocm-6.4.3");
    assert_eq!(classic.found(), ["6.4.3 in /opt/rocm"]);

    let debian = venv();
    debian.write("/usr/lib/x86_64-linux-gnu/libamdhip64.so.6.4.43484", "");
    assert_eq!(debian.found(), ["6.4 in /usr/lib/x86_64-linux-gnu"]);

    let bare_core = venv();
    bare_core.core("/opt/rocm/core-7.14", "7.14.1", "7.14.0");
    assert_eq!(bare_core.found(), ["7.14.0 in /opt/rocm/core-7.14"]);

    let linked_cores = venv();
    linked_cores.core("/opt/rocm/core-7.14", "7.14.1", "7.14.0").core("/opt/rocm/core-10.1", "7.16.1", "10.1.0");
    linked_cores.link("/opt/rocm/lib", "/opt/rocm/core-10.1/lib");
    assert_eq!(linked_cores.found(), ["10.1.0 in /opt/rocm/core-10.1", "7.14.0 in /opt/rocm/core-7.14"]);

    let mut tarball = venv();
    tarball.core("/home/me/rocm", "7", "10.1.0");
    assert_eq!(tarball.found(), [""; 0], "no program and no variable names it");
    tarball.set("ROCM_PATH", "/home/me/rocm");
    assert_eq!(tarball.found(), ["10.1.0 in /home/me/rocm"]);

    let old_wheel = venv();
    old_wheel.torch("2.7.1+rocm6.3", "hip = '6.3.42131'");
    assert_eq!(old_wheel.found(), ["torch 2.7.1+rocm6.3 for ROCm 6.3"]);

    let new_wheels = venv();
    new_wheels.torch("2.11.0", "hip = '7.16.61010'\nrocm = '10.1.0'").wheel("rocm_sdk_core", "10.1.0");
    new_wheels.write(&format!("{SITE}/_rocm_sdk_core_ab12/lib/libamdhip64.so.7"), "");
    assert_eq!(new_wheels.found(), ["torch 2.11.0 for ROCm 10.1.0", "_rocm_sdk_core_ab12 10.1.0 for ROCm 10.1.0"]);

    let jax = venv();
    jax.write(&format!("{SITE}/jax_rocm10_plugin/__init__.py"), "");
    jax.write(&format!("{SITE}/jax_rocm_notes_plugin/__init__.py"), "");
    jax.write(&format!("{SITE}/jax_rocm10_plugin-0.10.2.dist-info/METADATA"), "Name: x\nSummary: ROCm:10.1.0\n");
    assert_eq!(jax.found(), ["jax_rocm10_plugin 0.10.2 for ROCm 10.1.0"]);

    let cupy = venv();
    cupy.wheel("cupy_rocm_7_0", "14.2.0").elf(&format!("{SITE}/cupy/cuda/cub.x.so"), &["libamdhip64.so.7"], &[]);
    assert_eq!(cupy.found(), ["cupy 14.2.0 for ROCm 7.0"]);

    let auditwheel = venv();
    let file = "cyllama_rocm.libs/libggml-hip-f822f971.so";
    auditwheel.write(&format!("{SITE}/cyllama/__init__.py"), "");
    auditwheel.elf(&format!("{SITE}/{file}"), &["libamdhip64.so.7"], &[]);
    assert_eq!(auditwheel.found(), ["cyllama ? for the CPU alone"], "no RECORD names the library");
    auditwheel.write(&format!("{SITE}/cyllama_rocm-0.2.18.dist-info/RECORD"), &format!("{file},sha256=x,1\n"));
    assert_eq!(auditwheel.found(), ["cyllama 0.2.18 for ROCm"]);
}

#[test]
fn an_application_is_named_with_what_the_environment_in_its_folder_has() {
    let mut files = venv();
    files.set("HOME", "/home/ada");
    let home = "/home/ada/stable-diffusion-webui";
    for file in ["webui.py", "launch.py", "modules/shared.py"] {
        files.write(&format!("{home}/{file}"), "");
    }
    files.link(&format!("{home}/venv/bin/python"), "/usr/bin/python3.12");
    files.write(&format!("{home}/venv/pyvenv.cfg"), "home = /usr/bin\nversion = 3.12.3\n");
    let site = format!("{home}/venv/lib/python3.12/site-packages");
    files.write(&format!("{site}/torch/version.py"), "__version__ = '2.4.1+rocm6.1'\nhip = '6.1.40091'\n");
    assert_eq!(files.found(), ["torch 2.4.1+rocm6.1 for ROCm 6.1"]);
    let applications = &files.detect()["applications"];
    assert_eq!(applications[0]["folder"], home);
    assert_eq!(venv().detect()["applications"], serde_json::json!([]));
}

#[test]
fn placeholders_and_gpu_doctor_are_named_and_real_wheels_are_not() {
    let told = |files: &Files| files.problems(&["placeholder-packages", "gpu-doctor"]);
    let with_card = |version| {
        let files = venv();
        files.card(version).wheel("gpu_doctor", "1.0.0");
        files.wheel("amd_torch_device_gfx1010", "2.11.0").wheel("rocm_sdk_libraries_gfx103X_all", "7.10.0");
        files
    };
    let rdna2 = with_card(100_300);
    assert_eq!(told(&rdna2), [""; 0], "gpu_doctor harms RDNA1 cards alone");
    rdna2.wheel("amd_torch_device_gfx1012", "0.0.1.dev0").wheel("rocm_sdk_libraries_gfx1151", "0.0.1");
    let names = "amd_torch_device_gfx1012 0.0.1.dev0 and rocm_sdk_libraries_gfx1151 0.0.1 keeps the name";
    let both = told(&rdna2);
    assert!(both.len() == 1 && both[0].starts_with("placeholder-packages: ") && both[0].contains(names), "{both:?}");
    let rdna1 = told(&with_card(100_100));
    assert!(
        rdna1.len() == 1 && rdna1[0].starts_with("gpu-doctor: gfx1010 at 0000:03:00.0: gpu_doctor 1.0.0"),
        "{rdna1:?}"
    );
}

#[test]
fn each_framework_that_refuses_a_card_by_a_list_of_its_own_is_named_whichever_a_program_would_use() {
    let refused = |version, jax: &str, tensorflow: &str| {
        let files = venv();
        files.card(version).torch("2.11.0", "hip = '7.2.1'");
        files.write(&format!("{SITE}/jax_rocm60_plugin/__init__.py"), "");
        files.write(&format!("{SITE}/tensorflow/python/platform/build_info.py"), "is_rocm_build=True");
        files.wheel("jax_rocm60_plugin", jax).wheel("tensorflow_rocm", tensorflow);
        let told = files.problems(&["tensorflow-refuses", "jax-refuses-rdna1", "jax-refuses-rdna2"]);
        told.into_iter().map(|text| text.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let tensorflow = "tensorflow-refuses: TensorFlow 2.14.0 of /venv/bin/python";
    let jax = |family| format!("jax-refuses-{family}: JAX 0.5.0 of /venv/bin/python");
    for (version, expected) in [
        (100_100, vec![tensorflow.to_owned(), jax("rdna1")]),
        (100_300, vec![tensorflow.to_owned()]),
        (100_302, vec![tensorflow.to_owned(), jax("rdna2")]),
        (110_000, vec![]),
    ] {
        assert_eq!(refused(version, "0.5.0", "2.14.0.600"), expected, "{version}");
        assert_eq!(refused(version, "0.4.30", "2.16.1"), [""; 0], "{version}: other releases");
    }
}
