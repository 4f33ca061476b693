"""Step 4, second half: a staff reply becomes a decision, or is refused, or is asked back (SPEC 2.1).

A decision counts only if all hold: one From address that is the approver the request was made to; the mail is
authenticated by our own server's stamp; the token is that request's, open and in time; the digest of what was shown is
still the digest of the case as it is now; and the own words of the reply are exactly one command.
Promises: a refused attempt changes nothing, is logged and told to all staff; an unclear reply changes nothing and is
answered with what was understood. Each mail decides at most once (unique key on `decisions.mail_id`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from config.settings import Approver
from parsers import authentication
from parsers.authentication import Evidence
from parsers.mail import Mail, documents
from parsers.reply import Command, Unclear, Verb, find_case_number, find_token, read_command

from . import approval, cases, commands, post, schema, staff_letters
from .assessment import assess
from .case import Event, State
from .cases import Case
from .centre import Centre
from .ledger import MailRow
from .store import added, every


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an attempt does not count: a code for the log, a Japanese sentence for staff."""

    code: str
    reason: str


def concerns_decision(centre: Centre, mail: Mail) -> bool:
    """Whether a mail claims to be from staff about a decision: it carries a token, or comes formless from an approver."""
    if find_token(mail) is not None:
        return True
    return _approver(centre, mail) is not None and not documents(mail)


def handle(tx: Connection, centre: Centre, mail: Mail, row: MailRow, *, now: datetime) -> str:
    """Act on one staff mail; returns the name of its outcome."""
    if mail.automatic is not None:
        # Out-of-office replies quote the request with its token: never a decision, and never answered.
        centre.audit.append(tx, "automatic_reply", at=now, actor="system", mail=row.id)
        return "automatic"
    evidence = authentication.judge(mail, authserv_id=centre.settings.authentication.authserv_id)
    token = find_token(mail)
    request = approval.find(tx, centre, token) if token else None
    case = cases.get(tx, request["case_id"]) if request else None
    approver = _approver(centre, mail)
    if refusal := _refuse_sender(mail, approver, evidence):
        return _refuse(tx, centre, mail, row, case, refusal, now=now)
    if approver is None:  # _refuse_sender has refused this already
        raise ValueError("an unknown sender was not refused")
    words = read_command(mail.text)
    if isinstance(words, Command) and words.verb in commands.READING:
        return _tell(tx, centre, approver, mail, row, words, now=now)
    if request is None or case is None:
        if token is None:
            reason = words.reason if isinstance(words, Unclear) else "返信先の案件が特定できません。承認依頼メールに返信してください。"
            return _ask_back(tx, centre, approver, mail, row, reason, now=now)
        return _refuse(tx, centre, mail, row, None, Refusal("unknown_token", "照合コードが一致しません。"), now=now)
    if refusal := _refuse_request(tx, centre, request, case, approver, now=now):
        return _refuse(tx, centre, mail, row, case, refusal, now=now)
    if isinstance(words, Unclear):
        return _ask_back(tx, centre, approver, mail, row, words.reason, now=now, case=case)
    return _decide(tx, centre, _Decision(case, request, approver, words, mail, row, evidence, now))


@dataclass(frozen=True, slots=True)
class _Decision:
    """One decision that counts."""

    case: Case
    request: RowMapping
    approver: Approver
    command: Command
    mail: Mail
    row: MailRow
    evidence: Evidence
    now: datetime


def _decide(tx: Connection, centre: Centre, decision: _Decision) -> str:
    if decision.command.verb is Verb.APPROVE:
        return _approve(tx, centre, decision)
    change = commands.ACTIONS.get(decision.command.verb)
    if change is None:
        reason = "この操作は、この案件の承認依頼への返信では行えません。"
        return _ask_back(
            tx, centre, decision.approver, decision.mail, decision.row, reason, now=decision.now, case=decision.case
        )
    problem = commands.problem(tx, centre, decision.case, decision.command, now=decision.now)
    if problem:
        return _ask_back(
            tx, centre, decision.approver, decision.mail, decision.row, problem, now=decision.now, case=decision.case
        )
    _record(tx, centre, decision, quorum=1)
    change(tx, centre, decision.case, decision.command, decision.approver, now=decision.now)
    _confirm(tx, centre, decision, "")
    return f"decision_{decision.command.verb.value}"


def _approve(tx: Connection, centre: Centre, decision: _Decision) -> str:
    case, now = decision.case, decision.now
    plan = assess(tx, centre, case, now=now).plan
    if plan.blocked:
        return _ask_back(
            tx, centre, decision.approver, decision.mail, decision.row, plan.blocked[0], now=now, case=case
        )
    quorum = required(tx, case, plan.quorum)
    approval.use(tx, decision.request)
    _record(tx, centre, decision, quorum=quorum)
    given = approvals(tx, case)
    if len(given) < quorum:
        _confirm(tx, centre, decision, f"承認 {len(given)}／{quorum}：もう一名の承認をお待ちしています。")
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
    _confirm(tx, centre, decision, f"承認 {len(given)}／{quorum}：実施に移ります。")
    return "decision_approve"


def required(tx: Connection, case: Case, planned: int) -> int:
    """How many approvers it takes: whoever corrected a field does not alone approve it (SPEC 2.1)."""
    return max(planned, 2) if cases.version_row(tx, case)["amended_by"] else planned


