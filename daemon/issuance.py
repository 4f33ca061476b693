"""Step 5: an approved case becomes a certificate and its letters, or revocations, or a changed register.

Order of issuance (SPEC 3): prepare and lint → serial and to-be-signed bytes committed → the token of what was prepared
is taken in, with its audit line → signed once → compared → the file opened again by another program → one transaction
with certificate, letters, undated revocations and the end of the case. A failed issuance revokes nothing.
Crash: before the first commit nothing was done. Between the first and the last the serial stands reserved under a
lease; the private key died with the process. After the lease the serial is abandoned for good (it goes on the CRL,
because it may have been signed) and the case takes a new one. After the last commit everything is done.
Sleep: an issuer that stopped at any place and wakes after its lease was taken over meets a conflict at its next
transaction: its serial is not reserved any more, or its case is not in execution any more. Every transaction reads the
clock after it has the database to itself, so no decision rests on the time before the sleep.
"""

import logging
from datetime import datetime, timedelta
from functools import partial

from cryptography import x509
from sqlalchemy import Connection, select

from ca import bundle, issue, register
from ca.bundle import BundleKind
from ca.crl_scope import partition_of
from ca.errors import CaError, CaErrorKind
from ca.issue import IssuanceRequest
from ca.names import Subject
from ca.signer import Signer
from config.request_types import RequestType

from . import approval, binding, cases, completion, former, matter, opening, post, reach, registrations, schema, signing
from .case import CaseKind, Event, State
from .cases import Case, TaskRow
from .centre import Centre
from .completion import Issued
from .four_eyes import enough
from .guard import attempt
from .key_making import KeyMaker
from .matching import Person, Registration, person_from
from .planning import Task, TaskKind
from .store import changed, every

_log = logging.getLogger(__name__)

# An issuance that stopped half-way this many times is held for a person: each attempt costs a serial number.
MOST_ATTEMPTS = 3


def execute(centre: Centre) -> int:
    """Start every approved case and carry out every started one; returns how many were fulfilled."""
    _abandon(centre)
    now = centre.clock()
    with centre.store.transaction() as tx:
        ready = cases.in_state(tx, State.APPROVED, State.EXECUTING)
    if ready:
        # A token that was pulled out must not cost each case its serial numbers: nothing is begun, staff are told.
        centre.signer.check()
    likely = [case.id for case in ready if _gives_certificate(case) and not _pausing(centre, case, now)]
    # One case after the other, to its end: what the first one does to the register, the next one must see. Only their
    # keys are made ahead.
    with KeyMaker(centre.profile, centre.settings.ca.threads, likely) as keys:
        return sum(bool(attempt(f"case {case.id}", partial(_advance, centre, case.id, keys))) for case in ready)


def _gives_certificate(case: Case) -> bool:
    """Whether a case will want a key, as far as its kind says; a wrong guess costs a key."""
    return case.kind is CaseKind.RENEWAL or case.request_type in (
        RequestType.NEW_ISSUE,
        RequestType.REISSUE,
        RequestType.HANDOVER,
    )


def _advance(centre: Centre, case_id: int, keys: KeyMaker) -> bool:
    try:
        _start(centre, case_id)
        with centre.store.transaction() as tx:
            started = cases.get(tx, case_id).state is State.EXECUTING
        return started and _carry_out(centre, case_id, keys)
    finally:
        keys.drop(case_id)


def _abandon(centre: Centre) -> None:
    with centre.store.transaction() as tx:
        now = centre.clock()
        for serial in register.abandon_expired(tx, now):
            centre.audit.append(tx, "serial_abandoned", at=now, actor="issuer", serial=serial)


def _start(centre: Centre, case_id: int) -> None:
    """Fix the tasks of an approved case, after looking once more at everything the approval rests on."""
    with centre.store.transaction() as tx:
        now = centre.clock()
        case = cases.get(tx, case_id)
        if case.state is not State.APPROVED or _pausing(centre, case, now):
            return
        if case.kind is CaseKind.RENEWAL:
            if not _renewable(tx, case, now):
                cases.apply(
                    tx,
                    centre.audit,
                    case,
                    Event.CANCELLED,
                    now=now,
                    actor="issuer",
                    note={"why": "not_wanted"},
                    # Should the revocation that is to come be called off, the certificate is renewed after all.
                    renews_serial=None,
                )
                return
            case = cases.apply(tx, centre.audit, case, Event.STARTED, now=now, actor="issuer")
            cases.add_tasks(tx, case, (Task(TaskKind.ISSUE, case.registration_id),))
            return
        found = matter.look(tx, centre, case, now=now)
        reason = _unsound(tx, centre, case, found.digest, found.plan.quorum, now=now)
        if reason is not None:
            _log.warning("case %s: the approval does not hold any more (%s)", case.number, reason)
            case = cases.apply(
                tx, centre.audit, case, Event.PAUSED, now=now, actor="issuer", note={"why": reason}, accepted_at=None
            )
            approval.ask(tx, centre, case, now=now)
            return
        case = cases.apply(tx, centre.audit, case, Event.STARTED, now=now, actor="issuer")
        cases.add_tasks(tx, case, found.plan.tasks)
        cases.set_values(tx, case, registration_id=found.registration_id)


