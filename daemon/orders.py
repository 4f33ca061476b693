"""What staff ask for by themselves, without an application: an urgent revocation, another day for a scheduled one.

Here are the rows and what an approval of one would do; `urgent` and `rescheduling` open them. As with an application,
the sentences are shown to staff word for word, the tasks are part of the digest, and exactly these are carried out.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ca.register import CertificateRow
from config import approval_rules

from . import cases, reach, registrations, schema
from .case import CaseKind
from .cases import Case, TaskRow
from .matching import Registration
from .planning import JST, Plan, Task, TaskKind, end_of_day
from .store import changed, every, one

_orders = schema.orders
KINDS = frozenset({CaseKind.URGENT_REVOCATION, CaseKind.RESCHEDULING})


@dataclass(frozen=True, slots=True)
class Order:
    """One row. `detail` of an urgent revocation: `serials`, `said` (the reason as typed), `code`, `invalid_since`; of a
    rescheduling: `case` (the number of the case whose revocation it is), `tasks` (ids), `day` (empty: none at all)."""

    case_id: int
    opened_by: str
    mail_id: int | None
    detail: Mapping[str, Any]
    form_due_at: datetime | None
    form_reminded_at: datetime | None
    created_at: datetime


def add(
    tx: Connection,
    case: Case,
    *,
    opened_by: str,
    detail: Mapping[str, Any],
    evidence: Mapping[str, Any],
    now: datetime,
    mail_id: int | None = None,
) -> None:
    """Enter what a case asks for. The unique key refuses a second order of one mail."""
    tx.execute(
        insert(_orders).values(
            case_id=case.id,
            opened_by=opened_by,
            mail_id=mail_id,
            evidence=dict(evidence),
            detail=dict(detail),
            created_at=now,
        )
    )


def get(tx: Connection, case: Case) -> Order:
    """What a case of these kinds asks for; KeyError where there is nothing."""
    row = one(tx, select(_orders).where(_orders.c.case_id == case.id))
    if row is None:
        raise KeyError(f"case {case.number} is no order of staff")
    return Order(**{key: row[key] for key in Order.__dataclass_fields__})


def set_form_due(tx: Connection, case: Case, due: datetime) -> None:
    """From then on the form that should follow an urgent revocation is asked after."""
    changed(tx, update(_orders).where(_orders.c.case_id == case.id).values(form_due_at=due))


def form_reminded(tx: Connection, case_id: int, now: datetime) -> None:
    """Staff were reminded of the missing form."""
    changed(
        tx,
        update(_orders)
        .where(_orders.c.case_id == case_id, _orders.c.form_reminded_at.is_(None))
        .values(form_reminded_at=now),
    )


def forms_missing(tx: Connection, now: datetime) -> list[Order]:
    """Urgent revocations whose form is due and has not come: no accepted application for the same person since."""
    query = select(_orders).where(_orders.c.form_due_at <= now).order_by(_orders.c.case_id)
    found = [Order(**{key: row[key] for key in Order.__dataclass_fields__}) for row in every(tx, query)]
    return [order for order in found if not _form_came(tx, order)]


def _form_came(tx: Connection, order: Order) -> bool:
    table = schema.cases
    registration_id = cases.get(tx, order.case_id).registration_id
    query = select(table.c.id).where(
        table.c.kind == CaseKind.APPLICATION,
        table.c.registration_id == registration_id,
        table.c.accepted_at >= order.created_at,
    )
    return bool(every(tx, query))


def plan(tx: Connection, case: Case, *, now: datetime) -> Plan:
    """What an approval of this order would do, as things stand now."""
    order = get(tx, case)
    if case.kind is CaseKind.URGENT_REVOCATION:
        return _revocation(tx, case, order, now)
    return _another_day(tx, case, order, now)


def digest(case: Case, planned: Plan) -> str:
    """The digest that an approval of the order is bound to (SPEC 2.1)."""
    shown = {
        "number": case.number,
        "version": case.version,
        "tasks": [task.to_json() for task in planned.tasks],
        "sentences": planned.sentences,
        "blocked": planned.blocked,
    }
    text = json.dumps(shown, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _revocation(tx: Connection, case: Case, order: Order, now: datetime) -> Plan:
    target, detail = _target(tx, case), order.detail
    serials = tuple(detail["serials"])
    rows = reach.reached(tx, target.id, serials, now)
    if not rows:
        return Plan((), (), ("有効な証明書がもうありません。「却下 対象なし」で終わらせてください。",))
    person = target.person
    rule = next(rule for rule in approval_rules.load().reasons if rule.code == detail["code"])
    task_detail = {"reason": detail["code"]}
    if detail["invalid_since"]:
        task_detail["invalid_since"] = detail["invalid_since"]
    sentences = [
        f"失効：{person.name_ja}（{person.company_ja}）の証明書 {row.serial}{_until(row)}を、"
        "2人目の承認後ただちに失効します。元に戻すことはできません。"
        for row in rows
    ]
    sentences.append(f"理由：{detail['said']}／理由コード：{rule.shown}")
    if detail["invalid_since"]:
        sentences.append(f"失効基準日：{detail['invalid_since']}（この日の0時からの利用が疑われることをCRLに記します）")
    sentences.append(f"登録 {target.subscriber_id} は終了しません。利用の再開には再発行の申請書が必要です。")
    sentences.append(f"連絡先：申請者 {target.applicant_email or '（登録なし）'}／利用者 {person.email}")
    task = Task(TaskKind.REVOKE, target.id, serials, None, task_detail)
    return Plan((task,), tuple(sentences), (), 2, (approval_rules.load().orders["urgent_revocation"],))


def _another_day(tx: Connection, case: Case, order: Order, now: datetime) -> Plan:
    target, detail = _target(tx, case), order.detail
    waiting = [task for task in dated(tx, cases.find(tx, detail["case"])) if task.id in detail["tasks"]]
    if len(waiting) < len(detail["tasks"]) or any(task.due_at and task.due_at <= now for task in waiting):
        return Plan(
            (), (), ("この失効予約は、すでに実行または変更されています。「却下 対象なし」で終わらせてください。",)
        )
    day = date.fromisoformat(detail["day"]) if detail["day"] else None
    was = min(task.due_at for task in waiting if task.due_at)
    serials = dict.fromkeys(row.serial for task in waiting for row in reach.covered(tx, task, now))
    whose = f"{target.person.name_ja}（{target.person.company_ja}）の証明書 {'、'.join(serials) or '（現在なし）'}"
    before = f"{_last_day(was):%Y-%m-%d} の終わり（日本時間24時）"
    rules = approval_rules.load().orders
    reasons: tuple[str, ...] = ()
    if day is None:
        sentences = [
            f"失効予約の取消：{whose}について、{before}の失効を取りやめます（受付番号 {detail['case']}）。",
            f"証明書は期限まで有効になり、登録 {target.subscriber_id} も終了しません。",
        ]
        reasons = (rules["calling_off"],)
    else:
        after = f"{day:%Y-%m-%d} の終わり（日本時間24時）"
        sentences = [f"失効日の変更：{whose}を、{before}ではなく {after}に失効します（受付番号 {detail['case']}）。"]
        reasons = (rules["postponement"],) if end_of_day(day) > was else ()
    task = Task(
        TaskKind.RESCHEDULE,
        target.id,
        (),
        None,
        {"tasks": ",".join(map(str, detail["tasks"])), "day": detail["day"]},
    )
    return Plan((task,), tuple(sentences), (), 2 if reasons else 1, reasons)


def dated(tx: Connection, case: Case | None) -> list[TaskRow]:
    """The tasks of a case that wait for their day."""
    return [task for task in cases.tasks(tx, case.id, pending=True) if task.due_at] if case else []


def reschedule(tx: Connection, task: TaskRow, *, now: datetime) -> None:
    """Carry out what `_another_day` planned: the waiting tasks get their new day or are cancelled."""
    day = task.detail["day"]
    values = {"due_at": end_of_day(date.fromisoformat(day))} if day else {"state": "cancelled", "done_at": now}
    for number in map(int, task.detail["tasks"].split(",")):
        changed(
            tx,
            update(schema.tasks).where(schema.tasks.c.id == number, schema.tasks.c.state == "pending").values(**values),
        )


def _target(tx: Connection, case: Case) -> Registration:
    if case.registration_id is None:
        raise ValueError(f"case {case.number} names no registration")
    return registrations.get(tx, case.registration_id)


def _until(row: CertificateRow) -> str:
    return f"（期限 {row.not_after.astimezone(JST):%Y-%m-%d}）"


def _last_day(due: datetime) -> date:
    """The wished day whose end `due` is."""
    return date.fromordinal(due.astimezone(JST).date().toordinal() - 1)
