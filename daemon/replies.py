"""Step 4, second half: a staff reply becomes a decision, or is refused, or is asked back (SPEC 2.1).

A decision counts only if all hold: one From address that is the approver the request was made to; the mail is
authenticated in a way configured for him (`parsers.authentication`); the token is that request's, open and in time; the
digest of what was shown is still the digest of the case as it is now; and the own words of the reply are exactly one
command.
Promises: a refused attempt changes nothing, is logged and told to all staff; an unclear reply changes nothing and is
answered with what was understood. Each mail decides at most once (unique key on `decisions.mail_id`).
What needs no token: a command that only reads, and one that names its target (`staff_orders`), which decides nothing
by itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from config.settings import Approver
from parsers.authentication import Verdict
from parsers.mail import Mail, documents
from parsers.reply import Command, Unclear, Verb, find_token, read_command

from . import (
    approval,
    binding,
    cases,
    commands,
    delegation,
    matter,
    post,
    proof,
    request_letters,
    schema,
    staff_letters,
    staff_orders,
    undo,
    wording,
)
from .case import Event, State
from .cases import Case
from .centre import Centre
from .decisions import Decision, Recall, confirm, others_asked, record
from .four_eyes import still_missing
from .ledger import MailRow
from .letters import LetterKind
from .staff_reply import Refusal, Reply, answer, ask_back, evidence_of, refuse
from .store import every


def concerns_decision(centre: Centre, mail: Mail) -> bool:
    """Whether a mail claims to be from staff about a decision: formless, with a token or from an approver.

    With a form in it a mail is an application first, whatever else it holds, unless an approver sends it with a token.
    """
    from_approver, has_token = _approver(centre, mail) is not None, find_token(mail) is not None
    return (from_approver or has_token) and (not documents(mail) or (from_approver and has_token))


def handle(tx: Connection, centre: Centre, mail: Mail, row: MailRow, verdict: Verdict | None, *, now: datetime) -> str:
    """Act on one staff mail; returns the name of its outcome. `verdict` is that of `proof.weigh` at receipt."""
    if mail.automatic is not None:
        # Out-of-office replies quote the request with its token: never a decision, and never answered.
        centre.audit.append(tx, "automatic_reply", at=now, actor="system", mail=row.id)
        return _automatic(tx, centre, mail, row, now=now)
    token = find_token(mail)
    request = approval.find(tx, centre, token) if token else None
    case = cases.get(tx, request["case_id"]) if request else None
    reply = Reply(tx, centre, mail, row, now, verdict, case)
    approver = _approver(centre, mail)
    if refusal := _refuse_sender(mail, approver, verdict):
        return refuse(reply, refusal)
    if approver is None or verdict is None:  # refused above already; the type checker cannot know
        raise ValueError("an unknown sender was not refused")
    words = proof.words(centre, approver, verdict, now=now)
    if isinstance(words, Command) and words.verb in commands.READING:
        return _tell(reply, approver, words)
    if isinstance(words, Command) and staff_orders.names_its_target(words):
        return _order(reply, approver, words)
    if request is not None and case is not None:
        return _answer_request(reply, request, case, approver, words)
    if token is not None:
        return refuse(reply, Refusal("unknown_token", "照合コードが一致しません。"))
    return ask_back(reply, approver, words, _nothing_asked(reply, words))


def _answer_request(reply: Reply, request: RowMapping, case: Case, approver: Approver, words: Command | Unclear) -> str:
    """A reply with a token that is known: is it this approver's, open, and about what the case is now?"""
    if refusal := _refuse_request(reply, request, case, approver):
        return refuse(reply, refusal)
    if isinstance(words, Unclear):
        return ask_back(reply, approver, words, words.reason)
    if words.verb in staff_orders.ORDERS:
        return _order(reply, approver, words)
    if words.verb is Verb.HAND_OVER and request["purpose"] == approval.DECISION:
        return _hand_over(Decision(reply, case, request, approver, words))
    decision = Decision(reply, case, request, approver, words)
    return _take_back(decision) if request["purpose"] == approval.RECALL else _decide(decision)


def _decide(decision: Decision) -> str:
    reply, command = decision.reply, decision.command
    if command.verb is Verb.APPROVE:
        return _approve(decision)
    change = commands.actions_of(decision.case).get(command.verb)
    if change is None:
        return ask_back(reply, decision.approver, command, "この操作は、承認依頼への返信では行えません。")
    problem = commands.problem(reply.tx, reply.centre, decision.case, command, now=reply.now)
    if problem:
        return ask_back(reply, decision.approver, command, problem)
    waiting = others_asked(decision)
    record(decision, quorum=1)
    change(reply.tx, reply.centre, decision.case, command, decision.approver, now=reply.now)
    confirm(decision, commands.consequences(command), freed=waiting if command.verb in commands.CLOSING else ())
    return f"decision_{command.verb.value}"


