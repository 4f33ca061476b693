"""What follows when a letter did not arrive, refused at once or reported later: one table, one place.

Does: ties a delivery report to the very letter, by its trace (bounce address or envelope identifier) or its Message-ID,
and does what `CONSEQUENCES` says of this kind of letter.
Trusts: nothing a report says beyond the mark it shows. All three marks have 128 random bits and are known to nobody
but the recipient and the mail systems on the way, so a report by anybody else is shown to staff and does nothing.
Promises: a report never touches a certificate; that takes the password itself (`daemon.password_returns`). Failures of
letters to staff never make a loop: an alarm leaves with an empty envelope sender, and a failed alarm makes no other.
Weak: a recipient can claim that a letter did not reach them; the worst is a task for staff and a password not sent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from parsers.bounce import Action, Cause, DeliveryReport, cause_of, read_report
from parsers.mail import Mail
from parsers.returned import marks

from . import cases, post, schema
from .centre import Centre
from .despatch import LetterEvent, LetterState, allows
from .failures import Kind
from .letter_words import LETTER_WORDS
from .letters import LetterKind
from .planning import JST
from .return_path import UNRETURNED, traces_in
from .smtp import TransportRefused
from .store import every, one

_letters = schema.letters

# A letter that has left has done what it can for its case; when it comes back, staff have a task of their own.
AT_REST = (LetterState.SENT, LetterState.BOUNCED)

_ALARM = "dead-approver"


class Fault(StrEnum):
    """Why a letter did not arrive: the causes of a report, and what the outbox itself finds."""

    ADDRESS = "address"
    FULL = "full"
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"
    SEAL_LOST = "seal_lost"
    PUT_OFF = "put_off"
    OUTCOME_UNKNOWN = "outcome_unknown"


_FAULT_WORDS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.ADDRESS: "宛先のメールアドレスが存在しないか、使われていません。",
        Fault.FULL: "宛先のメールボックスの容量がいっぱいです。",
        Fault.TOO_LARGE: "メールの容量が、宛先のメールサーバーの上限を超えています。",
        Fault.REFUSED: "宛先のメールサーバーが受信を拒否しました（迷惑メール対策など）。",
        Fault.UNREACHABLE: "宛先のメールサーバーに届かないまま、配送の期限を過ぎました。",
        Fault.UNKNOWN: "宛先のメールサーバーが、理由を示さずに不達と知らせてきました。",
        Fault.MALFORMED: "メールとして送信できない内容または宛先です。",
        Fault.SEAL_LOST: "封緘したパスワードを開けないため、送信できません。証明書の再発行が必要です。",
        Fault.PUT_OFF: "宛先のメールサーバーが受信を先送りし続けたため、送信をやめました。",
        Fault.OUTCOME_UNKNOWN: "送信結果を確認できないことが続いたため、送信をやめました。届いている可能性もあります。",
    }
)


class Consequence(StrEnum):
    """What a letter that did not arrive means."""

    NOTE = "note"
    """Written into the history; nobody needs to do anything."""
    TASK = "task"
    """Staff must do something; all of them are told what."""
    ALARM = "alarm"
    """One of the staff cannot be reached: the others are told."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: the consequence, and the sentence that tells staff what to do. `gone` is the consequence
    when the address itself is dead, where that differs."""

    consequence: Consequence
    advice: str = ""
    gone: Consequence | None = None

    def of(self, fault: Fault) -> Consequence:
        """The consequence of this fault."""
        return self.gone if self.gone is not None and fault is Fault.ADDRESS else self.consequence


_APPLICANT = Row(Consequence.TASK, "申請者に届いていません。お電話など、別の方法でご連絡ください。")
_RETURNED = Row(
    Consequence.TASK,
    "申請者に届いていません。再提出の期限がありますので、お電話など、別の方法で至急ご連絡ください。",
)
_FORMER = Row(Consequence.TASK, "必要に応じて、別の方法でご連絡ください。", gone=Consequence.NOTE)
_STAFF = Row(Consequence.ALARM, "この承認者には、承認依頼などが届いていません。アドレスをご確認ください。")

CONSEQUENCES: Mapping[LetterKind, Row] = MappingProxyType(
    {
        LetterKind.RECEIPT: _APPLICANT,
        LetterKind.DEFECTS: _RETURNED,
        # Nobody's case: the answer to a question, from an address that takes no answer.
        LetterKind.GUIDANCE: Row(Consequence.NOTE),
        LetterKind.UNREADABLE: Row(Consequence.NOTE),
        LetterKind.LOCKED_FILE: Row(Consequence.NOTE),
        LetterKind.OFFICE_FILE: Row(Consequence.NOTE),
        LetterKind.PICTURE_FILE: Row(Consequence.NOTE),
        LetterKind.DOWNLOAD_LINK: Row(Consequence.NOTE),
        LetterKind.NOT_TAKEN: Row(Consequence.NOTE),
        LetterKind.RETURNED: _RETURNED,
        LetterKind.QUESTION: Row(
            Consequence.TASK, "照会が申請者に届いていません。お電話など、別の方法でお尋ねください。"
        ),
        LetterKind.ON_HOLD: _APPLICANT,
        LetterKind.REJECTION: _APPLICANT,
        LetterKind.WITHDRAWN: _APPLICANT,
        LetterKind.ISSUE_NOTICE: Row(
            Consequence.TASK,
            "証明書が利用者に届いていません。申請者に、正しいメールアドレスをご確認ください。",
        ),
        LetterKind.RENEWAL_NOTICE: Row(
            Consequence.TASK,
            "更新した証明書が利用者に届いていません。異動・退職の可能性があります。"
            "申請者に、登録変更・担当変更・解約のいずれかをご案内ください。",
        ),
        LetterKind.PASSWORD: Row(
            Consequence.TASK,
            "パスワードが利用者に届いていません。このままでは証明書を使えません。申請者に、メールアドレスをご確認ください。",
        ),
        LetterKind.ISSUED_TO_APPLICANT: _APPLICANT,
        LetterKind.SCHEDULED_REVOCATION: _APPLICANT,
        LetterKind.REVOKED: _APPLICANT,
        LetterKind.URGENTLY_REVOKED: _APPLICANT,
        LetterKind.REVOCATION_CALLED_OFF: _APPLICANT,
        LetterKind.REGISTRATION_CHANGED: _APPLICANT,
        # The former address and the predecessor's are often dead: that is why somebody applied.
        LetterKind.ADDRESS_CHANGED_OLD: _FORMER,
        LetterKind.HANDOVER_PREDECESSOR: _FORMER,
        LetterKind.CANCELLED: _APPLICANT,
        LetterKind.HANDOVER_DONE: _APPLICANT,
        LetterKind.APPROVAL_REQUEST: _STAFF,
        LetterKind.ORDER_REQUEST: _STAFF,
        LetterKind.APPROVAL_REMINDER: _STAFF,
        LetterKind.DECISION_RECORDED: _STAFF,
        LetterKind.DECISION_REFUSED: _STAFF,
        LetterKind.REPLY_UNCLEAR: _STAFF,
        LetterKind.STAFF_NOTICE: _STAFF,
        LetterKind.DAILY_DIGEST: _STAFF,
    }
)


def returned(letter: RowMapping) -> bool:
    """Whether the failure of this letter is wanted back; an alarm about a dead approver must not make another."""
    return LetterKind(letter["kind"]) not in UNRETURNED and not _is_alarm(letter)


def fault_of(error: TransportRefused) -> Fault:
    """What a mail server's final no means."""
    if error.kind is Kind.MESSAGE_MALFORMED:
        return Fault.MALFORMED
    found = re.search(r"\b5\.\d{1,3}\.\d{1,3}\b", error.detail)
    cause = cause_of(found[0] if found else "", "")
    if cause is not Cause.UNKNOWN:
        return Fault(cause.value)
    return Fault.ADDRESS if error.kind is Kind.RECIPIENT_REFUSED else Fault.REFUSED


