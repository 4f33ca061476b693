"""The audit log: each event is a row in the transaction it tells of, chained by a keyed hash.

mac(n) = HMAC-SHA256(key, mac(n-1) ‖ canonical JSON of the event). Fail-closed: the row is part of the transaction,
so an event that cannot be written takes its deed with it. Details carry ids, codes and states, never data of
applicants or subscribers; `actor` is the approver.
Weak: cutting off the newest events, and a whole log written anew by somebody who has the key, do not show from the
chain alone. `checkpoint` gives a line that people outside keep (the daily digest carries it); a log that does not hold
a kept line any more was cut or rewritten.
"""

import hmac
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, UnicodeText, cast, func, insert, select, type_coerce

from . import schema
from .canonical import Text, text_of
from .store import every

_START = "0" * 64
_events = schema.events

# Crockford's alphabet: no I, L, O, U. 20 signs are 100 bits of the chain value, five to a group for the eye.
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECKPOINT = re.compile(r"(?<![0-9A-Z-])([1-9][0-9]{0,17})((?:-[0-9A-HJKMNP-TV-Z]{5}){4})(?![0-9A-Z-])")


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One event that is still to be written."""

    kind: str
    at: datetime
    actor: str
    case_id: int | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the log had come, in words that a person can keep and compare: `1234-7K3F9-QXM2A-…`."""

    seq: int
    words: str

    def __str__(self) -> str:
        return f"{self.seq}-{self.words}"


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
        seq, mac = _head(tx)
        row = self._row(seq + 1, mac, Entry(kind, at, actor, case_id, detail))
        tx.execute(insert(_events).values(**row))
        return seq + 1

    def extend(self, tx: Connection, entries: Iterable[Entry]) -> int:
        """Add many events at once, in this order; returns the last sequence number. Much faster than one by one."""
        seq, mac = _head(tx)
        rows = []
        for entry in entries:
            seq += 1
            row = self._row(seq, mac, entry)
            mac = row["mac"]
            rows.append(row)
        if rows:
            tx.execute(insert(_events), rows)
        return seq

    def faults(self, tx: Connection) -> Iterator[str]:
        """Every break in the chain, as an English sentence; nothing when it is whole. Reads it as a stream."""
        previous, expected, key = _START, 1, self._key
        spelt: dict[str, str] = {}
        for seq, at, case_id, kind, actor, detail, mac in _raw(tx):
            if seq != expected:
                yield f"audit: event {expected} is missing"
            head = spelt.get(kind) or spelt.setdefault(kind, text_of(kind))
            who = spelt.get(actor) or spelt.setdefault(actor, text_of(actor))
            case = "null" if case_id is None else case_id
            line = f'{previous}[{seq},"{_iso(at)}",{case},{head},{who},{detail}]'
            if hmac.digest(key, line.encode(), "sha256").hex() != mac and not self._spelt_otherwise(
                previous, (seq, at, case_id, kind, actor, detail, mac)
            ):
                yield f"audit: event {seq} does not match its chain value"
            previous, expected = mac, seq + 1

    def _spelt_otherwise(self, previous: str, row: tuple[Any, ...]) -> bool:
        """Whether a row is right although its details are spelt in another way, as before this version."""
        seq, at, case_id, kind, actor, detail, mac = row
        try:
            value = json.loads(detail)
            moment = datetime.fromisoformat(at)
        except ValueError:
            return False
        return bool(self._mac(previous, seq, moment, case_id, kind, actor, text_of(value)) == mac)

    def _row(self, seq: int, previous: str, entry: Entry) -> dict[str, Any]:
        detail = text_of(entry.detail)
        return {
            "seq": seq,
            "at": entry.at,
            "case_id": entry.case_id,
            "kind": entry.kind,
            "actor": entry.actor,
            "detail": detail,
            "mac": self._mac(previous, seq, entry.at, entry.case_id, entry.kind, entry.actor, detail),
        }

    def _mac(
        self, previous: str, seq: int, at: datetime, case_id: int | None, kind: str, actor: str, detail: Text
    ) -> str:
        case = "null" if case_id is None else case_id
        line = f'{previous}[{seq},"{at.isoformat()}",{case},{text_of(kind)},{text_of(actor)},{detail}]'
        return hmac.digest(self._key, line.encode(), "sha256").hex()


