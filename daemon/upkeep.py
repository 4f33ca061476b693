"""What the calendar asks for: due revocations, renewals, lapsed requests, forms that never came back, the CRL.

Everything is found by "is it past its time", never by "is it exactly now": an outage delays, it loses nothing.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, select

from ca import crl, register
from ca.register import CertificateRow

from . import (
    approval,
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
from .blobs import write_durably
from .case import CaseKind, Event, State
from .centre import Centre
from .guard import attempt
from .planning import JST
from .store import every, one

_log = logging.getLogger(__name__)

CRL_FILE = "issuing.crl"


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
    ("checkpoint", checkpoints.keep),
    ("daily digest", digest.send),
)


def publish_crl(centre: Centre, *, force: bool = False) -> bool:
    """Publish a new CRL when something was revoked since the last one, or half of its life is over.

    Recorded first, then written: a crash in between leaves the older file, and the next round writes the recorded one.
    The file is replaced atomically, so a relying party never reads half a CRL. Where the clock has gone back,
    thisUpdate (RFC 5280 section 5.1.2.4) stays at that of the CRL before: a newer number never looks older.
    """
    now = centre.clock()
    with centre.store.transaction() as tx:
        if force or _wanted(tx, centre):
            former = register.latest_crl(tx, centre.signer.authority.id)
            now = max(now, former.this_update) if former is not None else now
            number = register.next_crl_number(tx, centre.signer.authority.id)
            entries = register.revoked_for_crl(tx, centre.signer.authority.id, now)
            life = timedelta(days=centre.settings.ca.crl_days)
            der = centre.signer.sign_crl(crl.plan(centre.signer.authority, number, entries, now, now + life))
            register.store_crl(tx, centre.signer.authority.id, der)
            centre.audit.append(tx, "crl_published", at=now, actor="issuer", number=number, entries=len(entries))
        newest = register.latest_crl(tx, centre.signer.authority.id)
    if newest is None:
        raise LookupError("no CRL has been recorded")
    target = centre.public / CRL_FILE
    pem = x509.load_der_x509_crl(newest.der).public_bytes(Encoding.PEM)
    if target.exists() and target.read_bytes() == pem:
        return False
    write_durably(target, pem, mode=0o644)
    _log.info("CRL %d published", newest.number)
    return True


def _wanted(tx: Connection, centre: Centre) -> bool:
    newest = register.latest_crl(tx, centre.signer.authority.id)
    if newest is None:
        return True
    now = centre.clock()
    if now >= newest.this_update + (newest.next_update - newest.this_update) / 2:
        return True
    listed = {entry.serial_number for entry in x509.load_der_x509_crl(newest.der)}
    entries = register.revoked_for_crl(tx, centre.signer.authority.id, now)
    return bool({entry.serial for entry in entries} - listed)
