"""A case looked at whole: what was read, what the rules and the register say, what would be done, and the digest of it.

The digest is what an approver approves. It covers everything shown that could change between the showing and the
doing: the reading, the register's findings, the registration meant, the tasks. It is taken anew before every use.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from parsers.reading import Application, Finding, Severity, application_to_json

from . import cases, planning, register_rules, registrations, schema
from .case import CaseKind, State
from .cases import Case
from .centre import Centre
from .matching import person_of
from .planning import Plan, RegisterFacts
from .store import every

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
    application = cases.application(tx, case)
    facts = registrations.facts(
        tx,
        application,
        centre.table,
        chosen=case.registration_id,
        sender=case.correspondent,
        duplicates=_duplicates(tx, case),
        now=now,
    )
    findings = application.findings + register_rules.find(application, facts, centre.table)
    plan = planning.make(application, facts, findings, centre.table)
    return Assessment(application, facts, findings, plan, _digest(case, application, findings, plan))


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
