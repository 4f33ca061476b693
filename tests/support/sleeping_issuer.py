"""An issuer as a process of its own that stops itself (SIGSTOP) at exactly one place: `python -P -m
support.sleeping_issuer FOLDER SERVER CLOCK PLACE` with SERVER as JSON and CLOCK a file that holds the time.

It carries out what is approved, once, and says with its exit code whether the case was brought to its end: 0 by it, 1 by
somebody else. PLACE is the audit event after whose commit it stops.
"""

import json
import os
import signal
import struct
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from daemon import issuance
from daemon.demo.stage import open_stage, settings_for
from support.stops import _WatchedStore

CLOCK = struct.Struct("<d")


class _Asleep:
    """The wire that stops the process once."""

    def __init__(self) -> None:
        self.done = False

    def touch(self) -> None:
        if not self.done:
            self.done = True
            os.kill(os.getpid(), signal.SIGSTOP)


def main(folder: str, server: str, clock: str, place: str) -> int:
    door = SimpleNamespace(**json.loads(server))
    door.ca_file, door.on_delivery = Path(door.ca_file), lambda _: None

    def now() -> datetime:
        return datetime.fromtimestamp(CLOCK.unpack(Path(clock).read_bytes())[0], UTC)

    settings = settings_for(Path(folder), door, profile="subscriber-p256")
    centre = open_stage(Path(folder), door, now, lambda _: None, settings).centre
    store = _WatchedStore(
        centre.store, lambda text, values: text.startswith("INSERT INTO events") and place in values, _Asleep()
    )
    done = issuance.execute(replace(centre, store=store))
    centre.close()
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
