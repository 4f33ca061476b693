"""Step 6: letters are rows, committed with what they tell of; here they become mails.

Promises: a letter's bytes and Message-ID are fixed when it is queued, so a repetition is the identical mail. A secret
letter is kept sealed and its key destroyed once the mail server has accepted it.
Weak: SMTP is at-least-once. When the connection is lost after DATA nobody knows, and the identical mail goes again
(runtime notes §7).
Where the database cannot note that a letter was taken (its disk is full), this process remembers it and does not send
it again: otherwise it would do so at every round until somebody makes room.
Crash: `sending` is committed before the try; a row found in that state at the next round is an unknown outcome and is
sent again.
"""

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import or_, select, update
from sqlalchemy.engine import RowMapping

from . import cases, schema
from .case import Event, State
from .centre import Centre
from .failures import Failure, outward, wait_after
from .guard import attempt
from .letters import LetterKind
from .post import notify
from .smtp import OutcomeUnknown, Transport, TransportRefused, TransportUnavailable
from .store import changed, every, one
from .vault import VaultError

_log = logging.getLogger(__name__)
_letters = schema.letters
_LONGEST_WAIT = timedelta(hours=1)

# Letters whose bytes are not kept once they were accepted: they carry a private key or its password.
FORGOTTEN = frozenset({LetterKind.PASSWORD, LetterKind.ISSUE_NOTICE, LetterKind.RENEWAL_NOTICE})


class Fate(StrEnum):
    """What became of one letter in one try."""

    SENT = "sent"
    NOT_OURS = "not_ours"
    GIVEN_UP = "given_up"
    SERVER_AWAY = "server_away"
    UNKNOWN = "unknown"


def send_due(centre: Centre) -> int:
    """Send every letter that is due; returns how many were accepted. Never raises for a mail server's sake."""
    sent = 0
    with centre.open_transport() as transport:
        for letter_id in _due(centre):
            fate = attempt(f"letter {letter_id}", partial(_send, centre, transport, letter_id))
            sent += fate is Fate.SENT
            if fate is Fate.SERVER_AWAY:
                # The others would meet the same server, each for as long as its timeouts; they wait for the next round.
                break
    _close_delivered(centre)
    _forget(centre)
    return sent


def _due(centre: Centre) -> list[int]:
    now = centre.clock()
    earlier = _letters.alias("earlier")
    query = (
        select(_letters.c.id, _letters.c.after_seconds, earlier.c.sent_at.label("earlier_sent_at"), _letters.c.after_id)
        .outerjoin(earlier, earlier.c.id == _letters.c.after_id)
        .where(_letters.c.state.in_(("queued", "sending")), _letters.c.not_before <= now)
        .where(or_(_letters.c.after_id.is_(None), earlier.c.state == "sent"))
        .order_by(_letters.c.id)
    )
    with centre.store.transaction() as tx:
        rows = every(tx, query)
    return [row["id"] for row in rows if row["after_id"] is None or _waited(row, now)]


def _waited(row: RowMapping, now: datetime) -> bool:
    return bool(row["earlier_sent_at"] + timedelta(seconds=row["after_seconds"]) <= now)


def _send(centre: Centre, transport: Transport, letter_id: int) -> Fate:
    with centre.store.transaction() as tx:
        letter = one(tx, select(_letters).where(_letters.c.id == letter_id))
        if letter is None or letter["state"] not in ("queued", "sending"):
            # Somebody else was here between the list and this look.
            return Fate.NOT_OURS
        taken = letter_id in centre.accepted
        if not taken:
            changed(
                tx,
                update(_letters)
                .where(_letters.c.id == letter_id, _letters.c.state == letter["state"])
                .values(state="sending", attempts=letter["attempts"] + 1),
            )
    if taken:
        _note_sent(centre, letter)
        return Fate.SENT
    try:
        raw = letter["raw"] or centre.vault.open(letter["seal_key"], letter["sealed"])
        outward(sleep=centre.sleep)(transport.send, raw, sender=centre.office.address, recipient=letter["recipient"])
    except (TransportRefused, VaultError) as error:
        _give_up(centre, letter, error)
        return Fate.GIVEN_UP
    except (TransportUnavailable, OutcomeUnknown) as error:
        _try_later(centre, letter, error)
        return Fate.SERVER_AWAY if isinstance(error, TransportUnavailable) else Fate.UNKNOWN
    centre.accepted[letter_id] = centre.clock()
    _note_sent(centre, letter)
    return Fate.SENT


