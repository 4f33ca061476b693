"""What a decision is about, whatever kind of case: an application, or something staff asked for by themselves.

Everything that asks, judges or carries out looks at a case through `look`, so that all see the same plan and digest.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from parsers.normalise import mail_key
from parsers.reading import Application

from . import orders, registrations
from .assessment import Assessment, assess
from .case import CaseKind
from .cases import Case
from .centre import Centre
from .planning import Plan

_PARTIES = ("applicant.email", "user.email", "before.email", "after.email")


@dataclass(frozen=True, slots=True)
class Matter:
    """The plan, its digest, the registration it is about, and whose own affair it is (compare keys of addresses).

    `assessment` is there for applications only.
    """

    plan: Plan
    digest: str
    registration_id: int | None
    parties: frozenset[str]
    assessment: Assessment | None = None


def look(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> Matter:
    """A case against the register as it is now."""
    if case.kind in orders.KINDS:
        plan = orders.plan(tx, case, now=now)
        return Matter(plan, orders.digest(case, plan), case.registration_id, _of_registration(tx, case))
    assessed = assess(tx, centre, case, now=now)
    target = assessed.facts.target
    return Matter(
        assessed.plan, assessed.digest, target.id if target else None, parties_of(assessed.application), assessed
    )


def is_urgent(case: Case) -> bool:
    """Whether a case cannot wait: everybody is asked at once, and nothing pauses between approval and execution."""
    return case.kind is CaseKind.URGENT_REVOCATION


def parties_of(application: Application) -> frozenset[str]:
    """Whose application it is: nobody decides about his own (SPEC 2.1)."""
    return frozenset(mail_key(application.value(field) or "") for field in _PARTIES)


def _of_registration(tx: Connection, case: Case) -> frozenset[str]:
    if case.registration_id is None:
        return frozenset()
    target = registrations.get(tx, case.registration_id)
    return frozenset({mail_key(target.person.email), mail_key(target.applicant_email)})
