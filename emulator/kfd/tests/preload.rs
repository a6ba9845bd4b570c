//! What programs that know nothing of ROCm see with the library preloaded.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The library, which cargo builds beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|dir| dir.join("librmcp_kfd.so")).find(|path| path.is_file());
    found.expect("cargo builds librmcp_kfd.so for this test")
}

/// Runs a program on a machine, with a directory of its own for the machine's files.
fn run(machine: Option<&str>, scratch: &Path, program: &[&str]) -> Output {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).env("LD_PRELOAD", library()).env("TMPDIR", scratch);
    command.env("RMCP_KFD_LOG", scratch.join("log")).env_remove("RMCP_KFD_MACHINE");
    if let Some(machine) = machine {
        command.env("RMCP_KFD_MACHINE", machine);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim_end()
}

/// Runs a Python program that may use `k(number, size, bytes)`, an ioctl of `/dev/kfd`.
fn python(machine: &str, scratch: &Path, program: &str) -> String {
    const PRELUDE: &str = "
import fcntl, os, struct
kfd = os.open('/dev/kfd', os.O_RDWR)
gpu_id = int(open('/sys/class/kfd/kfd/topology/nodes/1/gpu_id').read())
def k(number, *words):
    data = struct.pack(*words)
    return struct.unpack(words[0], fcntl.ioctl(kfd, 3 << 30 | len(data) << 16 | ord('K') << 8 | number, data))
";
    let output = run(Some(machine), scratch, &["python3", "-c", &format!("{PRELUDE}{program}")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_string()
}

#[test]
fn a_machine_with_a_card_shows_its_nodes_and_devices() {
    let scratch = tempfile::tempdir().unwrap();
    let shown = |program: &[&str]| text(&run(Some("gfx1010"), scratch.path(), program).stdout).to_string();
    assert_eq!(shown(&["ls", "/sys/class/kfd/kfd/topology/nodes"]), "0\n1");
    assert_eq!(shown(&["cat", "/sys/devices/virtual/kfd/kfd/topology/nodes/1/name"]), "navi10");
    assert_eq!(shown(&["stat", "-c", "%F %t:%T", "/dev/dri/renderD128"]), "character special file e2:80");
    let numbers =
        "import os; n = os.stat('/dev/kfd').st_rdev; print(os.major(n), n == os.fstat(os.open('/dev/kfd', 2)).st_rdev)";
    assert_eq!(shown(&["python3", "-c", numbers]), "234 True");
    let resolve = "import os; print(os.path.realpath('/sys/dev/char/226:128/device'))";
    assert_eq!(shown(&["python3", "-c", resolve]), "/sys/devices/pci0000:00/0000:03:00.0");
}

#[test]
fn without_a_machine_nothing_changes() {
    let scratch = tempfile::tempdir().unwrap();
    let program = ["sh", "-c", "ls -l /sys/class /dev/null /etc/passwd; cat /proc/self/comm; ls /dev/kfd"];
    let plain = Command::new(program[0]).args(&program[1..]).output().unwrap();
    let preloaded = run(None, scratch.path(), &program);
    assert_eq!((plain.status, text(&plain.stdout)), (preloaded.status, text(&preloaded.stdout)));
    assert_eq!(text(&plain.stderr), text(&preloaded.stderr));
}

#[test]
fn a_wrong_description_gives_one_line_and_no_card() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("wrong.toml");
    std::fs::write(&file, "[[gpu]]\ngfx = \"rdna\"\n").unwrap();
    let output = run(file.to_str(), scratch.path(), &["sh", "-c", "[ ! -e /dev/kfd ] && [ ! -e /sys/class/kfd ]"]);
    assert!(output.status.success());
    let place = format!("rmcp-kfd: {}:2: gfx: ", file.display());
    assert!(text(&output.stderr).lines().all(|line| line.starts_with(&place)), "{}", text(&output.stderr));
    assert!(!output.stderr.is_empty());
}

#[test]
fn an_allocation_is_answered_logged_and_mapped_through_the_render_node() {
    let scratch = tempfile::tempdir().unwrap();
    let program = "
import mmap
drm = os.open('/dev/dri/renderD128', os.O_RDWR)
va, size, handle, offset, _, _ = k(0x16, 'QQQQII', 0x100000, 8192, 0, 0, gpu_id, 1 << 31 | 1)
memory = mmap.mmap(drm, size, offset=offset)
memory[:4] = b'VRAM'
k(0x17, 'Q', handle)
print(bytes(memory[:4]))
";
    assert_eq!(python("gfx1010", scratch.path(), program), r"b'\x00\x00\x00\x00'", "freed memory is empty");
    let log = std::fs::read_to_string(scratch.path().join("log")).unwrap();
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&"alloc".into(), &"free".into()));
    assert_eq!(events[0]["flags"], serde_json::json!(["VRAM", "WRITABLE"]));
    assert_eq!(events[0]["handle"], events[1]["handle"]);
}

#[test]
fn an_unknown_call_is_refused_and_logged() {
    let scratch = tempfile::tempdir().unwrap();
    let program = "
try: k(0x82, 'Q', 0)
except OSError as error: print(error.errno)
";
    assert_eq!(python("gfx1010", scratch.path(), program), libc::ENOTTY.to_string());
    assert!(std::fs::read_to_string(scratch.path().join("log")).unwrap().contains("unknown_ioctl"));
}

#[test]
fn a_forked_child_cannot_use_its_parent_s_descriptor_but_opens_its_own() {
    let scratch = tempfile::tempdir().unwrap();
    let program = "
pid = os.fork()
if pid == 0:
    try: k(1, 'II', 0, 0)
    except OSError as error: print(error.errno, flush=True)
    kfd = os.open('/dev/kfd', os.O_RDWR)
    print(k(1, 'II', 0, 0), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(k(1, 'II', 0, 0))
";
    let version = "(1, 16)";
    let expected = format!("{}\n{version}\n{version}", libc::EBADF);
    assert_eq!(python("gfx1010", scratch.path(), program), expected);
}

#[test]
fn an_event_set_by_one_call_ends_the_wait_of_another() {
    let scratch = tempfile::tempdir().unwrap();
    let program = "
import ctypes
_, _, _, _, _, event, _ = k(8, 'QIIIIII', 0, 0, 0, 1, 0, 0, 0)
data = ctypes.create_string_buffer(struct.pack('32xQII', 0, event, 0), 48)
wait = lambda: k(12, 'QIIII', ctypes.addressof(data), 1, 1, 0, 0)[4]
k(10, 'II', event, 0)
print(wait(), wait())
";
    assert_eq!(python("gfx1010", scratch.path(), program), "0 1");
}
