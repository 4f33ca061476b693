"""What the calendar asks for: due revocations, renewals, lapsed requests, forms that never came back, the CRL.

Everything is found by "is it past its time", never by "is it exactly now": an outage delays, it loses nothing.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection, select

from ca import register
from ca.register import CertificateRow

from . import (
    approval,
    ca_watch,
    cases,
    checkpoints,
    completion,
    digest,
    former,
    letters,
    reach,
    registrations,
    reminders,
    responders,
    schema,
    urgent,
)
from .answers import answer
from .case import CaseKind, Event, State
from .centre import Centre
from .guard import attempt
from .planning import JST
from .publication import CRL_FILE
from .publication import publish as publish_crl
from .store import every, one

__all__ = ["CRL_FILE", "carry_out_due", "look_after", "publish_crl", "renew", "withdraw_expired"]


def look_after(centre: Centre) -> int:
    """One round of everything due by the calendar; returns how many things were done.

    Each kind of work is tried by itself: what goes wrong with one must not keep a revocation from its day.
    """
    return sum(attempt(name, partial(work, centre)) or 0 for name, work in _CALENDAR)


def carry_out_due(centre: Centre) -> int:
    """Dated tasks whose time has come: the wished day has ended in Japan (SPEC 1.3.3)."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        waiting = [task for task in cases.pending_tasks(tx) if task.due_at is not None and task.due_at <= now]
    due = dict.fromkeys(task.case_id for task in waiting)
    return sum(attempt(f"tasks of case {case_id}", partial(_carry_out, centre, case_id)) or 0 for case_id in due)


def _carry_out(centre: Centre, case_id: int) -> int:
    now = centre.clock()
    with centre.store.transaction() as tx:
        case = cases.get(tx, case_id)
        if case.state not in (State.FULFILLED, State.CLOSED):
            return 0
        due = [task for task in cases.tasks(tx, case_id, pending=True) if task.due_at and task.due_at <= now]
        if former.must_wait(tx, centre, case, due, now=now):
            return 0
        target = registrations.get(tx, case.registration_id) if case.registration_id else None
        result = completion.carry_out(tx, centre, case, due, now=now)
        if target is not None:
            completion.tell_revoked(tx, centre, case, result, target, now=now)
    return len(due)


def renew(centre: Centre) -> int:
    """A renewal case for every certificate near its end whose registration lives on (SPEC 1.3.8).

    None where a revocation is scheduled that will reach it, none where a newer certificate is there already, none
    twice (unique key on `cases.renews_serial`).
    """
    now = centre.clock()
    horizon = now + timedelta(days=centre.settings.policy.renewal_days)
    opened = 0
    with centre.store.transaction() as tx:
        doomed = reach.doomed(tx, now)
        for row in register.expiring(tx, horizon):
            # A responder's certificate is nobody's: `responders` renews it.
            if row.registration_id is None or row.serial in doomed or not _is_newest(tx, row, row.registration_id):
                continue
            registration = registrations.get(tx, row.registration_id)
            known = one(tx, select(schema.cases.c.id).where(schema.cases.c.renews_serial == row.serial))
            if registration.state != "live" or known is not None:
                continue
            cases.open_case(
                tx,
                centre.audit,
                kind=CaseKind.RENEWAL,
                state=State.APPROVED,
                arrived_at=now,
                now=now,
                actor="system",
                registration_id=registration.id,
                renews_serial=row.serial,
                applicant_company=registration.applicant_company,
                applicant_name=registration.applicant_name,
                applicant_email=registration.applicant_email,
            )
            opened += 1
    return opened


def _is_newest(tx: Connection, row: CertificateRow, registration_id: int) -> bool:
    return all(other.not_after <= row.not_after for other in register.live(tx, registration_id, row.not_before))


def withdraw_expired(centre: Centre) -> int:
    """Returned forms that were not corrected within the term count as withdrawn, and the sender is told."""
    table = schema.cases
    query = select(table.c.id).where(table.c.state == State.RETURNED, table.c.deadline <= centre.clock())
    with centre.store.transaction() as tx:
        late = [row["id"] for row in every(tx, query)]
    return sum(attempt(f"withdrawal of case {case_id}", partial(_withdraw, centre, case_id)) or 0 for case_id in late)


def _withdraw(centre: Centre, case_id: int) -> int:
    now = centre.clock()
    with centre.store.transaction() as tx:
        case = cases.get(tx, case_id)
        deadline = case.deadline.astimezone(JST).date() if case.deadline else None
        case = cases.apply(tx, centre.audit, case, Event.EXPIRED, now=now, actor="system")
        draft = letters.withdrawn(centre.office, approval.facts_of(case), deadline=deadline)
        answer(tx, centre, case, draft, f"withdrawn:{case.id}", now=now)
    return 1


_CALENDAR: tuple[tuple[str, Callable[[Centre], int]], ...] = (
    ("due tasks", carry_out_due),
    ("OCSP responder", responders.look_after),
    ("renewals", renew),
    ("lapsed requests", approval.renew_lapsed),
    ("reminders", reminders.remind),
    ("forms that never came back", withdraw_expired),
    ("forms after urgent revocations", urgent.remind_forms),
    ("end of the issuing CA", ca_watch.watch),
    ("checkpoint", checkpoints.keep),
    ("daily digest", digest.send),
)
