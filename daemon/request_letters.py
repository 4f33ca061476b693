"""Step 4: the letter that asks for a decision, made of a case as it stands; one preparation for all who are asked.

An application is shown in full, with its pictures and its PDF (SPEC 2.1, domain notes D.4); what staff asked for by
themselves is shown with what it would do. What both have in common: notes on the case, who corrected what.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from parsers.reading import Application
from parsers.reply import Verb

from . import cases, crops, orders, schema, staff_letters, wording
from .assessment import Assessment
from .case_facts import facts_of
from .cases import Case
from .centre import Centre
from .crops import Crops
from .letters import Draft, Enclosure
from .matter import Matter
from .post import MOST_ENCLOSED
from .staff_letters import Difference
from .store import every

_REGISTER_FIELDS = ("company_ja", "company_en", "name_ja", "name_en", "email")

_OTHERS = {"operator": "サーバーの運用担当者（コマンド操作）"}

MakeDraft = Callable[..., Draft]


def prepare(tx: Connection, centre: Centre, case: Case, matter: Matter) -> MakeDraft:
    """The letter but for what differs between those who are asked: `token`, `approver_index`, `expires_at`."""
    common: dict[str, Any] = {
        "plan": matter.plan.sentences,
        "blocked": matter.plan.blocked,
        "quorum": matter.plan.quorum,
        "quorum_reasons": matter.plan.quorum_reasons,
        "notes": notes(tx, centre, case),
        "links": centre.settings.approval.mailto_links,
    }
    if matter.assessment is None:
        order = orders.get(tx, case)
        return partial(
            staff_letters.order_request,
            centre.office,
            facts_of(case),
            opened_by=name_of(centre, order.opened_by),
            opened_at=order.created_at,
            **common,
        )
    pictures, documents = _enclosures(tx, centre, case, matter.assessment.application)
    return partial(
        staff_letters.approval_request,
        centre.office,
        facts_of(case),
        application=matter.assessment.application,
        findings=matter.assessment.findings,
        register_differences=_differences(centre, matter.assessment),
        candidates=_candidates(matter.assessment),
        documents=documents,
        crops=pictures,
        **common,
    )


def notes(tx: Connection, centre: Centre, case: Case) -> list[str]:
    """What staff noted about a case (メモ) and who corrected it, oldest first; for staff only."""
    decisions, versions = schema.decisions, schema.applications
    noted = [
        (row["decided_at"], f"メモ（{name_of(centre, row['approver'])}）：{row['argument']}")
        for row in every(
            tx,
            select(decisions).where(decisions.c.case_id == case.id, decisions.c.verb == Verb.NOTE.value),
        )
    ]
    noted += [
        (
            row["created_at"],
            f"修正（{name_of(centre, row['amended_by'])}）：第{row['version']}版。ご本人以外の承認が必要です",
        )
        for row in every(
            tx,
            select(versions.c.created_at, versions.c.amended_by, versions.c.version).where(
                versions.c.case_id == case.id, versions.c.amended_by != ""
            ),
        )
    ]
    return [f"{wording.japanese_time(at)} {text}" for at, text in sorted(noted)]


def name_of(centre: Centre, address: str) -> str:
    """The name of an approver; what the record holds of somebody who is none any more, or of the operator."""
    approver = centre.settings.approver(address)
    return approver.name if approver else _OTHERS.get(address, address)


def _differences(centre: Centre, assessment: Assessment) -> list[Difference]:
    target, kind = assessment.facts.target, assessment.application.request_type
    if target is None or kind is None:
        return []
    block = centre.table.types[kind].looks_up
    pairs = [
        (f"{block}.{name}", assessment.application.value(f"{block}.{name}") or "", getattr(target.person, name))
        for name in _REGISTER_FIELDS
    ]
    return [
        Difference(centre.table.label(key), read, registered) for key, read, registered in pairs if read != registered
    ]


def _candidates(assessment: Assessment) -> list[str]:
    if assessment.facts.target is not None:
        return []
    shown = (*assessment.facts.match.exact, *assessment.facts.match.candidates)
    return [
        f"{registration.subscriber_id}：{registration.person.company_ja} {registration.person.name_ja}"
        f"（{registration.person.email}）"
        for registration in shown
    ]


def _enclosures(tx: Connection, centre: Centre, case: Case, application: Application) -> tuple[Crops, list[Enclosure]]:
    """What staff compare the reading with: pictures cut out of the form, and the form itself where both together are
    small enough for every mail server; a larger form lies in the mailbox."""
    digest = cases.version_row(tx, case)["document"]
    data = centre.blobs.get(digest) if digest else b""
    if not data:
        return Crops(), []
    pictures = crops.make(data, application, centre.reader)
    size = len(data) + sum(len(picture.data) for picture in pictures.pictures)
    document = Enclosure(f"{case.number}.pdf", "application/pdf", data)
    return pictures, [document] if size <= MOST_ENCLOSED else []
