"""The walls around a child that reads strangers' files, built by the child itself before it sees a byte.

Every wall is what the kernel offers: limits always; no new privileges, Landlock and a seccomp filter where there are
such; another user and an empty network where the service runs as root. `Confinement` says which hold, so that
`ogis-lra check` can show it. Walls cannot be taken down again, not even by whoever takes the child over.

The numbers are those of the kernel's headers (uapi/linux: landlock.h, seccomp.h, prctl.h, audit.h, bpf_common.h): the
C library has no functions for them. docs/decisions/0009-confined-readers.md says what each wall is for.
"""

import contextlib
import ctypes
import os
import platform
import pwd
import resource
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from parsers.filtering import program_for

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9
_CLONE_NEWNET, _CLONE_NEWIPC = 0x40000000, 0x08000000

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3

# The user that systemd-sysusers makes for this; the kernel's own nobody where there is none.
_USER = "ogis-lra-reader"
_NOBODY = 65534

# Fonts that pdfium puts in the place of those a PDF does not carry; data of tesseract; the loader's libraries. What a
# library asks of the machine at its start (how many processors, how much memory) tells nothing about anybody.
_SYSTEM_FOLDERS = (
    "/usr/lib",
    "/lib",
    "/lib64",
    "/usr/local/lib",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/X11/fonts",
    "/usr/share/tesseract-ocr",
    "/usr/share/tessdata",
    "/usr/share/zoneinfo",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
_SYSTEM_FILES = ("/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/dev/null", "/dev/urandom")


@dataclass(frozen=True, slots=True)
class Confinement:
    """Which walls stand. `landlock` is the version of the kernel's interface, 0 where it has none."""

    limits: bool = False
    own_user: bool = False
    no_capabilities: bool = False
    no_new_privileges: bool = False
    no_network: bool = False
    landlock: int = 0
    seccomp: bool = False

    def missing(self) -> tuple[str, ...]:
        """The walls that this machine does not give. That a child shares the service's user is no fault by itself."""
        wanted = ("limits", "no_capabilities", "no_new_privileges", "landlock", "seccomp")
        return tuple(name for name in wanted if not getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """For the frame in which a child says that it is ready; `confinement_from_json` is its inverse."""
        return asdict(self)


def confinement_from_json(raw: dict[str, Any]) -> Confinement:
    """Raises ValueError on anything that `to_json` does not write."""
    if raw.keys() != {each.name for each in fields(Confinement)}:
        raise ValueError("other walls than ours")
    if not all(type(value) is (int if name == "landlock" else bool) for name, value in raw.items()):
        raise ValueError("a wall that is neither there nor not there")
    return Confinement(**raw)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use: bytes of address space, open files."""

    address_space: int
    open_files: int = 32


def leave_network() -> bool:
    """Move to a network that has nothing, not even loopback; only root may, elsewhere the filter refuses sockets."""
    return os.geteuid() == 0 and _libc().unshare(_CLONE_NEWNET | _CLONE_NEWIPC) == 0


def end_with_parent(parent: int) -> None:
    """Be killed when the process that made this one ends, however it ends (prctl(2)); at once if it has already.

    The kernel forgets the wish when the user changes, so `shut_in` repeats it.
    """
    _libc().prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def wall_off(readable: Iterable[Path] = ()) -> int:
    """Landlock: from here on nothing can be written, made or removed, and only the program itself can be read.

    It holds for the threads of the future, so it comes before libraries that start some. Returns the interface version.
    """
    _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    version = _system_call(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return 0
    # Every right of the version is handled, so that what is not granted below is refused.
    rights = (1 << (13 if version == 1 else 14 if version == 2 else 15 if version < 5 else 16)) - 1
    attributes = struct.pack("=QQQ", rights, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _system_call(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return 0
    try:
        for path in (*map(Path, (*_SYSTEM_FOLDERS, *_SYSTEM_FILES)), *program_folders(), *readable):
            _grant_reading(ruleset, path)
        return version if _system_call(_LANDLOCK_RESTRICT, ruleset, 0) == 0 else 0
    finally:
        os.close(ruleset)


def program_folders() -> tuple[Path, ...]:
    """Where Python, the libraries and the two packages that a child runs are. None of it is secret."""
    ours = Path(__file__).resolve().parent
    found = [ours, ours.parent / "config", Path(sys.prefix) / "lib", Path(sys.base_prefix) / "lib"]
    found += [Path(entry) for entry in sys.path if entry]
    return tuple(dict.fromkeys(path for path in found if path.is_dir()))


def _grant_reading(ruleset: int, path: Path) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
        _system_call(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights, handle), 0)
    finally:
        os.close(handle)


def shut_in(bounds: Bounds, *, landlock: int, no_network: bool, parent: int) -> Confinement:
    """Build the remaining walls around every thread of this process and say which ones stand."""
    own_user = _become_nobody()
    no_capabilities = _drop_capabilities()
    limits = _limit(bounds)
    libc = _libc()
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    end_with_parent(parent)
    privileges = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    return Confinement(limits, own_user, no_capabilities, privileges, no_network, landlock, _filter_calls())


def _become_nobody() -> bool:
    """Another user than the service, where the service is root and that user can read the program."""
    if os.geteuid() != 0:
        return False
    try:
        entry = pwd.getpwnam(_USER)
        user, group = entry.pw_uid, entry.pw_gid
    except KeyError:
        user = group = _NOBODY
    if not all(_is_open_to_all(folder) for folder in program_folders()):
        return False
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    return True


def _is_open_to_all(folder: Path) -> bool:
    try:
        return all(step.stat().st_mode & 0o005 for step in (folder, *folder.parents))
    except OSError:
        # Landlock may hide the folders above; then this cannot be told.
        return False


def _drop_capabilities() -> bool:
    """What is left of root's rights, if anything (capset(2), interface version 3)."""
    header = struct.pack("=Ii", 0x20080522, 0)
    return bool(_libc().capset(header, bytes(24)) == 0)


def _limit(bounds: Bounds) -> bool:
    limits = (
        (resource.RLIMIT_AS, bounds.address_space),
        (resource.RLIMIT_NOFILE, bounds.open_files),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NPROC, 0),
    )
    for which, most in limits:
        # A limit that the service itself has may be lower already, and cannot be raised.
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))
    return True


def _filter_calls() -> bool:
    """Seccomp: only the system calls of a program that computes, for every thread (seccomp(2), TSYNC)."""
    program = program_for(platform.machine())
    number = {"x86_64": 317, "aarch64": 277}.get(platform.machine())
    if program is None or number is None:
        return False
    buffer = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    set_mode_filter, tsync = 1, 1
    return _system_call(number, set_mode_filter, tsync, head) == 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    call = _libc().syscall
    call.restype = ctypes.c_long
    given: Sequence[Any] = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return int(call(ctypes.c_long(number), *given))


def close_all_but(kept: Iterable[int]) -> None:
    """Close every file that this process has open, but the given ones and the three standard ones."""
    wanted = {0, 1, 2, *kept}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names of numbers, not files
            if int(name) not in wanted:
                with contextlib.suppress(OSError):
                    os.close(int(name))
