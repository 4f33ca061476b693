"""One staff mail on its way through the checks, and the answers to one that does not count.

A refused attempt changes nothing but the log and is told to all staff; an unclear reply changes nothing and is answered
with what was understood and what may be said.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from config.settings import Approver
from parsers.authentication import Verdict
from parsers.mail import Mail
from parsers.reply import Command, Unclear, find_case_number

from . import answers, commands, post, staff_letters
from .cases import Case
from .centre import Centre
from .ledger import MailRow
from .letters import Draft


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an attempt does not count: a code for the log, a Japanese sentence for staff, and for the log the code of
    the verdict on its sender where that is the reason."""

    code: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One staff mail with what is known of it: how it was authenticated, and the case that its token belongs to."""

    tx: Connection
    centre: Centre
    mail: Mail
    row: MailRow
    now: datetime
    verdict: Verdict | None
    case: Case | None


def evidence_of(reply: Reply) -> dict[str, Any]:
    """What shows later, to the issuer and to an auditor, why this mail was believed."""
    return {
        **(reply.verdict.evidence if reply.verdict else {}),
        "message_id": reply.mail.message_id,
        "mail_digest": reply.row.digest,
    }


def refuse(reply: Reply, refusal: Refusal) -> str:
    """Changes nothing but the log; staff are told, the sender of the attempt is not answered."""
    case_id = reply.case.id if reply.case else None
    reply.centre.audit.append(
        reply.tx,
        "decision_refused",
        at=reply.now,
        actor="unknown",
        case_id=case_id,
        reason=refusal.code,
        **({"detail": refusal.detail} if refusal.detail else {}),
        mail=reply.row.id,
    )
    draft = staff_letters.decision_refused(
        reply.centre.office,
        number=number_of(reply),
        claimed_sender="、".join(address.address for address in reply.mail.senders),
        reason=refusal.reason,
        at=reply.now,
    )
    post.tell_staff(reply.tx, reply.centre, draft, key=f"refused:{reply.row.id}", now=reply.now, case_id=case_id)
    return f"refused_{refusal.code}"


def ask_back(reply: Reply, approver: Approver, words: Command | Unclear, reason: str) -> str:
    """Nothing changes; the approver hears what was understood and what may be said. The request stays open."""
    draft = staff_letters.reply_unclear(
        reply.centre.office,
        line=words.line if isinstance(words, Unclear) else commands.word(words),
        reason=reason,
        number=number_of(reply),
    )
    answer(reply, approver, draft, "unclear")
    return "unclear_reply"


def answer(reply: Reply, approver: Approver, draft: Draft, name: str) -> None:
    """A letter to the one who wrote, in his thread."""
    answers.send(
        reply.tx,
        reply.centre,
        draft,
        key=f"{name}:{reply.row.id}",
        recipient=approver.address,
        now=reply.now,
        case_id=reply.case.id if reply.case else None,
        in_reply_to=reply.mail.message_id or None,
    )


def number_of(reply: Reply) -> str:
    """The number of the case that a mail is about, as far as it names one."""
    return reply.case.number if reply.case else find_case_number(reply.mail.subject) or ""