# --- a report comes in ---------------------------------------------------------------------------------------------


def settle(tx: Connection, centre: Centre, mail: Mail, mail_id: int, *, now: datetime) -> str | None:
    """Act on a delivery report about a letter of ours; returns the name of the outcome.

    None when the mail is no report, or shows no mark of any letter: then it is for a person to look at.
    """
    report = read_report(mail)
    letter = _letter_of(tx, mail, report) if report is not None else None
    if report is None or letter is None:
        return None
    fault = Fault(report.cause.value)
    detail = {"mail": mail_id, "status": report.status, "form": report.form}
    if report.action is not Action.FAILED:
        # A delay may still end well, and that a letter arrived is what everybody expects.
        _audit(tx, centre, letter, f"letter_{report.action.value}", now, **detail)
        return f"delivery_{report.action.value}"
    if not allows(LetterState(letter["state"]), LetterEvent.BOUNCED):
        _audit(tx, centre, letter, "report_of_no_use", now, **detail, state=letter["state"])
        return "delivery_failed_again"
    why = f"{fault.value} {report.status}".strip()
    letter = post.move(tx, letter, LetterEvent.BOUNCED, error=f"bounced: {why}", raw=letter["raw"], sealed=None)
    _audit(tx, centre, letter, "letter_bounced", now, **detail, fault=fault.value)
    act(tx, centre, letter, fault, now=now, report=report)
    return "delivery_failed"


