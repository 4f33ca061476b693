"""Servers as child processes of a test: free ports, waiting until one speaks, ending with the test."""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 20.0
_PORTS = range(20_000, 32_000)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent ends, however it ends (prctl(2)); runs in the child before exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def children_of(pid: int) -> list[int]:
    """The processes that a server has started; from now on they become ours when it ends, for `reap`."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with contextlib.suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def reap(children: list[int]) -> None:
    """Wait for the children of a server that has ended; nobody else does where the machine has no real init."""
    until = time.monotonic() + 10
    for child in children:
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            while os.waitpid(child, os.WNOHANG)[0] == 0:
                if time.monotonic() > until:
                    os.kill(child, signal.SIGKILL)
                time.sleep(0.002)


def free_ports(count: int) -> list[int]:
    """Ports of loopback nobody listens on now, below those that the kernel gives to connections: one of these may be
    in use again before a server that was told of it listens there."""
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            with contextlib.suppress(OSError):
                held.append(socket.create_server(("127.0.0.1", secrets.choice(_PORTS))))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def wait_for_greeting(process: subprocess.Popen[bytes] | None, port: int, log: Path) -> None:
    """Return when a server has greeted on `port`. Raises RuntimeError with the end of its log when it does not."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and (process is None or process.poll() is None):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                if sock.recv(1):
                    return
        except OSError:
            time.sleep(0.01)
    told = log.read_text(errors="replace")[-2000:] if log.exists() else "no log"
    raise RuntimeError(f"nobody greets on port {port}: {told}")
