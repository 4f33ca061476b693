"""A decision that counts: its record, and the confirmation that everybody gets."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import RowMapping

from config.settings import Approver
from parsers.reply import Command

from . import approval, cases, commands, post, schema, staff_letters
from .cases import Case
from .staff_reply import Reply, evidence_of
from .store import added


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision that counts: every check has been passed (`replies`)."""

    reply: Reply
    case: Case
    request: RowMapping
    approver: Approver
    command: Command


def record(decision: Decision, *, quorum: int) -> None:
    """The row and its audit event. Each mail decides at most once (unique key on `decisions.mail_id`)."""
    reply = decision.reply
    added(
        reply.tx,
        schema.decisions,
        case_id=decision.case.id,
        version=decision.case.version,
        digest=decision.request["digest"],
        request_id=decision.request["id"],
        approver=decision.approver.address,
        verb=decision.command.verb.value,
        argument=decision.command.argument,
        mail_id=reply.row.id,
        evidence=evidence_of(reply),
        quorum=quorum,
        decided_at=reply.now,
    )
    reply.centre.audit.append(
        reply.tx,
        "decision_taken",
        at=reply.now,
        actor=decision.approver.address,
        case_id=decision.case.id,
        verb=decision.command.verb.value,
        digest=decision.request["digest"],
        mail=reply.row.id,
    )


@dataclass(frozen=True, slots=True)
class Recall:
    """That a decision can be taken back, and until when; None: until it is carried out."""

    until: datetime | None


def others_asked(decision: Decision) -> tuple[str, ...]:
    """Who else holds an open request of the case."""
    rows = approval.open_requests(decision.reply.tx, decision.case)
    return tuple(row["approver"].lower() for row in rows if row["id"] != decision.request["id"])


def confirm(
    decision: Decision, outcome: Sequence[str], *, freed: Collection[str] = (), recall: Recall | None = None
) -> None:
    """The decision is echoed to every approver, so that nobody decides unseen. Whose request was closed by it is told
    so; with `recall` each gets a token of his own to take it back."""
    reply = decision.reply
    tx, centre, now = reply.tx, reply.centre, reply.now
    case = cases.get(tx, decision.case.id)
    for approver in centre.settings.approvers:
        token, code = None, ""
        if recall:
            expires = max(recall.until or now, now + timedelta(days=centre.settings.policy.request_days))
            token = approval.make_recall(tx, centre, case, approver, now=now, expires=expires)
            code = approval.code_of(centre, approval.token_hash(centre, token), case.digest)
        draft = staff_letters.decision_recorded(
            centre.office,
            approval.facts_of(case),
            decision=f"{decision.approver.name}：{commands.word(decision.command)}",
            at=now,
            outcome=(*outcome, *(_FREED if approver.address.lower() in freed else ())),
            token=token,
            code=code,
            undo_until=recall.until if recall else None,
        )
        key = f"staff:decision:{reply.row.id}:{approver.address.lower()}"
        post.queue(tx, centre, draft, key=key, recipient=approver.address, now=now, case_id=case.id)


_FREED = ("この決定により、あなたあての承認依頼は無効になりました。ご返信は不要です。",)
