"""Another day for a scheduled revocation, or none: asked for by an approver, by a reply to a confirmation that holds a
token for it. A case of its own kind; postponing or calling off takes two approvers (SPEC 1.3.3, 2.1)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from parsers.rules import wished_limit

from . import approval, cases, letters, orders, post, registrations
from .case import CaseKind, Event, State
from .case_facts import facts_of
from .cases import Case
from .centre import Centre
from .planning import JST


def problem(tx: Connection, case: Case, day: date | None, *, now: datetime) -> str | None:
    """Why the revocation of this case cannot get that day (None: called off), as a Japanese sentence; or None."""
    if not orders.dated(tx, case):
        return "この案件に、これから実行される失効の予約はありません。"
    if day is None:
        return None
    if day < now.astimezone(JST).date():
        return "過ぎた日付です。今日以降の日付をご指定ください。"
    application = cases.application(tx, case) if case.kind is CaseKind.APPLICATION else None
    applied = application.value("application_date") if application else None
    if applied and day > (limit := wished_limit(date.fromisoformat(applied))):
        return (
            f"失効日は、申請日から1か月以内（{limit:%Y-%m-%d}まで）です。それより後にするには、新しい申請書が必要です。"
        )
    return None


def open_case(
    tx: Connection,
    centre: Centre,
    about: Case,
    day: date | None,
    *,
    opened_by: str,
    evidence: Mapping[str, Any],
    now: datetime,
    mail_id: int | None = None,
) -> Case:
    """The case that asks for it. Until it is decided the revocation stays scheduled as it was."""
    case = cases.open_case(
        tx,
        centre.audit,
        kind=CaseKind.RESCHEDULING,
        state=State.RECEIVED,
        arrived_at=now,
        now=now,
        actor=opened_by,
        registration_id=about.registration_id,
        applicant_company=about.applicant_company,
        applicant_name=about.applicant_name,
        applicant_email=about.applicant_email,
    )
    detail = {
        "case": about.number,
        "tasks": [task.id for task in orders.dated(tx, about)],
        "day": day.isoformat() if day else "",
    }
    orders.add(tx, case, opened_by=opened_by, detail=detail, evidence=evidence, now=now, mail_id=mail_id)
    centre.audit.append(
        tx,
        "rescheduling_asked",
        at=now,
        actor=opened_by,
        case_id=case.id,
        about=about.number,
        day=detail["day"],
        mail=mail_id,
    )
    case = cases.apply(tx, centre.audit, case, Event.COMPLETED, now=now, actor="system")
    return approval.ask(tx, centre, case, now=now)


def tell(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> None:
    """The accepted applicant hears the new day, or that there is none, under the number he knows."""
    detail = orders.get(tx, case).detail
    about = cases.find(tx, detail["case"])
    if about is None or about.registration_id is None or not about.applicant_email:
        return
    name, facts = registrations.get(tx, about.registration_id).person.name_ja, facts_of(about)
    if detail["day"]:
        draft = letters.scheduled_revocation(centre.office, facts, when=date.fromisoformat(detail["day"]), name=name)
    else:
        draft = letters.revocation_called_off(centre.office, facts, name=name)
    post.queue(
        tx, centre, draft, key=f"rescheduled:{case.id}", recipient=about.applicant_email, now=now, case_id=case.id
    )