def _letter_of(tx: Connection, mail: Mail, report: DeliveryReport | None) -> RowMapping | None:
    """The letter that a mail shows a mark of; the address it came back to goes before what stands in it."""
    found = marks(mail)
    traces = [*traces_in(found.addresses), *([report.envid.lower()] if report and report.envid else [])]
    for trace in traces:
        row = one(tx, select(_letters).where(_letters.c.trace == trace))
        if row is not None:
            return row
    for message_id in found.message_ids:
        row = one(tx, select(_letters).where(_letters.c.message_id == message_id))
        if row is not None:
            return row
    return None


def _audit(tx: Connection, centre: Centre, letter: RowMapping, kind: str, now: datetime, **detail: object) -> None:
    centre.audit.append(tx, kind, at=now, actor="system", case_id=letter["case_id"], letter=letter["id"], **detail)


# --- a letter did not arrive ---------------------------------------------------------------------------------------


def act(
    tx: Connection,
    centre: Centre,
    letter: RowMapping,
    fault: Fault,
    *,
    now: datetime,
    report: DeliveryReport | None = None,
) -> None:
    """What the table says about a letter that did not arrive, refused at once or reported later (`report`)."""
    stopped = _stop_followers(tx, centre, letter, now)
    row = CONSEQUENCES[LetterKind(letter["kind"])]
    consequence = row.of(fault)
    if consequence is Consequence.ALARM:
        _alarm(tx, centre, letter, fault, now)
    elif consequence is Consequence.TASK:
        lines = [f"理由：{_FAULT_WORDS[fault]}{_code(report)}", *([stopped] if stopped else []), row.advice]
        _task(tx, centre, letter, lines, report, now=now)


def _stop_followers(tx: Connection, centre: Centre, letter: RowMapping, now: datetime) -> str:
    """What was to follow this letter must not leave: a password without its notice opens nothing and is forgotten.
    Returns the sentence about it for staff, empty where nothing was to follow."""
    said = ""
    for follower in every(tx, select(_letters).where(_letters.c.after_id == letter["id"])):
        if not allows(LetterState(follower["state"]), LetterEvent.STOPPED):
            said = said or "後に続くパスワードの通知は、すでに送信しています。"
            continue
        post.move(tx, follower, LetterEvent.STOPPED, error="the letter before it did not arrive", raw=None, sealed=None)
        _audit(tx, centre, follower, "letter_stopped", now, why="letter_before_failed")
        said = "後に続くパスワードの通知は、送信を取りやめました。この証明書は、だれも使えません。"
    return said


def _code(report: DeliveryReport | None) -> str:
    return f"（コード {report.status}）" if report is not None and report.status else ""


def _task(
    tx: Connection,
    centre: Centre,
    letter: RowMapping,
    lines: Sequence[str],
    report: DeliveryReport | None,
    *,
    now: datetime,
) -> None:
    if post.told(tx, f"password-returned:{letter['id']}"):
        # Staff have heard worse of this letter already.
        return
    number = cases.get(tx, letter["case_id"]).number if letter["case_id"] else ""
    head = [
        f"受付番号：{number or 'なし'}",
        f"通知の種類：{LETTER_WORDS[LetterKind(letter['kind'])]}",
        f"宛先：{letter['recipient']}",
    ]
    if report is not None and report.recipient and report.recipient.lower() != letter["recipient"].lower():
        head.append(f"転送先：{report.recipient}")
    subject = "届かなかった通知があります" if report is not None else "送信できない通知があります"
    post.notify(
        tx,
        centre,
        key=f"undelivered:{letter['id']}",
        subject=f"{subject} {number}".strip(),
        lines=[*head, *lines],
        now=now,
        case_id=letter["case_id"],
    )


def _is_alarm(letter: RowMapping) -> bool:
    return bool(letter["key"].startswith(f"staff:{_ALARM}:"))


def _alarm(tx: Connection, centre: Centre, letter: RowMapping, fault: Fault, now: datetime) -> None:
    """Tell the other approvers, once a day for each approver who cannot be reached. An alarm that fails makes no other,
    so that approvers who are all out of reach are the end of it and no loop."""
    whom = letter["recipient"].lower()
    key = f"{_ALARM}:{now.astimezone(JST):%Y-%m-%d}:{whom}"
    if _is_alarm(letter) or post.told(tx, key):
        return
    post.notify(
        tx,
        centre,
        key=key,
        subject="承認者に届かない通知があります",
        lines=[
            f"宛先：{letter['recipient']}",
            f"通知の種類：{LETTER_WORDS[LetterKind(letter['kind'])]}",
            f"理由：{_FAULT_WORDS[fault]}",
            CONSEQUENCES[LetterKind(letter["kind"])].advice,
            "このお知らせは、お一人につき1日1回だけお送りします。",
        ],
        now=now,
        case_id=letter["case_id"],
        besides=whom,
    )
