"""Mails that look like one that came before: shown to staff, never dropped and never merged (SPEC 2, mail notes §10.2).

The very same bytes are one mail already in the ledger. What is judged here is likeness of different bytes: the same
Message-ID, the same sender with the same subject and the same attachments, the same form file again. Each of these is
lawful (a sender's gateway repeats Message-IDs, a person sends again what was not answered), so nothing follows from it
but a line that a person reads. Only earlier mails are named: what a request shows does not change under it.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, select

from parsers.mail import Mail
from parsers.reading import Finding, Severity

from . import schema
from .planning import JST
from .store import every, one

_mails = schema.mails

MOST_NAMED = 5
"""Mails named in one notice, the newest: a gateway that gives every mail the same Message-ID must not fill a page."""

_PREFIX = re.compile(r"^(?:(?:re|fwd?|fw|返信|転送)\s*[:：]\s*)+", re.IGNORECASE)


class Likeness(StrEnum):
    """In what two mails are alike."""

    MESSAGE_ID = "message_id"
    CONTENT = "content"
    DOCUMENT = "document"


_WORDS = {
    Likeness.MESSAGE_ID: "Message-IDが同じで内容の異なるメール",
    Likeness.CONTENT: "同じ内容のメール",
    Likeness.DOCUMENT: "同じ申請書ファイルのメール",
}


@dataclass(frozen=True, slots=True)
class Near:
    """An earlier mail and what it has in common with the one looked at; `cases` are the numbers it brought about."""

    likeness: Likeness
    mail_id: int
    arrived_at: datetime
    cases: tuple[str, ...] = ()


def likeness_key(mail: Mail, documents: Sequence[str]) -> str:
    """Equal for two mails of one sender with one subject and the same attachments (their digests); where there are
    none, with the same text. Empty for a mail that has nothing of all this."""
    content = sorted(documents) or ["".join(mail.text.split())]
    subject = _PREFIX.sub("", unicodedata.normalize("NFKC", mail.subject).strip()).casefold()
    senders = sorted(sender.address.lower() for sender in mail.senders)
    if not any((senders, subject, *content)):
        return ""
    return hashlib.sha256(json.dumps([senders, subject, content], ensure_ascii=True).encode()).hexdigest()


def near(tx: Connection, mail_id: int, documents: Sequence[str] = ()) -> list[Near]:
    """The earlier mails this one is like, the newest first, each once and by its strongest likeness."""
    row = one(tx, select(_mails.c.message_id, _mails.c.likeness).where(_mails.c.id == mail_id))
    if row is None:
        return []
    found: dict[int, Near] = {}
    questions: list[tuple[Likeness, ColumnElement[bool]]] = []
    if row["likeness"]:
        questions.append((Likeness.CONTENT, _mails.c.likeness == row["likeness"]))
    if documents:
        applications = schema.applications
        sent = select(applications.c.mail_id).where(applications.c.document.in_(documents))
        questions.append((Likeness.DOCUMENT, _mails.c.id.in_(sent)))
    if row["message_id"]:
        questions.append((Likeness.MESSAGE_ID, _mails.c.message_id == row["message_id"]))
    for likeness, condition in questions:
        query = select(_mails.c.id, _mails.c.arrived_at).where(condition, _mails.c.id < mail_id)
        for each in every(tx, query.order_by(_mails.c.id.desc()).limit(MOST_NAMED)):
            if each["id"] not in found:
                numbers = _cases_of(tx, each["id"])
                found[each["id"]] = Near(likeness, each["id"], each["arrived_at"], numbers)
    return sorted(found.values(), key=lambda each: each.mail_id, reverse=True)[:MOST_NAMED]


def lines(nearest: Sequence[Near]) -> Iterator[str]:
    """What staff read of it."""
    for each in nearest:
        cases = f"、案件 {'・'.join(each.cases)}" if each.cases else ""
        when = f"{each.arrived_at.astimezone(JST):%Y-%m-%d %H:%M}"
        yield f"{_WORDS[each.likeness]}を {when} に受信しています（メール番号 {each.mail_id}{cases}）。"


def findings(tx: Connection, case_id: int) -> tuple[Finding, ...]:
    """The same for a request, about the newest mail that brought a version of the case. A note: that a form is sent
    twice is no fault of the form."""
    applications = schema.applications
    query = (
        select(applications.c.mail_id, applications.c.document)
        .where(applications.c.case_id == case_id, applications.c.mail_id.is_not(None))
        .order_by(applications.c.version.desc())
        .limit(1)
    )
    row = one(tx, query)
    if row is None:
        return ()
    nearest = near(tx, row["mail_id"], [row["document"]] if row["document"] else [])
    return tuple(Finding("similar_mail", Severity.NOTE, "", line) for line in lines(nearest))


def _cases_of(tx: Connection, mail_id: int) -> tuple[str, ...]:
    query = (
        select(schema.cases.c.number)
        .join(schema.applications, schema.applications.c.case_id == schema.cases.c.id)
        .where(schema.applications.c.mail_id == mail_id)
        .order_by(schema.cases.c.id)
    )
    return tuple(dict.fromkeys(row["number"] for row in every(tx, query)))
