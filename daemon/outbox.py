"""Step 6: letters are rows, committed with what they tell of; here they become mails.

Promises: a letter's bytes and Message-ID are fixed when it is queued, so a repetition is the identical mail. A secret
letter is kept sealed and its key destroyed once the mail server has accepted it, or it is given up. What a server says
about one letter holds up no other.
Weak: SMTP is at-least-once. When the connection is lost after DATA nobody knows, and the identical mail goes again, a
bounded number of times (runtime notes §7). A password letter too: it is the same password for the same person, and a
second secret would leave two in the world, one of them of no use.
Crash: `sending` is committed before the try; a row found in that state at the next round is an unknown outcome. Where
the database cannot note that a letter was taken (its disk is full), this process remembers it and does not send it
again: otherwise it would do so at every round until somebody makes room.
"""

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import or_, select
from sqlalchemy.engine import RowMapping

from . import bounces, cases, post, return_path, schema
from .bounces import Fault
from .case import Event, State
from .centre import Centre
from .despatch import UNSENT, LetterEvent, LetterState, allows
from .failures import Failure, Kind, outward, wait_after
from .guard import attempt
from .letters import LetterKind
from .smtp import OutcomeUnknown, Transport, TransportRefused, TransportUnavailable
from .store import every, one
from .vault import VaultError

_log = logging.getLogger(__name__)
_letters = schema.letters
_LONGEST_WAIT = timedelta(hours=1)
_STOPS_AT_ONCE = 2
_ABOUT_SENDER = (Kind.SENDER_REFUSED, Kind.RECIPIENT_REFUSED, Kind.MESSAGE_REFUSED)

# Letters whose bytes are not kept once they were accepted: they carry a private key or its password.
FORGOTTEN = frozenset({LetterKind.PASSWORD, LetterKind.ISSUE_NOTICE, LetterKind.RENEWAL_NOTICE})


class Fate(StrEnum):
    """What became of one letter in one try."""

    SENT = "sent"
    NOT_OURS = "not_ours"
    GIVEN_UP = "given_up"
    DEFERRED = "deferred"
    SERVER_AWAY = "server_away"
    UNKNOWN = "unknown"


def send_due(centre: Centre) -> int:
    """Send every letter that is due; returns how many were accepted. Never raises for a mail server's sake."""
    sent = 0
    recall(centre)
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


def recall(centre: Centre) -> int:
    """Settle what the last round left in the middle; returns how many letters.

    A letter that is still `sending` when a round begins was interrupted: its outcome is unknown, like that of a lost
    reply. After a stop it is due at once, since nothing speaks against the mail server; one that is interrupted again
    and again waits longer each time and is given up in the end, since something speaks against the letter.
    """
    with centre.store.transaction() as tx:
        found = every(tx, select(_letters).where(_letters.c.state == LetterState.SENDING))
    for letter in found:
        if letter["id"] in centre.accepted:
            attempt(f"letter {letter['id']}", partial(_note_sent, centre, letter))
            continue
        error = OutcomeUnknown("interrupted")
        if letter["lost"] >= _STOPS_AT_ONCE:
            attempt(f"letter {letter['id']}", partial(_after_lost, centre, letter, error))
            continue
        with centre.store.transaction() as tx:
            post.move(tx, letter, LetterEvent.LOST, lost=letter["lost"] + 1)
    return len(found)


