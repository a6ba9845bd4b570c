//! A machine described by files, and `rmcp` on it.

use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The folder that is `/` of a machine.
pub struct Machine(TempDir);

/// A card: what the KFD and the bus say of it.
pub struct Card {
    pub node: u32,
    /// gfx_target_version: 100100 is gfx1010.
    pub version: u32,
    /// The kernel's name of the chip.
    pub chip: &'static str,
    pub device_id: u32,
    /// The bus, in 0000:03:00.0 the 03.
    pub bus: u32,
    pub unique_id: u64,
    /// 1: the CPU reaches all VRAM; 2: part of it.
    pub heap: u32,
    /// The flags of its link to the host: 1 is "valid", 4 and 8 "no atomics" of 32 and 64 bits.
    pub link: u32,
    /// Of a GPU that shares the processor's node.
    pub cpu_cores: u32,
}

/// An RX 5600 XT.
pub const NAVI10: Card = Card {
    node: 1,
    version: 100_100,
    chip: "navi10",
    device_id: 0x731f,
    bus: 3,
    unique_id: 0x1122_3344_5566_7788,
    heap: 2,
    link: 1,
    cpu_cores: 0,
};

/// An RX 6800.
pub const NAVI21: Card = Card {
    node: 2,
    version: 100_300,
    chip: "navi21",
    device_id: 0x73bf,
    bus: 0x0a,
    unique_id: 0xaabb_ccdd_eeff_0011,
    heap: 1,
    ..NAVI10
};

/// The GPU of a Ryzen 7000.
pub const RAPHAEL: Card =
    Card { node: 2, version: 100_306, chip: "raphael", device_id: 0x164e, bus: 0x10, unique_id: 0, ..NAVI10 };

