"""What each command of a staff reply does to a case, apart from 承認 (`daemon.replies`). One table of actions.

Every action runs inside the transaction of the reply that asked for it. A change of content makes a new version, which
voids all open requests and asks anew (SPEC 2.1).
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from config.request_types import Table
from config.settings import Approver
from parsers import rules
from parsers.application import amended
from parsers.reading import Application
from parsers.reply import Command, Verb

from . import approval, assessment, cases, letters, orders, registrations, request_letters, staff_letters, wording
from .answers import answer
from .case import Event, State
from .case_facts import KIND_WORDS
from .cases import Case
from .centre import Centre
from .planning import JST

Action = Callable[..., None]
# 却下 取下げ: not refused by us but withdrawn by the applicant, whose mail staff have read.
WITHDRAWN_WORDS = ("取下げ", "取り下げ", "取下")
_NO_SUCH_CASE = "該当する案件がありません。"


def problem(tx: Connection, centre: Centre, case: Case, command: Command, *, now: datetime) -> str | None:
    """Why a well-formed command cannot be carried out here, in Japanese; None when it can. Changes nothing."""
    if command.verb in (Verb.RETURN, Verb.ASK) and (fault := wording.fault_in(command.argument)):
        return fault
    if command.verb is Verb.CHANGE_TYPE and centre.table.type_of_word(command.argument) is None:
        return "申請種別の名称が分かりません。新規発行・再発行・登録変更・担当変更・解約 のいずれかをご指定ください。"
    if command.verb is Verb.CHOOSE:
        return _unsound_choice(tx, centre, case, command, now=now)
    if command.verb in (Verb.AMEND, Verb.WISHED_DATE):
        application = cases.application(tx, case)
        for label, value in _amendments(command):
            key = field_of(label, application, centre.table)
            if key is None:
                return f"項目「{label}」が分かりません。承認依頼に記載の項目名をお使いください。"
            if amended(application, key, value, received_on=now.astimezone(JST).date()) is None:
                return f"項目「{label}」の値を読み取れません。"
    return None


def _reject(tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime) -> None:
    if command.argument.strip() in WITHDRAWN_WORDS:
        case = cases.apply(tx, centre.audit, case, Event.WITHDRAWN, now=now, actor=approver.address)
        approval.void(tx, case)
        draft = letters.withdrawn(centre.office, approval.facts_of(case))
        answer(tx, centre, case, draft, f"withdrawn:{case.id}", now=now, by_staff=True)
        return
    case = _resume(tx, centre, case, approver, now)
    case = cases.apply(tx, centre.audit, case, Event.REJECTED, now=now, actor=approver.address)
    approval.void(tx, case)
    draft = letters.rejection(centre.office, approval.facts_of(case), reason_word=command.argument)
    answer(tx, centre, case, draft, f"rejection:{case.id}:{case.version}", now=now, by_staff=True)


def _return(tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime) -> None:
    deadline = now + timedelta(days=centre.settings.policy.resubmission_days)
    case = _resume(tx, centre, case, approver, now)
    case = cases.apply(tx, centre.audit, case, Event.RETURNED, now=now, actor=approver.address, deadline=deadline)
    approval.void(tx, case)
    draft = letters.returned(
        centre.office,
        approval.facts_of(case),
        reason=command.argument,
        deadline=deadline.astimezone(JST).date(),
    )
    answer(tx, centre, case, draft, f"returned:{case.id}:{case.version}", now=now, by_staff=True)


def _hold(tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime) -> None:
    if case.state is State.AWAITING_DECISION:
        cases.apply(tx, centre.audit, case, Event.PAUSED, now=now, actor=approver.address)
        draft = letters.on_hold(centre.office, approval.facts_of(case))
        answer(tx, centre, case, draft, f"hold:{case.id}:{now.isoformat()}", now=now, by_staff=True)


def _ask(tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime) -> None:
    if case.state is State.AWAITING_DECISION:
        cases.apply(tx, centre.audit, case, Event.PAUSED, now=now, actor=approver.address)
    draft = letters.question(centre.office, approval.facts_of(case), text=command.argument)
    answer(tx, centre, case, draft, f"question:{case.id}:{now.isoformat()}", now=now, by_staff=True)


def _amend(tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime) -> None:
    application = cases.application(tx, case)
    for label, value in _amendments(command):
        key = field_of(label, application, centre.table)
        changed = amended(application, key, value, received_on=now.astimezone(JST).date()) if key else None
        if changed is None:
            raise ValueError("an amendment was not checked before it was made")
        application = changed
    _renew(tx, centre, case, application, approver, now=now)


def _change_type(
    tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime
) -> None:
    kind = centre.table.type_of_word(command.argument)
    read = cases.application(tx, case)
    application = replace(read, request_type=kind, type_words=(command.argument,), type_reading=None)
    _renew(tx, centre, case, application, approver, now=now)


def _choose(tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime) -> None:
    """The choice changes the plan, so it is shown and asked about anew; it is not an amendment of the form."""
    case = _resume(tx, centre, case, approver, now)
    case = cases.set_values(tx, case, registration_id=_chosen(tx, command.argument))
    approval.ask(tx, centre, case, now=now)


def _note(tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime) -> None:
    """The text stands in the decision's row; the case stays as it is."""


