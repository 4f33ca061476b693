"""Queueing letters: the one way by which anything of ours becomes a mail (docs/letters.md says which goes when)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from . import envelope, schema, staff_letters
from .centre import Centre
from .letters import Draft, Enclosure, LetterKind
from .store import added, one

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
) -> int:
    """Queue one letter in the running transaction; `key` is unique, so no letter is ever owed twice.

    A password letter is sealed at once: its text is in no row and no log in the clear. With `after`, it leaves that
    many seconds after the other letter was accepted, never before. Returns the letter's id.
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
    seal_key, sealed = centre.vault.seal(raw) if draft.kind is LetterKind.PASSWORD else (None, None)
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
        state="queued",
        not_before=not_before or now,
        after_id=after,
        after_seconds=after_seconds,
        created_at=now,
    )
    centre.audit.append(
        tx, "letter_queued", at=now, actor="system", case_id=case_id, letter=letter_id, letter_kind=draft.kind
    )
    return letter_id


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
) -> None:
    """Tell every approver what a person must know or look at; one mail each, one recipient a mail."""
    draft = staff_letters.staff_notice(centre.office, subject=subject, lines=lines, enclosures=enclosures)
    tell_staff(tx, centre, draft, key=key, now=now, case_id=case_id)


def tell_staff(
    tx: Connection, centre: Centre, draft: Draft, *, key: str, now: datetime, case_id: int | None = None
) -> None:
    """The same letter to every approver."""
    for approver in centre.settings.approvers:
        queue(
            tx,
            centre,
            draft,
            key=f"staff:{key}:{approver.address.lower()}",
            recipient=approver.address,
            now=now,
            case_id=case_id,
        )


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
