"""Step 4, second half: a staff reply becomes a decision, or is refused, or is asked back (SPEC 2.1).

A decision counts only if all hold: one From address that is the approver the request was made to; the mail is
authenticated in a way configured for him (`parsers.authentication`); the token is that request's, open and in time; the
digest of what was shown is still the digest of the case as it is now; and the own words of the reply are exactly one
command.
Promises: a refused attempt changes nothing, is logged and told to all staff; an unclear reply changes nothing and is
answered with what was understood. Each mail decides at most once (unique key on `decisions.mail_id`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from config.settings import Approver
from parsers.authentication import Verdict, binds
from parsers.mail import Mail, documents
from parsers.reply import Command, Unclear, Verb, find_case_number, find_token

from . import answers, approval, cases, commands, post, proof, schema, staff_letters
from .assessment import assess
from .case import Event, State
from .cases import Case
from .centre import Centre
from .ledger import MailRow
from .letters import Draft
from .store import added


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an attempt does not count: a code for the log, a Japanese sentence for staff, and for the log the code of
    the verdict on its sender where that is the reason."""

    code: str
    reason: str
    detail: str = ""


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
        return "automatic"
    token = find_token(mail)
    request = approval.find(tx, centre, token) if token else None
    case = cases.get(tx, request["case_id"]) if request else None
    reply = _Reply(tx, centre, mail, row, now, verdict, case)
    approver = _approver(centre, mail)
    if refusal := _refuse_sender(mail, approver, verdict):
        return _refuse(reply, refusal)
    if approver is None or verdict is None:  # refused above already; the type checker cannot know
        raise ValueError("an unknown sender was not refused")
    words = proof.words(centre, approver, verdict, now=now)
    if isinstance(words, Command) and words.verb in commands.READING:
        return _tell(reply, approver, words)
    if request is None or case is None:
        if token is not None:
            return _refuse(reply, Refusal("unknown_token", "照合コードが一致しません。"))
        return _ask_back(reply, approver, words, "返信先の案件が特定できません。承認依頼メールに返信してください。")
    if refusal := _refuse_request(reply, request, case, approver):
        return _refuse(reply, refusal)
    if isinstance(words, Unclear):
        return _ask_back(reply, approver, words, words.reason)
    return _decide(_Decision(reply, case, request, approver, words))


@dataclass(frozen=True, slots=True)
class _Reply:
    """One staff mail on its way through the checks."""

    tx: Connection
    centre: Centre
    mail: Mail
    row: MailRow
    now: datetime
    verdict: Verdict | None
    case: Case | None


@dataclass(frozen=True, slots=True)
class _Decision:
    """One decision that counts: every check of the module's head has been passed."""

    reply: _Reply
    case: Case
    request: RowMapping
    approver: Approver
    command: Command


def _decide(decision: _Decision) -> str:
    reply, command = decision.reply, decision.command
    if command.verb is Verb.APPROVE:
        return _approve(decision)
    change = commands.ACTIONS.get(command.verb)
    if change is None:
        return _ask_back(reply, decision.approver, command, "この操作は、承認依頼への返信では行えません。")
    problem = commands.problem(reply.tx, reply.centre, decision.case, command, now=reply.now)
    if problem:
        return _ask_back(reply, decision.approver, command, problem)
    _record(decision, quorum=1)
    change(reply.tx, reply.centre, decision.case, command, decision.approver, now=reply.now)
    _confirm(decision, commands.consequences(command))
    return f"decision_{command.verb.value}"


def _approve(decision: _Decision) -> str:
    reply, case = decision.reply, decision.case
    tx, centre, now = reply.tx, reply.centre, reply.now
    plan = assess(tx, centre, case, now=now).plan
    if plan.blocked:
        return _ask_back(reply, decision.approver, decision.command, plan.blocked[0])
    quorum = required(tx, case, plan.quorum)
    approval.use(tx, decision.request)
    _record(decision, quorum=quorum)
    given = {row["approver"].lower() for row in approval.given(tx, case)}
    if len(given) < quorum:
        _confirm(decision, (f"承認 {len(given)}／{quorum} です。もう一名の承認をお待ちしています。",))
        return "decision_approve_partly"
    if case.state is State.ON_HOLD:
        case = cases.apply(tx, centre.audit, case, Event.RESUMED, now=now, actor=decision.approver.address)
    # 受領 is the moment staff accept the form (SPEC 1.3.2): the last approval that was needed.
    cases.apply(
        tx,
        centre.audit,
        case,
        Event.APPROVED,
        now=now,
        actor=decision.approver.address,
        note={"digest": case.digest, "approvers": len(given)},
        accepted_at=now,
    )
    approval.void(tx, case)
    _confirm(decision, (f"承認 {len(given)}／{quorum} です。次のとおり実行します。", *plan.sentences))
    return "decision_approve"


def required(tx: Connection, case: Case, planned: int) -> int:
    """How many approvers it takes: whoever corrected a field does not alone approve it (SPEC 2.1)."""
    return max(planned, 2) if cases.version_row(tx, case)["amended_by"] else planned


def _refuse_sender(mail: Mail, approver: Approver | None, verdict: Verdict | None) -> Refusal | None:
    if mail.suspicions:
        return Refusal("suspicious_mail", "差出人の表記に不審な点があります。")
    if approver is None or verdict is None:
        return Refusal("not_an_approver", "承認者として登録されていない差出人です。")
    if not verdict.accepted:
        return Refusal("not_authenticated", f"差出人を確認できません（{verdict.reason}）。", detail=verdict.code)
    return None