def _iso(at: str) -> str:
    """What `datetime.isoformat` writes of a moment, from the text of the database (`ca.tables.Instant`)."""
    return f"{at[:19]}+00:00" if at[19:] == ".000000Z" else f"{at[:-1]}+00:00"


def _raw(tx: Connection) -> Iterator[tuple[Any, ...]]:
    """The rows as they are stored, times and details as text, a thousand at a time."""
    columns = _events.c
    query = select(
        columns.seq,
        type_coerce(columns.at, String),
        columns.case_id,
        columns.kind,
        columns.actor,
        cast(columns.detail, UnicodeText),
        columns.mac,
    ).order_by(columns.seq)
    for part in tx.execute(query.execution_options(yield_per=1000)).partitions():
        yield from part


def _head(tx: Connection) -> tuple[int, str]:
    """Number and chain value of the newest event; 0 and the beginning of the chain before the first."""
    columns = _events.c
    row = tx.execute(select(columns.seq, columns.mac).order_by(columns.seq.desc()).limit(1)).one_or_none()
    return (0, _START) if row is None else (row.seq, row.mac)


def checkpoint(tx: Connection) -> Checkpoint | None:
    """How far the log has come; None while it is empty."""
    seq, mac = _head(tx)
    return Checkpoint(seq, _words(mac)) if seq else None


def checkpoints_in(text: str) -> list[Checkpoint]:
    """Every checkpoint that stands in a text (a line that was typed, a mail, a file), as people write them."""
    return [Checkpoint(int(seq), words[1:]) for seq, words in _CHECKPOINT.findall(text.upper())]


def kept_faults(tx: Connection, kept: Iterable[Checkpoint]) -> Iterator[str]:
    """Where the log is not the one that a kept checkpoint speaks of. Whether its chain is whole is for `faults`."""
    last, _ = _head(tx)
    for each in kept:
        mac = tx.execute(select(_events.c.mac).where(_events.c.seq == each.seq)).scalar_one_or_none()
        if mac is None and each.seq > last:
            yield f"audit: the log ends at event {last}, before the kept checkpoint {each}: its end was cut off"
        elif mac is None:
            yield f"audit: event {each.seq} of the kept checkpoint {each} is missing"
        elif _words(mac) != each.words:
            yield f"audit: event {each.seq} is not the one of the kept checkpoint {each}: the log was written anew"


def _words(mac: str) -> str:
    """The first 100 bits of a chain value, as people can compare them."""
    bits = int(mac[:25], 16)
    signs = "".join(_SIGNS[bits >> shift & 31] for shift in range(95, -1, -5))
    return "-".join(signs[start : start + 5] for start in range(0, 20, 5))


def export(tx: Connection) -> Iterator[str]:
    """The whole log as lines of JSON, the chain value in each; a stream, for a file that outlives the database."""
    for seq, at, case_id, kind, actor, detail, mac in _raw(tx):
        head = text_of({"seq": seq, "at": at, "case_id": case_id, "kind": kind, "actor": actor})
        yield f'{head[:-1]},"detail":{detail},"mac":"{mac}"}}'


def records(tx: Connection, case_id: int | None = None) -> list[Record]:
    """The log in order, of one case or of all."""
    query = select(_events).order_by(_events.c.seq)
    if case_id is not None:
        query = query.where(_events.c.case_id == case_id)
    return [Record(**row) for row in every(tx, query)]


def count(tx: Connection) -> int:
    """How many events there are."""
    return int(tx.execute(select(func.count()).select_from(_events)).scalar_one())
