"""The states of a letter and the moves between them: one literal table, pure, as `daemon.case` is for cases.

`unknown` is a state of its own: the connection broke after the whole letter was handed over and before the reply, so
that nobody can know whether it was taken. The identical mail goes again, later and a bounded number of times.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class LetterState(StrEnum):
    """Where a letter stands."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"


class LetterEvent(StrEnum):
    """What can happen to a letter, in the past participle."""

    TRIED = "tried"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    """The mail server was away or asked to come later; nothing was sent."""
    LOST = "lost"
    """The reply to the whole letter was lost."""
    REFUSED = "refused"
    """A final no."""
    EXPIRED = "expired"
    """Put off for too long, or its outcome unknown too often."""
    STOPPED = "stopped"
    """Not wanted any more, since the letter it follows did not arrive or its secret is out."""
    BOUNCED = "bounced"
    """A mail system reported later that it did not arrive."""


MOVES: Mapping[LetterState, Mapping[LetterEvent, LetterState]] = MappingProxyType(
    {
        LetterState.QUEUED: {LetterEvent.TRIED: LetterState.SENDING, LetterEvent.STOPPED: LetterState.FAILED},
        LetterState.SENDING: {
            LetterEvent.ACCEPTED: LetterState.SENT,
            LetterEvent.DEFERRED: LetterState.QUEUED,
            LetterEvent.LOST: LetterState.UNKNOWN,
            LetterEvent.REFUSED: LetterState.FAILED,
            LetterEvent.EXPIRED: LetterState.FAILED,
        },
        LetterState.UNKNOWN: {
            LetterEvent.TRIED: LetterState.SENDING,
            LetterEvent.STOPPED: LetterState.FAILED,
            LetterEvent.BOUNCED: LetterState.BOUNCED,
        },
        LetterState.SENT: {LetterEvent.BOUNCED: LetterState.BOUNCED},
        LetterState.FAILED: {},
        LetterState.BOUNCED: {},
    }
)

# What may still leave, so that `queue` shows it and its secret is kept.
UNSENT = (LetterState.QUEUED, LetterState.SENDING, LetterState.UNKNOWN)


class IllegalLetterMove(Exception):
    """The state does not know the event; nothing was changed."""

    def __init__(self, state: LetterState, event: LetterEvent) -> None:
        super().__init__(f"a letter that is {state} cannot be {event}")
        self.state = state
        self.event = event


def move(state: LetterState, event: LetterEvent) -> LetterState:
    """The state after the event. Raises IllegalLetterMove."""
    try:
        return MOVES[state][event]
    except KeyError:
        raise IllegalLetterMove(state, event) from None


def allows(state: LetterState, event: LetterEvent) -> bool:
    """Whether the event can happen to a letter in this state."""
    return event in MOVES[state]
