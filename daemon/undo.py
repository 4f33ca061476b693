"""取消: taking a decision back before it is carried out (SPEC 2.1). Whoever holds a token of a confirmation may.

Nothing that was carried out is undone: then the answer says what may be done instead. Before that, the approvals are
void and everybody is asked anew, so that nothing happens by what was said before. A revocation that waits for its day
is called off only by two (`rescheduling`).
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from config.request_types import RequestType
from config.settings import Approver

from . import approval, cases, matter, orders, rescheduling
from .case import CaseKind, Event, State
from .cases import Case
from .centre import Centre
from .planning import Plan, end_of_day

_WAITING = (State.AWAITING_DECISION, State.ON_HOLD)
_DONE = (State.FULFILLED, State.CLOSED)

_STOP = "発行した証明書を止めるには「至急失効 受付番号 理由」をご利用ください。"
_FINAL = "失効した証明書は元に戻せません。"

# What may be done instead, once it is too late.
_INSTEAD: Mapping[RequestType | None, str] = {
    RequestType.NEW_ISSUE: _STOP,
    RequestType.REISSUE: _FINAL + _STOP,
    RequestType.HANDOVER: _FINAL + _STOP,
    RequestType.REGISTRATION_CHANGE: "登録を元に戻すには、登録変更の申請書をあらためて受け付けてください。",
    RequestType.CANCELLATION: _FINAL + "利用を再開するには、新規発行の申請書を受け付けてください。",
    None: _FINAL + "利用を再開するには、再発行の申請書を受け付けてください。",
}


def until(centre: Centre, case: Case, plan: Plan, *, now: datetime) -> datetime | None:
    """Until when an approval given now, the last one needed, can be taken back; None where it is carried out at once.

    A revocation with a day of its own can be called off until that day has ended, whatever else was carried out.
    """
    if matter.is_urgent(case):
        return None
    days = [end_of_day(task.wished) for task in plan.tasks if task.wished]
    pause = timedelta(minutes=centre.settings.policy.cancel_minutes)
    ends = [day for day in days if day > now] + ([now + pause] if pause else [])
    return max(ends) if ends else None


def problem(tx: Connection, case: Case, day: date | None = None, *, now: datetime) -> str | None:
    """Why it is too late, and what may be done instead, in Japanese; None while something can still be taken back."""
    if case.state in _WAITING:
        return None if approval.given(tx, case) else "取り消す承認がありません。承認依頼にご返信ください。"
    if case.state is State.APPROVED and case.kind is not CaseKind.RENEWAL:
        return None
    if case.state in _DONE and orders.dated(tx, case):
        return rescheduling.problem(tx, case, day, now=now)
    if case.state is State.EXECUTING:
        return "すでに実行中のため、取り消せません。完了のお知らせをお待ちください。"
    if case.state in _DONE:
        return f"すでに実行済みのため、取り消せません。{_INSTEAD[case.request_type]}"
    return "この案件はすでに終了しているため、取り消せません。申請者に、あらためて申請書をご依頼ください。"


def take_back(
    tx: Connection,
    centre: Centre,
    case: Case,
    approver: Approver,
    *,
    evidence: Mapping[str, Any],
    mail_id: int,
    now: datetime,
) -> tuple[str, ...]:
    """Carry it out; what follows, in Japanese. `problem` was asked before, in the same transaction."""
    if case.state in _DONE:
        opened = rescheduling.open_case(
            tx, centre, case, None, opened_by=approver.address, evidence=evidence, now=now, mail_id=mail_id
        )
        return (
            f"失効予約の取消を、受付番号 {opened.number} としてお預かりしました。",
            "異なる2名の承認で取り消します。承認依頼をお送りします。それまで予約はそのままです。",
        )
    if case.state is State.APPROVED:
        case = cases.apply(
            tx,
            centre.audit,
            case,
            Event.PAUSED,
            now=now,
            actor=approver.address,
            note={"why": "taken_back"},
            accepted_at=None,
        )
    else:
        centre.audit.append(tx, "approval_taken_back", at=now, actor=approver.address, case_id=case.id)
    approval.ask(tx, centre, case, now=now)
    return ("承認を取り消しました。何も実行していません。", "案件は判断待ちに戻り、承認依頼をあらためてお送りします。")


def put_off(
    tx: Connection,
    centre: Centre,
    case: Case,
    day: date,
    approver: Approver,
    *,
    evidence: Mapping[str, Any],
    mail_id: int,
    now: datetime,
) -> tuple[str, ...]:
    """失効日 in answer to a confirmation: another day for what waits for its day."""
    opened = rescheduling.open_case(
        tx, centre, case, day, opened_by=approver.address, evidence=evidence, now=now, mail_id=mail_id
    )
    return (
        f"失効日の変更（{day:%Y-%m-%d}）を、受付番号 {opened.number} としてお預かりしました。",
        "承認依頼をお送りします。承認されるまで、予約は元の日付のままです。",
    )
