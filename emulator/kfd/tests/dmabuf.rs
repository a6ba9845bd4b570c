//! dma-bufs between processes: what one process shares another reads and writes, and what Linux refuses is refused.

mod common;

use common::{machine_on, python};

/// Calls by name; a child process is `child(function, descriptors)`, in which `kfd` and `drm` are its own.
const PRELUDE: &str = "
import array, ctypes, mmap, socket
VRAM, GTT, USERPTR, WRITE = 1, 2, 4, 1 << 31
acquire_vm()
def no(call, *arguments):
    try: call(*arguments)
    except OSError as error: return error.errno
    return 0
def d(number, *words):
    data = struct.pack(*words)
    return struct.unpack(words[0], fcntl.ioctl(drm, 3 << 30 | len(data) << 16 | ord('d') << 8 | number, data))
def alloc(size=8192, flags=VRAM | WRITE, at=0): return k(0x16, 'QQQQII', 0x1000000, size, 0, at, gpu_id, flags)[2:4]
def free(handle): k(0x17, 'Q', handle)
def export(handle, flags=os.O_CLOEXEC): return k(0x24, 'QIi', handle, flags, 0)[2]
def info(fd, room=0, at=0): return k(0x1c, 'QQIIIi', 0, at, room, 0, 0, fd)
def take(fd, gpu=gpu_id): return k(0x1d, 'QQIi', 0x2000000, 0, gpu, fd)[1]
def gem(fd): return d(0x2e, 'IIi', 0, 0, fd)[0]
def close(handle): d(9, 'II', handle, 0)
def seen(fd): return mmap.mmap(drm, 8192, offset=d(0x41, 'Q', gem(fd))[0])
def left(): return k(0x23, 'QII', 0, gpu_id, 0)[0]
def metadata(handle, op, size=0, first=0): return d(0x46, 'IIQQII252xI', handle, op, 0, 0, size, first, 0)[4:6]
def child(function, *descriptors):
    global kfd, drm
    there, here = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _, ancillary, *_ = here.recvmsg(1, 1024)
        received = array.array('i', ancillary[0][2])
        kfd, drm = os.open('/dev/kfd', os.O_RDWR), os.open('/dev/dri/renderD128', os.O_RDWR)
        acquire_vm()
        print(*function(*received), flush=True)
        os._exit(0)
    there.sendmsg([b' '], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', descriptors))])
    [os.close(fd) for fd in descriptors]
    return pid, there
";

#[track_caller]
fn assert_prints(program: &str, expected: &[&str]) {
    let scratch = tempfile::tempdir().unwrap();
    let machine = machine_on("6.12", &["gfx1010"], scratch.path());
    let printed = python(&machine, scratch.path(), &format!("{PRELUDE}{program}"));
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{program}");
}

#[test]
fn two_processes_see_the_same_bytes() {
    assert_prints(
        "
handle, offset = alloc()
bytes = mmap.mmap(drm, 8192, offset=offset)
bytes[4096:4100] = b'mine'
def other(fd):
    there = seen(fd)
    was = there[4096:4100]
    there[0:6] = b'theirs'
    return was, info(fd)[0], info(fd)[3] == gpu_id, info(fd)[4]
os.waitpid(child(other, export(handle))[0], 0)
print(bytes[0:6])",
        &["b'mine' 8192 True 1", "b'theirs'"],
    );
}

#[test]
fn shared_memory_outlives_the_process_that_had_it() {
    assert_prints(
        "
def owner(*_):
    handle, offset = alloc()
    mmap.mmap(drm, 8192, offset=offset)[0:4] = b'left'
    there.sendmsg([b' '], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [export(handle)]))])
    return 'gone',
there, here = socket.socketpair()
os.waitpid(child(owner, os.open('/dev/null', 0))[0], 0)
fd = array.array('i', here.recvmsg(1, 1024)[1][0][2])[0]
print(seen(fd)[0:4])",
        &["gone", "b'left'"],
    );
}

