"""The ledger of every mail ever seen (HOUSE 5, mail notes §7): a mail is filed on the server only after it stands here.

Two keys: where it was seen, (account, folder, UIDVALIDITY, UID), and what it was, the digest of its bytes. The same
bytes under another UID, in another folder or after a UIDVALIDITY change are another sighting of the same mail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update
from sqlalchemy.engine import RowMapping

from ca.register import Instant

from . import schema
from .store import added, changed, every, one

_mails = schema.mails
_ASKED_TOGETHER = 500  # values in one statement; SQLite takes 32,766, older ones 999
_sightings = schema.sightings


@dataclass(frozen=True, slots=True)
class Place:
    """One mailbox folder in one life of its UIDs (RFC 3501 §2.3.1.1)."""

    account: str
    folder: str
    uidvalidity: int


FROM_A_FILE = Place("file", "", 0)
"""No account has this name: those of servers hold an @. The UID of a sighting there is the number of the mail."""


@dataclass(frozen=True, slots=True)
class MailRow:
    """One mail as the ledger knows it. `folder` is where it belongs on the server once it was read."""

    id: int
    digest: str
    size: int
    message_id: str
    likeness: str
    state: str
    outcome: str
    reason: str
    folder: str
    attempts: int
    arrived_at: datetime
    stored_at: datetime
    erasure_asked_at: datetime | None = None
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A UID that stands in the ledger; `internal_date` is None where it was noted before stage 3."""

    uid: int
    mail_id: int
    internal_date: datetime | None


def seen(tx: Connection, place: Place, uids: Sequence[int]) -> dict[int, Sighting]:
    """Those of these UIDs of a place that stand in the ledger already."""
    columns = (_sightings.c.uid, _sightings.c.mail_id, _sightings.c.internal_date)
    found: dict[int, Sighting] = {}
    for start in range(0, len(uids), _ASKED_TOGETHER):
        block = uids[start : start + _ASKED_TOGETHER]
        for row in every(tx, select(*columns).where(*_at(place), _sightings.c.uid.in_(block))):
            found[row["uid"]] = Sighting(**row)
    return found


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail that was fetched and whose bytes are stored."""

    uid: int
    digest: str
    size: int
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a fetched mail was to the ledger: `new` bytes, and the mail that stood under its UID before, if another."""

    mail_id: int
    new: bool
    instead_of: int | None = None


def record(tx: Connection, place: Place, arrivals: Sequence[Arrival], *, now: datetime) -> list[Recorded]:
    """Note where stored bytes were seen, a few statements for all of them; no UID may be named twice.

    A UID that stands in the ledger with other bytes was given away a second time, which RFC 3501 section 2.3.1.1
    forbids and servers do: the sighting is the new mail's from now on, the old mail keeps its row. With the same bytes
    the mail lies there again, or still, and is to be filed again.
    """
    known = _ids(tx, [each.digest for each in arrivals])
    fresh = {each.digest: each for each in arrivals if each.digest not in known}
    known |= _add_all(tx, list(fresh.values()), now=now)
    before = seen(tx, place, [each.uid for each in arrivals])
    where = {"account": place.account, "folder": place.folder, "uidvalidity": place.uidvalidity}
    rows, found = [], []
    for each in arrivals:
        mail_id = known[each.digest]
        values = {"mail_id": mail_id, "internal_date": each.arrived_at, "seen_at": now, "filed_at": None}
        old = before.get(each.uid)
        if old is None:
            rows.append(where | values | {"uid": each.uid})
        else:
            changed(tx, update(_sightings).where(*_at(place), _sightings.c.uid == each.uid).values(**values))
        other = old.mail_id if old is not None and old.mail_id != mail_id else None
        # The same bytes twice in one batch are new once.
        found.append(Recorded(mail_id, new=fresh.pop(each.digest, None) is not None, instead_of=other))
    if rows:
        tx.execute(insert(_sightings), rows)
    return found


def _ids(tx: Connection, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _ASKED_TOGETHER):
        block = digests[start : start + _ASKED_TOGETHER]
        query = select(_mails.c.digest, _mails.c.id).where(_mails.c.digest.in_(block))
        found |= {row["digest"]: row["id"] for row in every(tx, query)}
    return found


def _add_all(tx: Connection, arrivals: Sequence[Arrival], *, now: datetime) -> dict[str, int]:
    """New mails in the order of their arrival; the unique digest refuses a second one."""
    if not arrivals:
        return {}
    rows = [
        {
            "digest": each.digest,
            "size": each.size,
            "state": "stored",
            "arrived_at": each.arrived_at,
            "stored_at": now,
        }
        for each in arrivals
    ]
    statement = insert(_mails).returning(_mails.c.digest, _mails.c.id, sort_by_parameter_order=True)
    return {row["digest"]: row["id"] for row in tx.execute(statement, rows).mappings()}


def add(tx: Connection, *, digest: str, size: int, arrived_at: datetime, now: datetime) -> int:
    """A mail that is not in the ledger yet; the unique digest refuses a second one."""
    return added(tx, _mails, digest=digest, size=size, state="stored", arrived_at=arrived_at, stored_at=now)


def add_file(tx: Connection, *, digest: str, size: int, arrived_at: datetime, now: datetime) -> int:
    """A mail that an operator hands in as a file: it lies on no server, so there is nothing to file either."""
    mail_id = add(tx, digest=digest, size=size, arrived_at=arrived_at, now=now)
    added(
        tx,
        _sightings,
        mail_id=mail_id,
        account=FROM_A_FILE.account,
        folder=FROM_A_FILE.folder,
        uidvalidity=FROM_A_FILE.uidvalidity,
        uid=mail_id,
        seen_at=now,
        filed_at=now,
    )
    return mail_id


