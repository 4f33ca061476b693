"""至急失効: a certificate is revoked at once, because two of staff say so (SPEC 2.1, domain notes E.3).

Opened by an authenticated mail of an approver or by the operator's command, never by a mail from outside; a case of its
own kind, decided by the replies of two approvers, carried out without a pause. The form follows, and is asked after.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, select

from ca import register
from ca.register import CertificateRow
from config import approval_rules
from parsers.reply import find_case_number

from . import approval, cases, letters, matter, orders, post, reach, registrations, schema
from .case import CaseKind, Event, State
from .case_facts import facts_of
from .cases import Case
from .centre import Centre
from .matching import Registration
from .planning import JST
from .store import every

_DATE = re.compile(
    r"(?:^|\s)(?:失効基準日|基準日|since)?\s*[:=]?\s*([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?$"
)
_SERIAL = re.compile(r"[0-9A-Fa-f]{16,40}")


@dataclass(frozen=True, slots=True)
class Aim:
    """Whom an urgent revocation means: all live certificates of a registration, or those of these serial numbers."""

    target: Registration
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """The reason as typed, its code (RFC 5280), and since when the key is not to be trusted, where that was said."""

    said: str
    code: str
    invalid_since: date | None = None


def why(typed: str, *, today: date) -> Why | str:
    """The reason that staff typed, a date at its end taken for the invalidity date; a Japanese sentence where that
    date is none, or lies ahead."""
    said = unicodedata.normalize("NFKC", typed).strip()
    found = _DATE.search(said)
    since = None
    if found:
        try:
            since = date(*map(int, found.groups()))
        except ValueError:
            return "失効基準日が暦にない日付です。ご確認ください。"
        if since > today:
            return "失効基準日が先の日付です。今日までの日付をご指定ください。"
        said = said[: found.start()].strip()
    if not said:
        return "失効の理由も書いてください（例：至急失効 W000001 紛失）。"
    return Why(said[:200], approval_rules.load().reason_of(said).code, since)


def begin_of(reason: Why) -> datetime | None:
    """The invalidity date of RFC 5280 section 5.3.2: the beginning, in Japan, of the day that was named."""
    return datetime.combine(reason.invalid_since, time(0), JST) if reason.invalid_since else None


def aim(tx: Connection, centre: Centre, number: str, *, now: datetime) -> Aim | str:
    """Whom a number means: a registration id, a case number, a serial number; a Japanese sentence where it is none."""
    number = number.strip()
    if found := find_case_number(number):
        case = cases.find(tx, found)
        return aim_of_case(tx, centre, case, now=now) if case else "その受付番号の案件がありません。"
    registration = registrations.by_subscriber_id(tx, number.upper())
    if registration is not None:
        return Aim(registration)
    plain = number.replace(":", "")
    row = register.find(tx, plain) if _SERIAL.fullmatch(plain) else None
    if row is None or row.registration_id is None:
        return "その番号の登録・案件・証明書がありません。登録番号、受付番号、シリアル番号のどれかをご指定ください。"
    return Aim(registrations.get(tx, row.registration_id), (row.serial,))


def aim_of_case(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> Aim | str:
    """Whom a case means: the certificate it issued, or else every certificate of the person it is about."""
    table = register.certificates
    query = select(table.c.serial, table.c.registration_id).where(
        table.c.case_id == case.id, table.c.issued_at.is_not(None)
    )
    issued = every(tx, query)
    if issued:
        return Aim(registrations.get(tx, issued[0]["registration_id"]), tuple(row["serial"] for row in issued))
    registration_id = case.registration_id
    if registration_id is None and case.kind is CaseKind.APPLICATION and case.request_type is not None:
        registration_id = matter.look(tx, centre, case, now=now).registration_id
    if registration_id is None:
        return "この案件の対象の登録が定まっていません。「至急失効 登録番号 理由」の形でご指定ください。"
    return Aim(registrations.get(tx, registration_id))


# What was carried out asks for nothing more, even where one of its letters did not arrive.
_UNDER_WAY = (State.RECEIVED, State.AWAITING_DECISION, State.ON_HOLD, State.APPROVED, State.EXECUTING)


def problem(tx: Connection, found: Aim, *, now: datetime) -> str | None:
    """Why nothing can be opened, as a Japanese sentence; None when it can."""
    if not reach.reached(tx, found.target.id, found.serials, now):
        return f"登録 {found.target.subscriber_id} に、失効できる有効な証明書がありません（失効済みまたは期限切れ）。"
    table = schema.cases
    query = select(table.c.id).where(
        table.c.kind == CaseKind.URGENT_REVOCATION, table.c.registration_id == found.target.id
    )
    for row in every(tx, query):
        case = cases.get(tx, row["id"])
        if case.state in _UNDER_WAY and orders.get(tx, case).detail["serials"] == list(found.serials):
            return f"同じ至急失効が、受付番号 {case.number} ですでに依頼中です。そちらの承認依頼にご返信ください。"
    return None


def open_case(
    tx: Connection,
    centre: Centre,
    found: Aim,
    reason: Why,
    *,
    opened_by: str,
    evidence: Mapping[str, Any],
    now: datetime,
    mail_id: int | None = None,
) -> Case:
    """The case with its order; everybody who may decide is asked at once. Nothing is revoked before two said so."""
    case = cases.open_case(
        tx,
        centre.audit,
        kind=CaseKind.URGENT_REVOCATION,
        state=State.RECEIVED,
        arrived_at=now,
        now=now,
        actor=opened_by,
        registration_id=found.target.id,
        applicant_company=found.target.applicant_company or found.target.person.company_ja,
        applicant_name=found.target.applicant_name,
        applicant_email=found.target.applicant_email,
    )
    orders.add(
        tx, case, opened_by=opened_by, detail=_detail(found, reason), evidence=evidence, now=now, mail_id=mail_id
    )
    centre.audit.append(
        tx,
        "urgent_revocation_asked",
        at=now,
        actor=opened_by,
        case_id=case.id,
        registration=found.target.id,
        serials=list(found.serials),
        reason=reason.code,
        mail=mail_id,
    )
    case = cases.apply(tx, centre.audit, case, Event.COMPLETED, now=now, actor="system")
    return approval.ask(tx, centre, case, now=now)


def _detail(found: Aim, reason: Why) -> dict[str, Any]:
    return {
        "serials": list(found.serials),
        "said": reason.said,
        "code": reason.code,
        "invalid_since": reason.invalid_since.isoformat() if reason.invalid_since else "",
    }


def tell(tx: Connection, centre: Centre, case: Case, revoked: list[CertificateRow], *, now: datetime) -> None:
    """Applicant and subscriber hear at once; from now on the form is waited for."""
    if case.registration_id is None:
        raise ValueError(f"case {case.number} names no registration")
    target, days = registrations.get(tx, case.registration_id), centre.settings.approval.form_days
    due = now + timedelta(days=days)
    orders.set_form_due(tx, case, due)
    if not revoked:
        return
    tails = [row.serial[-4:] for row in revoked]
    name, facts = target.person.name_ja, facts_of(case)
    if case.applicant_email:
        draft = letters.urgently_revoked(
            centre.office, facts, name=name, serial_tails=tails, at=now, form_by=due.astimezone(JST).date()
        )
        post.queue(tx, centre, draft, key=f"urgent:{case.id}", recipient=case.applicant_email, now=now, case_id=case.id)
    else:
        post.notify(
            tx,
            centre,
            key=f"urgent-no-applicant:{case.id}",
            subject=f"至急失効：申請者へのご連絡をお願いします {case.number}",
            lines=(
                "申請者の連絡先が登録されていないため、失効のご連絡をお送りできません。",
                "お手数ですが、申請者にご連絡ください。押印済みの申請書もご依頼ください。",
            ),
            now=now,
            case_id=case.id,
        )
    to_user = replace(facts, company=target.person.company_ja, person=name)
    theirs = letters.revoked(centre.office, to_user, name=name, serial_tails=tails, at=now)
    post.queue(
        tx, centre, theirs, key=f"urgent-user:{case.id}", recipient=target.person.email, now=now, case_id=case.id
    )


def remind_forms(centre: Centre) -> int:
    """Once, when its day has passed, staff are told that the form of an urgent revocation has not come."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        missing = [order for order in orders.forms_missing(tx, now) if order.form_reminded_at is None]
        for order in missing:
            case = cases.get(tx, order.case_id)
            orders.form_reminded(tx, order.case_id, now)
            centre.audit.append(tx, "form_reminded", at=now, actor="system", case_id=case.id)
            post.notify(
                tx,
                centre,
                key=f"form-missing:{case.id}",
                subject=f"至急失効の申請書が届いていません {case.number}",
                lines=(
                    f"{case.applicant_company}の至急失効について、押印済みの申請書をまだ受け付けていません。",
                    "申請者にご連絡のうえ、再発行または解約・失効の申請書をご依頼ください。",
                ),
                now=now,
                case_id=case.id,
            )
    return len(missing)
