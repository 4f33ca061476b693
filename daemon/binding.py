"""Whether the proof of a mail covers what it decides (SPEC 2.1): asked at receipt, and by the issuer again."""

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from parsers.authentication import Verdict, binds

from . import approval, proof
from .cases import Case
from .centre import Centre


def is_bound(centre: Centre, case: Case, request: RowMapping, verdict: Verdict) -> bool:
    """Whether the proof covers what is decided: the token is in what DKIM or our stamp vouch for; an S/MIME signature
    covers the body alone, which therefore must name case and digest itself (SPEC 2.1)."""
    code = approval.code_of(centre, request["token_hash"], request["digest"])
    return verdict.method != "smime" or binds(verdict.text, number=case.number, code=code)


def carries(tx: Connection, centre: Centre, case: Case, decision: RowMapping, *, now: datetime) -> bool:
    """Whether a stored decision is still proven by its mail, as the issuer looks at it: sender, words, binding."""
    verdict = proof.again(tx, centre, decision, now=now)
    request = approval.get(tx, decision["request_id"])
    return verdict is not None and request is not None and is_bound(centre, case, request, verdict)
