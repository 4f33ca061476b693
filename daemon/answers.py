"""Answering who sent a form, before anything is accepted: only the sender, and only where we may (SPEC 2.3)."""

from datetime import datetime

from sqlalchemy import Connection

from . import post
from .cases import Case
from .centre import Centre
from .letters import Draft


def answer(tx: Connection, centre: Centre, case: Case, draft: Draft, key: str, *, now: datetime) -> None:
    """Answer the sender of a case's form; where we must not answer, staff get the task and the text."""
    if not case.muted:
        post.queue(
            tx,
            centre,
            draft,
            key=key,
            recipient=case.correspondent,
            now=now,
            case_id=case.id,
            in_reply_to=case.thread_id or None,
        )
        return
    post.notify(
        tx,
        centre,
        key=key,
        subject=f"返信できない申請 {case.number}",
        lines=[
            "自動送信と思われる、または差出人が特定できないメールのため、返信していません。",
            "申請者へのご連絡をお願いします。ご案内の内容は次のとおりです。",
            "",
            *draft.body.splitlines(),
        ],
        now=now,
        case_id=case.id,
    )
