"""Checkpoints of the audit log leave the database: hourly into a file, daily into the digest that staff keep.

A chain does not show that its newest part was cut off, nor that somebody with the key wrote it anew; whoever kept a
checkpoint elsewhere can show both (`ogis-lra verify --checkpoint`). The file is there to be carried to another machine
by whatever carries logs there: on this one it proves little.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from . import audit, gauges
from .centre import Centre

FILE = "audit-checkpoints.txt"
_EVERY = timedelta(hours=1)
_SINCE = "audit_checkpoint_timestamp_seconds"


def keep(centre: Centre) -> int:
    """Add a line to the file where the last one is an hour old and the log has grown; returns 1 where it did.

    Crash between file and gauge: the same line stands there twice.
    """
    now = centre.clock()
    with centre.store.transaction() as tx:
        known = gauges.values(tx)
        last, newest = gauges.moment(known, _SINCE), audit.checkpoint(tx)
        # A clock that was put back must not stop the lines for as long as it was ahead.
        if newest is None or newest.seq == known.get("audit_events") or (last and last <= now < last + _EVERY):
            return 0
    with (centre.settings.data_dir / FILE).open("a", encoding="ascii") as file:
        file.write(f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {newest}\n")
        file.flush()
        os.fsync(file.fileno())
    with centre.store.transaction() as tx:
        gauges.note(tx, {"audit_events": newest.seq, _SINCE: now.timestamp()}, now=now)
    return 1


def lines(tx: Connection, _: Centre, __: datetime) -> Iterator[str]:
    """What the daily digest says of it."""
    newest = audit.checkpoint(tx)
    if newest is not None:
        yield str(newest)