def _renewable(tx: Connection, case: Case, now: datetime) -> bool:
    """Whether a renewal is still wanted: its registration lives, what it renews is good and nothing is to end it."""
    row = register.find(tx, case.renews_serial) if case.renews_serial else None
    return (
        row is not None
        and row.registration_id is not None
        and row.state is register.CertificateState.ISSUED
        and row.serial not in reach.doomed(tx, now)
        and registrations.get(tx, row.registration_id).state == "live"
    )


def _pausing(centre: Centre, case: Case, now: datetime) -> bool:
    """The pause in which an approval can still be taken back (取消); renewals were approved by nobody, and an urgent
    revocation cannot wait."""
    if matter.is_urgent(case):
        return False
    pause = timedelta(minutes=centre.settings.policy.cancel_minutes)
    return case.accepted_at is not None and now < case.accepted_at + pause


def _unsound(tx: Connection, centre: Centre, case: Case, digest: str, quorum: int, *, now: datetime) -> str | None:
    """Why the approvals of a case do not carry it: checked by the issuer itself, whatever `replies` did (SPEC 2.1).

    The mail of each approval is judged again from its stored octets, so that a row alone approves nothing.
    """
    if digest != case.digest:
        return "digest_changed"
    rows = approval.given(tx, case)
    needed = max([quorum, *(row["quorum"] for row in rows)])
    sound = {row["approver"].lower() for row in rows if binding.carries(tx, centre, case, row, now=now)}
    return None if enough(sound, needed, approval.correctors(tx, case)) else "quorum_missing"


def _carry_out(centre: Centre, case_id: int, keys: KeyMaker) -> bool:
    with centre.store.transaction() as tx:
        case = cases.get(tx, case_id)
        if case.state is not State.EXECUTING or _leased(tx, case_id):
            return False
        wanted = [task for task in cases.tasks(tx, case_id, pending=True) if task.kind is TaskKind.ISSUE]
        due = [task for task in cases.tasks(tx, case_id, pending=True) if task.due_at is None]
        if former.must_wait(tx, centre, case, due, now=centre.clock()):
            return False
        registration = _registration(tx, centre, case, wanted[0]) if wanted else None
        trouble = _unfit(tx, case, wanted[0], registration) if registration else None
    if trouble:
        _fail(centre, case, trouble)
        return False
    try:
        issued = None if registration is None else _issue(centre, case, registration, keys)
        return _complete(centre, case, issued)
    except CaError as error:
        if error.kind is CaErrorKind.CONFLICT:
            # An earlier attempt's lease still runs, ours ended meanwhile, or another issuer was faster: the serial and
            # the case are not ours to use.
            _log.info("case %s: not now, %s", case.number, error)
            return False
        if error.kind in (CaErrorKind.SUBJECT_INVALID, CaErrorKind.LINT_FAILED):
            _fail(centre, case, _ENDS_TOO_EARLY if "validity_outside_issuer" in error.problems else _codes(error))
            return False
        raise


_ENDS_TOO_EARLY = (
    "認証局の有効期限が、発行する証明書の有効期間より先に切れます（validity_outside_issuer）。"
    "ogis-lra ca rollover で次の認証局を作成してください。"
)


def _codes(error: CaError) -> str:
    return ", ".join(error.problems) or error.kind.value


def _unfit(tx: Connection, case: Case, task: TaskRow, registration: Registration) -> str | None:
    """Why no certificate may be made for this registration any more, since the case was started; None when all is well.

    A started case may have waited for an earlier attempt's lease, and the register went on meanwhile.
    """
    if registration.state not in ("live", "reserved"):
        return "the registration was closed"
    if task.detail and registration.person != person_from(task.detail):
        return "the registered data were changed after the approval"
    table = register.certificates
    spent = select(table.c.serial).where(
        table.c.case_id == case.id, table.c.state == register.CertificateState.ABANDONED.value
    )
    return f"{MOST_ATTEMPTS} attempts did not come to an end" if len(every(tx, spent)) >= MOST_ATTEMPTS else None


