"""What can go wrong with an outward call, what follows from it, and how calls are repeated.

One table, like Postfix's `cleanup_strerror.c`: an error has a kind, the kind has a sentence, a consequence and a time
to wait. Code asks the table (`consequence_of`) and never invents a consequence on the spot. Failures carry a kind and
a short technical detail (a reply code, the name of a library's error), never an address, a subject, a line of a mail
or a password: their text goes into logs and tickets.
"""

import errno
import logging
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import tenacity

from ca.errors import CaError, CaErrorKind

_log = logging.getLogger(__name__)


class Consequence(StrEnum):
    """What follows from a failure."""

    RETRY = "retry"
    """The same call is made again later; nobody needs to know."""
    HOLD = "hold"
    """This one piece of work (mail, letter, case) waits for a person; the rest goes on."""
    REFUSE = "refuse"
    """The answer is a final no from outside (an address that does not exist): the case is told, nothing is repeated."""
    ALARM = "alarm"
    """Nothing of this kind can work until the operator acts: staff are told; the work stays queued."""


class Kind(StrEnum):
    """The kinds of failure; the table below says what each one means."""

    MAILBOX_UNAVAILABLE = "mailbox_unavailable"
    MAILBOX_LOGIN = "mailbox_login"
    MAILBOX_CERTIFICATE = "mailbox_certificate"
    MAILBOX_FOLDER = "mailbox_folder"
    NAME_SERVER_UNAVAILABLE = "name_server_unavailable"
    TRANSPORT_UNAVAILABLE = "transport_unavailable"
    LETTER_DEFERRED = "letter_deferred"
    TRANSPORT_LOGIN = "transport_login"
    TRANSPORT_CERTIFICATE = "transport_certificate"
    SENDER_REFUSED = "sender_refused"
    RECIPIENT_REFUSED = "recipient_refused"
    MESSAGE_REFUSED = "message_refused"
    MESSAGE_MALFORMED = "message_malformed"
    OUTCOME_UNKNOWN = "outcome_unknown"
    KEY_UNAVAILABLE = "key_unavailable"
    DISK_FULL = "disk_full"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    `wait` is the time until the work is due again: a round that failed with RETRY or ALARM tries again after it, work
    on HOLD or REFUSE is not tried again by itself and has no wait. `in_place` says whether the call may also be
    repeated within the same round (`outward`).
    """

    consequence: Consequence
    sentence: str
    wait: timedelta = timedelta(0)
    in_place: bool = False


TABLE: dict[Kind, Row] = {
    Kind.MAILBOX_UNAVAILABLE: Row(
        Consequence.RETRY, "The IMAP server cannot be reached or broke off.", timedelta(minutes=1), in_place=True
    ),
    # Not repeated in place: servers lock an account after a few wrong passwords.
    Kind.MAILBOX_LOGIN: Row(
        Consequence.ALARM, "The IMAP server refuses our login or our security setting.", timedelta(minutes=15)
    ),
    Kind.MAILBOX_CERTIFICATE: Row(
        Consequence.ALARM, "The IMAP server's certificate cannot be verified.", timedelta(minutes=15)
    ),
    Kind.MAILBOX_FOLDER: Row(
        Consequence.ALARM, "The IMAP server refuses to open or create a folder.", timedelta(minutes=15)
    ),
    Kind.NAME_SERVER_UNAVAILABLE: Row(
        Consequence.RETRY, "No name server answers; a reply signed by DKIM waits for its key.", timedelta(minutes=1)
    ),
    Kind.TRANSPORT_UNAVAILABLE: Row(
        Consequence.RETRY,
        "The mail server cannot be reached or asks to try later; nothing was sent.",
        timedelta(minutes=5),
        in_place=True,
    ),
    # Not repeated in place: a server that puts off one recipient (greylisting, a full mailbox) means minutes.
    Kind.LETTER_DEFERRED: Row(
        Consequence.RETRY,
        "The mail server asks to try this one letter later; nothing was sent.",
        timedelta(minutes=5),
    ),
    Kind.TRANSPORT_LOGIN: Row(
        Consequence.ALARM,
        "The mail server refuses our login or our security setting; nothing was sent.",
        timedelta(minutes=15),
    ),
    Kind.TRANSPORT_CERTIFICATE: Row(
        Consequence.ALARM,
        "The mail server's certificate cannot be verified; nothing was sent.",
        timedelta(minutes=15),
    ),
    Kind.SENDER_REFUSED: Row(
        Consequence.ALARM, "The mail server does not let us send from our address.", timedelta(minutes=15)
    ),
    Kind.RECIPIENT_REFUSED: Row(Consequence.REFUSE, "The mail server refuses this recipient for good."),
    Kind.MESSAGE_REFUSED: Row(Consequence.HOLD, "The mail server refuses this message for good."),
    Kind.MESSAGE_MALFORMED: Row(Consequence.HOLD, "The message is not one that may be handed to a mail server."),
    # SMTP cannot be asked whether it took a message (RFC 5321 section 4.5.3.2.6 explains the gap). The letter goes out
    # again under the same Message-ID, later, so that a copy that did arrive is known to the recipient's server first.
    Kind.OUTCOME_UNKNOWN: Row(
        Consequence.RETRY,
        "The mail server did not say whether it took the message: it may have been sent.",
        timedelta(minutes=15),
    ),
    Kind.KEY_UNAVAILABLE: Row(
        Consequence.ALARM, "The CA's key cannot be used: its token does not answer.", timedelta(minutes=2)
    ),
    Kind.DISK_FULL: Row(Consequence.ALARM, "The disk is full or its quota is used up.", timedelta(minutes=5)),
    Kind.UNEXPECTED: Row(Consequence.ALARM, "An error that nobody foresaw; the log has its traceback."),
}


class Failure(Exception):
    """An outward call did not succeed. `kind` is its row in the table, `detail` a technical word without any
    personal data; the text is the row's sentence and the detail."""

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    def __str__(self) -> str:
        sentence = TABLE[self.kind].sentence
        return f"{sentence} [{self.detail}]" if self.detail else sentence