def _due(centre: Centre) -> list[int]:
    now = centre.clock()
    earlier = _letters.alias("earlier")
    query = (
        select(_letters.c.id, _letters.c.after_seconds, earlier.c.sent_at.label("earlier_sent_at"), _letters.c.after_id)
        .outerjoin(earlier, earlier.c.id == _letters.c.after_id)
        .where(_letters.c.state.in_((LetterState.QUEUED, LetterState.UNKNOWN)), _letters.c.not_before <= now)
        .where(or_(_letters.c.after_id.is_(None), earlier.c.state == LetterState.SENT))
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
        if letter is None or not allows(LetterState(letter["state"]), LetterEvent.TRIED):
            # Somebody else was here between the list and this look.
            return Fate.NOT_OURS
        first = letter["tried_at"] or centre.clock()
        letter = post.move(tx, letter, LetterEvent.TRIED, attempts=letter["attempts"] + 1, tried_at=first)
    try:
        raw = letter["raw"] or centre.vault.open(letter["seal_key"], letter["sealed"])
        _hand_over(centre, transport, letter, raw)
    except TransportRefused as error:
        _give_up(centre, letter, LetterEvent.REFUSED, bounces.fault_of(error), str(error))
        return Fate.GIVEN_UP
    except VaultError as error:
        _give_up(centre, letter, LetterEvent.REFUSED, Fault.SEAL_LOST, str(error))
        return Fate.GIVEN_UP
    except OutcomeUnknown as error:
        return _after_lost(centre, letter, error)
    except TransportUnavailable as error:
        return _after_deferral(centre, letter, error)
    centre.accepted[letter_id] = centre.clock()
    _note_sent(centre, letter)
    return Fate.SENT


def _hand_over(centre: Centre, transport: Transport, letter: RowMapping, raw: bytes) -> None:
    """One try. Where the server does not let us use the letter's own envelope sender, the centre's address serves: a
    bounce that is harder to tie is better than a letter that never leaves."""
    own = centre.office.address
    wanted = bounces.returned(letter)
    sender = return_path.envelope_sender(centre.settings.smtp, own, trace=letter["trace"] or "", returned=wanted)
    send = partial(transport.send, raw, recipient=letter["recipient"], envid=letter["trace"] or "")
    try:
        outward(sleep=centre.sleep)(send, sender=sender)
    except Failure as error:
        # Servers complain about a sender at any of the three steps, Microsoft's only after the whole message.
        if sender == own or error.kind not in _ABOUT_SENDER:
            raise
        _log.warning("letter %d: refused under its own envelope sender, tried under the centre's", letter["id"])
        outward(sleep=centre.sleep)(send, sender=own)


def _forgotten(letter: RowMapping) -> dict[str, None]:
    """What is erased of a letter at its end; `_forget` destroys the key of what was sealed."""
    return {"raw": None, "sealed": None} if letter["kind"] in FORGOTTEN else {}


def _note_sent(centre: Centre, letter: RowMapping) -> None:
    now = centre.accepted[letter["id"]]
    with centre.store.transaction() as tx:
        post.move(tx, letter, LetterEvent.ACCEPTED, sent_at=now, error="", **_forgotten(letter))
        centre.audit.append(tx, "letter_sent", at=now, actor="system", case_id=letter["case_id"], letter=letter["id"])
    del centre.accepted[letter["id"]]
    if letter["seal_key"]:
        centre.vault.destroy(letter["seal_key"])


def _after_lost(centre: Centre, letter: RowMapping, error: OutcomeUnknown) -> Fate:
    """Nobody knows whether it was taken: the identical mail goes again, after a wait of its own and not for ever."""
    lost = letter["lost"] + 1
    if lost > centre.settings.smtp.most_repeats:
        _give_up(centre, letter, LetterEvent.EXPIRED, Fault.OUTCOME_UNKNOWN, str(error))
        return Fate.GIVEN_UP
    _try_later(centre, letter, LetterEvent.LOST, error, lost=lost)
    return Fate.UNKNOWN


def _after_deferral(centre: Centre, letter: RowMapping, error: TransportUnavailable) -> Fate:
    """Nothing was sent. What the server says about this one letter counts against its limit and holds up no other; a
    server that is away or refuses us altogether says nothing about any letter, and none expires for it."""
    about_letter = error.kind is Kind.LETTER_DEFERRED
    limit = letter["tried_at"] + timedelta(days=centre.settings.smtp.give_up_days)
    if about_letter and centre.clock() >= limit:
        _give_up(centre, letter, LetterEvent.EXPIRED, Fault.PUT_OFF, str(error))
        return Fate.GIVEN_UP
    _try_later(centre, letter, LetterEvent.DEFERRED, error, lost=letter["lost"])
    return Fate.DEFERRED if about_letter else Fate.SERVER_AWAY


def _try_later(centre: Centre, letter: RowMapping, event: LetterEvent, error: Failure, *, lost: int) -> None:
    """Due again after what the table of failures says, or after 1, 2, 4 … 60 minutes where that is longer."""
    now = centre.clock()
    wait = max(wait_after(error), min(timedelta(minutes=2 ** min(letter["attempts"] - 1, 6)), _LONGEST_WAIT))
    _log.warning("letter %d could not be sent, next try in %d s", letter["id"], wait.total_seconds())
    with centre.store.transaction() as tx:
        post.move(tx, letter, event, not_before=now + wait, error=str(error), lost=lost)


def _give_up(centre: Centre, letter: RowMapping, event: LetterEvent, fault: Fault, why: str) -> None:
    """This letter does not leave any more. Staff must know, and what was to follow it must not leave either."""
    now = centre.clock()
    _log.error("letter %d is given up: %s", letter["id"], why)
    with centre.store.transaction() as tx:
        letter = post.move(tx, letter, event, error=why, **_forgotten(letter))
        centre.audit.append(
            tx,
            "letter_refused",
            at=now,
            actor="system",
            case_id=letter["case_id"],
            letter=letter["id"],
            fault=fault.value,
        )
        bounces.act(tx, centre, letter, fault, now=now)


def _close_delivered(centre: Centre) -> None:
    """A fulfilled case whose letters have all left is closed."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        for case in cases.in_state(tx, State.FULFILLED):
            open_letters = every(
                tx,
                select(_letters.c.id).where(_letters.c.case_id == case.id, _letters.c.state.not_in(bounces.AT_REST)),
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
        rows = every(
            tx, select(_letters.c.seal_key).where(_letters.c.sealed.is_not(None), _letters.c.state.in_(UNSENT))
        )
        for name in centre.vault.names() - {row["seal_key"] for row in rows}:
            centre.vault.destroy(name)
