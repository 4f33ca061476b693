"""A nursery whose children do what a test wants: try to get out, lie, hang, die. Started as the real one is.

    python -P odd_nursery.py NAME --nursery FD

The walls are the real ones; only the answers are others.
"""

import ctypes
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from datetime import date
from functools import partial
from pathlib import Path

from parsers import nursery
from parsers.application import read
from parsers.errors import ParseError, ParseKind
from parsers.frames import Frame, refusal
from parsers.reading import Reading, to_json
from parsers.scan import Scan, scan_to_json
from parsers.worker import reader as real_reader


def attempt(deed):
    """`done` or why not."""
    try:
        deed()
    except OSError as error:
        return f"refused {error.errno}"
    except (MemoryError, ValueError, RuntimeError) as error:
        return f"refused {type(error).__name__}"
    return "done"


def system_call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def open_files():
    """How many there are, as far as a child can find out: numbers that can be asked about."""
    return sum(attempt(partial(os.fstat, number)) == "done" for number in range(1024))


def escape(_, asked):
    """Everything that somebody who has taken over a child would try first."""
    secret = Path(bytes(asked.blob).decode())
    parent = os.getppid()
    deeds = {
        "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "unix_socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        "open_for_write": lambda: os.open(secret.parent / "new", os.O_WRONLY | os.O_CREAT),
        "open_to_append": lambda: os.open(secret, os.O_RDWR),
        "write_to_tmp": lambda: os.open("/tmp/ogis-lra-escape", os.O_WRONLY | os.O_CREAT),
        "remove": secret.unlink,
        "rename": lambda: secret.rename(f"{secret}.x"),
        "make_folder": (secret.parent / "folder").mkdir,
        "link": lambda: (secret.parent / "link").symlink_to("/etc/passwd"),
        "mode": lambda: secret.chmod(0o777),
        "read_credential": lambda: os.open(secret, os.O_RDONLY),
        "list_folder": lambda: list(secret.parent.iterdir()),
        "read_passwords": lambda: os.open("/etc/shadow", os.O_RDONLY),
        "read_memory_of_parent": lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY),
        "read_environment_of_parent": lambda: os.open(f"/proc/{parent}/environ", os.O_RDONLY),
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "fork": os.fork,
        "kill_parent": lambda: os.kill(parent, signal.SIGTERM),
        "kill_group": lambda: os.kill(0, signal.SIGTERM),
        "trace": lambda: system_call(101 if os.uname().machine == "x86_64" else 117, 16, parent, 0, 0),
        "user_namespace": lambda: os.unshare(0x10000000) if hasattr(os, "unshare") else system_call(272, 0x10000000),
        "become_root": lambda: os.setuid(0),
        "change_root": partial(os.chroot, "/"),
        "memory": lambda: bytearray(5_000_000_000),
        "raise_limit": lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
        "many_files": lambda: [os.dup(0) for _ in range(100)],
        "core_dump": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
        "new_privileges": lambda: system_call(157 if os.uname().machine == "x86_64" else 167, 38, 0, 0, 0, 0),
        "io_uring": lambda: system_call(425, 8, bytes(120)),
        "bpf": lambda: system_call(321 if os.uname().machine == "x86_64" else 280, 0, bytes(64), 64),
        "keyring": lambda: system_call(250 if os.uname().machine == "x86_64" else 219, 0, -3, 0),
        "memory_to_run": lambda: mmap.mmap(-1, 4096, prot=7),
        "32_bit_calls": lambda: system_call(0x40000000 | 41, 2, 1, 0),
    }
    inherited = open_files()
    told = {name: attempt(deed) for name, deed in deeds.items()}
    told |= {
        "environment": sorted(os.environ),
        "open_files": inherited,
        "thread": attempt(lambda: threading.Thread(target=int).start()),
        "folder": str(Path.cwd()),
    }
    return Frame("told", told)


def _reading(**changes):
    return Frame("reading", to_json(Reading(())) | changes)


def _raw(data):
    """Write bytes that no Channel would."""

    def answer(channel, _):
        os.write(channel._descriptor, data)
        time.sleep(600)

    return answer


def _text(text):
    return _raw(struct.pack(">4sII", b"LRA1", len(text), 0) + text)


def _drip(channel, _):
    """A frame, one byte every tenth of a second, for ever."""
    os.write(channel._descriptor, struct.pack(">4sII", b"LRA1", 1000, 0))
    while True:
        os.write(channel._descriptor, b" ")
        time.sleep(0.1)


def _hang(*_):
    while True:
        time.sleep(600)


def _burn(*_):
    while True:
        pass


def _eat(*_):
    eaten = []
    while True:
        eaten.append(bytearray(10_000_000))


def _die(*_):
    os._exit(3)


def _crash(*_):
    ctypes.string_at(8)