def approvals(tx: Connection, case: Case) -> set[str]:
    """The different approvers who have approved exactly what the case is now."""
    table = schema.decisions
    query = table.select().where(
        table.c.case_id == case.id,
        table.c.version == case.version,
        table.c.digest == case.digest,
        table.c.verb == Verb.APPROVE.value,
    )
    return {row["approver"].lower() for row in every(tx, query)}


def _refuse_sender(mail: Mail, approver: Approver | None, evidence: Evidence) -> Refusal | None:
    if mail.suspicions:
        return Refusal("suspicious_mail", "差出人の表記に不審な点があります。")
    if approver is None:
        return Refusal("not_an_approver", "承認者として登録されていない差出人です。")
    if not evidence.accepted:
        return Refusal("not_authenticated", f"差出人を確認できません（{evidence.reason}）。")
    return None


def _refuse_request(
    tx: Connection, centre: Centre, request: RowMapping, case: Case, approver: Approver, *, now: datetime
) -> Refusal | None:
    if request["approver"].lower() != approver.address.lower():
        return Refusal("token_of_another", "別の承認者あての依頼への返信です。")
    states = {
        "used": Refusal("token_used", "この依頼にはすでに回答をいただいています。"),
        "void": Refusal("token_void", "この依頼は無効です。最新の承認依頼にご返信ください。"),
        "lapsed": Refusal("token_lapsed", "この依頼は期限を過ぎています。最新の承認依頼にご返信ください。"),
    }
    if request["state"] != "open":
        return states[request["state"]]
    if request["expires_at"] <= now:
        return states["lapsed"]
    if case.state not in (State.AWAITING_DECISION, State.ON_HOLD):
        return Refusal("case_decided", "この案件はすでに決定しています。")
    current = assess(tx, centre, case, now=now)
    if request["digest"] != current.digest or request["version"] != case.version:
        approval.ask(tx, centre, case, now=now)
        return Refusal("digest_changed", "依頼の後に内容または登録が変わりました。新しい承認依頼をお送りします。")
    return None


def _record(tx: Connection, centre: Centre, decision: _Decision, *, quorum: int) -> None:
    evidence: dict[str, Any] = {
        "method": decision.evidence.method,
        "identity": decision.evidence.identity,
        "message_id": decision.mail.message_id,
        "mail_digest": decision.row.digest,
    }
    added(
        tx,
        schema.decisions,
        case_id=decision.case.id,
        version=decision.case.version,
        digest=decision.request["digest"],
        request_id=decision.request["id"],
        approver=decision.approver.address,
        verb=decision.command.verb.value,
        argument=decision.command.argument,
        mail_id=decision.row.id,
        evidence=evidence,
        quorum=quorum,
        decided_at=decision.now,
    )
    centre.audit.append(
        tx,
        "decision_taken",
        at=decision.now,
        actor=decision.approver.address,
        case_id=decision.case.id,
        verb=decision.command.verb.value,
        digest=decision.request["digest"],
        mail=decision.row.id,
    )


def _confirm(tx: Connection, centre: Centre, decision: _Decision, remark: str) -> None:
    draft = staff_letters.decision_recorded(
        centre.office,
        approval.facts_of(decision.case),
        approver=decision.approver.name,
        command=decision.command,
        remark=remark,
        decided_at=decision.now,
    )
    post.tell_staff(
        tx, centre, draft, key=f"decision:{decision.row.id}", now=decision.now, case_id=decision.case.id
    )


def _refuse(
    tx: Connection, centre: Centre, mail: Mail, row: MailRow, case: Case | None, refusal: Refusal, *, now: datetime
) -> str:
    """Changes nothing but the log; staff are told, the sender of the attempt is not answered."""
    case_id = case.id if case else None
    centre.audit.append(
        tx, "decision_refused", at=now, actor="unknown", case_id=case_id, reason=refusal.code, mail=row.id
    )
    draft = staff_letters.decision_refused(
        centre.office,
        number=case.number if case else find_case_number(mail.subject) or "",
        sender="、".join(address.address for address in mail.senders),
        reason=refusal.reason,
        at=now,
    )
    post.tell_staff(tx, centre, draft, key=f"refused:{row.id}", now=now, case_id=case_id)
    return f"refused_{refusal.code}"


def _ask_back(
    tx: Connection,
    centre: Centre,
    approver: Approver,
    mail: Mail,
    row: MailRow,
    reason: str,
    *,
    now: datetime,
    case: Case | None = None,
) -> str:
    draft = staff_letters.reply_unclear(
        centre.office, number=case.number if case else find_case_number(mail.subject) or "", reason=reason
    )
    post.queue(
        tx,
        centre,
        draft,
        key=f"unclear:{row.id}",
        recipient=approver.address,
        now=now,
        case_id=case.id if case else None,
        in_reply_to=mail.message_id or None,
    )
    return "unclear_reply"


def _tell(
    tx: Connection, centre: Centre, approver: Approver, mail: Mail, row: MailRow, words: Command, *, now: datetime
) -> str:
    subject, lines = commands.READING[words.verb](tx, centre, words)
    draft = staff_letters.staff_notice(centre.office, subject=subject, lines=lines)
    post.queue(
        tx,
        centre,
        draft,
        key=f"told:{row.id}",
        recipient=approver.address,
        now=now,
        in_reply_to=mail.message_id or None,
    )
    return f"told_{words.verb.value}"


def _approver(centre: Centre, mail: Mail) -> Approver | None:
    if len(mail.senders) != 1:
        return None
    return centre.settings.approver(mail.senders[0].address)
