"""Answering who wrote to us, only where we may and only so often (SPEC 2.3, RFC 3834 section 2).

Promises: no correspondent and no case is answered by itself more often than `policy.answers_per_hour` and
`policy.answers_per_day` say. Two systems that answer each other stop there, whatever their headers look like. Beyond it
our answers are muted, never the intake: forms become cases as ever, and staff are told once a day.
Weak: a system that writes from a new address each time and about no case is stopped by neither.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, select

from . import cases, post, schema
from .cases import Case
from .centre import Centre
from .letters import Draft
from .planning import JST

_letters = schema.letters
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def answer(
    tx: Connection, centre: Centre, case: Case, draft: Draft, key: str, *, now: datetime, by_staff: bool = False
) -> None:
    """Answer the sender of a case's form; where we must not answer, staff get the task and the text.

    What a person of ours decided or asks (`by_staff`) is no automatic answer: no ceiling holds it back.
    """
    muted = "自動送信と思われる、または差出人が特定できないメールのため、返信していません。"
    if not case.muted:
        if send(
            tx,
            centre,
            draft,
            key=key,
            recipient=case.correspondent,
            now=now,
            case_id=case.id,
            in_reply_to=case.thread_id or None,
            by_staff=by_staff,
        ):
            return
        muted = "自動返信の上限に達したため、返信していません。"
    post.notify(
        tx,
        centre,
        key=key,
        subject=f"返信できない申請 {case.number}",
        lines=[
            muted,
            "申請者へのご連絡をお願いします。ご案内の内容は次のとおりです。",
            "",
            *draft.body.splitlines(),
        ],
        now=now,
        case_id=case.id,
    )


def send(
    tx: Connection,
    centre: Centre,
    draft: Draft,
    *,
    key: str,
    recipient: str,
    now: datetime,
    case_id: int | None = None,
    in_reply_to: str | None = None,
    by_staff: bool = False,
) -> bool:
    """Queue one automatic answer; False, with staff told once, where the ceiling of this correspondent or case is
    reached."""
    about = [func.lower(_letters.c.recipient) == recipient.lower()]
    about += [_letters.c.case_id == case_id] if case_id is not None else []
    over = None if by_staff else next((each for each in about if _is_full(tx, centre, each, now)), None)
    if over is None:
        post.queue(
            tx,
            centre,
            draft,
            key=key,
            recipient=recipient,
            now=now,
            case_id=case_id,
            in_reply_to=in_reply_to,
            answer=not by_staff,
        )
        return True
    centre.audit.append(tx, "answer_muted", at=now, actor="system", case_id=case_id, letter_kind=draft.kind)
    _tell_once(tx, centre, recipient, case_id, now)
    return False


def _is_full(tx: Connection, centre: Centre, about: ColumnElement[bool], now: datetime) -> bool:
    policy = centre.settings.policy
    return any(
        _count(tx, about, since=now - span) >= most
        for span, most in ((_HOUR, policy.answers_per_hour), (_DAY, policy.answers_per_day))
    )


def _count(tx: Connection, about: ColumnElement[bool], *, since: datetime) -> int:
    query = select(func.count()).where(_letters.c.answer == 1, _letters.c.created_at > since, about)
    return int(tx.execute(query).scalar_one())


def _tell_once(tx: Connection, centre: Centre, recipient: str, case_id: int | None, now: datetime) -> None:
    key = f"muted:{now.astimezone(JST):%Y-%m-%d}:{recipient.lower()}"
    if post.told(tx, key):
        return
    policy = centre.settings.policy
    number = cases.get(tx, case_id).number if case_id is not None else ""
    post.notify(
        tx,
        centre,
        key=key,
        subject=f"自動返信を止めています {number}".strip(),
        lines=[
            f"相手：{recipient}",
            f"返信の上限：1時間に{policy.answers_per_hour}通、1日に{policy.answers_per_day}通",
            "自動返信が上限に達したため、返信を止めています。",
            "相手が自動応答のシステムである可能性があります。メールの受付は、これまでどおり続けています。",
            "ご案内が必要な場合は、別の方法でご連絡ください。このお知らせは1日1回だけお送りします。",
        ],
        now=now,
        case_id=case_id,
    )
