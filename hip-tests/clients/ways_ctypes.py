"""Makes the calls of ways.h by ctypes, which looks each function up in the runtime. The argument is libamdhip64's name."""

import ctypes
import json
import sys
from ctypes import byref, c_int, c_size_t, c_uint32, c_uint64, c_void_p

hip = ctypes.CDLL(sys.argv[1])
hsa = ctypes.CDLL("libhsa-runtime64.so.1")
process = ctypes.CDLL(None)

SIZE = c_size_t(0xA00000)
COHERENT = 0x40000000
GLOBAL = 1
memory = c_void_p()


class Counter(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("forwarded", c_uint64), ("rewritten", c_uint64), ("runtime", c_uint64)]


def call_count(name):
    """How many calls of the program RMCP has seen; 0 without RMCP."""
    rows = (Counter * 256)()
    count = process.rmcp_counters(rows, c_size_t(256)) if hasattr(process, "rmcp_counters") else 0
    return sum(row.forwarded + row.rewritten for row in rows[:count] if row.name == name.encode())


def fine_pool():
    """The CPU's fine-grained pool that is not for kernel arguments."""
    found = []

    @ctypes.CFUNCTYPE(c_int, c_uint64, c_void_p)
    def visit_pool(pool, _):
        segment, flags = c_uint32(1), c_uint32()
        hsa.hsa_amd_memory_pool_get_info(c_uint64(pool), 0, byref(segment))
        hsa.hsa_amd_memory_pool_get_info(c_uint64(pool), 1, byref(flags))
        if segment.value == 0 and flags.value == 2:
            found.append(pool)
        return 0

    @ctypes.CFUNCTYPE(c_int, c_uint64, c_void_p)
    def visit_agent(agent, _):
        device = c_int(-1)
        hsa.hsa_agent_get_info(c_uint64(agent), 17, byref(device))
        return hsa.hsa_amd_agent_iterate_memory_pools(c_uint64(agent), visit_pool, None) if device.value == 0 else 0

    hsa.hsa_init()
    hsa.hsa_iterate_agents(visit_agent, None)
    return c_uint64(found[0])


def make_call(label, call, free):
    function = label.split("(")[0]
    before = call_count(function)
    process.rmcp_kfd_mark(label.encode())
    code = call()
    process.rmcp_kfd_mark(b"")
    print(json.dumps({"label": label, "code": code, "counted": call_count(function) - before}), flush=True)
    if code == 0:
        free(memory)


def pinned(flags):
    return lambda: hip.hipHostMalloc(byref(memory), SIZE, c_uint32(flags))


def managed():
    return hip.hipMallocManaged(byref(memory), SIZE, c_uint32(GLOBAL))


process.rmcp_kfd_mark(b"first")
count = c_int()
assert hip.hipGetDeviceCount(byref(count)) == 0 and count.value
for call, free in [(pinned(0), hip.hipHostFree), (managed, hip.hipFree)]:
    if call() == 0:
        free(memory)
make_call("hipHostMalloc(0)", pinned(0), hip.hipHostFree)
make_call("hipHostMalloc(Coherent)", pinned(COHERENT), hip.hipHostFree)
make_call("hipMallocManaged(Global)", managed, hip.hipFree)
make_call("hipMalloc", lambda: hip.hipMalloc(byref(memory), SIZE), hip.hipFree)
pool = fine_pool()
allocate = hsa.hsa_amd_memory_pool_allocate
make_call(
    "hsa_amd_memory_pool_allocate(fine)",
    lambda: allocate(pool, SIZE, c_uint32(0), byref(memory)),
    hsa.hsa_amd_memory_pool_free,
)
