//! What Linux refuses, and what looks alike and is taken: each call of /dev/kfd by itself.

mod common;

use common::{machine_on, python};

/// What the programs below may use: buffers, and `no(call)`, which gives the errno of a call, or 0.
const PRELUDE: &str = "
import ctypes, mmap
VRAM, GTT, USERPTR, DOORBELL, PUBLIC, WRITE = 1, 2, 4, 8, 1 << 29, 1 << 31
acquire_vm()
ids = lambda *cards: ctypes.addressof(keep(ctypes.c_uint32 * len(cards))(*cards))
kept = []
def keep(kind): return lambda *values: kept.append(kind(*values)) or kept[-1]
def no(call, *arguments):
    try: call(*arguments)
    except OSError as error: return error.errno
    return 0
def alloc(size=4096, flags=VRAM | WRITE, va=0x1000000, offset=0, gpu=gpu_id): return k(0x16, 'QQQQII', va, size, 0, offset, gpu, flags)[2]
def free(handle): k(0x17, 'Q', handle)
def map(handle, *cards, done=0): k(0x18, 'QQII', handle, ids(*(cards or [gpu_id])), len(cards or [gpu_id]), done)
def unmap(handle, *cards): k(0x19, 'QQII', handle, ids(*(cards or [gpu_id])), len(cards or [gpu_id]), 0)
def svm(start, size, *attributes, op=0):
    words = [word for attribute in attributes for word in attribute]
    k(0x20, 'QQII' + 'I' * len(words), start, size, op, len(attributes), *words)
def memory(size=8192):
    kept.append(mmap.mmap(-1, size))
    return ctypes.addressof(ctypes.c_char.from_buffer(kept[-1]))
next_va = 0x2000000
def buffer(size=4096, flags=GTT | WRITE):
    global next_va
    handle = alloc(size, flags, next_va)
    next_va += size + 0x10000
    map(handle)
    return handle, next_va - size - 0x10000
def queue(kind=1, ring=None, size=4096):
    (ring_handle, ring), write, read = ring or buffer(), buffer()[1], buffer()[1]
    return k(2, 'QQQQIIIIIIQQQIIII', ring, write, read, 0, size, gpu_id, kind, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0)[9], ring_handle
";

/// What Python expressions give on each kernel, each in a process of its own.
#[track_caller]
fn assert_gives(expressions: &[(&str, &str)]) {
    for kernel in ["6.1", "6.12", "6.18"] {
        assert_gives_on(kernel, expressions);
    }
}

