"""The end of step 5: what an executed case changes in the register, and the letters that tell of it.

Everything here runs inside the transaction that records the certificate, so that certificate, register, revocations
and letters exist together or not at all (SPEC 3). Dated tasks stay pending and are carried out by `upkeep`, through
the same functions.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection

from ca import register
from ca.crl import Reason
from ca.issue import Prepared
from ca.register import CertificateRow
from config.request_types import RequestType

from . import approval, business_time, cases, letters, orders, post, reach, registrations, rescheduling, urgent
from .business_time import BusinessTime
from .case import CaseKind, Event
from .cases import Case, TaskRow
from .centre import Centre
from .letters import CaseFacts, Draft, insert_password
from .matching import PERSON_FIELDS, Registration, person_from
from .planning import JST, TaskKind


@dataclass(frozen=True)
class Issued:
    """A signed certificate with its bundle and password, for as long as the transaction takes."""

    prepared: Prepared
    der: bytes
    bundle: bytes
    password: str
    registration: Registration

    @property
    def serial(self) -> str:
        """The serial number as the register writes it."""
        return register.serial_text(self.prepared.serial)

    def __repr__(self) -> str:
        return f"Issued({self.serial})"


@dataclass
class Done:
    """What the tasks of one run did, gathered for the letters."""

    revoked: list[CertificateRow] = field(default_factory=list)
    closed: Registration | None = None
    changed_from: Registration | None = None


def complete(tx: Connection, centre: Centre, case: Case, issued: Issued | None, *, now: datetime) -> None:
    """Carry out every task that is due, end the case and queue its letters."""
    if case.kind is CaseKind.APPLICATION:
        _note_applicant(tx, case, issued)
    waiting = cases.tasks(tx, case.id, pending=True)
    due = [task for task in waiting if task.due_at is None or task.due_at <= now]
    dated = [task for task in waiting if task not in due]
    done = carry_out(tx, centre, case, due, now=now, spare=issued.serial if issued else "")
    case = cases.apply(tx, centre.audit, case, Event.DONE, now=now, actor="issuer")
    if issued is not None:
        _deliver(tx, centre, case, issued, now=now)
    if case.kind is CaseKind.APPLICATION:
        _tell_applicant(tx, centre, case, issued, done, dated, now=now)
    elif case.kind is CaseKind.URGENT_REVOCATION:
        urgent.tell(tx, centre, case, done.revoked, now=now)
    elif case.kind is CaseKind.RESCHEDULING:
        rescheduling.tell(tx, centre, case, now=now)


def carry_out(
    tx: Connection, centre: Centre, case: Case, tasks: list[TaskRow], *, now: datetime, spare: str = ""
) -> Done:
    """Do these tasks now. `spare` is the serial just issued: a reissue never revokes the new one (SPEC 1.3.7)."""
    done = Done()
    for task in tasks:
        if task.kind is TaskKind.REVOKE:
            done.revoked += _revoke(tx, centre, case, task, now=now, spare=spare)
        elif task.kind is TaskKind.RESCHEDULE:
            orders.reschedule(tx, task, now=now)
        elif task.registration_id is None:
            raise ValueError(f"task {task.id} names no registration")
        elif task.kind is TaskKind.ISSUE:
            registrations.open_up(tx, task.registration_id)
            registrations.learn_company(tx, registrations.get(tx, task.registration_id).person, now=now)
        elif task.kind is TaskKind.CHANGE:
            person = person_from(task.detail)
            done.changed_from = registrations.change(tx, task.registration_id, person, now=now)
            registrations.learn_company(tx, person, now=now)
        else:
            ending = registrations.get(tx, task.registration_id)
            if ending.state != "closed":
                done.closed = ending
                registrations.close(tx, task.registration_id, now=now)
        cases.finish_task(tx, task, now=now)
        centre.audit.append(
            tx,
            f"task_{task.kind.value}",
            at=now,
            actor="issuer",
            case_id=case.id,
            task=task.id,
            registration=task.registration_id,
        )
    return done


def _revoke(
    tx: Connection, centre: Centre, case: Case, task: TaskRow, *, now: datetime, spare: str
) -> list[CertificateRow]:
    revoked = []
    for row in reach.covered(tx, task, now):
        if row.serial == spare:
            continue
        reason, since = Reason(task.detail["reason"]), _invalid_since(task)
        if revoke_one(tx, centre, row.serial, reason=reason, since=since, case_id=case.id, actor="issuer", now=now):
            revoked.append(row)
    return revoked


def revoke_one(
    tx: Connection,
    centre: Centre,
    serial: str,
    *,
    reason: Reason,
    case_id: int | None,
    actor: str,
    now: datetime,
    since: datetime | None = None,
) -> bool:
    """Revoke one certificate at once and write it into the log; False when that has been done already.

    `since` is the invalidity date (RFC 5280 section 5.3.2), where it is known.
    """
    if not register.revoke(tx, serial, at=now, reason=reason, now=now, invalidity_date=since):
        return False
    centre.audit.append(
        tx, "certificate_revoked", at=now, actor=actor, case_id=case_id, serial=serial, reason=reason.value
    )
    return True


def _invalid_since(task: TaskRow) -> datetime | None:
    """The invalidity date of RFC 5280 section 5.3.2: the beginning, in Japan, of the day staff named."""
    day = task.detail.get("invalid_since")
    return datetime.combine(date.fromisoformat(day), time(0), JST) if day else None


def _note_applicant(tx: Connection, case: Case, issued: Issued | None) -> None:
    """Contact data of the applicant follow the newest accepted form, on the registration it is about."""
    application = cases.application(tx, case)
    concerned = {case.registration_id, issued.registration.id if issued else None} - {None}
    for registration_id in concerned:
        if registration_id is not None:
            registrations.note_applicant(tx, registration_id, application)


def friendly_name(case: Case) -> str:
    """The name under which a browser lists the certificate: ASCII, so that every tool shows it (field notes §1)."""
    return case.number


def quiet_until(registration: Registration, now: datetime, hours: BusinessTime) -> datetime:
    """A changed address gets nothing secret for one business day (SPEC 2.2)."""
    changed_at = registration.email_changed_at
    return now if changed_at is None else max(now, hours.one_day_after(changed_at))


def _deliver(tx: Connection, centre: Centre, case: Case, issued: Issued, *, now: datetime) -> None:
    """Notice and password: two mails, two threads, the second only after the first was accepted (SPEC 2.2)."""
    person = issued.registration.person
    request = issued.prepared.request
    facts = approval.facts_of(case, user_name=person.name_ja)
    common: dict[str, Any] = {
        "name": person.name_ja,
        "not_before": request.not_before,
        "not_after": request.not_after,
        "bundle": issued.bundle,
        "bundle_name": f"{case.number}.p12",
        "friendly": friendly_name(case),
    }
    if case.kind is CaseKind.RENEWAL:
        renewed = register.find(tx, case.renews_serial or "")
        notice = letters.renewal_notice(
            centre.office, facts, expires_at=renewed.not_after if renewed else request.not_before, **common
        )
    else:
        notice = letters.issue_notice(centre.office, facts, **common)
    start = quiet_until(issued.registration, now, business_time.of(centre.settings.approval))
    notice_id = post.queue(
        tx, centre, notice, key=f"notice:{case.id}", recipient=person.email, now=now, case_id=case.id, not_before=start
    )
    blank = letters.password(centre.office, reference=case.number)
    post.queue(
        tx,
        centre,
        replace(blank, body=insert_password(blank.body, issued.password)),
        key=f"password:{case.id}",
        recipient=person.email,
        now=now,
        case_id=case.id,
        after=notice_id,
        after_seconds=centre.settings.policy.password_delay_minutes * 60,
        not_before=start,
    )


def _tell_applicant(
    tx: Connection,
    centre: Centre,
    case: Case,
    issued: Issued | None,
    done: Done,
    dated: list[TaskRow],
    *,
    now: datetime,
) -> None:
    """The completion letter to the accepted applicant, by type (docs/letters.md)."""
    office, facts = centre.office, approval.facts_of(case)
    due = next((task.due_at for task in dated if task.due_at), None)
    wished = (due - timedelta(seconds=1)).astimezone(JST).date() if due else None
    target = registrations.get(tx, case.registration_id) if case.registration_id else None
    if issued is not None and case.request_type is not RequestType.HANDOVER:
        request = issued.prepared.request
        draft = letters.issued_to_applicant(
            office,
            facts,
            name=issued.registration.person.name_ja,
            not_before=request.not_before,
            not_after=request.not_after,
        )
        _to_applicant(tx, centre, case, draft, "issued", now)
    if target is None:
        return
    name = target.person.name_ja
    if case.request_type is RequestType.HANDOVER and issued is not None:
        times = {"revoked_at": None, "revocation_due": wished} if wished else {"revoked_at": now}
        draft = letters.handover_done(
            office, facts, predecessor=name, successor=issued.registration.person.name_ja, **times
        )
        _to_applicant(tx, centre, case, draft, "handover", now)
        draft = letters.handover_predecessor(office, facts, name=name, **times)
        _send(tx, centre, case, draft, f"predecessor:{case.id}", target.person.email, now)
    elif case.request_type is RequestType.REGISTRATION_CHANGE and done.changed_from is not None:
        _tell_change(tx, centre, case, done.changed_from, target, now)
    elif wished is not None:
        draft = letters.scheduled_revocation(office, facts, when=wished, name=name)
        _to_applicant(tx, centre, case, draft, "scheduled", now)
        if case.request_type is RequestType.REISSUE:
            theirs = letters.scheduled_revocation(office, _to_user(facts, target), when=wished, name=name)
            _send(tx, centre, case, theirs, f"scheduled-user:{case.id}", target.person.email, now)
    else:
        tell_revoked(tx, centre, case, done, target, now=now)


def tell_revoked(
    tx: Connection, centre: Centre, case: Case, done: Done, target: Registration, *, now: datetime
) -> None:
    """失効完了 or 解約完了: what a revocation that was carried out, at once or on its day, is told by."""
    office, facts, name = centre.office, approval.facts_of(case), target.person.name_ja
    if case.request_type is RequestType.CANCELLATION:
        if done.closed is None:
            # An earlier application has ended the registration; its completion was told then.
            return
        # The leaver is not written to by default (domain notes D.10).
        draft = letters.cancelled(office, facts, name=name, at=now, user_company=target.person.company_ja)
        _to_applicant(tx, centre, case, draft, "cancelled", now)
        return
    if done.revoked:
        tails = [row.serial[-4:] for row in done.revoked]
        draft = letters.revoked(office, facts, name=name, serial_tails=tails, at=now)
        _to_applicant(tx, centre, case, draft, "revoked", now)
        if case.request_type is RequestType.REISSUE:
            theirs = letters.revoked(office, _to_user(facts, target), name=name, serial_tails=tails, at=now)
            _send(tx, centre, case, theirs, f"revoked-user:{case.id}", target.person.email, now)


def _tell_change(
    tx: Connection, centre: Centre, case: Case, before: Registration, after: Registration, now: datetime
) -> None:
    labels = [
        centre.table.label(f"after.{name}").rpartition(" ")[2]
        for name in PERSON_FIELDS
        if getattr(before.person, name) != getattr(after.person, name)
    ]
    live = registrations.live_certificates(tx, after.id, now)
    until = live[-1].not_after if live else None
    facts = approval.facts_of(case)
    draft = letters.registration_changed(centre.office, facts, changed=labels, not_after=until)
    _to_applicant(tx, centre, case, draft, "changed", now)
    theirs = letters.registration_changed(centre.office, _to_user(facts, after), changed=labels, not_after=until)
    _send(tx, centre, case, theirs, f"changed-user:{case.id}", after.person.email, now)
    if before.person.keys[2] != after.person.keys[2]:
        old = letters.address_changed_old(centre.office)
        _send(tx, centre, case, old, f"changed-old:{case.id}", before.person.email, now)


def _to_user(facts: CaseFacts, registration: Registration) -> CaseFacts:
    """The same facts, addressed to the user instead of the applicant."""
    return replace(facts, company=registration.person.company_ja, person=registration.person.name_ja)


def _to_applicant(tx: Connection, centre: Centre, case: Case, draft: Draft, name: str, now: datetime) -> None:
    """After acceptance the accepted applicant is written to, whoever sent the form (SPEC 2.3)."""
    _send(tx, centre, case, draft, f"{name}:{case.id}", case.applicant_email, now)


def _send(tx: Connection, centre: Centre, case: Case, draft: Draft, key: str, recipient: str, now: datetime) -> None:
    post.queue(tx, centre, draft, key=key, recipient=recipient, now=now, case_id=case.id)
