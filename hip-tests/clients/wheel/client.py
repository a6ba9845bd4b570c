"""A Python program on a wheel with a bundled HIP runtime. Its first argument is the folder that holds the wheel."""

import ctypes
import json
import sys

sys.path.insert(0, sys.argv[1])
import pkg

SIZE = 0xA00000


def report(label, code, **more):
    print(json.dumps({"label": label, "code": code, "error": "", **more}), flush=True)


report("first", pkg.pinned("first", SIZE, 0), runtimes=pkg.runtime_path())
report("hipHostMalloc(0)", pkg.pinned("hipHostMalloc(0)", SIZE, 0))
report("hipHostMalloc(Coherent)", pkg.pinned("hipHostMalloc(Coherent)", SIZE, 0x40000000))

# A symbol looked up in the library itself goes past every preload; from ROCm 6 on it is met in the table.
hip = ctypes.CDLL(pkg.runtime_path()[0])
try:
    mark = ctypes.CDLL(None).rmcp_kfd_mark
except AttributeError:
    mark = lambda label: None
memory = ctypes.c_void_p()
mark(b"by dlsym")
code = hip.hipHostMalloc(ctypes.byref(memory), ctypes.c_size_t(SIZE), ctypes.c_uint(0))
report("by dlsym", code)
mark(b"exit")