#[track_caller]
fn assert_gives_on(kernel: &str, expressions: &[(&str, &str)]) {
    let scratch = tempfile::tempdir().unwrap();
    let machine = machine_on(kernel, &["gfx1010"], scratch.path());
    let asked: Vec<&str> = expressions.iter().map(|(expression, _)| *expression).collect();
    let program = format!(
        "
prelude = {PRELUDE:?}
for expression in {asked:?}:
    pid = os.fork()
    if pid == 0:
        kfd, drm = os.open('/dev/kfd', os.O_RDWR), os.open('/dev/dri/renderD128', os.O_RDWR)
        exec(prelude)
        print(eval(expression), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"
    );
    let given = python(&machine, scratch.path(), &program);
    let given: Vec<_> = asked.iter().copied().zip(given.lines()).collect();
    assert_eq!(given, expressions, "{kernel}");
}

#[test]
fn an_allocation_names_a_card_a_size_and_a_kind_of_memory() {
    assert_gives(&[
        ("no(alloc)", "0"),
        ("no(alloc, 0)", "22"),
        ("no(lambda: alloc(gpu=1))", "22"),
        ("no(alloc, 4096, WRITE)", "22"),
        ("no(alloc, 4096, VRAM | PUBLIC)", "22"),
        ("no(alloc, 4096, GTT | PUBLIC)", "0"),
        ("no(alloc, 8192, DOORBELL)", "0"),
        ("no(alloc, 4096, DOORBELL)", "22"),
    ]);
}

#[test]
fn memory_is_registered_where_the_process_has_it_and_may_write_it() {
    let read_only = "(lambda at: ctypes.CDLL(None).mprotect(ctypes.c_void_p(at), 4096, 1) or \
                     no(alloc, 4096, USERPTR, 0x5000000, at))(memory())";
    assert_gives(&[
        ("no(alloc, 8192, USERPTR, 0x5000000, memory())", "0"),
        ("no(alloc, 8192, USERPTR, 0x5000000, 0)", "22"),
        ("no(alloc, 8192, USERPTR, 0x5000000, 0x10000)", "14"),
        (read_only, "14"),
    ]);
}

#[test]
fn a_card_must_be_bound_to_its_render_node() {
    for (call, expected) in [
        ("k(0x16, 'QQQQII', 0x1000000, 4096, 0, 0, gpu_id, 1)", "19"),
        ("k(4, 'QQIIII', 0, 0, gpu_id, 1, 1, 0)", "3"),
        ("k(0x13, 'QQII', 0, 0, gpu_id, 0)", "3"),
        ("k(0x11, 'QII', 0, gpu_id, 0)", "19"),
        ("k(2, 'QQQQIIIIIIQQQIIII', 0, 0, 0, 0, 4096, gpu_id, 1, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0)", "3"),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let program = format!("try: {call}\nexcept OSError as error: print(error.errno)");
        assert_eq!(python("gfx1010", scratch.path(), &program), expected, "{call}");
        let bound = format!("acquire_vm()\n{program}");
        assert_ne!(python("gfx1010", scratch.path(), &bound), expected, "{call}");
    }
    assert_gives(&[
        ("no(k, 0x15, 'II', drm, gpu_id)", "0"),
        ("no(k, 0x15, 'II', kfd, gpu_id)", "22"),
        ("no(k, 0x15, 'II', drm, 1)", "22"),
    ]);
}

#[test]
fn a_buffer_is_freed_once_and_not_while_it_is_mapped() {
    assert_gives(&[
        ("no(free, alloc())", "0"),
        ("(lambda h: [no(free, h), no(free, h)])(alloc())", "[0, 22]"),
        ("(lambda h: [no(map, h), no(free, h), no(unmap, h), no(free, h)])(alloc())", "[0, 16, 0, 0]"),
        ("no(free, alloc() & 0xffffffff)", "22"),
    ]);
}

#[test]
fn a_mapping_names_cards_and_a_buffer() {
    assert_gives(&[
        ("(lambda h: [no(map, h), no(map, h)])(alloc())", "[0, 0]"),
        ("no(k, 0x18, 'QQII', alloc(), 0, 0, 0)", "22"),
        ("no(lambda: map(alloc(), done=2))", "22"),
        ("no(lambda: map(alloc(), done=1))", "0"),
        ("no(map, alloc(), 1)", "22"),
        ("no(map, alloc() + 1)", "12"),
        ("no(unmap, alloc())", "22"),
        ("no(unmap, alloc() + 1)", "12"),
    ]);
}

#[test]
fn what_a_queue_needs_stays_mapped_while_it_is_there_from_linux_6_12_on() {
    let unmaps = "(lambda q: [no(unmap, q[1]), no(k, 3, 'II', q[0], 0), no(unmap, q[1])])(queue())";
    assert_gives_on("6.1", &[(unmaps, "[0, 0, 22]")]);
    for kernel in ["6.12", "6.18"] {
        assert_gives_on(kernel, &[(unmaps, "[16, 0, 0]"), ("(lambda q, b: no(unmap, b[0]))(queue(), buffer())", "0")]);
    }
}

#[test]
fn a_queue_is_updated_where_its_ring_is_mapped() {
    let update = |ring: &str| format!("no(k, 7, 'QIIII', {ring}, queue()[0], 4096, 100, 7)");
    let [same, other, nowhere] = ["buffer()[1]", "0", "0x7000000"].map(update);
    let always = [
        (same.as_str(), "0"),
        (other.as_str(), "0"),
        ("no(k, 7, 'QIIII', 0, 77, 4096, 100, 7)", "14"),
        ("no(k, 7, 'QIIII', 0, queue()[0], 4096, 101, 7)", "22"),
        ("no(k, 7, 'QIIII', 0, queue()[0], 5000, 100, 7)", "22"),
        ("no(k, 7, 'QIIII', 1 << 63, queue()[0], 4096, 100, 7)", "14"),
        ("no(k, 3, 'II', 77, 0)", "22"),
    ];
    assert_gives(&always);
    assert_gives_on("6.1", &[(&nowhere, "0")]);
    assert_gives_on("6.12", &[(&nowhere, "14")]);
    let moved = "(lambda q, b: [no(k, 7, 'QIIII', b[1], q[0], 4096, 100, 7), no(unmap, q[1]), no(unmap, b[0])])(queue(), buffer())";
    assert_gives_on("6.12", &[(moved, "[0, 0, 16]")]);
}

#[test]
fn a_small_ring_becomes_1024_bytes_and_may_lie_in_any_buffer() {
    assert_gives(&[("no(lambda: queue(size=0))", "0"), ("no(lambda: queue(size=512, ring=buffer(8192)))", "0")]);
    assert_gives_on("6.12", &[("no(lambda: queue(size=4096, ring=buffer(8192)))", "22")]);
}

#[test]
fn a_process_has_16_queues_of_sdma_on_a_card() {
    assert_gives(&[("[no(queue) for _ in range(17)][15:]", "[0, 12]")]);
}

#[test]
fn a_mask_of_units_is_of_whole_words_and_of_pairs() {
    let mask = |bits: u32, word: &str| format!("no(k, 0x1a, 'IIQ', queue()[0], {bits}, ids({word}, {word}))");
    let cases =
        [(32, "3", "0"), (64, "0xf00c", "0"), (32, "1", "22"), (32, "6", "22"), (0, "3", "22"), (33, "3", "22")];
    for (bits, word, expected) in cases {
        assert_gives_on("6.12", &[(&mask(bits, word), expected)]);
    }
    assert_gives(&[("no(k, 0x1a, 'IIQ', 77, 32, ids(3))", "14")]);
}

#[test]
fn shared_memory_is_memory_that_the_process_has_and_no_buffer_s() {
    let in_place = "(lambda at: (map(alloc(8192, USERPTR, at, at)), no(svm, at, 8192, [2, gpu_id]))[1])(memory())";
    let registered =
        "(lambda at: (map(alloc(8192, USERPTR, 0x5000000, at)), no(svm, at, 8192, [2, gpu_id]))[1])(memory())";
    let beside = "(lambda at: (map(alloc(4096, USERPTR, at, at)), no(svm, at + 4096, 4096, [2, gpu_id]))[1])(memory())";
    let freed = "(lambda at, h: (map(h[0]), unmap(h[0]), free(h[0]), no(svm, at, 8192, [2, gpu_id]))[3])\
                 (*(lambda at: (at, [alloc(8192, USERPTR, at, at)]))(memory()))";
    assert_gives(&[
        ("no(svm, memory(), 8192, [2, gpu_id])", "0"),
        ("no(svm, memory(), 8192, [2, 1])", "22"),
        ("no(svm, memory(), 8192, [0, 0xffffffff], [1, 0])", "0"),
        ("no(svm, memory(), 8192, [1, 0xffffffff])", "22"),
        ("no(svm, memory(), 8192, [8, 0])", "22"),
        ("no(svm, memory(), 100, [2, gpu_id])", "22"),
        ("no(svm, 0x10000, 8192, [2, gpu_id])", "14"),
        ("no(lambda: svm(memory(), 8192, [2, gpu_id], op=2))", "22"),
        (in_place, "98"),
        (registered, "0"),
        (freed, "0"),
        (beside, "0"),
    ]);
}

#[test]
fn the_page_of_signals_comes_once_and_is_not_freed() {
    let event = |page: &str| format!("no(k, 8, 'QIIIIII', {page}, 0, 0, 1, 0, 0, 0)");
    let page = format!("(lambda h: [{}, {}, no(free, h)])(alloc(32768, GTT))", event("h"), event("0"));
    let twice = format!("(lambda h: [{}, {}])(alloc(32768, GTT))", event("h"), event("h"));
    assert_gives(&[(&page, "[0, 0, 1]"), (&twice, "[0, 22]"), (&event("77"), "22")]);
}

#[test]
fn other_calls_name_a_card_a_policy_or_a_mode_that_is_there() {
    assert_gives(&[
        ("no(k, 4, 'QQIIII', 0, 0, gpu_id, 1, 0, 0)", "0"),
        ("no(k, 4, 'QQIIII', 0, 0, gpu_id, 2, 0, 0)", "22"),
        ("no(k, 4, 'QQIIII', 0, 0, 1, 1, 0, 0)", "22"),
        ("no(k, 0x13, 'QQII', 0, 0, gpu_id, 0)", "0"),
        ("no(k, 0x12, 'QQIIIIII', 0, 0, 0, 0, 1, 0, 0, 0)", "22"),
        ("no(k, 0x21, 'i', -1)", "0"),
        ("no(k, 0x21, 'i', 0)", "0"),
        ("no(k, 0x21, 'i', 1)", "1"),
        ("[queue(), no(k, 0x21, 'i', 0), no(k, 0x21, 'i', -1)][1:]", "[16, 0]"),
        ("no(k, 0x1e, 'IIII', queue()[0], 64, 0, 0)", "19"),
        ("no(k, 0x14, 'QII', 0, 0, 0)", "0"),
        ("no(k, 0x14, 'QII', 0, 3, 0)", "22"),
    ]);
}

#[test]
fn a_card_with_a_small_bar_shares_no_vram_with_another() {
    for (large_bar, expected) in [(false, "[22, 0, 0]"), (true, "[0, 0, 0]")] {
        let scratch = tempfile::tempdir().unwrap();
        let machine = machine_on("6.12", &["gfx1010", "gfx1010"], scratch.path());
        let description = std::fs::read_to_string(&machine).unwrap();
        std::fs::write(&machine, description.replace("large_bar = false", &format!("large_bar = {large_bar}")))
            .unwrap();
        let program = "
peer = int(open('/sys/class/kfd/kfd/topology/nodes/2/gpu_id').read())
k(0x15, 'II', os.open('/dev/dri/renderD129', os.O_RDWR), peer)
print([no(map, alloc(), peer), no(map, alloc(4096, GTT, 0x3000000), peer), no(map, alloc(4096, USERPTR, 0x4000000, memory()), peer)])";
        assert_eq!(python(&machine, scratch.path(), &format!("{PRELUDE}{program}")), expected, "{large_bar}");
    }
}

#[test]
fn each_linux_has_its_interface_and_its_name() {
    for (kernel, minor, exported) in [("6.1", 11, "25"), ("6.12", 16, "0"), ("6.18", 18, "0")] {
        let version = format!("(1, {minor})");
        let release = format!("{kernel}.0");
        assert_gives_on(
            kernel,
            &[
                ("k(1, 'II', 0, 0)", version.as_str()),
                ("os.uname().release", &release),
                ("no(k, 0x24, 'QII', alloc(), 0, 0)", exported),
            ],
        );
    }
}
