"""Whether the proof of a mail covers what it decides (SPEC 2.1): asked at receipt, and by the issuer again."""

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from parsers.authentication import Verdict, binds

from . import approval, proof, schema
from .cases import Case
from .centre import Centre
from .store import every


def is_bound(centre: Centre, case: Case, request: RowMapping, verdict: Verdict) -> bool:
    """Whether the proof covers what is decided: the token is in what DKIM or our stamp vouch for; an S/MIME signature
    covers the body alone, which therefore must name case and digest itself (SPEC 2.1)."""
    code = approval.code_of(centre, request["token_hash"], request["digest"])
    return verdict.method != "smime" or binds(verdict.text, number=case.number, code=code)


def repeats(tx: Connection, request: RowMapping, verdict: Verdict, message_id: str) -> bool:
    """Whether a mail was a decision in answer to this request before: 保留, 質問 and メモ leave their token open.

    DKIM covers the Message-ID; S/MIME covers no header field, there the time of signing must be later than before.
    """
    rows = every(tx, select(schema.decisions.c.evidence).where(schema.decisions.c.request_id == request["id"]))
    signed_at = verdict.evidence.get("signed_at")
    for before in (row["evidence"] for row in rows):
        if message_id and before.get("message_id") == message_id:
            return True
        if signed_at and before.get("signed_at") and _moment(signed_at) <= _moment(before["signed_at"]):
            return True
    return False


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def carries(tx: Connection, centre: Centre, case: Case, decision: RowMapping, *, now: datetime) -> bool:
    """Whether a stored decision is still proven by its mail, as the issuer looks at it: sender, words, binding."""
    verdict = proof.again(tx, centre, decision, now=now)
    request = approval.get(tx, decision["request_id"])
    return verdict is not None and request is not None and is_bound(centre, case, request, verdict)
