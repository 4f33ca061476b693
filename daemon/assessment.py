"""A case looked at whole: what was read, what the rules and the register say, what would be done, and the digest of it.

What was read from a picture is weighed against the register and the sender first (`cross_checks`), every time anew: the
stored reading stays what was read.

The digest is what an approver approves. It covers everything shown that could change between the showing and the
doing: the reading, the register's findings, the registration meant, the tasks. It is taken anew before every use.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from parsers.normalise import company_key
from parsers.reading import Application, Finding, Route, Severity, application_to_json

from . import cases, cross_checks, duplicates, planning, register_rules, registrations, schema
from .case import CaseKind, State
from .cases import Case
from .centre import Centre
from .matching import person_of
from .planning import Plan, RegisterFacts
from .store import every

# So many earlier forms of one company with one and the same image of a seal within so long are worth a note.
SEAL_USES = 3
_SEAL_MEMORY = timedelta(days=365)

_OPEN = (State.RECEIVED, State.AWAITING_DECISION, State.ON_HOLD, State.APPROVED, State.EXECUTING)


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything a decision is about."""

    application: Application
    facts: RegisterFacts
    findings: tuple[Finding, ...]
    plan: Plan
    digest: str

    @property
    def defects(self) -> tuple[Finding, ...]:
        """What the applicant must mend."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.DEFECT)


def assess(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> Assessment:
    """Look at the current version of a case against the register as it is now. Pure but for the reading of rows."""
    read = cases.application(tx, case)
    facts = registrations.facts(
        tx,
        read,
        centre.table,
        chosen=case.registration_id,
        sender=case.correspondent,
        duplicates=_duplicates(tx, case),
        now=now,
    )
    weighed = cross_checks.weigh(read, facts, centre.table)
    application = weighed.application
    if weighed.target_unsure and case.registration_id is None:
        facts = replace(facts, target=None, live=())
    findings = application.findings + register_rules.find(application, facts, centre.table) + weighed.findings
    findings += duplicates.findings(tx, case.id)
    findings += seal_findings(centre.table.seal.label, _other_seals(tx, case, read))
    plan = planning.make(application, facts, findings, centre.table)
    return Assessment(application, facts, findings, plan, _digest(case, application, findings, plan))


@dataclass(frozen=True, slots=True)
class SealUse:
    """Earlier forms with the very same digital image of a seal: how many of the same company, how many of others."""

    same_company: int = 0
    others: int = 0


def seal_findings(label: str, use: SealUse) -> tuple[Finding, ...]:
    """A note, and no claim about whose seal it is (SPEC 1.3.1): a stamp on paper never gives the same picture twice, so
    a form that carries the same one as others was stamped on a screen."""
    if use.others:
        message = f"「{label}」の画像が、他社の申請書{use.others}件にあるものと完全に同じです（電子的に貼られた画像）。"
    elif use.same_company >= SEAL_USES:
        message = f"「{label}」の画像が、同じ会社の申請書{use.same_company}件と完全に同じです（電子的に貼られた画像）。"
    else:
        return ()
    return (Finding("seal_repeated", Severity.NOTE, "seal", message),)


def too_little(application: Application) -> bool:
    """Whether a picture gave so little that there is nothing to decide about: no type, and nobody's name or address."""
    keys = [f"{block}.{name}" for block in ("user", "before", "after") for name in ("name_ja", "name_en", "email")]
    nobody = not any(application.fields[key].raw.strip() for key in keys if key in application.fields)
    return application.route is Route.SCAN and not application.type_raw.strip() and nobody


def columns(centre: Centre, application: Application) -> dict[str, Any]:
    """The columns of `cases` that repeat what the application says, for lists and for finding duplicates."""
    return {
        "request_type": application.request_type.value if application.request_type else None,
        "subject_key": _subject_key(application, centre),
        "applicant_company": application.value("applicant.company") or "",
        "applicant_name": application.value("applicant.name") or "",
        "applicant_email": application.value("applicant.email") or "",
    }


def _subject_key(application: Application, centre: Centre) -> str:
    """Equal for two applications of the same type for the same person; empty while the type is undecided."""
    if application.request_type is None:
        return ""
    rule = centre.table.types[application.request_type]
    keys = [application.request_type.value]
    for block in dict.fromkeys(filter(None, (rule.looks_up, rule.gives))):
        keys += person_of(application, block).keys
    return hashlib.sha256(json.dumps(keys, ensure_ascii=False).encode()).hexdigest()


def _duplicates(tx: Connection, case: Case) -> tuple[str, ...]:
    if not case.subject_key:
        return ()
    table = schema.cases
    query = select(table.c.number).where(
        table.c.subject_key == case.subject_key,
        table.c.id < case.id,
        table.c.kind == CaseKind.APPLICATION,
        table.c.state.in_(_OPEN),
    )
    return tuple(row["number"] for row in every(tx, query.order_by(table.c.id)))


def _other_seals(tx: Connection, case: Case, application: Application) -> SealUse:
    """Earlier cases only: what arrives later must not change what an approver was shown of this one."""
    mark = cases.seal_image(application)
    if not mark:
        return SealUse()
    table = schema.applications
    query = (
        select(schema.cases.c.id, schema.cases.c.applicant_company)
        .join(table, table.c.case_id == schema.cases.c.id)
        .where(
            table.c.seal_image == mark,
            schema.cases.c.id < case.id,
            table.c.created_at >= case.arrived_at - _SEAL_MEMORY,
        )
        .distinct()
    )
    own = company_key(application.value("applicant.company") or "")
    same = [company_key(row["applicant_company"]) == own for row in every(tx, query)]
    return SealUse(same.count(True), same.count(False))


def _digest(case: Case, application: Application, findings: tuple[Finding, ...], plan: Plan) -> str:
    shown = {
        "number": case.number,
        "version": case.version,
        "application": application_to_json(application),
        "findings": [[finding.code, finding.field, finding.message] for finding in findings],
        "tasks": [task.to_json() for task in plan.tasks],
        "sentences": plan.sentences,
        "blocked": plan.blocked,
    }
    text = json.dumps(shown, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