class MailboxUnavailable(Failure):
    """The IMAP server is not there or broke off: temporary."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(Kind.MAILBOX_UNAVAILABLE, detail)


class MailboxRefused(Failure):
    """The IMAP server's answer will stay the same until the operator acts: login, certificate, folder."""


class NameServerUnavailable(Failure):
    """No name server answered: temporary."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(Kind.NAME_SERVER_UNAVAILABLE, detail)


class TransportUnavailable(Failure):
    """The message was not sent and stays queued. Kind.TRANSPORT_UNAVAILABLE: no connection, or a 4xx reply that has
    nothing to do with it; Kind.LETTER_DEFERRED: a 4xx reply to its recipient or its content."""

    def __init__(self, detail: str = "", kind: Kind = Kind.TRANSPORT_UNAVAILABLE) -> None:
        super().__init__(kind, detail)


class TransportMisconfigured(TransportUnavailable):
    """As its base, but it stays so until the operator acts: login, certificate, a sender address that is not ours."""


class TransportRefused(Failure):
    """A permanent no (a 5xx reply) to this recipient or this message; nothing was sent.

    `reply` is the server's text for staff, with every address in it masked.
    """

    def __init__(self, kind: Kind, detail: str = "", reply: str = "") -> None:
        super().__init__(kind, detail)
        self.reply = reply


class OutcomeUnknown(Failure):
    """The connection was lost after the whole message was handed over and before the reply: maybe sent."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(Kind.OUTCOME_UNKNOWN, detail)


def kind_of(error: BaseException) -> Kind:
    """The row of the table an error belongs to. What is no `Failure` is a key that cannot be used, a full disk, told by
    the system or by SQLite, or else UNEXPECTED."""
    if isinstance(error, Failure):
        return error.kind
    if isinstance(error, CaError) and error.kind is CaErrorKind.KEY_UNAVAILABLE:
        return Kind.KEY_UNAVAILABLE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Kind.DISK_FULL
    if getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return Kind.DISK_FULL
    return Kind.UNEXPECTED


def consequence_of(error: BaseException) -> Consequence:
    """What follows from an error, by the table."""
    return TABLE[kind_of(error)].consequence


def wait_after(error: BaseException) -> timedelta:
    """How long the work that failed rests before it is due again, by the table."""
    return TABLE[kind_of(error)].wait


def is_temporary(error: BaseException) -> bool:
    """Whether the very same call may be repeated at once, within the round, by the table."""
    return TABLE[kind_of(error)].in_place


def outward(
    *,
    sleep: Callable[[float], None],
    attempts: int = 3,
    first_wait: float = 1.0,
    longest_wait: float = 30.0,
    jitter: Callable[[], float] | None = None,
) -> tenacity.Retrying:
    """The policy of every outward call: `outward(sleep=...)(mailbox.file, uid, folder)`.

    Repeats temporary failures only, at most `attempts` calls in all, and raises the last failure itself. The wait
    before call n+1 is `first_wait` seconds doubled n-1 times, at most `longest_wait`, of which the upper half is left
    to chance: many workers that lost the same server do not come back in the same second. `jitter` gives that chance
    in [0, 1), the system's randomness by default. `sleep` takes seconds; a service passes one that a stop interrupts.
    """
    chance = jitter if jitter is not None else secrets.SystemRandom().random

    def wait(state: tenacity.RetryCallState) -> float:
        # The exponent is bounded as well: 2.0 ** 1100 is an OverflowError, not a long wait.
        whole = min(longest_wait, first_wait * 2.0 ** min(state.attempt_number - 1, 62))
        return whole * (1 + chance()) / 2

    return tenacity.Retrying(
        sleep=sleep,
        stop=tenacity.stop_after_attempt(attempts),
        wait=wait,
        retry=tenacity.retry_if_exception(is_temporary),
        before_sleep=_tell,
        reraise=True,
    )


def _tell(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    seconds = state.next_action.sleep if state.next_action is not None else 0.0
    _log.warning("attempt %d failed, again in %.1f s: %s", state.attempt_number, seconds, error)
