"""What `queue` and `show` tell of requests for decision: who was asked, until when, and how far silence was reminded.

Also who is away, and what staff asked for by themselves. Reading only; no token is ever shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from . import orders, schema
from .cases import Case
from .console import aligned, local
from .leaves import Leave
from .store import every

_STATES: Mapping[str, str] = {"open": "回答待ち", "used": "回答済み", "void": "無効", "lapsed": "期限切れ"}
_LEVELS = ("", "督促済み", "副担当へ依頼済み", "管理者へ依頼済み")


def asked(tx: Connection, case: Case) -> list[dict[str, Any]]:
    """The requests of the newest round, in the order they were sent; tokens of 取消 are not among them."""
    table = schema.requests
    query = select(table).where(table.c.case_id == case.id, table.c.purpose == "decision").order_by(table.c.id)
    rows = every(tx, query)
    newest = max((row["round"] for row in rows), default=0)
    keys = ("approver", "state", "created_at", "expires_at", "level")
    return [{key: row[key] for key in keys} for row in rows if row["round"] == newest]


def order_of(tx: Connection, case: Case) -> dict[str, Any] | None:
    """What staff asked for by themselves; None for any other case."""
    if case.kind not in orders.KINDS:
        return None
    order = orders.get(tx, case)
    return {
        "opened_by": order.opened_by,
        "created_at": order.created_at,
        "form_due_at": order.form_due_at,
        **order.detail,
    }


def order_lines(order: Mapping[str, Any] | None) -> list[str]:
    """The same for people."""
    if order is None:
        return []
    words = {
        "opened_by": "依頼者",
        "created_at": "依頼日時",
        "said": "理由",
        "code": "理由コード",
        "invalid_since": "失効基準日",
        "case": "対象の受付番号",
        "day": "新しい失効日",
        "form_due_at": "申請書の期限",
    }
    times = ("created_at", "form_due_at")
    shown = [
        (f"  {word}", local(order[key]) if key in times else str(order[key]))
        for key, word in words.items()
        if order.get(key)
    ]
    return aligned(shown)


def request_lines(requests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who was asked, whether he answered, until when he may."""
    rows = [
        (f"  {row['approver']}", _STATES[row["state"]], f"期限 {local(row['expires_at'])}", _LEVELS[row["level"]])
        for row in requests
    ]
    return aligned(rows)


def asked_lines(cases: Sequence[Case], requests: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[str]:
    """For the queue: who holds an open request of each case, and how far the silence was reminded."""
    rows = []
    for case in cases:
        held = [row for row in requests[case.id] if row["state"] == "open"]
        if held:
            people = "、".join(row["approver"] for row in held)
            rows.append((f"  {case.number}", people, _LEVELS[max(row["level"] for row in held)]))
    return ["承認依頼の回答待ち", *aligned(rows)] if rows else []


def absence_lines(absent: Sequence[Leave]) -> list[str]:
    """Who is or will be away, and who stands in."""
    rows = [
        (f"  {leave.approver}", f"{leave.first_day}〜{leave.last_day}", f"代理 {leave.deputy or 'なし'}")
        for leave in absent
    ]
    return ["承認者の不在", *aligned(rows)] if rows else []
