"""The audit log: each event is a row in the transaction it tells of, chained by a keyed hash.

mac(n) = HMAC-SHA256(key, mac(n-1) ‖ canonical JSON of the event). Fail-closed: the row is part of the transaction,
so an event that cannot be written takes its deed with it. Details carry ids, codes and states, never data of
applicants or subscribers; `actor` is the approver.
Weak: cutting off the newest events does not show from the chain alone; checkpoints that leave the host are stage 5.
"""

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from . import schema
from .store import every, one

_START = "0" * 64


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log."""

    seq: int
    at: datetime
    case_id: int | None
    kind: str
    actor: str
    detail: dict[str, Any]
    mac: str


class Audit:
    """The log of one centre, written under its key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Audit(key hidden)"

    def append(
        self,
        tx: Connection,
        kind: str,
        *,
        at: datetime,
        actor: str,
        case_id: int | None = None,
        **detail: object,
    ) -> int:
        """Add one event inside the running transaction; returns its sequence number."""
        last = one(tx, select(schema.events).order_by(schema.events.c.seq.desc()).limit(1))
        seq = last["seq"] + 1 if last else 1
        mac = self._mac(last["mac"] if last else _START, seq, at, case_id, kind, actor, detail)
        tx.execute(
            insert(schema.events).values(
                seq=seq, at=at, case_id=case_id, kind=kind, actor=actor, detail=detail, mac=mac
            )
        )
        return seq

    def faults(self, tx: Connection) -> Iterator[str]:
        """Every break in the chain, as an English sentence; nothing when it is whole."""
        previous, expected = _START, 1
        for record in records(tx):
            if record.seq != expected:
                yield f"audit: event {expected} is missing"
                expected = record.seq
            mac = self._mac(previous, record.seq, record.at, record.case_id, record.kind, record.actor, record.detail)
            if not hmac.compare_digest(mac, record.mac):
                yield f"audit: event {record.seq} does not match its chain value"
            previous, expected = record.mac, record.seq + 1

    def _mac(
        self,
        previous: str,
        seq: int,
        at: datetime,
        case_id: int | None,
        kind: str,
        actor: str,
        detail: dict[str, Any],
    ) -> str:
        line = json.dumps(
            [seq, at.isoformat(), case_id, kind, actor, detail],
            ensure_ascii=False,
            sort_keys=True,
            separators=(",", ":"),
        )
        return hmac.new(self._key, f"{previous}{line}".encode(), "sha256").hexdigest()


def records(tx: Connection, case_id: int | None = None) -> list[Record]:
    """The log in order, of one case or of all."""
    query = select(schema.events).order_by(schema.events.c.seq)
    if case_id is not None:
        query = query.where(schema.events.c.case_id == case_id)
    return [Record(**row) for row in every(tx, query)]


def count(tx: Connection) -> int:
    """How many events there are."""
    return int(tx.execute(select(func.count()).select_from(schema.events)).scalar_one())
