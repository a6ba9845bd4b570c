//! What programs that know nothing of ROCm see with the library preloaded.

mod common;

use common::{machine_on, python, run, text};
use std::process::Command;

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
acquire_vm()
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

/// Asks for a compute queue on a gfx1010, or one of SDMA, on this release of Linux: `change` is what differs
/// from a right request, in Python. The errno, or 0.
fn create_queue(kernel: &str, change: &str) -> (String, String) {
    let scratch = tempfile::tempdir().unwrap();
    let machine = machine_on(kernel, &["gfx1010"], scratch.path());
    let program = format!(
        "
import ctypes
acquire_vm()
ids = ctypes.c_uint32(gpu_id)
next_va = 0x1000000
def buffer(size):
    global next_va
    va, next_va = next_va, next_va + size + 0x10000
    handle = k(0x16, 'QQQQII', va, size, 0, 0, gpu_id, 1 << 31 | 2)[2]
    k(0x18, 'QQII', handle, ctypes.addressof(ids), 1, 0)
    return va
page = lambda size: (size + 4095) & ~4095
units = 36
ctl_stack = page(40 + 8 + units * 32 * 12)
save = ctl_stack + units * 0x55000
q = dict(ring=buffer(4096), write=buffer(4096), read=buffer(4096), size=4096, kind=2, percent=100, priority=7,
         eop=buffer(4096), eop_size=4096, waves=32, save=save, ctl_stack=ctl_stack)
q.update({change})
area = buffer(page(q['save'] + units * q['waves'] * 32))
try:
    k(2, 'QQQQIIIIIIQQQIIII', q['ring'], q['write'], q['read'], 0, q['size'], gpu_id, q['kind'], q['percent'], q['priority'],
      0, q['eop'], q['eop_size'], area, q['save'], q['ctl_stack'], 0, 0)
    print(0)
except OSError as error: print(error.errno)
"
    );
    let errno = python(&machine, scratch.path(), &program);
    (errno, std::fs::read_to_string(scratch.path().join("log")).unwrap())
}

#[test]
fn linux_takes_a_save_area_for_40_waves_a_unit_until_6_12_and_one_for_32_always() {
    for (kernel, waves, expected) in [
        ("6.1", 40, 0),
        ("6.12", 40, libc::EINVAL),
        ("6.18", 40, libc::EINVAL),
        ("6.1", 32, 0),
        ("6.12", 32, 0),
        ("6.18", 32, 0),
    ] {
        let (errno, log) = create_queue(kernel, &format!("waves={waves}"));
        assert_eq!(errno, expected.to_string(), "{waves} waves on {kernel}:\n{log}");
        assert_eq!(log.contains("save area at "), expected != 0, "{log}");
    }
}

#[test]
fn linux_holds_each_buffer_of_a_queue_against_what_the_card_needs_from_6_12_on() {
    for (change, why) in [
        ("ring=q['ring'] + 0x1000", "ring at "),
        ("ring=buffer(8192)", "ring at "),
        ("write=0x10", "write pointer at 0x10 is no mapping"),
        ("read=buffer(8192)", "read pointer at "),
        ("kind=1, read=buffer(8192)", "read pointer at "),
        ("eop_size=8192", "EOP buffer of 0x2000 bytes"),
        ("eop=buffer(8192)", "EOP buffer at "),
        ("ctl_stack=ctl_stack + 4096", "control stack of 0x5000 bytes"),
        ("save=save - 4096", "save area of "),
    ] {
        for (kernel, expected) in [("6.1", 0), ("6.12", libc::EINVAL), ("6.18", libc::EINVAL)] {
            let (errno, log) = create_queue(kernel, change);
            assert_eq!(errno, expected.to_string(), "{change} on {kernel}:\n{log}");
            assert_eq!(log.contains(why), expected != 0, "{change} on {kernel}:\n{log}");
        }
    }
    for (change, errnos) in [
        ("eop=0, eop_size=0", [0, 0, 0]),
        ("kind=1, eop_size=8192", [0, 0, 0]),
        ("write=q['write'] + 0x80", [0, 0, 0]),
        ("save=save + 4096", [0, libc::EINVAL, 0]),
    ] {
        for (kernel, expected) in ["6.1", "6.12", "6.18"].into_iter().zip(errnos) {
            let (errno, log) = create_queue(kernel, change);
            assert_eq!(errno, expected.to_string(), "{change} on {kernel}:\n{log}");
        }
    }
}

#[test]
fn every_linux_refuses_a_queue_of_no_such_share_priority_or_type() {
    for (change, expected) in [
        ("percent=101", libc::EINVAL),
        ("percent=100 | 1 << 8", 0),
        ("priority=16", libc::EINVAL),
        ("priority=15", 0),
        ("kind=9", 524),
        ("size=5000", libc::EINVAL),
    ] {
        for kernel in ["6.1", "6.18"] {
            assert_eq!(create_queue(kernel, change).0, expected.to_string(), "{change} on {kernel}");
        }
    }
}

#[test]
fn the_sizes_of_a_save_area_are_published_from_6_18_on() {
    let scratch = tempfile::tempdir().unwrap();
    for (kernel, expected) in [("6.1", ""), ("6.12", ""), ("6.18", "cwsr_size 12550144\nctl_stack_size 16384")] {
        let machine = machine_on(kernel, &["gfx1010"], scratch.path());
        let program = ["grep", "-E", "cwsr|ctl_stack", "/sys/class/kfd/kfd/topology/nodes/1/properties"];
        let output = run(Some(&machine), scratch.path(), &program);
        assert_eq!(text(&output.stdout), expected, "{kernel}");
    }
}
