"""Loads the wheel's extension `_ways.so`, RTLD_LOCAL and with a bundled runtime. The first argument is its path."""

import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])
library.ways_make_calls(b"linked", b"")
