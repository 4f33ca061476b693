"""Which walls this kernel can build, asked in another way than the program asks."""

import ctypes
import platform
from pathlib import Path

# Which version of Landlock there is, by the call that makes a set of rules when it is given none (landlock(7)).
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0
SECCOMP = "\nSeccomp:" in Path("/proc/self/status").read_text() and platform.machine() in ("x86_64", "aarch64")
