"""The service as a process of its own that can be killed for good: `python -P -m support.killed_service FD`.

This process imports everything once, opens the CA's key once; then it forks one
service for each request on its socket, in milliseconds. A fork runs the real loop (`daemon.loop.run`) on a data
folder, with its own connections, clock and confined readers; it is ended by SIGKILL: by itself at a place that it was
told, or from outside at any moment.

It speaks with the test through two pipes. In come lines `go PHASE` (work until nothing is left to do) and `stop`; out
go `quiet PHASE`, `at PHASE: PLACE` for every place it passes when it is to count them, `killed PHASE: PLACE` as its last
word, and `stopped`. A PLACE is a label of `support.kill_points` and the how manieth of this label in its phase it is. Between `quiet` and `go` it listens to the mailbox by IDLE, as ever.
"""

import gc
import hashlib
import json
import logging
import os
import pickle
import signal
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from daemon import loop, service
from daemon.centre import Centre
from daemon.demo import stage as demo_stage
from daemon.demo.stage import settings_for
from daemon.keyring import open_keys
from daemon.reader import Reader
from support import kill_points

_LONGEST = 1 << 16
CLOCK = struct.Struct("<d")


@dataclass
class Wanted:
    """One service that the test asks for. `kills` names, for each phase, the place to die at."""

    folder: str
    server: dict[str, Any]
    clock: str
    log: str
    kills: dict[str, str]
    counting: bool = False
    memory: str | None = None
    jumps: dict[str, tuple[int, float]] = field(default_factory=dict)
    phase: str = "start"


class Remembering(Reader):
    """The reader of forms, which remembers in a folder what it once read: that follows from the bytes alone, and takes
    longest. Without a folder it reads ever anew."""

    folder: Path | None = None
    touch: Callable[[str], None]

    def read(self, data: bytes, *, received_on: Any, **how: Any) -> Any:
        return self._remembered(("read", received_on, how), data, partial(super().read, data, received_on=received_on))

    def _pictures(self, data: bytes, wanted: Any, dpi: float) -> Any:
        wanted = list(wanted)
        return self._remembered(("pictures", wanted, dpi), data, partial(super()._pictures, data, wanted, dpi))

    def _remembered(self, what: Any, data: bytes, work: Callable[[], Any]) -> Any:
        self.touch("before reading")
        if self.folder is None:
            seen = work()
        else:
            kept = self.folder / hashlib.sha256(repr(what).encode() + data).hexdigest()
            seen = pickle.loads(kept.read_bytes()) if kept.exists() else work()
            if not kept.exists():
                part = kept.with_suffix(f".{os.getpid()}")
                part.write_bytes(pickle.dumps(seen))
                part.replace(kept)
        self.touch("after reading")
        return seen


class Line:
    """The two pipes."""

    def __init__(self, commands: int, reports: int) -> None:
        self.commands, self._reports, self._rest = commands, reports, b""

    def say(self, words: str) -> None:
        os.write(self._reports, f"{words}\n".encode())

    def hear(self) -> str:
        while b"\n" not in self._rest:
            got = os.read(self.commands, _LONGEST)
            if not got:
                os._exit(3)  # the test has gone
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


class Service:
    """One fork."""

    def __init__(self, wanted: Wanted, line: Line, keys: Any) -> None:
        self.wanted, self.line, self.keys = wanted, line, keys
        self.phase, self.readings = wanted.phase, 0
        self.passed: Counter[str] = Counter()
        self.stopping = threading.Event()
        self._clock = os.open(wanted.clock, os.O_RDONLY)

    def clock(self) -> datetime:
        self.readings += 1
        since, seconds = self.wanted.jumps.get(self.phase, (0, 0.0))
        time = CLOCK.unpack(os.pread(self._clock, CLOCK.size, 0))[0]
        return datetime.fromtimestamp(time + (seconds if self.readings >= since else 0.0), UTC)

    def touch(self, label: str) -> None:
        self.passed[label] += 1
        place = f"{label} #{self.passed[label]}"
        if self.wanted.counting:
            self.line.say(f"at {self.phase}: {place}")
        if self.wanted.kills.get(self.phase) == place:
            self.line.say(f"killed {self.phase}: {place}")
            os.kill(os.getpid(), signal.SIGKILL)

    def live(self) -> None:
        original = loop._wait

        def wait(centre: Centre, _wake_fd: int, *, listening: bool) -> None:
            self.line.say(f"quiet {self.phase}")
            original(centre, self.line.commands, listening=listening)
            verb, _, phase = self.line.hear().partition(" ")
            if verb == "stop":
                self.stopping.set()
            self.phase, self.readings = phase, 0
            self.passed.clear()

        loop._wait = wait
        kill_points.lay(self.touch)
        centre = self._open()
        try:
            with service.alone(centre.settings):
                loop.run(centre, self.stopping, self.line.commands)
        finally:
            centre.close()
        self.line.say("stopped")

    def _open(self) -> Centre:
        server = SimpleNamespace(**{**self.wanted.server, "ca_file": Path(self.wanted.server["ca_file"])})
        server.on_delivery = lambda _: None
        folder = Path(self.wanted.folder)
        settings = settings_for(folder, server, profile="subscriber-p256")
        # The file system of a test of full disks is smaller than what is kept free on a real one.
        settings = replace(settings, run=replace(settings.run, reserve_mb=0))
        demo_stage.open_keys = lambda _: self.keys
        centre = demo_stage.open_stage(folder, server, self.clock, lambda _: None, settings).centre
        reader = Remembering(equipment=centre.reader._equipment)
        reader.folder = Path(self.wanted.memory) if self.wanted.memory else None
        reader.touch = self.touch
        return replace(centre, sleep=lambda _: None, reader=reader)


class Zygote:
    """Imports and keys, ready to be forked."""

    def __init__(self) -> None:
        self._keys: dict[str, Any] = {}

    def serve(self, control: socket.socket) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()
        while True:
            message, ends, _, _ = socket.recv_fds(control, _LONGEST, 2)
            if not message:
                return
            wanted = Wanted(**json.loads(message))
            keys = self._keys_of(wanted)
            child = os.fork()
            if child == 0:
                control.close()
                _become(wanted, Line(*ends), keys)
            for end in ends:
                os.close(end)
            control.send(json.dumps({"pid": child}).encode())

    def _keys_of(self, wanted: Wanted) -> Any:
        folder = Path(wanted.folder)
        digest = hashlib.sha256((folder / "centre" / "keys" / "issuing.key").read_bytes()).hexdigest()
        if digest not in self._keys:
            self._keys[digest] = open_keys(settings_for(folder, SimpleNamespace(**wanted.server)))
        return self._keys[digest]


def _become(wanted: Wanted, line: Line, keys: Any) -> None:
    """The fork's whole life; it never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(wanted.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for standard in (1, 2):
            os.dup2(log, standard)
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", force=True)
        Service(wanted, line, keys).live()
        code = 0
    except BaseException as error:
        logging.getLogger(__name__).exception("the service ended by %s", type(error).__name__)
    finally:
        os._exit(code)


if __name__ == "__main__":
    Zygote().serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)  # a library complains on the way out of an interpreter whose modules are still in use