def _reject_order(
    tx: Connection, centre: Centre, case: Case, command: Command, approver: Approver, *, now: datetime
) -> None:
    """What staff asked for themselves: nobody outside has heard of it, so nobody is written to."""
    case = _resume(tx, centre, case, approver, now)
    cases.apply(tx, centre.audit, case, Event.REJECTED, now=now, actor=approver.address)
    approval.void(tx, case)


ACTIONS: Mapping[Verb, Action] = {
    Verb.REJECT: _reject,
    Verb.RETURN: _return,
    Verb.HOLD: _hold,
    Verb.ASK: _ask,
    Verb.AMEND: _amend,
    Verb.WISHED_DATE: _amend,
    Verb.CHANGE_TYPE: _change_type,
    Verb.CHOOSE: _choose,
    Verb.NOTE: _note,
}

ORDER_ACTIONS: Mapping[Verb, Action] = {Verb.REJECT: _reject_order, Verb.NOTE: _note}

# After these no request of the case is open any more.
CLOSING = (Verb.REJECT, Verb.RETURN)


def actions_of(case: Case) -> Mapping[Verb, Action]:
    """What may be said, besides 承認, in answer to a request about this kind of case."""
    return ORDER_ACTIONS if case.kind in orders.KINDS else ACTIONS


# What the confirmation says follows from each command.
CONSEQUENCES: Mapping[Verb, str] = {
    Verb.REJECT: "申請を却下し、差出人に通知します。",
    Verb.RETURN: "申請を差し戻し、差出人に再提出を依頼します。",
    Verb.HOLD: "案件を保留にしました。引き続き、同じ承認依頼への返信で決定できます。",
    Verb.ASK: "差出人に照会を送り、案件を保留にしました。",
    Verb.AMEND: "内容を修正しました。あらためて承認依頼をお送りします。",
    Verb.WISHED_DATE: "失効希望日を修正しました。あらためて承認依頼をお送りします。",
    Verb.CHANGE_TYPE: "申請種別を変更しました。あらためて承認依頼をお送りします。",
    Verb.CHOOSE: "対象の登録を選びました。あらためて承認依頼をお送りします。",
    Verb.NOTE: "メモを記録しました。案件の状態は変わりません。",
}

_WORDS: Mapping[Verb, str] = {
    Verb.APPROVE: "承認",
    Verb.REJECT: "却下",
    Verb.RETURN: "差戻し",
    Verb.HOLD: "保留",
    Verb.ASK: "質問",
    Verb.AMEND: "修正",
    Verb.WISHED_DATE: "失効日",
    Verb.CHANGE_TYPE: "種別変更",
    Verb.CHOOSE: "対象",
    Verb.NOTE: "メモ",
    Verb.RESEND: "再送",
    Verb.REVOKE_URGENTLY: "至急失効",
    Verb.CANCEL: "取消",
    Verb.LIST: "一覧",
    Verb.SHOW: "照会",
    Verb.HELP: "ヘルプ",
    Verb.ABSENCE: "不在",
    Verb.HAND_OVER: "引継ぎ",
}


def consequences(command: Command) -> tuple[str, ...]:
    """What follows from a command, for its confirmation; after 却下 also what the applicant is told."""
    if command.verb is Verb.REJECT and command.argument.strip() in WITHDRAWN_WORDS:
        return ("申請者のお申し出による取下げとして終了し、差出人に通知します。",)
    if command.verb is Verb.REJECT:
        return CONSEQUENCES[command.verb], f"申請者への説明：{letters.rejection_sentence(command.argument)}"
    return (CONSEQUENCES[command.verb],)


def word(command: Command) -> str:
    """The command in one Japanese line, as a confirmation repeats it."""
    amendments = "、".join(f"{label}={value}" for label, value in command.amendments)
    target = command.target if command.verb in (Verb.ABSENCE, Verb.REVOKE_URGENTLY) else ""
    return " ".join(filter(None, (_WORDS[command.verb], command.argument, target, amendments)))


def field_of(label: str, application: Application, table: Table) -> str | None:
    """The field a person means by a printed label, a label with its block, or the field's own name."""
    wanted = _fold(label)
    rows = list(table.fields())
    named = [row.key for row in rows if wanted in (_fold(row.key), _fold(table.label(row.key)))]
    if named:
        return named[0]
    kind = application.request_type
    short = [row.key for row in rows if _fold(row.label) == wanted and (kind is None or not row.needs[kind].greyed)]
    return short[0] if len(short) == 1 else None


