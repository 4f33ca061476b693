"""`queue`, `show` and `log`: what waits, one case, its history. Reading only; what staff read is Japanese."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from config import request_types
from parsers.reading import application_from_json

from . import audit, audit_console, cases, gauges, leaves, request_console, schema
from .case import State, final
from .case_facts import KIND_WORDS
from .cases import Case
from .commands import STATE_WORDS
from .console import Answer, UsageError, aligned, described, local, opened
from .despatch import UNSENT, LetterState
from .draft import LetterKind
from .letter_words import LETTER_STATES, LETTER_WORDS
from .planning import TaskKind
from .reading_console import application_lines
from .store import every, one

# Whose move it is; a returned form names its term besides.
WAITS_FOR: Mapping[State, str] = {
    State.RECEIVED: "システム",
    State.RETURNED: "申請者",
    State.AWAITING_DECISION: "承認者",
    State.ON_HOLD: "承認者",
    State.APPROVED: "システム",
    State.EXECUTING: "システム",
    State.FULFILLED: "システム（通知送付）",
    State.HELD: "センター",
}
TASK_WORDS: Mapping[TaskKind, str] = {
    TaskKind.ISSUE: "発行",
    TaskKind.REVOKE: "失効",
    TaskKind.CHANGE: "登録の変更",
    TaskKind.CLOSE: "登録の終了",
    TaskKind.RESCHEDULE: "失効予約の変更",
}
TASK_STATES: Mapping[str, str] = {"pending": "未実施", "done": "済", "failed": "失敗", "cancelled": "取消"}


def queue(arguments: argparse.Namespace) -> Answer:
    """Every case that is not at its end, mail that was set aside, letters that have not left or did not arrive."""
    now = arguments.clock()
    with opened(arguments) as (_, store), store.transaction() as tx:
        waiting = cases.in_state(tx, *(state for state in State if not final(state)))
        held = every(tx, select(schema.mails).where(schema.mails.c.state == "held").order_by(schema.mails.c.id))
        measured = gauges.values(tx)
        letters = [dict(row) for row in every(tx, _LETTERS_THAT_WAIT)]
        asked = {case.id: request_console.asked(tx, case) for case in waiting}
        absent = leaves.planned(tx, now)
    unsent = [row for row in letters if row["state"] in UNSENT]
    failed = [row for row in letters if row["state"] not in UNSENT]
    document = {
        "cases": [_case_json(case) | {"waits_for": _waits_for(case), "requests": asked[case.id]} for case in waiting],
        "absences": [asdict(leave) for leave in absent],
        "held_mails": [{"id": row["id"], "arrived_at": row["arrived_at"], "reason": row["reason"]} for row in held],
        "unsent_letters": [_letter_json(row) | {"not_before": row["not_before"]} for row in unsent],
        "failed_letters": [_letter_json(row) for row in failed],
        "gauges": measured,
    }
    lines = [
        *_waiting_lines(waiting, now),
        *request_console.asked_lines(waiting, asked),
        *_held_lines(held),
        *_unsent_lines(unsent, now),
        *_failed_lines(failed),
        *request_console.absence_lines(absent),
        *_mailbox_lines(measured),
    ]
    return Answer("\n".join(lines) or "待っている案件はありません。", document)


def _waiting_lines(waiting: list[Case], now: datetime) -> list[str]:
    rows = [("受付番号", "状態", "待ち先", "申請種別", "申請者", "到着", "経過")]
    for case in waiting:
        days = f"{(now - case.arrived_at).days}日"
        company = case.applicant_company or "-"
        rows.append(
            (case.number, STATE_WORDS[case.state], _waits_for(case), _word(case), company, local(case.arrived_at), days)
        )
    return aligned(rows) if waiting else []


def _held_lines(held: Any) -> list[str]:  # noqa: ANN401 - rows of a query
    rows = [(f"  メール {row['id']}", local(row["arrived_at"]), row["reason"]) for row in held]
    return [f"確認が必要なメール（{len(rows)}通）", *aligned(rows)] if rows else []


def _mailbox_lines(measured: Mapping[str, float]) -> list[str]:
    """What of the mailbox is not in the ledger; nothing where all of it is."""
    missing = int(measured.get("mailbox_missing", 0))
    if not missing:
        return []
    compared = local(gauges.moment(measured, "compared_timestamp_seconds"))
    return [f"サーバーにあり、まだ取得できていないメール（{missing}通、{compared} 現在）"]


_LETTERS_THAT_WAIT = (
    select(schema.letters, schema.cases.c.number)
    .outerjoin(schema.cases, schema.cases.c.id == schema.letters.c.case_id)
    .where(schema.letters.c.state != LetterState.SENT)
    .order_by(schema.letters.c.id)
)


def _letter_json(row: dict[str, Any]) -> dict[str, Any]:
    keys = {
        "id": "id",
        "kind": "kind",
        "number": "case",
        "state": "state",
        "created_at": "created_at",
        "error": "error",
    }
    return {name: row[key] for key, name in keys.items()}


def _unsent_lines(unsent: list[dict[str, Any]], now: datetime) -> list[str]:
    rows = [
        (
            f"  通知 {row['id']}",
            LETTER_WORDS[LetterKind(row["kind"])],
            row["number"] or "-",
            LETTER_STATES[LetterState(row["state"])],
            f"経過 {_age(now - row['created_at'])}",
            f"試行 {row['attempts']}回",
        )
        for row in unsent
    ]
    return [f"まだ送信していない通知（{len(rows)}通）", *aligned(rows)] if rows else []


def _age(passed: timedelta) -> str:
    minutes = int(passed.total_seconds()) // 60
    if minutes < 2 * 60:
        return f"{minutes}分"
    return f"{minutes // 60}時間" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)}日"


def _failed_lines(failed: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            f"  通知 {row['id']}",
            LETTER_WORDS[LetterKind(row["kind"])],
            row["number"] or "-",
            LETTER_STATES[LetterState(row["state"])],
        )
        for row in failed
    ]
    return [f"届けられなかった通知（{len(rows)}通）", *aligned(rows)] if rows else []


def _waits_for(case: Case) -> str:
    if case.state is State.RETURNED and case.deadline is not None:
        return f"{WAITS_FOR[case.state]}（{local(case.deadline)[:10]}まで）"
    return WAITS_FOR[case.state]


def show(arguments: argparse.Namespace) -> Answer:
    """One case: what was read, what was decided, its tasks, its letters."""
    letters = schema.letters
    with opened(arguments) as (_, store), store.transaction() as tx:
        case = _found(tx, arguments.number)
        tasks = cases.tasks(tx, case.id)
        decisions = every(
            tx,
            select(schema.decisions)
            .where(schema.decisions.c.case_id == case.id)
            .order_by(schema.decisions.c.decided_at, schema.decisions.c.id),
        )
        sent = every(tx, select(letters).where(letters.c.case_id == case.id).order_by(letters.c.id))
        reading = one(
            tx,
            select(schema.applications.c.reading).where(
                schema.applications.c.case_id == case.id, schema.applications.c.version == case.version
            ),
        )
        asked, order = request_console.asked(tx, case), request_console.order_of(tx, case)
    document = _case_json(case) | {
        "waits_for": None if final(case.state) else _waits_for(case),
        "application": reading["reading"] if reading else None,
        "requests": asked,
        "order": order,
        "decisions": [
            {key: row[key] for key in ("version", "approver", "verb", "argument", "decided_at")} for row in decisions
        ],
        "tasks": [asdict(task) for task in tasks],
        "letters": [{key: row[key] for key in ("kind", "recipient", "message_id", "state", "sent_at")} for row in sent],
    }
    form = application_lines(application_from_json(reading["reading"]), request_types.load()) if reading else []
    dated = [
        ("  " + TASK_WORDS[task.kind], TASK_STATES[task.state], f"期日 {local(task.due_at)}" if task.due_at else "")
        for task in tasks
    ]
    lines = [
        *_head(case),
        *_part("依頼の内容", request_console.order_lines(order)),
        *_part("申請書", [f"  {line}" for line in form]),
        *_part("承認依頼", request_console.request_lines(asked)),
        *_part("判断", aligned([_decision(row) for row in decisions])),
        *_part("実施内容", aligned(dated)),
        *_part("通知", aligned([_letter(row) for row in sent])),
    ]
    return Answer("\n".join(lines), document)


def _head(case: Case) -> list[str]:
    pairs = [
        ("受付番号", case.number),
        ("状態", STATE_WORDS[case.state]),
        ("申請種別", f"{_word(case)}（第{case.version}版）"),
        ("申請者", " ".join(filter(None, (case.applicant_company, case.applicant_name))) or "-"),
        ("到着", local(case.arrived_at)),
        ("受領", local(case.accepted_at) if case.accepted_at else "まだ受領していません"),
    ]
    if not final(case.state):
        pairs.insert(2, ("待ち先", _waits_for(case)))
    return described(pairs)


def _part(title: str, lines: list[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _decision(row: RowMapping) -> tuple[str, ...]:
    said = f"{row['verb']} {row['argument']}".strip()
    return (f"  {local(row['decided_at'])}", row["approver"], said, f"第{row['version']}版")


def _letter(row: RowMapping) -> tuple[str, ...]:
    kind = LETTER_WORDS[LetterKind(row["kind"])]
    return (f"  {kind}", row["recipient"], LETTER_STATES[LetterState(row["state"])], local(row["sent_at"]))


def log(arguments: argparse.Namespace) -> Answer:
    """The audit events of one case; or a checkpoint, or the whole log, for keeping elsewhere."""
    if arguments.number is None:
        return audit_console.of_all(arguments)
    with opened(arguments) as (_, store), store.transaction() as tx:
        records = audit.records(tx, _found(tx, arguments.number).id)
    rows = [
        (
            local(record.at),
            record.kind,
            record.actor,
            " ".join(f"{key}={value}" for key, value in record.detail.items()),
        )
        for record in records
    ]
    return Answer("\n".join(aligned(rows)), [asdict(record) for record in records])


def _found(tx: Connection, number: str) -> Case:
    case = cases.find(tx, number.strip())
    if case is None:
        raise UsageError(f"there is no case {number}; `ogis-lra queue` lists those that wait")
    return case


def _word(case: Case) -> str:
    if case.request_type is None:
        return KIND_WORDS.get(case.kind, "種別未定")
    return request_types.load().types[case.request_type].word


def _case_json(case: Case) -> dict[str, Any]:
    keys = (
        "number",
        "kind",
        "state",
        "request_type",
        "version",
        "applicant_company",
        "applicant_name",
        "applicant_email",
        "arrived_at",
        "accepted_at",
    )
    return {key: getattr(case, key) for key in keys}
