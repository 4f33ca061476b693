"""Files under a password and the mail that brings it: joined, answered once, the password forgotten (SPEC 2, stage 3).

A file under a password is never opened, not even with the password: what passed the virus filter as a sealed box is no
safer inside here, and a password in the next mail protects nothing (domain notes B.1, B.4). The sender is asked for the
form without one, by one letter for the pair, whichever half comes first. The mail with the password is no "mail without
a form"; staff see its words with the password left out; its bytes are erased after this transaction (`intake.erase`),
so that no copy of the password stays with us. Weak: the copy on the mail server lives as long as the server keeps it.

Two mails are a pair when they come within WINDOW of each other from the same address, or when the second answers the
first, or from one domain within GATEWAY (a gateway's own address, 「パスワード通知」).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, or_, select, update
from sqlalchemy.engine import RowMapping

from parsers import ppap as words
from parsers.normalise import domain_of, is_free_mail

from . import ledger, schema
from .centre import Centre
from .referral import Delivery
from .store import added, changed, every

_mails = schema.locked_mails

WINDOW = timedelta(days=3)
GATEWAY = timedelta(hours=2)
# What a password may follow for.
LOCKED = frozenset({"encrypted", "encrypted_archive", "program", "download_link"})
# Far more than one sender has open at once.
_MOST_OPEN = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """What a mail is in a pair. `told` when the pair has its letter already, so that this mail gets none."""

    is_password: bool = False
    told: bool = False


def join(tx: Connection, centre: Centre, delivery: Delivery, kinds: list[str], *, now: datetime) -> Standing:
    """Find out what a mail is in a pair, write it down, and have a password forgotten. Once for each mail."""
    if LOCKED & set(kinds):
        partner = _partner(tx, delivery, "password")
        told = partner is not None and bool(partner["answered"])
        _note(tx, delivery, "file", partner, answered=delivery.answerable and not told)
        return Standing(told=told)
    if delivery.opened or delivery.own or delivery.is_report:
        return Standing()
    note = words.password_note(delivery.mail.subject, delivery.mail.text)
    if note is None:
        return Standing()
    partner = _partner(tx, delivery, "file")
    if partner is None and not note.strong:
        return Standing()
    told = partner is not None
    _note(tx, delivery, "password", partner, answered=delivery.answerable and not told)
    ledger.ask_erasure(tx, delivery.row.id, now=now)
    centre.audit.append(
        tx,
        "password_mail_joined",
        at=now,
        actor="system",
        mail=delivery.row.id,
        file=partner["mail_id"] if partner is not None else 0,
    )
    return Standing(is_password=True, told=told)


def masked(delivery: Delivery) -> Delivery:
    """A mail as staff may read it: without the password of anybody's file in its text or subject."""
    mail = delivery.mail
    subject = words.without_passwords(mail.subject, of=mail.text)
    return replace(delivery, mail=replace(mail, subject=subject, text=words.without_passwords(mail.text)))


def _partner(tx: Connection, delivery: Delivery, role: str) -> RowMapping | None:
    """The nearest mail of the other role that belongs to this one."""
    sender, arrived = _sender(delivery), delivery.row.arrived_at
    threads = [*delivery.mail.references, *delivery.mail.in_reply_to][-_MOST_OPEN:]
    domain = domain_of(sender)
    near = select(_mails).where(
        _mails.c.role == role,
        _mails.c.arrived_at >= arrived - WINDOW,
        _mails.c.arrived_at <= arrived + WINDOW,
    )
    if role == "password":
        # One password mail answers for one file; the next file of the same sender gets its own letter.
        near = near.where(_mails.c.partner_id.is_(None))
    belongs: list[ColumnElement[bool]] = [_mails.c.message_id.in_(threads) & (_mails.c.message_id != "")]
    if sender:
        belongs.append(_mails.c.sender == sender)
        if domain and not is_free_mail(sender):
            belongs.append(_mails.c.sender.endswith(f"@{domain}", autoescape=True))
    found = list(every(tx, near.where(or_(*belongs)).order_by(_mails.c.id.desc()).limit(_MOST_OPEN)))
    own = [row for row in found if row["sender"] == sender or row["message_id"] in threads]
    close = [row for row in found if abs(row["arrived_at"] - arrived) <= GATEWAY]
    # Of a colleague or a gateway only if it can be one mail alone.
    return own[0] if own else close[0] if len(close) == 1 else None


def _note(tx: Connection, delivery: Delivery, role: str, partner: RowMapping | None, *, answered: bool) -> None:
    row = added(
        tx,
        _mails,
        mail_id=delivery.row.id,
        role=role,
        sender=_sender(delivery),
        message_id=delivery.mail.message_id,
        partner_id=partner["id"] if partner else None,
        answered=int(answered),
        arrived_at=delivery.row.arrived_at,
    )
    if partner is not None and partner["partner_id"] is None:
        changed(tx, update(_mails).where(_mails.c.id == partner["id"]).values(partner_id=row))


def _sender(delivery: Delivery) -> str:
    return delivery.sender.lower()
