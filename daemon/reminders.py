"""Silence approves nothing: after some business hours who was asked is reminded, then deputies are asked, then managers
(SPEC 2.1, domain notes E.3). Each step is taken once a round (`requests.level`), also after an outage.

A case on hold is left alone: somebody decided to wait; the daily digest keeps showing it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from config.settings import ApprovalSettings
from parsers.reply import Verb

from . import approval, business_time, cases, leaves, matter, post, rota, schema, staff_letters
from .case import State
from .cases import Case
from .centre import Centre
from .guard import attempt
from .store import every

REMINDED, DEPUTIES, MANAGERS = 1, 2, 3

_requests = schema.requests


_ASKED = (State.AWAITING_DECISION, State.ON_HOLD)


def remind(centre: Centre) -> int:
    """Look at every case that waits for a decision; returns how many steps were taken."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        late = [case.id for case in cases.in_state(tx, *_ASKED) if _due(tx, centre, case, now=now)]
    return sum(attempt(f"reminder of case {case_id}", partial(_look, centre, case_id)) or 0 for case_id in late)


def level_due(silence: timedelta, settings: ApprovalSettings) -> int:
    """The step that so much business time without an answer calls for."""
    hours = silence / timedelta(hours=1)
    limits = (settings.remind_hours, settings.deputy_hours, settings.manager_hours)
    return sum(hours >= limit for limit in limits)


def _due(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> int:
    """The step that is due and has not been taken; 0 for none."""
    held, settings = approval.open_requests(tx, case), centre.settings.approval
    if case.state not in _ASKED or not held or _waits_on_purpose(tx, case, max(row["created_at"] for row in held)):
        return 0
    began = min(row["created_at"] for row in held)
    due = level_due(business_time.of(settings).between(began, now), settings)
    return due if due > max(row["level"] for row in held) else 0


def _waits_on_purpose(tx: Connection, case: Case, asked_at: datetime) -> bool:
    """Whether somebody put the case on hold since it was asked about: by 保留, or by a question to the applicant. One
    that is on hold because the applicant wrote, or an approval did not hold, waits for an answer like any other."""
    table = schema.decisions
    held = select(table.c.id).where(
        table.c.case_id == case.id, table.c.verb.in_((Verb.HOLD, Verb.ASK)), table.c.decided_at >= asked_at
    )
    return case.state is State.ON_HOLD and bool(every(tx, held))


def _look(centre: Centre, case_id: int) -> int:
    now = centre.clock()
    with centre.store.transaction() as tx:
        case = cases.get(tx, case_id)
        due = _due(tx, centre, case, now=now)
        if not due:
            return 0
        held = approval.open_requests(tx, case)
        tx.execute(update(_requests).where(_requests.c.id.in_([row["id"] for row in held])).values(level=due))
        _remind(tx, centre, case, held, due, now=now)
        added = _escalate(tx, centre, case, held, due, now=now)
        if added:
            # Those asked just now begin at the step the case has reached.
            fresh = [row["id"] for row in approval.open_requests(tx, case)]
            tx.execute(update(_requests).where(_requests.c.id.in_(fresh)).values(level=due))
        centre.audit.append(
            tx, "decision_reminded", at=now, actor="system", case_id=case.id, level=due, asked_besides=added
        )
    return 1


def _remind(
    tx: Connection, centre: Centre, case: Case, held: Sequence[RowMapping], level: int, *, now: datetime
) -> None:
    for row in held:
        draft = staff_letters.approval_reminder(
            centre.office, approval.facts_of(case), asked_at=row["created_at"], expires_at=row["expires_at"]
        )
        post.queue(
            tx,
            centre,
            draft,
            key=f"reminder:{row['id']}:{level}",
            recipient=row["approver"],
            now=now,
            case_id=case.id,
        )


def _escalate(
    tx: Connection, centre: Centre, case: Case, held: Sequence[RowMapping], level: int, *, now: datetime
) -> int:
    if level < DEPUTIES:
        return 0
    eligible = approval.may_decide(centre, matter.look(tx, centre, case, now=now).parties)
    away = leaves.away(tx, now)
    more = rota.deputies(eligible, away, [row["approver"] for row in held])
    if level >= MANAGERS:
        more += rota.managers(eligible, away)
    return approval.ask_besides(tx, centre, case, more, now=now, why="silence")
