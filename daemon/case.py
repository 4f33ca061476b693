"""The states of a case and the moves between them: one literal table, pure (docs/flow.md shows it as a picture).

An event that the state does not know raises and changes nothing. `daemon.cases` carries a move to the database with
`UPDATE … WHERE state = :old`, so that two processes can never both make it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a case stands."""

    RECEIVED = "received"
    RETURNED = "returned"
    AWAITING_DECISION = "awaiting_decision"
    ON_HOLD = "on_hold"
    APPROVED = "approved"
    EXECUTING = "executing"
    FULFILLED = "fulfilled"
    HELD = "held"
    CLOSED = "closed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    DROPPED = "dropped"


class Event(StrEnum):
    """What can happen to a case, in the past participle."""

    COMPLETED = "completed"
    DEFECTIVE = "defective"
    UNREADABLE = "unreadable"
    RESUBMITTED = "resubmitted"
    EXPIRED = "expired"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    PAUSED = "paused"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    RESUMED = "resumed"
    STARTED = "started"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"
    DELIVERED = "delivered"
    RELEASED = "released"
    DROPPED = "dropped"


class CaseKind(StrEnum):
    """What brought a case about: a form, the calendar, or staff themselves (至急失効; another day for a revocation)."""

    APPLICATION = "application"
    RENEWAL = "renewal"
    URGENT_REVOCATION = "urgent_revocation"
    RESCHEDULING = "rescheduling"


TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.RECEIVED: {
            Event.COMPLETED: State.AWAITING_DECISION,
            Event.DEFECTIVE: State.RETURNED,
            Event.UNREADABLE: State.HELD,
        },
        State.RETURNED: {Event.RESUBMITTED: State.RECEIVED, Event.EXPIRED: State.WITHDRAWN},
        State.AWAITING_DECISION: {
            Event.APPROVED: State.APPROVED,
            Event.REJECTED: State.REJECTED,
            Event.RETURNED: State.RETURNED,
            Event.PAUSED: State.ON_HOLD,
            Event.AMENDED: State.RECEIVED,
            Event.WITHDRAWN: State.WITHDRAWN,
        },
        State.ON_HOLD: {
            Event.RESUMED: State.AWAITING_DECISION,
            Event.AMENDED: State.RECEIVED,
            Event.WITHDRAWN: State.WITHDRAWN,
        },
        State.APPROVED: {
            Event.STARTED: State.EXECUTING,
            Event.PAUSED: State.ON_HOLD,
            Event.CANCELLED: State.CANCELLED,
            Event.AMENDED: State.RECEIVED,
        },
        State.EXECUTING: {Event.DONE: State.FULFILLED, Event.FAILED: State.HELD},
        State.FULFILLED: {Event.DELIVERED: State.CLOSED},
        State.HELD: {Event.RELEASED: State.RECEIVED, Event.DROPPED: State.DROPPED},
        State.CLOSED: {},
        State.REJECTED: {},
        State.WITHDRAWN: {},
        State.CANCELLED: {},
        State.DROPPED: {},
    }
)


class IllegalMove(Exception):
    """The state does not know the event; nothing was changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a case that is {state} cannot be {event}")
        self.state = state
        self.event = event


def move(state: State, event: Event) -> State:
    """The state after the event. Raises IllegalMove."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalMove(state, event) from None


def final(state: State) -> bool:
    """Whether nothing can happen to a case in this state any more."""
    return not TRANSITIONS[state]