def _forgotten(letter: RowMapping) -> dict[str, None]:
    """What is erased of a letter at its end; `_forget` destroys the key of what was sealed."""
    return {"raw": None, "sealed": None} if letter["kind"] in FORGOTTEN else {}


def _note_sent(centre: Centre, letter: RowMapping) -> None:
    now = centre.accepted[letter["id"]]
    with centre.store.transaction() as tx:
        changed(
            tx,
            update(_letters)
            .where(_letters.c.id == letter["id"], _letters.c.state == "sending")
            .values(state="sent", sent_at=now, error="", **_forgotten(letter)),
        )
        centre.audit.append(tx, "letter_sent", at=now, actor="system", case_id=letter["case_id"], letter=letter["id"])
    del centre.accepted[letter["id"]]
    if letter["seal_key"]:
        centre.vault.destroy(letter["seal_key"])


def _try_later(centre: Centre, letter: RowMapping, error: Failure) -> None:
    """Due again after what the table of failures says, or after 1, 2, 4 … 60 minutes where that is longer."""
    now = centre.clock()
    wait = max(wait_after(error), min(timedelta(minutes=2 ** min(letter["attempts"], 6)), _LONGEST_WAIT))
    _log.warning("letter %d could not be sent, next try in %d s", letter["id"], wait.total_seconds())
    with centre.store.transaction() as tx:
        changed(
            tx,
            update(_letters)
            .where(_letters.c.id == letter["id"], _letters.c.state == "sending")
            .values(state="queued", not_before=now + wait, error=str(error)),
        )


def _give_up(centre: Centre, letter: RowMapping, error: Exception) -> None:
    """This letter can never leave: the mail server refuses it, or its key is gone. Staff must know."""
    now = centre.clock()
    _log.error("letter %d is given up: %s", letter["id"], error)
    with centre.store.transaction() as tx:
        changed(
            tx,
            update(_letters)
            .where(_letters.c.id == letter["id"], _letters.c.state == "sending")
            .values(state="failed", error=str(error), **_forgotten(letter)),
        )
        # What was to follow this letter never will: a password without its notice opens nothing and is forgotten too.
        tx.execute(
            update(_letters)
            .where(_letters.c.after_id == letter["id"], _letters.c.state == "queued")
            .values(state="failed", error="the letter before it was given up", raw=None, sealed=None)
        )
        centre.audit.append(
            tx, "letter_refused", at=now, actor="system", case_id=letter["case_id"], letter=letter["id"]
        )
        if letter["kind"] != LetterKind.STAFF_NOTICE:
            number = cases.get(tx, letter["case_id"]).number if letter["case_id"] else ""
            notify(
                tx,
                centre,
                key=f"refused-letter:{letter['id']}",
                subject=f"送信できない通知があります {number}".strip(),
                lines=(
                    f"通知の種類：{letter['kind']}",
                    f"宛先：{letter['recipient']}",
                    "宛先のメールサーバーが受信を拒否しました。宛先をご確認ください。"
                    if isinstance(error, TransportRefused)
                    else "封緘したパスワードを開けないため、送信できません。証明書の再発行が必要です。",
                ),
                now=now,
                case_id=letter["case_id"],
            )


def _close_delivered(centre: Centre) -> None:
    """A fulfilled case whose letters have all left is closed."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        for case in cases.in_state(tx, State.FULFILLED):
            open_letters = every(
                tx, select(_letters.c.id).where(_letters.c.case_id == case.id, _letters.c.state != "sent")
            )
            if not open_letters:
                cases.apply(tx, centre.audit, case, Event.DELIVERED, now=now, actor="system")


def _forget(centre: Centre) -> None:
    """Destroy every key that no waiting letter needs: of a crash after the commit, or of one before it.

    Inside a transaction, because a writer makes the key before its row is committed and there is one writer at a time.
    """
    names = centre.vault.names()
    if not names:
        return
    with centre.store.transaction() as tx:
        rows = every(tx, select(_letters.c.seal_key).where(_letters.c.sealed.is_not(None)))
        for name in centre.vault.names() - {row["seal_key"] for row in rows}:
            centre.vault.destroy(name)