def _leased(tx: Connection, case_id: int) -> bool:
    """Whether an earlier attempt's serial is still reserved: the register would refuse another one."""
    table = register.certificates
    state = register.CertificateState.RESERVED.value
    return bool(every(tx, select(table.c.serial).where(table.c.case_id == case_id, table.c.state == state)))


def _registration(tx: Connection, centre: Centre, case: Case, task: TaskRow) -> Registration:
    """Whom the certificate is for: the registration that is there, or one reserved for this case alone."""
    if task.registration_id is not None:
        return registrations.get(tx, task.registration_id)
    person = person_from(task.detail)
    predecessor = case.registration_id
    registration = registrations.reserve(tx, person, now=centre.clock(), predecessor=predecessor)
    changed(
        tx,
        schema.tasks.update()
        .where(schema.tasks.c.id == task.id, schema.tasks.c.registration_id.is_(None))
        .values(registration_id=registration.id),
    )
    return registration


def _issue(centre: Centre, case: Case, registration: Registration, keys: KeyMaker) -> Issued:
    """Key, certificate, bundle. Raises CaError; nothing but a reserved serial is left behind."""
    signer: Signer = centre.signer
    key = keys.take(case.id)
    not_before, not_after = centre.profile.period(centre.clock())
    request = IssuanceRequest(
        subject_of(registration.person, registration.subscriber_id),
        key.public_key(),
        centre.profile,
        not_before,
        not_after,
    )
    serial = issue.new_serial(centre.random_bytes)
    partition = partition_of(serial, centre.settings.crl.partitions)
    prepared = issue.prepare(request, signer.authority, serial, partition=partition)
    der = signing.certify(
        centre,
        signer,
        prepared,
        actor="issuer",
        registration_id=registration.id,
        case_id=case.id,
        # Making a key takes a while, and a process may sleep for hours: is the case still ours to carry out?
        still_wanted=lambda tx: _refuse_taken_over(tx, case),
        registration=registration.id,
    )
    certificate, chain = x509.load_der_x509_certificate(der), [signer.authority.certificate]
    password = bundle.make_password(centre.random_bytes)
    data = bundle.pack(
        key,
        certificate,
        chain,
        password=password,
        friendly_name=completion.friendly_name(case),
        kind=BundleKind(registration.bundle or centre.settings.ca.bundle),
    )
    opening.open_again(data, password, certificate, chain)
    return Issued(prepared, der, data, password, registration)


def _refuse_taken_over(tx: Connection, case: Case) -> None:
    if cases.get(tx, case.id).state is not State.EXECUTING:
        raise CaError(CaErrorKind.CONFLICT, "the case was carried out by another issuer")


def subject_of(person: Person, subscriber_id: str) -> Subject:
    """What of a person stands in the certificate (SPEC 1.4)."""
    return Subject(
        organization=person.company_en,
        common_name=person.name_en,
        subscriber_id=subscriber_id,
        email=person.email,
    )


def _complete(centre: Centre, case: Case, issued: Issued | None) -> bool:
    """The last transaction of a case: everything it did, or nothing of it."""
    with centre.store.transaction() as tx:
        now = centre.clock()
        _refuse_taken_over(tx, case)
        if issued is not None:
            if registrations.get(tx, issued.registration.id).state == "closed":
                raise CaError(CaErrorKind.CONFLICT, "the registration was closed while its certificate was made")
            signing.record(tx, centre, issued.prepared, issued.der, actor="issuer", now=now, case_id=case.id)
        completion.complete(tx, centre, case, issued, now=now)
    return True


def _fail(centre: Centre, case: Case, why: str) -> None:
    """What cannot become a certificate: the case is held for a person, nothing is revoked. `why` names no person."""
    _log.error("case %s: %s", case.number, why)
    with centre.store.transaction() as tx:
        now = centre.clock()
        cases.apply(tx, centre.audit, case, Event.FAILED, now=now, actor="issuer", note={"why": why})
        post.notify(
            tx,
            centre,
            key=f"failed:{case.id}:{case.version}",
            subject=f"証明書を発行できません {case.number}",
            lines=(
                "証明書を発行できませんでした。失効・登録変更も行っていません。",
                f"理由：{why}",
                "この案件は「要確認」で止まっています。原因を取り除いたあと、サーバーの担当者が次のどちらかを実行してください。",
                f"あらためて判断する：ogis-lra release {case.number}",
                f"申請者に理由を伝えて終える：ogis-lra drop {case.number} --reason 理由",
            ),
            now=now,
            case_id=case.id,
        )