def _renew(
    tx: Connection, centre: Centre, case: Case, application: Application, approver: Approver, *, now: datetime
) -> None:
    """A new version by staff: rules again, requests void, asked anew."""
    previous = cases.version_row(tx, case)
    received_on = case.arrived_at.astimezone(JST).date()
    found = rules.find(application, table=centre.table, received_on=received_on, library=centre.library)
    application = replace(application, findings=found)
    case = cases.apply(
        tx,
        centre.audit,
        case,
        Event.AMENDED,
        now=now,
        actor=approver.address,
        version=case.version + 1,
        **assessment.columns(centre, application),
    )
    cases.add_version(
        tx,
        case.id,
        case.version,
        application,
        now=now,
        document=previous["document"],
        amended_by=approver.address,
    )
    case = cases.apply(tx, centre.audit, case, Event.COMPLETED, now=now, actor="system")
    approval.ask(tx, centre, case, now=now)


def _resume(tx: Connection, centre: Centre, case: Case, approver: Approver, now: datetime) -> Case:
    if case.state is State.ON_HOLD:
        return cases.apply(tx, centre.audit, case, Event.RESUMED, now=now, actor=approver.address)
    return case


def _amendments(command: Command) -> tuple[tuple[str, str], ...]:
    if command.verb is Verb.WISHED_DATE:
        return (("wished_revocation_date", command.argument),)
    return command.amendments


def _unsound_choice(tx: Connection, centre: Centre, case: Case, command: Command, *, now: datetime) -> str | None:
    """Only whom the form may mean can be chosen (SPEC 1.3.7: among the nearest)."""
    chosen = _chosen(tx, command.argument)
    if chosen is None:
        return "その番号の有効な登録がありません。承認依頼に記載の登録番号をご指定ください。"
    found = assessment.assess(tx, centre, case, now=now).facts.match
    if all(chosen != each.id for each in (*found.exact, *found.candidates)):
        return "その登録は、申請書の内容に近い登録ではありません。承認依頼に記載の登録番号をご指定ください。"
    return None


def _chosen(tx: Connection, argument: str) -> int | None:
    registration = registrations.by_subscriber_id(tx, argument.strip().upper())
    return registration.id if registration and registration.state == "live" else None


def _fold(label: str) -> str:
    folded = unicodedata.normalize("NFKC", label)
    return "".join(char for char in folded if not char.isspace() and char not in "()（）").lower()


def _help(tx: Connection, centre: Centre, command: Command) -> tuple[str, list[str]]:
    return "操作のご案内", [
        "承認依頼メールに返信し、1行目に次のいずれか一つをご記入ください。",
        "",
        *staff_letters.request_commands(),
        "",
        "新しいメールでは、次の操作ができます。",
        "一覧 ／ 照会 受付番号 ／ ヘルプ",
        "（至急失効）至急失効 登録番号・受付番号・シリアル番号 理由",
        "（不在の登録）不在 7/22-7/26 代理 名前　（終えるとき）不在 終了",
        "",
        "「判断を承りました」のメールへの返信では、実行前に限り「取消」ができます。",
    ]


def _list(tx: Connection, centre: Centre, command: Command) -> tuple[str, list[str]]:
    waiting = cases.in_state(
        tx, State.AWAITING_DECISION, State.ON_HOLD, State.RETURNED, State.HELD, State.APPROVED, State.EXECUTING
    )
    lines = [f"{case.number}　{STATE_WORDS[case.state]}　{_type_word(centre, case)}" for case in waiting]
    return "案件一覧", lines or ["お待ちの案件はありません。"]


def _show(tx: Connection, centre: Centre, command: Command) -> tuple[str, list[str]]:
    case = cases.find(tx, command.argument.strip())
    if case is None:
        return "照会", [_NO_SUCH_CASE]
    return f"照会 {case.number}", [
        f"状態：{STATE_WORDS[case.state]}",
        f"申請種別：{_type_word(centre, case)}",
        f"申請者：{case.applicant_company} {case.applicant_name}",
        f"到着：{case.arrived_at.astimezone(JST):%Y-%m-%d %H:%M}",
        f"版：{case.version}",
        *(f"回答待ち：{request_letters.name_of(centre, row['approver'])}" for row in approval.open_requests(tx, case)),
        *request_letters.notes(tx, centre, case),
    ]


def _type_word(centre: Centre, case: Case) -> str:
    if case.request_type is None:
        return KIND_WORDS.get(case.kind, "種別未定")
    return centre.table.types[case.request_type].word


STATE_WORDS: Mapping[State, str] = {
    State.RECEIVED: "受領",
    State.RETURNED: "差戻し中（申請者待ち）",
    State.AWAITING_DECISION: "承認待ち",
    State.ON_HOLD: "保留",
    State.APPROVED: "承認済み",
    State.EXECUTING: "実施中",
    State.FULFILLED: "実施済み（通知送付中）",
    State.HELD: "要確認",
    State.CLOSED: "完了",
    State.REJECTED: "却下",
    State.WITHDRAWN: "取下げ",
    State.CANCELLED: "取消",
    State.DROPPED: "対象外",
}

READING: Mapping[Verb, Callable[[Connection, Centre, Command], tuple[str, list[str]]]] = {
    Verb.HELP: _help,
    Verb.LIST: _list,
    Verb.SHOW: _show,
}
