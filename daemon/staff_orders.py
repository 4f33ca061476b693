"""What staff ask for by themselves in a mail: 至急失効, 不在. The mail is authenticated as a decision's is.

It needs no token, because it decides nothing: it brings a request with tokens to those who may decide.
Without a token only the mail itself says that it is new: one that was an order before is refused (`repeated`).
Weak: what an approver signed by S/MIME for somebody else is an order of his for a day, if its words are one.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from config.settings import Approver
from parsers.reply import Command, Verb

from . import delegation, schema, urgent
from .planning import JST
from .staff_reply import Refusal, Reply, evidence_of
from .store import one

ORDERS = frozenset({Verb.REVOKE_URGENTLY, Verb.ABSENCE})


# An order signed longer ago than this is not believed to be new.
_OLDEST_SIGNATURE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Done:
    """What all staff are told of an order that was taken."""

    subject: str
    lines: tuple[str, ...]
    case_id: int | None = None


def names_its_target(command: Command) -> bool:
    """Whether a command stands on its own, whatever mail it answers (SPEC 2.1)."""
    return command.verb is Verb.ABSENCE or (command.verb is Verb.REVOKE_URGENTLY and bool(command.target))


def repeated(reply: Reply, approver: Approver) -> Refusal | None:
    """Why a mail is no new order: a replay of one that was taken. None where it may be one.

    DKIM covers the Message-ID, so a replay has the one it had. S/MIME covers no header field: there the time of signing
    must be later than whatever the approver ordered last.
    """
    tx, mails, message_id = reply.tx, schema.mails, reply.mail.message_id
    taken = select(mails.c.id).where(
        mails.c.message_id == message_id, mails.c.id != reply.row.id, mails.c.outcome.startswith("order_")
    )
    if message_id and one(tx, taken.limit(1)) is not None:
        return _REPEATED
    if reply.verdict is None or reply.verdict.method != "smime":
        return None
    signed_at = datetime.fromisoformat(reply.verdict.evidence["signed_at"])
    last = _last_order(reply, approver)
    too_old = reply.now - signed_at > _OLDEST_SIGNATURE
    return _REPEATED if too_old or (last is not None and signed_at <= last) else None


_REPEATED = Refusal(
    "order_repeated",
    "以前のご依頼と同じメールか、署名の日時が古いメールです。ご依頼は、新しいメールでお送りください。",
)


def _last_order(reply: Reply, approver: Approver) -> datetime | None:
    """When anything was last ordered by this approver, as far as mails do it."""
    leaves, orders, address = schema.leaves, schema.orders, approver.address.lower()
    moments = [
        reply.tx.execute(select(func.max(column)).where(func.lower(who) == address)).scalar_one()
        for column, who in (
            (leaves.c.recorded_at, leaves.c.approver),
            (leaves.c.ended_at, leaves.c.approver),
            (orders.c.created_at, orders.c.opened_by),
        )
    ]
    return max((moment for moment in moments if moment is not None), default=None)


def carry_out(reply: Reply, approver: Approver, command: Command) -> Done | str:
    """Take the order, or say in Japanese why not."""
    return _absence(reply, approver, command) if command.verb is Verb.ABSENCE else _revoke(reply, approver, command)


def _absence(reply: Reply, approver: Approver, command: Command) -> Done | str:
    """不在: of the one who wrote, nobody else's."""
    tx, centre, now = reply.tx, reply.centre, reply.now
    if command.argument:
        first, last = map(date.fromisoformat, command.argument.split("/"))
        lines = delegation.go_away(tx, centre, approver, first, last, command.target, now=now, mail_id=reply.row.id)
    else:
        lines = delegation.come_back(tx, centre, approver, now=now)
    return lines if isinstance(lines, str) else Done(f"不在のご連絡（{approver.name}）", lines)


def _revoke(reply: Reply, approver: Approver, command: Command) -> Done | str:
    """至急失効. Without a target it means the case it answers."""
    tx, centre, now = reply.tx, reply.centre, reply.now
    if command.target:
        found = urgent.aim(tx, centre, command.target, now=now)
    elif reply.case is not None:
        found = urgent.aim_of_case(tx, centre, reply.case, now=now)
    else:
        return "対象の番号がありません。「至急失効 登録番号 理由」の形でご指定ください。"
    reason = urgent.why(command.argument, today=now.astimezone(JST).date())
    if isinstance(found, str):
        return found
    if isinstance(reason, str):
        return reason
    if problem := urgent.problem(tx, found, now=now):
        return problem
    case = urgent.open_case(
        tx,
        centre,
        found,
        reason,
        opened_by=approver.address,
        evidence=evidence_of(reply),
        now=now,
        mail_id=reply.row.id,
    )
    whose = f"{found.target.person.company_ja} {found.target.person.name_ja} 様"
    return Done(
        f"至急失効をお預かりしました {case.number}",
        (
            f"{approver.name}さんが、{whose}の証明書の至急失効を依頼しました。",
            "まだ失効していません。お送りした承認依頼に、異なる2名の方が「承認」とご返信ください。",
        ),
        case.id,
    )
