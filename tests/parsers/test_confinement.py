"""Each wall, proved by a child that tries to get through it: the kernel's refusal is what counts."""

import os
import platform
import struct
import sys
import time
from errno import EACCES, EPERM
from pathlib import Path

import pytest

from daemon.children import Nursery
from parsers import filtering
from parsers.confinement import Confinement, confinement_from_json
from parsers.frames import Frame
from support.walls import LANDLOCK, SECCOMP

ODD = Path(__file__).parent.parent / "support" / "odd_nursery.py"


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    """What a child answered that tried everything, and the walls it says it has."""
    folder = tmp_path_factory.mktemp("credentials")
    secret = folder / "audit-key"
    secret.write_text("only a test's\n")
    (folder / "known").write_text("here")
    before = {"CREDENTIALS_DIRECTORY": str(folder), "OGIS_LRA_SECRET": "in the environment"}
    kept = dict(os.environ)
    os.environ.update(before)
    held = secret.open("rb")
    try:
        with Nursery(time.monotonic, (str(ODD), "escape")) as nursery:
            child = nursery.hire("reader")
            child.await_ready(time.monotonic() + 60)
            child.send(Frame("read", {}, str(secret).encode()), time.monotonic() + 10)
            told = child.receive(time.monotonic() + 30)
            assert told.kind == "told", dict(told.body)
            walls = child.confinement
            child.kill()
    finally:
        held.close()
        for key in before:
            os.environ.pop(key)
        os.environ.update(kept)
    assert sorted(path.name for path in folder.iterdir()) == ["audit-key", "known"]
    assert secret.read_text() == "only a test's\n"
    return dict(told.body), walls


def refused(attempts, *deeds):
    found = {deed: attempts[0][deed] for deed in deeds}
    assert all(outcome.startswith("refused") for outcome in found.values()), found
    return found


def test_every_wall_that_this_kernel_has_stands(attempts):
    walls = attempts[1]
    assert walls.limits
    assert walls.no_new_privileges
    assert walls.no_capabilities
    assert (walls.landlock > 0) == LANDLOCK
    assert walls.seccomp == SECCOMP
    assert walls.no_network == (os.geteuid() == 0)


@pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")
def test_a_child_reads_no_credential_and_lists_no_folder(attempts):
    deeds = ("read_credential", "list_folder", "read_passwords", "read_memory_of_parent", "read_environment_of_parent")
    assert set(refused(attempts, *deeds).values()) == {f"refused {EACCES}"}


@pytest.mark.skipif(not (LANDLOCK or SECCOMP), reason="this kernel has neither Landlock nor seccomp")
def test_a_child_writes_makes_and_removes_nothing(attempts):
    deeds = ("open_for_write", "open_to_append", "write_to_tmp", "remove", "rename", "make_folder", "link", "mode")
    refused(attempts, *deeds)
    assert not Path("/tmp/ogis-lra-escape").exists()


@pytest.mark.skipif(not SECCOMP, reason="this kernel has no seccomp")
def test_a_child_has_no_socket_no_program_no_second_child_and_signals_nobody(attempts):
    deeds = ("socket", "unix_socket", "exec", "fork", "kill_parent", "kill_group", "trace", "32_bit_calls")
    assert set(refused(attempts, *deeds).values()) <= {f"refused {EPERM}", f"refused {EACCES}"}


@pytest.mark.skipif(not SECCOMP, reason="this kernel has no seccomp")
def test_a_child_gets_no_rights_and_no_doors_of_the_kernel(attempts):
    refused(attempts, "user_namespace", "change_root", "new_privileges", "io_uring", "bpf", "keyring", "memory_to_run")


def test_the_limits_hold_and_cannot_be_raised(attempts):
    refused(attempts, "memory", "raise_limit", "many_files", "core_dump")


def test_a_child_inherits_no_environment_and_no_open_file(attempts):
    told = attempts[0]
    assert set(told["environment"]) <= {
        "LANG",
        "LC_CTYPE",
        "PYTHONDONTWRITEBYTECODE",
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "TESSDATA_PREFIX",
        "LD_LIBRARY_PATH",  # set by OpenCV for itself
    }
    # Three that lead nowhere and the socket to the service.
    assert told["open_files"] == 4
    assert told["folder"] == "/"


def test_a_child_that_computes_is_let_be(attempts):
    """The recogniser's libraries start threads; whatever else they need is proved by every form that is read."""
    assert attempts[0]["thread"] in ("done", "refused RuntimeError")


def test_walls_travel_as_they_are_and_nothing_else_is_taken_for_walls():
    walls = Confinement(limits=True, landlock=4, seccomp=True)
    assert confinement_from_json(walls.to_json()) == walls
    assert walls.missing() == ("no_capabilities", "no_new_privileges")
    for wrong in (
        {},
        walls.to_json() | {"more": True},
        walls.to_json() | {"limits": 1},
        walls.to_json() | {"landlock": True},
    ):
        with pytest.raises(ValueError, match="wall"):
            confinement_from_json(wrong)


# --- the filter, run by an interpreter of its own: so that the other machine's is looked at too


def verdict(program, architecture, number, *arguments):
    """What a BPF program of loads, jumps and returns says about a call."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *(arguments + (0,) * 6)[:6])
    accumulator, at = 0, 0
    while True:
        code, true, false, value = struct.unpack_from("<HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x15:
            at += true if accumulator == value else false
        elif code == 0x45:
            at += true if accumulator & value else false
        else:
            assert code == 0x06, code
            return value


ALLOW, KILL = 0x7FFF0000, 0x80000000
MACHINES = {
    "x86_64": (
        0xC000003E,
        {"openat": 257, "clone": 56, "mmap": 9, "execve": 59, "socket": 41, "connect": 42, "read": 0},
    ),
    "aarch64": (
        0xC00000B7,
        {"openat": 56, "clone": 220, "mmap": 222, "execve": 221, "socket": 198, "connect": 203, "read": 63},
    ),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_of_each_machine_says_what_it_should(machine):
    program, (architecture, calls) = filtering.program_for(machine), MACHINES[machine]
    refuse = 0x00050000 | EPERM

    def says(name, *arguments):
        return verdict(program, architecture, calls[name], *arguments)

    assert says("read") == ALLOW
    assert says("openat", 0, 0, os.O_RDONLY | os.O_CLOEXEC) == ALLOW
    assert says("openat", 0, 0, os.O_WRONLY) == refuse
    assert says("openat", 0, 0, os.O_RDWR | os.O_CREAT) == refuse
    assert says("openat", 0, 0, 0o20200000) == refuse  # O_TMPFILE
    assert says("mmap", 0, 4096, 3) == ALLOW
    assert says("mmap", 0, 4096, 5) == ALLOW
    assert says("mmap", 0, 4096, 7) == refuse
    assert says("clone", 0x10000 | 0x100) == ALLOW
    assert says("clone", 17) == refuse
    assert {says("execve"), says("socket"), says("connect")} == {refuse}
    assert verdict(program, architecture ^ 1, calls["read"]) == KILL
    known = {number for row in filtering._PLAIN.values() if (number := row[list(MACHINES).index(machine)]) is not None}
    allowed = {number for number in range(600) if verdict(program, architecture, number, 0, 1) == ALLOW}
    assert known <= allowed
    assert len(allowed - known) <= 8  # those that are looked into: open, openat, mmap, mprotect, prlimit64, fcntl


def test_a_machine_that_nobody_knows_has_no_filter():
    assert filtering.program_for("riscv64") is None
    assert (filtering.program_for(platform.machine()) is None) == (not SECCOMP) or sys.platform != "linux"