def came_by_file(tx: Connection, mail_id: int) -> bool:
    """Whether a mail was only ever handed in as a file, so that no mail server of ours vouches for its header."""
    rows = every(tx, select(_sightings.c.account).where(_sightings.c.mail_id == mail_id))
    return {row["account"] for row in rows} == {FROM_A_FILE.account}


def find(tx: Connection, digest: str) -> MailRow | None:
    """The mail of these bytes, None where there is none."""
    row = one(tx, select(_mails).where(_mails.c.digest == digest))
    return MailRow(**row) if row is not None else None


def get(tx: Connection, mail_id: int) -> MailRow:
    """One mail; KeyError where there is none."""
    row = one(tx, select(_mails).where(_mails.c.id == mail_id))
    if row is None:
        raise KeyError(f"no mail {mail_id}")
    return MailRow(**row)


def unread(tx: Connection) -> list[MailRow]:
    """The mails that were stored and not read yet, oldest first."""
    return [MailRow(**row) for row in every(tx, select(_mails).where(_mails.c.state == "stored").order_by(_mails.c.id))]


def held(tx: Connection) -> list[MailRow]:
    """The mails that were set aside for a person, with the reason."""
    return [MailRow(**row) for row in every(tx, select(_mails).where(_mails.c.state == "held").order_by(_mails.c.id))]


def count_attempt(tx: Connection, row: MailRow) -> None:
    """Count a try before it is made, so that a mail which kills the process is known by its count."""
    changed(
        tx,
        update(_mails).where(_mails.c.id == row.id, _mails.c.state == "stored").values(attempts=row.attempts + 1),
    )


def forget_attempt(tx: Connection, row: MailRow) -> None:
    """Take back the attempt counted last: what failed was not the mail."""
    changed(tx, update(_mails).where(_mails.c.id == row.id, _mails.c.state == "stored").values(attempts=row.attempts))


def describe(tx: Connection, mail_id: int, *, message_id: str, likeness: str) -> None:
    """What the mail says about itself, before it is dealt with; it decides nothing (`duplicates`)."""
    changed(tx, update(_mails).where(_mails.c.id == mail_id).values(message_id=message_id, likeness=likeness))


def settle(tx: Connection, mail_id: int, *, state: str, outcome: str, folder: str, reason: str = "") -> None:
    """The mail was read, or is held; `folder` is where it goes on the server."""
    changed(
        tx,
        update(_mails)
        .where(_mails.c.id == mail_id, _mails.c.state == "stored")
        .values(state=state, outcome=outcome, folder=folder, reason=reason),
    )


def release(tx: Connection, mail_id: int) -> None:
    """A mail that is held is to be read again, as if it had never been tried. Where it lies on the server does not
    change: it was moved to staff, and it stays with them."""
    changed(
        tx,
        update(_mails)
        .where(_mails.c.id == mail_id, _mails.c.state == "held")
        .values(state="stored", outcome="", reason="", folder="", attempts=0),
    )


def replace(tx: Connection, mail_id: int, *, by: int) -> None:
    """A mail that is held is done with, because a mended copy is read in its place."""
    changed(
        tx,
        update(_mails)
        .where(_mails.c.id == mail_id, _mails.c.state == "held")
        .values(state="read", outcome="replaced", reason=f"replaced by mail {by}"),
    )


def ask_erasure(tx: Connection, mail_id: int, *, now: datetime) -> None:
    """The bytes of this mail shall be forgotten, for good. Committed with the reason for it; `intake.erase` does it
    afterwards, and does it again after a stop. Asking again changes nothing."""
    changed(
        tx,
        update(_mails)
        .where(_mails.c.id == mail_id)
        .values(erasure_asked_at=func.coalesce(_mails.c.erasure_asked_at, bindparam("now", now, Instant))),
    )


def erasable(tx: Connection) -> list[MailRow]:
    """The mails whose bytes are to be forgotten and are not yet."""
    query = select(_mails).where(_mails.c.erasure_asked_at.is_not(None), _mails.c.erased_at.is_(None))
    return [MailRow(**row) for row in every(tx, query.order_by(_mails.c.id))]


def note_erased(tx: Connection, mail_id: int, *, now: datetime) -> None:
    """The bytes are gone; digest, size and everything else of the row stay."""
    changed(tx, update(_mails).where(_mails.c.id == mail_id, _mails.c.erased_at.is_(None)).values(erased_at=now))


def unfiled(tx: Connection, place: Place) -> list[RowMapping]:
    """Sightings of settled mails that still lie where they were seen: `id`, `uid`, `target`."""
    query = (
        select(_sightings.c.id, _sightings.c.uid, _mails.c.folder.label("target"))
        .join(_mails, _mails.c.id == _sightings.c.mail_id)
        .where(*_at(place), _sightings.c.filed_at.is_(None), _mails.c.state != "stored")
        .order_by(_sightings.c.id)
    )
    return list(every(tx, query))


def note_filed(tx: Connection, sighting_id: int, *, now: datetime) -> None:
    """The mail was moved to its folder."""
    changed(tx, update(_sightings).where(_sightings.c.id == sighting_id).values(filed_at=now))


def _at(place: Place) -> tuple[ColumnElement[bool], ...]:
    return (
        _sightings.c.account == place.account,
        _sightings.c.folder == place.folder,
        _sightings.c.uidvalidity == place.uidvalidity,
    )