def _approve(decision: Decision) -> str:
    reply, case = decision.reply, decision.case
    tx, centre, now = reply.tx, reply.centre, reply.now
    plan = matter.look(tx, centre, case, now=now).plan
    if plan.blocked:
        return ask_back(reply, decision.approver, decision.command, plan.blocked[0])
    correctors = approval.correctors(tx, case)
    approval.use(tx, decision.request)
    record(decision, quorum=plan.quorum)
    given = {row["approver"].lower() for row in approval.given(tx, case)}
    missing = still_missing(given, plan.quorum, correctors)
    count = f"承認 {len(given)}／{len(given) + missing} です。"
    if missing:
        why = "修正したご本人以外の承認が必要です。" if len(given) >= plan.quorum else ""
        confirm(decision, (f"{count}{why}もう一名の承認をお待ちしています。",), recall=Recall(None))
        return "decision_approve_partly"
    if case.state is State.ON_HOLD:
        case = cases.apply(tx, centre.audit, case, Event.RESUMED, now=now, actor=decision.approver.address)
    # 受領 is the moment staff accept the form (SPEC 1.3.2): the last approval that was needed.
    case = cases.apply(
        tx,
        centre.audit,
        case,
        Event.APPROVED,
        now=now,
        actor=decision.approver.address,
        note={"digest": case.digest, "approvers": len(given)},
        accepted_at=now,
    )
    waiting = others_asked(decision)
    approval.void(tx, case)
    until = undo.until(centre, case, plan, now=now)
    confirm(
        decision,
        (f"{count}次のとおり実行します。", *plan.sentences),
        freed=waiting,
        recall=Recall(until) if until else None,
    )
    return "decision_approve"


def _take_back(decision: Decision) -> str:
    """A reply to a confirmation: it only takes back, or gives another day to what waits for its day."""
    reply, case, command = decision.reply, decision.case, decision.command
    if command.verb not in (Verb.CANCEL, Verb.WISHED_DATE):
        return ask_back(
            reply, decision.approver, command, "このメールへの返信では「取消」または「失効日 日付」だけを承ります。"
        )
    day = date.fromisoformat(command.argument) if command.verb is Verb.WISHED_DATE else None
    problem = undo.problem(reply.tx, case, day, now=reply.now)
    if problem is None and day and case.state not in (State.FULFILLED, State.CLOSED):
        problem = "失効日の変更は、いちど「取消」としたあと、あらためてお送りする承認依頼にご返信ください。"
    if problem:
        return ask_back(reply, decision.approver, command, problem)
    approval.use(reply.tx, decision.request)
    record(decision, quorum=1)
    common: dict[str, Any] = {"evidence": evidence_of(reply), "mail_id": reply.row.id, "now": reply.now}
    if day:
        outcome = undo.put_off(reply.tx, reply.centre, case, day, decision.approver, **common)
    else:
        outcome = undo.take_back(reply.tx, reply.centre, case, decision.approver, **common)
    confirm(decision, outcome)
    return f"decision_{command.verb.value}"


def _hand_over(decision: Decision) -> str:
    reply, command = decision.reply, decision.command
    outcome = delegation.hand_over(
        reply.tx, reply.centre, decision.case, decision.request, decision.approver, command.argument, now=reply.now
    )
    if isinstance(outcome, str):
        return ask_back(reply, decision.approver, command, outcome)
    record(decision, quorum=1)
    confirm(decision, outcome)
    return "decision_hand_over"


def _order(reply: Reply, approver: Approver, command: Command) -> str:
    """Something that staff ask for by themselves: it names its target, or means the case it answers."""
    if refusal := staff_orders.repeated(reply, approver):
        return refuse(reply, refusal)
    done = staff_orders.carry_out(reply, approver, command)
    if isinstance(done, str):
        return ask_back(reply, approver, command, done)
    draft = staff_letters.staff_notice(reply.centre.office, subject=done.subject, lines=done.lines)
    post.tell_staff(reply.tx, reply.centre, draft, key=f"order:{reply.row.id}", now=reply.now, case_id=done.case_id)
    return f"order_{command.verb.value}"


def _nothing_asked(reply: Reply, words: Command | Unclear) -> str:
    """Why a reply without a token decides nothing, by the letter that it answers."""
    letter = post.letter_of_thread(reply.tx, (*reply.mail.references, *reply.mail.in_reply_to))
    if letter is None:
        return "返信先の案件が特定できません。承認依頼メールに返信してください。"
    if letter["kind"] == LetterKind.DECISION_RECORDED and isinstance(words, Command) and words.verb is Verb.CANCEL:
        case = cases.get(reply.tx, letter["case_id"])
        return undo.problem(reply.tx, case, now=reply.now) or "最新の確認メールにご返信ください。"
    return _NO_REQUEST.get(
        letter["kind"], "このメールへの返信では判断を承ることができません。承認依頼にご返信ください。"
    )


_NO_REQUEST: Mapping[str, str] = {
    LetterKind.DAILY_DIGEST: "日報への返信では判断を承ることができません。何も変更していません。"
    "案件ごとにお送りした承認依頼のメールにご返信ください。",
    LetterKind.APPROVAL_REMINDER: "督促メールへの返信では判断を承ることができません。何も変更していません。"
    "先にお送りした承認依頼のメールにご返信ください。",
}


