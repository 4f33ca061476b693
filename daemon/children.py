"""The service's side of its confined children: starting them, speaking with a deadline, killing exactly one.

Trusts the nursery, which never sees a stranger's byte (parsers/nursery.py), and nothing that a child says: sizes are
bounded before they are read, every wait ends at a deadline, and a child that misses it or speaks nonsense is killed
by its pidfd. A child inherits nothing of the service: the nursery is started by exec with an empty environment. Weak:
while a question is asked, the thread that asks it waits.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

from parsers.confinement import Confinement, confinement_from_json
from parsers.frames import Frame, FrameError, pack, unpack

# Everything a child may know of the machine. One thread per library: the recogniser counts its own.
_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
)
# Tesseract lists the folder of its data before it looks for a language, and crashes where it may not: behind Landlock
# its default, the current folder, is such. So it is told one that a child may list, even where there is no data.
_TESSERACT = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata")
_READABLE = "/usr/lib"
PROGRAM = ("-m", "parsers")
# A nursery forks in milliseconds; only its start, with its imports, takes longer.
_START = 30.0
_MOMENT = 0.5


class ReaderUnavailable(OSError):
    """No confined child can be had: the machine is in trouble, not the file. Nothing is read in its stead."""


class NurseryLost(ReaderUnavailable):
    """The nursery was ended from outside, and its children with it: no fault of what they were reading."""


class ChildLost(Exception):
    """A child was killed because it took too long or spoke nonsense, or ended by itself."""


class Child:
    """One confined child and the only way to speak to it. Not for two threads at once."""

    def __init__(
        self, end: socket.socket, handle: int, nursery: subprocess.Popen[bytes], monotonic: Callable[[], float]
    ) -> None:
        self._end = end
        self._nursery = nursery
        self._handle = handle
        self._monotonic = monotonic
        self.confinement: Confinement | None = None

    @property
    def handle(self) -> int:
        """The child's pidfd, for who measures or kills it."""
        return self._handle

    def await_ready(self, deadline: float) -> None:
        """Wait until its walls stand; before that it is told nothing. Raises ChildLost."""
        if self.confinement is not None:
            return
        frame = self.receive(deadline)
        try:
            self.confinement = confinement_from_json(dict(frame.body) if frame.kind == "ready" else {})
        except ValueError:
            self.kill()
            raise ChildLost("did not say that it is ready") from None

    def is_alive(self) -> bool:
        """Whether it is still there: its handle becomes readable when it ends (pidfd_open(2))."""
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        return not waiting.poll(0)

    def is_orphan(self) -> bool:
        """Whether the nursery it came from has ended: that ends its children, a moment before it can be seen itself."""
        try:
            self._nursery.wait(_MOMENT)
        except subprocess.TimeoutExpired:
            return False
        return True

    def send(self, frame: Frame, deadline: float) -> None:
        """Say something. Raises ChildLost."""
        try:
            for part in (pack(frame), frame.blob):
                rest = memoryview(part)
                while rest:
                    self._end.settimeout(self._left(deadline))
                    rest = rest[self._end.send(rest) :]
        except OSError as error:
            self.kill()
            raise ChildLost(_reason(error)) from None

    def receive(self, deadline: float) -> Frame:
        """What it says next. Raises ChildLost."""
        try:
            return unpack(lambda count: self._take(count, deadline))
        except (OSError, FrameError) as error:
            self.kill()
            raise ChildLost(_reason(error)) from None

    def _take(self, count: int, deadline: float) -> bytearray:
        taken = bytearray(count)
        rest = memoryview(taken)
        while rest:
            self._end.settimeout(self._left(deadline))
            got = self._end.recv_into(rest)
            if not got:
                raise ConnectionError("it ended")
            rest = rest[got:]
        return taken

    def _left(self, deadline: float) -> float:
        left = deadline - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def kill(self) -> None:
        """End it now, whatever it is doing. Safe to repeat."""
        if self._handle < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        # The handle becomes readable when the child is gone: memory is free again before the next one is born.
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        waiting.poll(1000)
        os.close(self._handle)
        self._handle = -1
        self._end.close()


def _reason(error: OSError | FrameError) -> str:
    if isinstance(error, FrameError):
        return f"spoke nonsense: {error}"
    return "took too long" if isinstance(error, TimeoutError) else "ended by itself"


class Nursery:
    """The clean process that children are forked from. Starts at the first child that is asked for."""

    def __init__(self, monotonic: Callable[[], float], program: Sequence[str] = PROGRAM) -> None:
        self._monotonic = monotonic
        self._program = program
        self._running: tuple[subprocess.Popen[bytes], socket.socket] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hire(self, role: str) -> Child:
        """A new child, which gets ready by itself. Raises ReaderUnavailable."""
        for last in (False, True):
            try:
                return self._ask_for(role)
            except OSError as error:
                # A nursery that was killed is replaced, once.
                self.close()
                if last:
                    raise ReaderUnavailable(error.errno, "no confined child can be started", sys.executable) from error
        raise AssertionError("unreachable")

    def _ask_for(self, role: str) -> Child:
        nursery, control = self._started()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                control.settimeout(_START)
                socket.send_fds(control, [role.encode()], [theirs.fileno()])
            answer, handles, _, _ = socket.recv_fds(control, 16, 1)
            if answer != b"ok" or len(handles) != 1:
                raise ConnectionError("the nursery refuses")
        except OSError:
            ours.close()
            raise
        return Child(ours, handles[0], nursery, self._monotonic)

    def _started(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        if self._running is not None:
            return self._running
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                started = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no word of anybody else
                    [sys.executable, "-P", *self._program, "--nursery", str(theirs.fileno())],
                    env={**_ENVIRONMENT, "TESSDATA_PREFIX": next(filter(os.path.isdir, _TESSERACT), _READABLE)},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                )
            except OSError:
                ours.close()
                raise
        self._running = started, ours
        return self._running

    def close(self) -> None:
        """End the nursery and, with it, every child that is left (prctl(2), PR_SET_PDEATHSIG)."""
        if self._running is None:
            return
        started, control = self._running
        self._running = None
        control.close()
        started.kill()
        started.wait()
