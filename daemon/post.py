"""Queueing letters: the one way by which anything of ours becomes a mail (docs/letters.md says which goes when)."""

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from parsers.returned import passwords_in

from . import despatch, envelope, return_path, schema, staff_letters
from .centre import Centre
from .despatch import LetterEvent, LetterState
from .letters import Draft, Enclosure, LetterKind
from .store import added, changed, one

_letters = schema.letters

# Octets of documents in one letter to staff: a mail server that takes 10 MB takes it after base64.
MOST_ENCLOSED = 7 * 1024 * 1024


def queue(
    tx: Connection,
    centre: Centre,
    draft: Draft,
    *,
    key: str,
    recipient: str,
    now: datetime,
    case_id: int | None = None,
    in_reply_to: str | None = None,
    after: int | None = None,
    after_seconds: int = 0,
    not_before: datetime | None = None,
    answer: bool = False,
) -> int:
    """Queue one letter in the running transaction; `key` is unique, so no letter is ever owed twice.

    A password letter is sealed at once: its text is in no row and no log in the clear, only a keyed hash of the
    password stays, by which a copy that comes back is known. With `after`, a letter leaves that many seconds after the
    other was accepted, never before. `answer` marks what answers a mail by itself: those are counted (`answers`).
    Returns the letter's id.
    """
    message_id = envelope.message_id(centre.random_bytes, centre.office.address.rpartition("@")[2])
    raw = envelope.compose(
        draft,
        office=centre.office,
        recipient=recipient,
        message_id=message_id,
        date=now,
        in_reply_to=in_reply_to,
        references=(in_reply_to,) if in_reply_to else (),
    )
    seal_key, sealed, secret_hash = None, None, None
    if draft.kind is LetterKind.PASSWORD:
        seal_key, sealed = centre.vault.seal(raw)
        secret_hash = next((fingerprint(centre.token_key, word) for word in passwords_in(draft.body)), None)
    letter_id = added(
        tx,
        _letters,
        key=key,
        case_id=case_id,
        kind=draft.kind,
        recipient=recipient,
        message_id=message_id,
        raw=None if sealed else raw,
        sealed=sealed,
        seal_key=seal_key,
        trace=return_path.new_trace(centre.random_bytes),
        secret_hash=secret_hash,
        answer=int(answer),
        state=LetterState.QUEUED,
        not_before=not_before or now,
        after_id=after,
        after_seconds=after_seconds,
        created_at=now,
    )
    centre.audit.append(
        tx, "letter_queued", at=now, actor="system", case_id=case_id, letter=letter_id, letter_kind=draft.kind
    )
    return letter_id


def fingerprint(key: bytes, password: str) -> str:
    """What is kept of a password: a hash under the key that the database does not hold."""
    return hmac.new(key, b"password\0" + password.encode(), "sha256").hexdigest()


def move(tx: Connection, letter: RowMapping, event: LetterEvent, **values: Any) -> RowMapping:  # noqa: ANN401 - columns
    """Carry a move of the table in `despatch` to the row, with further columns; returns the row as it is now.

    Raises IllegalLetterMove, or Conflict when somebody else has moved it meanwhile.
    """
    state = LetterState(letter["state"])
    changed(
        tx,
        update(_letters)
        .where(_letters.c.id == letter["id"], _letters.c.state == state)
        .values(state=despatch.move(state, event), **values),
    )
    row = one(tx, select(_letters).where(_letters.c.id == letter["id"]))
    if row is None:
        raise LookupError(f"letter {letter['id']} is gone")
    return row


def notify(
    tx: Connection,
    centre: Centre,
    *,
    key: str,
    subject: str,
    lines: Sequence[str],
    now: datetime,
    case_id: int | None = None,
    enclosures: Sequence[Enclosure] = (),
    besides: str = "",
) -> None:
    """Tell every approver (but `besides`) what a person must know or look at; one mail each, one recipient a mail."""
    draft = staff_letters.staff_notice(centre.office, subject=subject, lines=lines, enclosures=enclosures)
    tell_staff(tx, centre, draft, key=key, now=now, case_id=case_id, besides=besides)


def told(tx: Connection, key: str) -> bool:
    """Whether staff were told under this key already."""
    found = select(_letters.c.id).where(_letters.c.key.startswith(f"staff:{key}:", autoescape=True)).limit(1)
    return one(tx, found) is not None


def notify_once(tx: Connection, centre: Centre, *, key: str, subject: str, lines: Sequence[str], now: datetime) -> bool:
    """As `notify`, unless staff were told under this key already; whether they are told now."""
    if told(tx, key):
        return False
    notify(tx, centre, key=key, subject=subject, lines=lines, now=now)
    return True


def tell_staff(
    tx: Connection,
    centre: Centre,
    draft: Draft,
    *,
    key: str,
    now: datetime,
    case_id: int | None = None,
    besides: str = "",
) -> None:
    """The same letter to every approver, or to every one but the address `besides`."""
    for approver in centre.settings.approvers:
        if approver.address.lower() == besides.lower():
            continue
        queue(
            tx,
            centre,
            draft,
            key=f"staff:{key}:{approver.address.lower()}",
            recipient=approver.address,
            now=now,
            case_id=case_id,
        )


def is_queued(tx: Connection, key: str) -> bool:
    """Whether a letter of this key is owed or was sent."""
    return one(tx, select(_letters.c.id).where(_letters.c.key == key)) is not None


def letter_of_thread(tx: Connection, message_ids: Sequence[str]) -> RowMapping | None:
    """The letter of ours that one of these Message-IDs is (its kind, its case); the newest mentioned decides."""
    for message_id in reversed(message_ids):
        row = one(tx, select(_letters.c.kind, _letters.c.case_id).where(_letters.c.message_id == message_id))
        if row is not None:
            return row
    return None


def case_of_thread(tx: Connection, message_ids: Sequence[str]) -> int | None:
    """The case whose letter one of these Message-IDs is; the newest mentioned decides (RFC 5322 §3.6.4)."""
    for message_id in reversed(message_ids):
        row = one(tx, select(_letters.c.case_id).where(_letters.c.message_id == message_id))
        if row is not None and row["case_id"] is not None:
            return int(row["case_id"])
    return None