def _refuse_sender(mail: Mail, approver: Approver | None, verdict: Verdict | None) -> Refusal | None:
    if mail.suspicions:
        return Refusal("suspicious_mail", "差出人の表記に不審な点があります。")
    if approver is None or verdict is None:
        return Refusal("not_an_approver", "承認者として登録されていない差出人です。")
    if not verdict.accepted:
        return Refusal("not_authenticated", f"差出人を確認できません（{verdict.reason}）。", detail=verdict.code)
    return None


def _refuse_request(reply: Reply, request: RowMapping, case: Case, approver: Approver) -> Refusal | None:
    tx, centre, now = reply.tx, reply.centre, reply.now
    if request["approver"].lower() != approver.address.lower():
        return Refusal("token_of_another", "別の承認者あての依頼への返信です。")
    if reply.verdict is not None and not binding.is_bound(centre, case, request, reply.verdict):
        return _NOT_BOUND
    waiting = case.state in (State.AWAITING_DECISION, State.ON_HOLD)
    if request["state"] != "open":
        refusal = _CLOSED_REQUESTS[request["state"]]
        decided = "" if waiting else _decided(reply, case)
        return replace(refusal, reason=f"{decided}お送りいただいた返信は反映していません。") if decided else refusal
    if reply.verdict is not None and binding.repeats(tx, request, reply.verdict, reply.mail.message_id):
        return _REPEATED
    if request["expires_at"] <= now:
        return _CLOSED_REQUESTS["lapsed"]
    if request["purpose"] == approval.RECALL:
        # What it takes back has been decided already, on the content of that time.
        return None if request["version"] == case.version else _CLOSED_REQUESTS["void"]
    if not waiting:
        return Refusal("case_decided", "この案件はすでに決定しています。")
    current = matter.look(tx, centre, case, now=now)
    if request["digest"] != current.digest or request["version"] != case.version:
        approval.ask(tx, centre, case, now=now)
        return Refusal("digest_changed", "依頼の後に内容または登録が変わりました。新しい承認依頼をお送りします。")
    return None


def _decided(reply: Reply, case: Case) -> str:
    """Who decided the case, what and when; empty where nobody did."""
    decisions = schema.decisions
    query = select(decisions).where(
        decisions.c.case_id == case.id, decisions.c.verb.in_([verb.value for verb in (Verb.APPROVE, *commands.CLOSING)])
    )
    rows = every(reply.tx, query.order_by(decisions.c.id.desc()).limit(1))
    if not rows:
        return ""
    who = request_letters.name_of(reply.centre, rows[0]["approver"])
    what = commands.word(Command(Verb(rows[0]["verb"])))
    return f"この案件は、{who}さんの「{what}」（{wording.japanese_time(rows[0]['decided_at'])}）で決定済みです。"


_NOT_BOUND = Refusal(
    "signature_not_bound",
    "署名された本文に、この依頼の受付番号と確認コードがありません。依頼メールを引用したままご返信ください。",
)
_REPEATED = Refusal(
    "reply_repeated", "すでに承った返信と同じメールです。あらためてのご指示は、新しい返信でお送りください。"
)
_CLOSED_REQUESTS = {
    "used": Refusal(
        "token_used", "この依頼にはすでに回答をいただいています。取り消すには、確認のメールに「取消」とご返信ください。"
    ),
    "void": Refusal("token_void", "この依頼は無効です。最新の承認依頼にご返信ください。"),
    "lapsed": Refusal("token_lapsed", "この依頼は期限を過ぎています。最新の承認依頼にご返信ください。"),
}


def _tell(reply: Reply, approver: Approver, words: Command) -> str:
    subject, lines = commands.READING[words.verb](reply.tx, reply.centre, words)
    answer(reply, approver, staff_letters.staff_notice(reply.centre.office, subject=subject, lines=lines), "told")
    return f"told_{words.verb.value}"


def _automatic(tx: Connection, centre: Centre, mail: Mail, row: MailRow, *, now: datetime) -> str:
    """A decision in a mail that looks automatic does not count; a person may have written it all the same (a gateway
    marked it), so that staff hear of it."""
    if not isinstance(read_command(mail.text), Command):
        return "automatic"
    lines = (
        f"差出人：{'、'.join(each.address for each in mail.senders) or '不明'}",
        f"件名：{mail.subject}",
        "自動送信の印（一括送信・メーリングリスト・自動応答など）が付いているため、判断として扱っていません。",
        "ご本人が書かれた場合は、印の付かない方法で、承認依頼にあらためてご返信ください。",
    )
    post.notify(tx, centre, key=f"automatic:{row.id}", subject="判断として扱えない返信があります", lines=lines, now=now)
    return "automatic_command"


def _approver(centre: Centre, mail: Mail) -> Approver | None:
    if len(mail.senders) != 1:
        return None
    return centre.settings.approver(mail.senders[0].address)