def _ask_for_ever(channel, _):
    """A reader that has one more page to be recognised, and one more."""
    while True:
        channel.send(Frame("recognise", {"page": 1, "width": 1, "height": 1, "dpi": 200.0}, b"\0\0\0"))
        channel.receive()


def _ask_once(channel, _):
    channel.send(Frame("recognise", {"page": 1, "width": 1, "height": 1, "dpi": 200.0}, b"\0\0\0"))
    seen = channel.receive()
    problem = seen.body["problem"]
    return _reading(problems=[{"code": problem, "page": 1, "message": "the child's own words"}])


def _draft(channel, asked):
    """What the text alone says, as a real reader would tell it; the form lies beside the tests."""
    channel.send(Frame("draft", to_json(read(bytes(asked.blob), received_on=date(2026, 4, 1)))))


def _draft_and(deed):
    def answer(channel, asked):
        _draft(channel, asked)
        return deed(channel, asked)

    return answer


def _bug(*_):
    raise ZeroDivisionError("a value of the form")


def _blank(*_):
    return Frame("scan", scan_to_json(Scan(problem="blank_page")))


ODD = {
    "hang": _hang,
    "burn": _burn,
    "eat": _eat,
    "die": _die,
    "crash": _crash,
    "drip": _drip,
    "bug": _bug,
    "ask-for-ever": _ask_for_ever,
    "ask-once": _ask_once,
    "draft-and-hang": _draft_and(_hang),
    "draft-and-die": _draft_and(_die),
    "draft-and-draft": _draft_and(_draft_and(_hang)),
    "draft-and-refuse": _draft_and(lambda *_: refusal(ParseError(ParseKind.TOO_COSTLY, "too much"))),
    "draft-of-nonsense": lambda *_: Frame("draft", {"applications": "x"}),
    "other-protocol": _raw(b"HTTP/1.1 200 OK\r\n\r\n" * 10),
    "huge-json": _raw(struct.pack(">4sII", b"LRA1", 2**32 - 1, 0)),
    "huge-blob": _raw(struct.pack(">4sII", b"LRA1", 2, 2**32 - 1)),
    "no-json": _raw(struct.pack(">4sII", b"LRA1", 5, 0) + b"{{{{{"),
    "deep-json": _raw(struct.pack(">4sII", b"LRA1", 200_000, 0) + b"[" * 200_000),
    "not-utf-8": _raw(struct.pack(">4sII", b"LRA1", 4, 0) + b"\xff\xfe\xff\xfe"),
    "no-object": _raw(struct.pack(">4sII", b"LRA1", 2, 0) + b"[]"),
    "nan": _text(b'{"kind": "reading", "body": {"a": NaN}}'),
    "long-number": _text(b'{"kind": 1' + b"0" * 9999 + b"}"),
    "other-kind": lambda *_: Frame("hello", {}),
    "unknown-key": lambda *_: _reading(extra=1),
    "no-lists": lambda *_: _reading(applications={}, problems="x"),
    "many-forms": lambda *_: _reading(applications=[{}] * 500),
    "empty-form": lambda *_: _reading(applications=[{}]),
    "form-of-lists": lambda *_: _reading(applications=[[[[[]]]]]),
    "unknown-problem": lambda *_: _reading(problems=[{"code": "evil", "page": 1, "message": "click here"}]),
    "problem-of-page-zero": lambda *_: _reading(problems=[{"code": "not_a_form", "page": 0, "message": ""}]),
    "unknown-refusal": lambda *_: Frame("refused", {"kind": "evil", "page": None, "sentence": "x"}),
    "refusal-without-words": lambda *_: Frame("refused", {}),
    "picture-of-other-size": lambda *_: Frame("picture", {"width": 5, "height": 5, "dpi": 150.0}, b"\0" * 10),
    "picture-huge": lambda *_: Frame("picture", {"width": 10**9, "height": 10**9, "dpi": 150.0}, b"\0" * 10),
    "picture-of-words": lambda *_: Frame("picture", {"width": "5", "height": True, "dpi": None}, b""),
    "escape": escape,
    "real": real_reader(),
}


def main():
    name, _, descriptor = sys.argv[1:]
    reader, _, recogniser = name.partition("+")
    ODD["named"] = lambda channel, asked: ODD[bytes(asked.blob).decode()](channel, asked)
    bounds = nursery.ROLES["reader"].bounds
    nursery.ROLES["reader"] = nursery.Role(bounds, lambda: ODD[reader])
    nursery.ROLES["recogniser"] = nursery.Role(bounds, lambda: ODD[recogniser] if recogniser != "blank" else _blank)
    if reader == "never-ready":
        nursery.ROLES["reader"] = nursery.Role(bounds, _die)
    with socket.socket(fileno=int(descriptor)) as control:
        nursery.keep(control)


if __name__ == "__main__":
    main()
