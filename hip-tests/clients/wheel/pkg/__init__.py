"""Loads its extension as `import torch` does: RTLD_LOCAL, with the HIP runtime bundled under lib/."""

import ctypes
import os

_C = ctypes.CDLL(os.path.join(os.path.dirname(__file__), "_C.so"), mode=os.RTLD_LOCAL | os.RTLD_NOW)
_C.pinned.restype = ctypes.c_int


def pinned(label, size, flags):
    """Allocates and frees pinned memory, and returns the hipError_t."""
    return _C.pinned(label.encode(), ctypes.c_size_t(size), ctypes.c_uint(flags))


def runtime_path():
    """The libamdhip64 that this process has mapped."""
    with open("/proc/self/maps") as maps:
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if "libamdhip64" in line}
    return sorted(paths)