#[test]
fn what_another_process_holds_is_not_given_out_again() {
    assert_prints(
        "
before = left()
handle, offset = alloc(4 << 20)
mmap.mmap(drm, 8192, offset=offset)[0:4] = b'held'
def other(fd):
    kept, ends = take(fd), here.recv(1)
    return seen(fd)[0:4],
there, here = socket.socketpair()
pid, _ = child(other, export(handle))
free(handle)
print(before - left() == 4 << 20, alloc(4 << 20)[1] == offset)
there.send(b' ')
os.waitpid(pid, 0)
print(alloc(4 << 20)[1] == offset)",
        &["True False", "b'held'", "True"],
    );
}

#[test]
fn a_buffer_has_one_handle_and_one_metadata_in_every_process() {
    assert_prints(
        "
handle, _ = alloc()
fd = export(handle)
print(gem(fd) == gem(fd), metadata(gem(fd), 2), metadata(gem(fd), 1, 4, 77)[0], no(metadata, gem(fd), 1, 257), no(metadata, gem(fd), 3))
room = ctypes.create_string_buffer(4)
def other(fd):
    found = metadata(gem(fd), 2), gem(fd) == gem(fd), no(info, fd, 3, ctypes.addressof(room)), info(fd)[2]
    info(fd, 4, ctypes.addressof(room))
    return found + (room.raw,)
os.waitpid(child(other, fd)[0], 0)",
        &["True (0, 0) 4 22 1", "(4, 77) True 22 4 b'M\\x00\\x00\\x00'"],
    );
}

#[test]
fn a_descriptor_tells_its_size_and_what_is_passed_on_is_the_same_buffer() {
    assert_prints(
        "
handle, offset = alloc()
fd = export(handle)
print(os.lseek(fd, 0, os.SEEK_END), os.lseek(fd, 0, os.SEEK_SET), no(os.lseek, fd, 1, os.SEEK_SET), no(os.lseek, os.pipe()[0], 0, os.SEEK_END))
print(os.get_inheritable(fd), os.get_inheritable(export(handle, 0)))
def other(fd):
    return seen(export(take(fd)))[0:1],
mmap.mmap(drm, 8192, offset=offset)[0:1] = b'x'
os.waitpid(child(other, fd)[0], 0)",
        &["8192 0 22 29", "False True", "b'x'"],
    );
}

#[test]
fn registered_memory_is_not_shared_and_other_files_are_no_dma_bufs() {
    assert_prints(
        "
page = mmap.mmap(-1, 8192)
registered, _ = alloc(8192, USERPTR, ctypes.addressof(ctypes.c_char.from_buffer(page)))
gtt, _ = alloc(8192, GTT | WRITE)
print(no(export, registered), no(export, gtt), no(export, 77), no(export, registered + 100))
for wrong in 999, drm, socket.socketpair()[0].fileno(), os.open('/dev/null', 0):
    print(no(info, wrong), no(take, wrong), no(gem, wrong))
print(no(take, export(gtt), 1), no(take, export(gtt)))",
        &["1 0 22 22", "9 9 9", "22 22 22", "22 22 22", "22 22 22", "22 0"],
    );
}

#[test]
fn a_buffer_of_one_card_comes_to_another_from_linux_6_12_on() {
    for (kernel, expected) in [("6.1", "22 0"), ("6.12", "0 0")] {
        let scratch = tempfile::tempdir().unwrap();
        let machine = machine_on(kernel, &["gfx1010", "gfx1010"], scratch.path());
        let program = "
peer = int(open('/sys/class/kfd/kfd/topology/nodes/2/gpu_id').read())
k(0x15, 'II', os.open('/dev/dri/renderD129', os.O_RDWR), peer)
fd = d(0x2d, 'IIi', d(0x40, 'QQQQ', 8192, 4096, 4, 0)[0], os.O_CLOEXEC, 0)[2]
print(no(take, fd, peer), no(take, fd))";
        assert_eq!(python(&machine, scratch.path(), &format!("{PRELUDE}{program}")), expected, "{kernel}");
    }
}
