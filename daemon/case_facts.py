"""What letters may say about a case, from its row."""

from collections.abc import Mapping
from datetime import date

from .case import CaseKind
from .cases import Case
from .draft import CaseFacts

# What a case without an application is called, where an application has its type.
KIND_WORDS: Mapping[CaseKind, str] = {
    CaseKind.RENEWAL: "更新",
    CaseKind.URGENT_REVOCATION: "至急失効",
    CaseKind.RESCHEDULING: "失効予約の変更",
}


def facts_of(case: Case, *, wished: str | None = None, user_name: str = "") -> CaseFacts:
    """What letters may say about a case."""
    return CaseFacts(
        number=case.number,
        request_type=case.request_type,
        company=case.applicant_company,
        person=case.applicant_name,
        arrived_at=case.arrived_at,
        wished_date=date.fromisoformat(wished) if wished else None,
        user_name=user_name,
        kind_word=KIND_WORDS.get(case.kind, ""),
    )