impl Machine {
    /// A PC without a card.
    pub fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine
            .file("proc/version", "Linux version 6.12.38-amd64")
            .file("proc/sys/kernel/osrelease", "6.12.38-amd64\n")
            .file("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n")
            .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nalice:x:65533:65533::/home/alice:/bin/sh\n")
            .file("etc/group", "root:x:0:\nvideo:x:44:\nrender:x:992:\n")
    }

    /// The same with the driver, cards, and the device files that everybody may use.
    pub fn with_cards(cards: &[&Card]) -> Self {
        let machine = Self::new()
            .file("sys/module/amdgpu/refcnt", "1\n")
            .file("dev/kfd", "")
            .file("sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n")
            .file("sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 12\nsimd_count 0\n");
        cards.iter().fold(machine, |machine, card| machine.card(card))
    }

    fn card(self, card: &Card) -> Self {
        let Card { node, version, chip, device_id, bus, unique_id, heap, link, cpu_cores } = card;
        let minor = 127 + node;
        // Each SIMD of RDNA1 has 20 waves, of RDNA2 16. (amdgpu gfx_v10_0.c)
        let waves = if version / 100 == 1001 { 20 } else { 16 };
        let properties = format!(
            "cpu_cores_count {cpu_cores}\nsimd_count 72\nsimd_per_cu 2\nmax_waves_per_simd {waves}\ngfx_target_version {version}\ndevice_id {device_id}\n\
             location_id {}\ndomain 0\ndrm_render_minor {minor}\nunique_id {unique_id}\n",
            bus << 8
        );
        let at = |file: &str| format!("sys/class/kfd/kfd/topology/nodes/{node}/{file}");
        self.file(&at("gpu_id"), format!("{}\n", 1000 + node))
            .file(&at("name"), format!("{chip}\n"))
            .file(&at("properties"), properties)
            .file(&at("mem_banks/0/properties"), format!("heap_type {heap}\nsize_in_bytes 6425673728\n"))
            .file(&at("io_links/0/properties"), format!("type 2\nnode_from {node}\nnode_to 0\nflags {link}\n"))
            .file(&format!("dev/dri/renderD{minor}"), "")
            .on_the_bus(card, Some("amdgpu"))
    }

    /// The card's place on the PCI bus, with the driver that has it.
    pub fn on_the_bus(self, card: &Card, driver: Option<&str>) -> Self {
        let at = format!("sys/bus/pci/devices/0000:{:02x}:00.0", card.bus);
        let machine = self
            .file(&format!("{at}/vendor"), "0x1002\n")
            .file(&format!("{at}/class"), "0x030000\n")
            .file(&format!("{at}/device"), format!("{:#x}\n", card.device_id));
        if let Some(driver) = driver {
            symlink(format!("../../../bus/pci/drivers/{driver}"), machine.path(&format!("{at}/driver"))).unwrap();
        }
        machine
    }

    /// A ROCm installation.
    pub fn with_rocm(self, prefix: &str, release: &str, runtime: &str) -> Self {
        self.file(&format!("{prefix}/.info/version"), format!("{release}-127\n"))
            .runtime(&format!("{prefix}/lib"), runtime)
    }

    /// libamdhip64 and libhsa-runtime64 in a folder.
    pub fn runtime(self, folder: &str, version: &str) -> Self {
        self.file(&format!("{folder}/libamdhip64.so.{version}"), "")
            .file(&format!("{folder}/libhsa-runtime64.so.1.14.0"), "")
    }

    /// Python with PyTorch, for ROCm where a HIP version is given.
    pub fn with_torch(self, hip: Option<&str>) -> Self {
        let version = match hip {
            Some(hip) => {
                format!("__version__ = '2.5.1+rocm'\ncuda: Optional[str] = None\nhip: Optional[str] = '{hip}'\n")
            }
            None => "__version__ = '2.5.1'\ncuda: Optional[str] = '12.4'\nhip: Optional[str] = None\n".into(),
        };
        let site = "usr/lib/python3/dist-packages";
        self.file("usr/bin/python3", "")
            .file("usr/lib/python3.13/os.py", "")
            .file(&format!("{site}/torch/__init__.py"), "")
            .file(&format!("{site}/torch/version.py"), version)
            .file(&format!("{site}/torch-2.5.1.dist-info/METADATA"), "")
    }

    pub fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// The same without a file.
    pub fn without(self, path: &str) -> Self {
        fs::remove_file(self.path(path)).unwrap();
        self
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// `rmcp detect` on this machine.
    pub fn detect(&self) -> Command {
        let mut command = rmcp(["detect"]);
        command.arg("--root").arg(self.0.path()).env("PATH", "/usr/bin");
        command
    }

    /// `rmcp doctor` on this machine.
    pub fn doctor(&self, arguments: &[&str]) -> Command {
        let mut command = rmcp(["doctor"]);
        command.arg("--root").arg(self.0.path()).args(arguments).env("PATH", "/usr/bin");
        command
    }

    /// The same kernel by another release.
    pub fn kernel(self, release: &str) -> Self {
        self.file("proc/sys/kernel/osrelease", release)
    }

    /// `rmcp explain` on this machine's cards.
    pub fn explain(&self, arguments: &[&str]) -> Command {
        let mut command = rmcp(["explain"]);
        command.args(arguments).env("RMCP_TOPOLOGY", self.path("sys/class/kfd/kfd/topology"));
        command
    }

    /// `rmcp detect` by somebody who is not root, whom permissions bind.
    pub fn detect_as_alice(&self) -> Command {
        // Another process copies: one of this process that is being started could still hold the file for writing.
        let copy = self.path("rmcp-of-alice");
        assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_rmcp")).arg(&copy).status().unwrap().success());
        fs::set_permissions(self.0.path(), Permissions::from_mode(0o755)).unwrap();
        let mut command = clean(Command::new(copy));
        command.arg("detect").arg("--root").arg(self.0.path());
        if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
            std::os::unix::process::CommandExt::uid(&mut command, 65533);
            std::os::unix::process::CommandExt::gid(&mut command, 65533);
        }
        command
    }

    /// Takes all permissions from a file.
    pub fn forbid(self, path: &str) -> Self {
        fs::set_permissions(self.path(path), Permissions::from_mode(0o000)).unwrap();
        self
    }
}

/// `rmcp` with these arguments, nothing of RMCP and ROCm in its environment, and no file of options.
pub fn rmcp<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = clean(Command::new(env!("CARGO_BIN_EXE_rmcp")));
    command.args(arguments);
    command
}

fn clean(mut command: Command) -> Command {
    command.env_clear().env("PATH", "/usr/bin:/bin").env("RMCP_CONFIG", "");
    command
}

/// What it prints.
pub fn text(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it prints with --json, which is as its schema says.
pub fn json(command: &mut Command) -> Value {
    let output = command.arg("--json").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    parsed(&output)
}

/// Its JSON, whatever its status.
pub fn parsed(output: &Output) -> Value {
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    crate::schema::assert_described(&value);
    value
}

/// What it says of a failure that ends with this status.
pub fn failure(command: &mut Command, status: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The repository's folder.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
