"""The clean process that confined children are forked from: `python -P -m parsers --nursery FD`.

The service starts it by exec, with an empty environment and no open file but one socket, so nothing of the service's
memory, keys or credentials is in it or in its children. It imports the PDF libraries once and never reads a stranger's
byte; each child is a fork of it, ready in a few milliseconds, walled in before it says so (parsers/confinement.py).

On the socket, which keeps message boundaries: in comes the name of a role with one end of a socket for the child; out
goes `ok` with the child's pidfd, by which the service can kill exactly that child, or `no`. It ends with the service.
"""

import contextlib
import encodings
import gc
import importlib
import os
import pkgutil
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from parsers.confinement import Bounds, close_all_but, end_with_parent, leave_network, shut_in, wall_off
from parsers.frames import Frame
from parsers.worker import Answer, Channel, reader, recogniser, serve

_LONGEST_MESSAGE = 64


@dataclass(frozen=True, slots=True)
class Role:
    """What children of a kind may use, and how one gets what answers in it."""

    bounds: Bounds
    prepare: Callable[[], Answer]


ROLES = {
    "reader": Role(Bounds(address_space=1_500_000_000), reader),
    # The model, its threads' stacks and arenas of the allocator reserve far more than they touch (0.65 GB measured).
    "recogniser": Role(Bounds(address_space=2_500_000_000, open_files=64), recogniser),
}


def keep(control: socket.socket) -> None:
    """Fork the children that the service asks for, until it hangs up."""
    # The service ends its children itself: a signal to the whole group must not cost the mail that is being read.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    os.chdir("/")
    no_network = leave_network()
    preload()
    while True:
        message, ends, _, _ = socket.recv_fds(control, _LONGEST_MESSAGE, 1)
        if not message:
            return
        role = ROLES.get(message.decode("ascii", "replace"))
        if role is None or len(ends) != 1:
            control.send(b"no")
            continue
        try:
            _fork(control, role, ends[0], no_network=no_network)
        except OSError:
            control.send(b"no")
        finally:
            os.close(ends[0])


def _fork(control: socket.socket, role: Role, end: int, *, no_network: bool) -> None:
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _live(role, end, parent=parent, no_network=no_network)
        finally:
            # Whatever happened: no child returns into the loop of the nursery.
            os._exit(0)
    handle = os.pidfd_open(child)
    try:
        socket.send_fds(control, [b"ok"], [handle])
    finally:
        os.close(handle)


def _live(role: Role, end: int, *, parent: int, no_network: bool) -> None:
    end_with_parent(parent)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    close_all_but((end,))
    landlock = wall_off()
    answer = role.prepare()
    channel = Channel(end)
    walls = shut_in(role.bounds, landlock=landlock, no_network=no_network, parent=parent)
    channel.send(Frame("ready", walls.to_json()))
    serve(channel, answer)


def preload() -> None:
    """Import what a reader uses and build its tables, so that a child has them at birth."""
    for name in ("parsers.application", "parsers.rendering", "PIL.Image", "pypdfium2", "pdfplumber"):
        importlib.import_module(name)
    for module in pkgutil.iter_modules(encodings.__path__):
        # Python finds a codec when it is asked for one; some exist on other systems only (mbcs, oem).
        with contextlib.suppress(ImportError, LookupError):
            importlib.import_module(f"encodings.{module.name}")
    from config import forms, request_types  # noqa: PLC0415 - their tables are built by the first call

    request_types.load()
    forms.load_forms()
    # The children share these pages as long as the collector does not write its marks into them.
    gc.freeze()