def _refuse_request(reply: _Reply, request: RowMapping, case: Case, approver: Approver) -> Refusal | None:
    tx, centre, now = reply.tx, reply.centre, reply.now
    if request["approver"].lower() != approver.address.lower():
        return Refusal("token_of_another", "別の承認者あての依頼への返信です。")
    if reply.verdict is not None and not _is_bound(centre, case, request, reply.verdict):
        return _NOT_BOUND
    if request["state"] != "open":
        return _CLOSED_REQUESTS[request["state"]]
    if request["expires_at"] <= now:
        return _CLOSED_REQUESTS["lapsed"]
    if case.state not in (State.AWAITING_DECISION, State.ON_HOLD):
        return Refusal("case_decided", "この案件はすでに決定しています。")
    current = assess(tx, centre, case, now=now)
    if request["digest"] != current.digest or request["version"] != case.version:
        approval.ask(tx, centre, case, now=now)
        return Refusal("digest_changed", "依頼の後に内容または登録が変わりました。新しい承認依頼をお送りします。")
    return None


_NOT_BOUND = Refusal(
    "signature_not_bound",
    "署名された本文に、この依頼の受付番号と確認コードがありません。依頼メールを引用したままご返信ください。",
)
_CLOSED_REQUESTS = {
    "used": Refusal("token_used", "この依頼にはすでに回答をいただいています。"),
    "void": Refusal("token_void", "この依頼は無効です。最新の承認依頼にご返信ください。"),
    "lapsed": Refusal("token_lapsed", "この依頼は期限を過ぎています。最新の承認依頼にご返信ください。"),
}


def _is_bound(centre: Centre, case: Case, request: RowMapping, verdict: Verdict) -> bool:
    """Whether the proof covers what is decided: the token is in what DKIM or our stamp vouch for; an S/MIME signature
    covers the body alone, which therefore must name case and digest itself (SPEC 2.1)."""
    code = approval.code_of(centre, request["token_hash"], request["digest"])
    return verdict.method != "smime" or binds(verdict.text, number=case.number, code=code)


def carries(tx: Connection, centre: Centre, case: Case, decision: RowMapping, *, now: datetime) -> bool:
    """Whether a stored decision is still proven by its mail, as the issuer looks at it: sender, words, binding."""
    verdict = proof.again(tx, centre, decision, now=now)
    request = approval.get(tx, decision["request_id"])
    return verdict is not None and request is not None and _is_bound(centre, case, request, verdict)


def _record(decision: _Decision, *, quorum: int) -> None:
    reply = decision.reply
    evidence: dict[str, Any] = {
        **(reply.verdict.evidence if reply.verdict else {}),
        "message_id": reply.mail.message_id,
        "mail_digest": reply.row.digest,
    }
    added(
        reply.tx,
        schema.decisions,
        case_id=decision.case.id,
        version=decision.case.version,
        digest=decision.request["digest"],
        request_id=decision.request["id"],
        approver=decision.approver.address,
        verb=decision.command.verb.value,
        argument=decision.command.argument,
        mail_id=reply.row.id,
        evidence=evidence,
        quorum=quorum,
        decided_at=reply.now,
    )
    reply.centre.audit.append(
        reply.tx,
        "decision_taken",
        at=reply.now,
        actor=decision.approver.address,
        case_id=decision.case.id,
        verb=decision.command.verb.value,
        digest=decision.request["digest"],
        mail=reply.row.id,
    )


def _confirm(decision: _Decision, outcome: Sequence[str]) -> None:
    """The decision is echoed to every approver, so that nobody decides unseen."""
    reply = decision.reply
    draft = staff_letters.decision_recorded(
        reply.centre.office,
        approval.facts_of(decision.case),
        decision=f"{decision.approver.name}：{commands.word(decision.command)}",
        at=reply.now,
        outcome=outcome,
    )
    post.tell_staff(
        reply.tx, reply.centre, draft, key=f"decision:{reply.row.id}", now=reply.now, case_id=decision.case.id
    )


def _refuse(reply: _Reply, refusal: Refusal) -> str:
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
        number=_number(reply),
        claimed_sender="、".join(address.address for address in reply.mail.senders),
        reason=refusal.reason,
        at=reply.now,
    )
    post.tell_staff(reply.tx, reply.centre, draft, key=f"refused:{reply.row.id}", now=reply.now, case_id=case_id)
    return f"refused_{refusal.code}"


def _ask_back(reply: _Reply, approver: Approver, words: Command | Unclear, reason: str) -> str:
    """Nothing changes; the approver hears what was understood and what may be said. The request stays open."""
    draft = staff_letters.reply_unclear(
        reply.centre.office,
        line=words.line if isinstance(words, Unclear) else commands.word(words),
        reason=reason,
        number=_number(reply),
    )
    _answer(reply, approver, draft, "unclear")
    return "unclear_reply"


def _tell(reply: _Reply, approver: Approver, words: Command) -> str:
    subject, lines = commands.READING[words.verb](reply.tx, reply.centre, words)
    _answer(reply, approver, staff_letters.staff_notice(reply.centre.office, subject=subject, lines=lines), "told")
    return f"told_{words.verb.value}"


def _answer(reply: _Reply, approver: Approver, draft: Draft, name: str) -> None:
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


def _number(reply: _Reply) -> str:
    return reply.case.number if reply.case else find_case_number(reply.mail.subject) or ""


def _approver(centre: Centre, mail: Mail) -> Approver | None:
    if len(mail.senders) != 1:
        return None
    return centre.settings.approver(mail.senders[0].address)
