"""The two ways out of `held` for a case: looked at anew, or dropped (docs/flow.md).

A case is held when its certificate could not be made, or when its form gave nothing to decide about. Nothing of it was
carried out, and nothing will be by itself: what its approval fixed is cancelled here before anything else happens, and
whoever approves it again sees it as it is then.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from . import approval, cases, letters, reception
from .answers import answer
from .case import CaseKind, Event, State
from .cases import Case
from .centre import Centre


class NotHeld(Exception):
    """The case cannot be released or dropped; the text says why."""


def release(tx: Connection, centre: Centre, case: Case, *, actor: str, now: datetime) -> Case:
    """Have a held case looked at anew, as it stands: defects go back to the applicant, else everybody is asked again.

    No earlier approval counts for it. A renewal, which nobody decides, gives way to a fresh one that the next round
    opens. Raises NotHeld, also for a case whose form could not be read: there is nothing to ask about.
    """
    _must_be_held(case)
    if case.kind is CaseKind.RENEWAL:
        return _end(tx, centre, case, actor, now, renews_serial=None)
    if case.kind is CaseKind.APPLICATION:
        _must_have_form(tx, case)
    _cancel_tasks(tx, case, now)
    case = cases.apply(tx, centre.audit, case, Event.RELEASED, now=now, actor=actor, accepted_at=None)
    if case.kind is CaseKind.APPLICATION:
        reception.consider(tx, centre, case, now=now, known=True)
        return cases.get(tx, case.id)
    case = cases.apply(tx, centre.audit, case, Event.COMPLETED, now=now, actor="system")
    return approval.ask(tx, centre, case, now=now)


def drop(tx: Connection, centre: Centre, case: Case, *, reason_word: str, actor: str, now: datetime) -> Case:
    """End a held case for good. Whoever applied gets the letter that 却下 with this reason sends; a dropped renewal is
    not opened again. Raises NotHeld."""
    _must_be_held(case)
    case = _end(tx, centre, case, actor, now)
    if case.kind is CaseKind.APPLICATION:
        draft = letters.rejection(centre.office, approval.facts_of(case), reason_word=reason_word)
        answer(tx, centre, case, draft, f"rejection:{case.id}:{case.version}", now=now, by_staff=True)
    return case


def _must_be_held(case: Case) -> None:
    if case.state is not State.HELD:
        raise NotHeld(f"{case.number} is not held: it is {case.state}")


def _must_have_form(tx: Connection, case: Case) -> None:
    try:
        cases.version_row(tx, case)
    except KeyError:
        raise NotHeld(
            f"{case.number} has no form that was read; ask for a new one, or `ogis-lra import` one that is readable, "
            "and drop this case"
        ) from None


def _cancel_tasks(tx: Connection, case: Case, now: datetime) -> None:
    for task in cases.tasks(tx, case.id, pending=True):
        cases.finish_task(tx, task, now=now, state="cancelled")


def _end(tx: Connection, centre: Centre, case: Case, actor: str, now: datetime, **values: Any) -> Case:  # noqa: ANN401 - columns of `cases`
    _cancel_tasks(tx, case, now)
    approval.void(tx, case)
    return cases.apply(tx, centre.audit, case, Event.DROPPED, now=now, actor=actor, **values)
