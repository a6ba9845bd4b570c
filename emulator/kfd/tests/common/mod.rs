//! Programs that know nothing of ROCm, with the library preloaded.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The library, which cargo builds beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|dir| dir.join("librmcp_kfd.so")).find(|path| path.is_file());
    found.expect("cargo builds librmcp_kfd.so for this test")
}

/// Runs a program on a machine, with a directory of its own for the machine's files.
pub fn run(machine: Option<&str>, scratch: &Path, program: &[&str]) -> Output {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).env("LD_PRELOAD", library()).env("TMPDIR", scratch);
    command.env("RMCP_KFD_LOG", scratch.join("log")).env_remove("RMCP_KFD_MACHINE");
    if let Some(machine) = machine {
        command.env("RMCP_KFD_MACHINE", machine);
    }
    command.output().unwrap()
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim_end()
}

/// Runs a Python program that may use `k(number, size, bytes)`, an ioctl of `/dev/kfd`.
pub fn python(machine: &str, scratch: &Path, program: &str) -> String {
    const PRELUDE: &str = "
import fcntl, os, struct
kfd = os.open('/dev/kfd', os.O_RDWR)
gpu_id = int(open('/sys/class/kfd/kfd/topology/nodes/1/gpu_id').read())
def k(number, *words):
    data = struct.pack(*words)
    return struct.unpack(words[0], fcntl.ioctl(kfd, 3 << 30 | len(data) << 16 | ord('K') << 8 | number, data))
drm = os.open('/dev/dri/renderD128', os.O_RDWR)
def acquire_vm(): k(0x15, 'II', drm, gpu_id)
";
    let output = run(Some(machine), scratch, &["python3", "-c", &format!("{PRELUDE}{program}")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_string()
}

/// The path of a description of a machine with these cards, each in a slot of its own, that this release of Linux runs.
pub fn machine_on(kernel: &str, cards: &[&str], scratch: &Path) -> String {
    let mut text = format!("kernel = \"{kernel}\"\n");
    for (index, card) in cards.iter().enumerate() {
        let description = rmcp_machine::Card::named(card).unwrap().description;
        text += &description.replace("0000:03:00.0", &format!("0000:{:02x}:00.0", 3 + index));
        text = text.replace("0x5600_1010_0000_0001", &format!("{}", 0x1000 + index));
    }
    let machine = scratch.join("machine.toml");
    std::fs::write(&machine, text).unwrap();
    machine.to_str().unwrap().into()
}
